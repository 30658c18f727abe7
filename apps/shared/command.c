/* command.c - runs a subcommand. */
#include "command.h"
#include "names.h"
#include "output.h"
#include <argp.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const command *all, *chosen;
    int first;
} choice;

/* "train, eval or bench"; the program ends after it. */
static const char *list(const command *all)
{
    int count = 0;
    while (all[count].name) count++;
    const char **const names = calloc((size_t)count + 1, sizeof *names);
    for (int i = 0; names && i < count; i++) names[i] = all[i].name;
    const char *const text = names ? names_text(names, " or ") : NULL;
    free(names);
    return text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    choice *const found = state->input;
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "no command: want %s", list(found->all));
    if (key != ARGP_KEY_ARG) return key == ARGP_KEY_NO_ARGS ? 0 : ARGP_ERR_UNKNOWN;
    for (const command *c = found->all; c->name; c++)
        if (!strcmp(text, c->name)) found->chosen = c;
    if (!found->chosen) argp_error(state, "unknown command '%s': want %s", text, list(found->all));
    found->first = state->next - 1;
    state->next = state->argc; /* the subcommand parses the rest */
    return 0;
}

int command_run(const command *all, const char *about, int argc, char **argv)
{
    const struct argp parser = {
        .parser = parse, .args_doc = "COMMAND [ARGUMENT...]", .doc = about, .help_filter = names_help
    };
    choice found = { .all = all };
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &found);
    argv[found.first] = found.chosen->title;
    output_title(found.chosen->title);
    return found.chosen->run(argc - found.first, argv + found.first);
}
