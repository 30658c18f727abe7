/* names.c - see names.h. */
#include "names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const names_networks[] = {
#define TG_NETWORK(name, h, w, c, about) #name,
#include "networks.def"
    NULL
};
static const char *const network_inputs[] = {
#define TG_NETWORK(name, h, w, c, about) #name " (" #h "x" #w "x" #c ")",
#include "networks.def"
    NULL
};
const char *const names_datasets[] = {
#define TG_DATASET(name, open, holds, files) name,
#include "datasets.def"
    NULL
};
const char *const names_optimizers[] = {
#define OPTIMIZER(name, config, lr, decay) #name,
#include "optimizers.def"
    NULL
};
const char *const names_commands[] = {
#define COMMAND(name, about) #name,
#include "commands.def"
    NULL
};
static const char *const command_abouts[] = {
#define COMMAND(name, about) about,
#include "commands.def"
};

static const struct {
    const char *name, *token;
    const char *const *names;
    const char *last;
} lists[] = {
    { "networks", "{networks}", names_networks, " or " }, { "inputs", "{inputs}", network_inputs, " or " },
    { "datasets", "{datasets}", names_datasets, ", " },   { "optimizers", "{optimizers}", names_optimizers, " or " },
    { "commands", "{commands}", names_commands, NULL }, /* a line each */
};
enum { LISTS = sizeof lists / sizeof *lists };

bool names_print(const char *list)
{
    int i = 0;
    while (i < LISTS && strcmp(lists[i].name, list) != 0) i++;
    for (const char *const *name = i < LISTS ? lists[i].names : NULL; name && *name; name++) printf("%s\n", *name);
    return i < LISTS;
}

static void write_names(FILE *to, const char *const *names, const char *last)
{
    for (int i = 0; names[i]; i++) fprintf(to, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : last, names[i]);
}

static void write_commands(FILE *to)
{
    for (int i = 0; names_commands[i]; i++)
        fprintf(to, "%s  %-10s%s", i ? "\n" : "", names_commands[i], command_abouts[i]);
}

char *names_text(const char *const *names, const char *last)
{
    char *text = NULL;
    size_t bytes;
    FILE *const to = open_memstream(&text, &bytes);
    if (!to) return NULL;
    write_names(to, names, last);
    fclose(to);
    return text;
}

/* The list whose token `text` begins with, or LISTS. */
static int token_at(const char *text)
{
    int i = 0;
    while (i < LISTS && strncmp(text, lists[i].token, strlen(lists[i].token)) != 0) i++;
    return i;
}

char *names_help(int key, const char *text, void *input)
{
    (void)key, (void)input;
    char *filled = NULL;
    size_t bytes;
    FILE *const to = text ? open_memstream(&filled, &bytes) : NULL;
    if (!to) return (char *)text;
    while (*text) {
        const int i = token_at(text);
        if (i == LISTS) fputc(*text++, to);
        else {
            if (lists[i].last) write_names(to, lists[i].names, lists[i].last);
            else write_commands(to);
            text += strlen(lists[i].token);
        }
    }
    fclose(to);
    return filled;
}

/* ---- optimizers ---- */

#define OPTIMIZER(name, config, usual_lr, usual_decay) \
    static tg_optim *new_##name(tg_scope *root, tg_module *net, float lr, float momentum, float decay) \
    { \
        (void)momentum; \
        return tg_##name(root, net, config); \
    }
#include "optimizers.def"

tg_optim *optimizer_new(tg_scope *root, tg_module *net, optimizer_kind kind, float lr, float momentum, float decay)
{
    static tg_optim *(*const make[])(tg_scope *, tg_module *, float, float, float) = {
#define OPTIMIZER(name, config, usual_lr, usual_decay) new_##name,
#include "optimizers.def"
    };
    return make[kind](root, net, lr, momentum, decay);
}

float optimizer_lr(optimizer_kind kind)
{
    static const float usual[] = {
#define OPTIMIZER(name, config, lr, decay) lr,
#include "optimizers.def"
    };
    return usual[kind];
}

float optimizer_decay(optimizer_kind kind)
{
    static const float usual[] = {
#define OPTIMIZER(name, config, lr, decay) decay,
#include "optimizers.def"
    };
    return usual[kind];
}
