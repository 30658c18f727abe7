/* options.h - values of options that several subcommands take.
 *
 * A value that does not do ends the program with status 2: "--epochs '0': want a whole number from 1 to ...". */
#ifndef TG_APPS_OPTIONS_H
#define TG_APPS_OPTIONS_H
#include "tilegrad.h"
#include <argp.h>

int64_t option_whole (struct argp_state *state, const char *name, const char *text, int64_t low, int64_t high);
double  option_number(struct argp_state *state, const char *name, const char *text, double low, double high);
/* The index of text in a list that ends with NULL. */
int     option_choice(struct argp_state *state, const char *name, const char *text, const char *const *choices);
const tg_model_info *option_model(struct argp_state *state, const char *text);
void    option_threads(struct argp_state *state, const char *text);         /* and sets them */
#endif
