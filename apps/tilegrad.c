/* tilegrad.c - the `tilegrad` command: finds the subcommand and hands it the rest of the line. */
#include "command.h"
#include <argp.h>
#include <string.h>

typedef struct {
    const char *name;
    char       *title;                   /* what messages and --help call it */
    int       (*run)(int argc, char **argv);
} command;

static const command commands[] = {
    { "train",   "tilegrad train",   command_train   },
    { "eval",    "tilegrad eval",    command_eval    },
    { "bench",   "tilegrad bench",   command_bench   },
    { "info",    "tilegrad info",    command_info    },
    { "kernels", "tilegrad kernels", command_kernels },
};

static const char about[] =
    "Trains convolutional networks on CPUs.\n\n"
    "Commands:\n"
    "  train     train a network on images, with its test accuracy after each epoch\n"
    "  eval      how good a checkpoint's weights are, class by class\n"
    "  bench     measure the speed of training or inference\n"
    "  info      version, processor, backends, threads\n"
    "  kernels   which kernel each operator would run here, and why not the others\v"
    "Examples:\n"
    "  tilegrad train lenet --data sample --out runs/lenet\n"
    "  tilegrad train resnet20 --data-dir cifar-10-batches-bin --epochs 20\n"
    "  tilegrad train lenet --data sample --out runs/lenet --resume auto\n"
    "  tilegrad eval runs/lenet/best.safetensors\n"
    "  tilegrad bench resnet18c --batch 128\n"
    "  tilegrad train --help\n\n"
    "Exit status: 0 done, 1 failed (stderr says why), 2 wrong command line, 130 interrupted,\n"
    "143 terminated.";

typedef struct { const command *chosen; int first; } choice;

static error_t parse(int key, char *text, struct argp_state *state)
{
    choice *const found = state->input;
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "no command: want train, eval, bench, info or kernels");
    if (key != ARGP_KEY_ARG) return key == ARGP_KEY_NO_ARGS ? 0 : ARGP_ERR_UNKNOWN;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(text, commands[i].name)) found->chosen = &commands[i];
    if (!found->chosen) argp_error(state, "unknown command '%s': want train, eval, bench, info or kernels", text);
    found->first = state->next - 1;
    state->next  = state->argc;          /* the rest is the subcommand's */
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp parser = { .parser = parse, .args_doc = "COMMAND [ARGUMENT...]", .doc = about };
    argp_program_version   = "tilegrad " TG_VERSION;
    argp_err_exit_status   = EXIT_USAGE;
    choice found           = { .chosen = NULL };
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &found);
    argv[found.first] = found.chosen->title;
    return found.chosen->run(argc - found.first, argv + found.first);
}
