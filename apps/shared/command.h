/* command.h - the subcommands of `tilegrad`.
 *
 * Each parses its own arguments with argp (argv[0] is "tilegrad train" and so on) and returns the exit status: 0 for
 * success; 1 for a failure, which stderr explains; 2 for a wrong command line (argp exits by itself); or 128 plus the
 * number of the signal that stopped it (signals.h).  If stdout could not be written, 0 becomes 1 (output.h). */
#ifndef TG_APPS_COMMAND_H
#define TG_APPS_COMMAND_H

typedef struct {
    const char *name;
    char *title; /* its name in messages and --help: "tilegrad train" */
    int (*run)(int argc, char **argv);
} command;

/* Runs the command named argv[1], with the remaining arguments.  The list ends with a NULL name; `about` is the text
 * of --help. */
int command_run(const command *all, const char *about, int argc, char **argv);

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define COMMAND(name, about) int command_##name(int argc, char **argv);
#include "commands.def"
#endif
