/* options.c - parses and checks the values of options. */
#include "options.h"
#include "names.h"
#include "openmp.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

int64_t option_whole(struct argp_state *state, const char *name, const char *text, int64_t low, int64_t high)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high)
        argp_error(state, "%s '%s': want a whole number from %lld to %lld", name, text, (long long)low,
                   (long long)high);
    return value;
}

double option_number(struct argp_state *state, const char *name, const char *text, double low, double high)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high)) /* refuses NaN, too */
        argp_error(state, "%s '%s': want a number from %g to %g", name, text, low, high);
    return value;
}

int option_choice(struct argp_state *state, const char *name, const char *text, const char *const *choices)
{
    for (int i = 0; choices[i]; i++)
        if (!strcmp(text, choices[i])) return i;
    argp_error(state, "%s '%s': want %s", name, text, names_text(choices, " or "));
    return 0;
}

const tg_model_info *option_model(struct argp_state *state, const char *text)
{
    const tg_model_info *const found = tg_find_model(text);
    if (found) return found;
    argp_error(state, "unknown model '%s': there are %s", text, names_text(names_networks, " or "));
    return NULL;
}

static void warn_oversubscribed(const char *command, const char *asked, int threads)
{
    const int most = tg_processors();
    if (threads > most)
        fprintf(stderr, "%s: %s%d: only %d processor%s available, which limits the threads\n", command, asked, threads,
                most, most == 1 ? "" : "s");
}

void options_threads_report(const char *command)
{
    warn_oversubscribed(command, "OMP_NUM_THREADS=", tg_openmp_asked());
}

void option_threads(struct argp_state *state, const char *text)
{
    const int threads = (int)option_whole(state, "--threads", text, 1, MAX_THREADS);
    if (!tg_set_threads(threads))
        argp_error(state, "--threads %d: a thread pool of that size can't be created", threads);
    warn_oversubscribed(state->name, "--threads ", threads);
}

error_t option_take_arguments(int key, struct argp_state *state, const char *wanted, int least, int most,
                              option_arguments *to)
{
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "no arguments: want %s", wanted);
    if (key != ARGP_KEY_ARGS) return ARGP_ERR_UNKNOWN;
    *to = (option_arguments){ state->argv + state->next, state->argc - state->next };
    if (to->n < least) argp_error(state, "too few arguments: want %s", wanted);
    if (to->n > most) argp_error(state, "too many arguments: '%s'", to->at[most]);
    state->next = state->argc;
    return 0;
}
