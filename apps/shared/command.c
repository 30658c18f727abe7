/* command.c - runs a subcommand. */
#include "command.h"
#include "options.h"
#include "output.h"
#include <string.h>

enum { MOST_COMMANDS = 16 };

typedef struct {
    const command *all, *chosen;
    int first;
} choice;

static const char *list(const command *all, char *to, size_t size)
{
    const char *names[MOST_COMMANDS + 1] = { NULL };
    for (int i = 0; i < MOST_COMMANDS && all[i].name; i++) names[i] = all[i].name;
    return option_list(names, to, size);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    char names[160];
    choice *const found = state->input;
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "no command: want %s", list(found->all, names, sizeof names));
    if (key != ARGP_KEY_ARG) return key == ARGP_KEY_NO_ARGS ? 0 : ARGP_ERR_UNKNOWN;
    for (const command *c = found->all; c->name; c++)
        if (!strcmp(text, c->name)) found->chosen = c;
    if (!found->chosen) argp_error(state, "unknown command '%s': want %s", text, list(found->all, names, sizeof names));
    found->first = state->next - 1;
    state->next = state->argc; /* the subcommand parses the rest */
    return 0;
}

int command_run(const command *all, const char *about, int argc, char **argv)
{
    const struct argp parser = { .parser = parse, .args_doc = "COMMAND [ARGUMENT...]", .doc = about };
    choice found = { .all = all };
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &found);
    argv[found.first] = found.chosen->title;
    output_title(found.chosen->title);
    return found.chosen->run(argc - found.first, argv + found.first);
}
