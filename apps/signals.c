/* signals.c - see signals.h.  Handlers only take notes; calls of the system that they interrupt go on. */
#include "signals.h"
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stop, save;

static void on_save(int number)
{
    (void)number;
    save = 1;
}

static void on_stop(int number)
{
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    stop = number;
    sigaction(SIGINT, &usual, NULL);
    sigaction(SIGTERM, &usual, NULL);
}

void signals_watch(void)
{
    const struct sigaction stopping = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
    sigaction(SIGINT, &stopping, NULL);
    sigaction(SIGTERM, &stopping, NULL);
}

void signals_watch_save(void)
{
    const struct sigaction saving = { .sa_handler = on_save, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &saving, NULL);
}

int signals_stop(void) { return stop; }

const char *signals_word(void) { return stop == SIGTERM ? "terminated" : "interrupted"; }

bool signals_save(void)
{
    const bool asked = save;
    save = 0;
    return asked;
}
