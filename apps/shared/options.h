/* options.h - options that several subcommands share.
 *
 * An invalid value ends the program with status 2: "--epochs '0': want a whole number from 1 to ...". */
#ifndef TG_APPS_OPTIONS_H
#define TG_APPS_OPTIONS_H
#include <tilegrad/tilegrad.h>
#include <argp.h>

int64_t option_whole(struct argp_state *state, const char *name, const char *text, int64_t low, int64_t high);
double option_number(struct argp_state *state, const char *name, const char *text, double low, double high);
/* The index of text in a NULL-terminated list. */
int option_choice(struct argp_state *state, const char *name, const char *text, const char *const *choices);
const tg_model_info *option_model(struct argp_state *state, const char *text);
void option_threads(struct argp_state *state, const char *text); /* parses and sets the number */
void options_threads_report(const char *command); /* warns on stderr if OMP_NUM_THREADS exceeds the processors */
/* Handles a parser's remaining keys: `least` to `most` positional arguments; `wanted` describes them in messages. */
typedef struct {
    char **at;
    int n;
} option_arguments;
error_t option_take_arguments(int key, struct argp_state *state, const char *wanted, int least, int most,
                              option_arguments *to);
#endif
