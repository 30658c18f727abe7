/* options.h - values of options that several subcommands take.
 *
 * A value that does not do ends the program with status 2: "--epochs '0': want a whole number from 1 to ...". */
#ifndef TG_APPS_OPTIONS_H
#define TG_APPS_OPTIONS_H
#include <tilegrad/tilegrad.h>
#include <argp.h>

int64_t option_whole(struct argp_state *state, const char *name, const char *text, int64_t low, int64_t high);
double option_number(struct argp_state *state, const char *name, const char *text, double low, double high);
/* "sgd, adam or adamw", from a list that ends with NULL; returns `to`. */
const char *option_list(const char *const *choices, char *to, size_t size);
/* The index of text in such a list. */
int option_choice(struct argp_state *state, const char *name, const char *text, const char *const *choices);
const tg_model_info *option_model(struct argp_state *state, const char *text);
void option_threads(struct argp_state *state, const char *text); /* and sets them */
void options_threads_report(const char *command); /* says on stderr if OMP_NUM_THREADS asks for too many */
/* The arguments that are no options, for a parser's other keys: `wanted` of them, from `least` to `most`. */
typedef struct {
    char **at;
    int n;
} option_arguments;
error_t option_take_arguments(int key, struct argp_state *state, const char *wanted, int least, int most,
                              option_arguments *to);
#endif
