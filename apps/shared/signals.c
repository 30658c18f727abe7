/* signals.c - see signals.h.  Handlers only set flags; interrupted system calls are restarted. */
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
    if (!stop || stop == SIGPIPE) stop = number; /* Ctrl-C also ends the reader of a pipe, perhaps before us */
    sigaction(SIGINT, &usual, NULL);
    sigaction(SIGTERM, &usual, NULL);
}

/* These may arrive repeatedly: both the shell and the kernel send SIGHUP, and every line raises SIGPIPE. */
static void on_loss(int number)
{
    if (!stop) stop = number;
}

static void watch_loss(int number)
{
    const struct sigaction noting = { .sa_handler = on_loss, .sa_flags = SA_RESTART };
    struct sigaction before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(number, &noting, NULL);
}

void signals_of_files(void)
{
    const struct sigaction ignored = { .sa_handler = SIG_IGN };
    sigaction(SIGXFSZ, &ignored, NULL);
}

void signals_watch(void)
{
    const struct sigaction stopping = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
    sigaction(SIGINT, &stopping, NULL);
    sigaction(SIGTERM, &stopping, NULL);
    watch_loss(SIGHUP);
    watch_loss(SIGPIPE);
}

void signals_watch_save(void)
{
    const struct sigaction saving = { .sa_handler = on_save, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &saving, NULL);
}

int signals_stop(void) { return stop; }

const char *signals_word(void)
{
    switch (stop) {
    case SIGTERM: return "terminated";
    case SIGHUP: return "hung up";
    case SIGPIPE: return "broken pipe: stopped";
    default: return "interrupted";
    }
}

bool signals_save(void)
{
    const bool asked = save;
    save = 0;
    return asked;
}
