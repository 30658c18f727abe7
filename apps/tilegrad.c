/* tilegrad.c - the `tilegrad` command. */
#include "command.h"
#include <tilegrad/environment.h>
#include "names.h"
#include "output.h"
#include "signals.h"
#include <tilegrad/tilegrad.h>
#include <argp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const command commands[] = {
#define COMMAND(name, about) { #name, "tilegrad " #name, command_##name },
#include "commands.def"
    { NULL, NULL, NULL },
};

static const char about[] = "Trains convolutional networks on CPUs.\n\n"
                            "Commands:\n"
                            "{commands}\v"
                            "Examples:\n"
                            "  tilegrad train lenet --data sample --out runs/lenet\n"
                            "  tilegrad train resnet20 --data-dir cifar-10-batches-bin --epochs 20\n"
                            "  tilegrad train lenet --data sample --out runs/lenet --resume auto\n"
                            "  tilegrad eval runs/lenet/best.safetensors\n"
                            "  tilegrad bench resnet18c --batch 128\n"
                            "  tilegrad ckpt inspect lenet.safetensors\n"
                            "  tilegrad train --help\n\n"
                            "Exit status: 0 success, 1 failure (stderr says why), 2 wrong command line, or\n"
                            "128 plus the number of the signal that stopped it: 130 interrupted,\n"
                            "143 terminated, 129 hung up, 141 broken pipe.";

/* False: a TG_ environment variable has an invalid value. */
static bool check_environment(void)
{
    char wrong[256];
    if (*tg_environment_warning()) fprintf(stderr, "tilegrad: warning: %s\n", tg_environment_warning());
    if (!tg_environment_wrong(wrong, sizeof wrong)) return true;
    fprintf(stderr, "tilegrad: %s\n", wrong);
    return false;
}

int main(int argc, char **argv)
{
    output_open();
    signals_of_files();
    argp_program_version = "tilegrad " TG_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    if (argc == 3 && !strcmp(argv[1], "--list") && names_print(argv[2])) return EXIT_OK; /* for the completion */
    const bool only_asks = argc > 1 && argv[1][0] == '-';                                /* --help, --version */
    if (!only_asks && !check_environment()) return EXIT_USAGE;
    return command_run(commands, about, argc, argv);
}
