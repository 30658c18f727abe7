/* command.h - the subcommands of `tilegrad`.
 *
 * Each parses its own arguments with argp (argv[0] is "tilegrad train" and so on) and returns the status that the
 * program exits with: 0 all went well, 1 something failed and stderr says what, 2 the command line is wrong (argp exits
 * by itself), or 128 more than
 * the number of a signal that stopped it (signals.h).  Of 0 a failure becomes if stdout could not be written
 * (output.h). */
#ifndef TG_APPS_COMMAND_H
#define TG_APPS_COMMAND_H

typedef struct {
    const char *name;
    char *title; /* what messages and --help call it: "tilegrad train" */
    int (*run)(int argc, char **argv);
} command;

/* Finds argv[1] in a list that ends with a name of NULL, and hands it the rest of the line; `about` is for --help. */
int command_run(const command *all, const char *about, int argc, char **argv);

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int command_train(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_info(int argc, char **argv);
int command_kernels(int argc, char **argv);
int command_ckpt(int argc, char **argv);
#endif
