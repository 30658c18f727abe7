/* ckpt_run.c - errors and progress of a subcommand of `tilegrad ckpt`. */
#include "ckpt.h"
#include "signals.h"
#include <signal.h>

static const double patience = 2; /* seconds before progress is shown */

ckpt ckpt_begin(const char *name)
{
    signals_watch();
    return (ckpt){ .name = name, .root = tg_open(), .line = status_open(stderr), .began = seconds() };
}

static void show(const ckpt *c, double took)
{
    const double rate = (double)c->done / took, left = c->total > c->done ? (double)(c->total - c->done) / rate : 0;
    ckpt_text done, total, speed;
    clock_text time;
    char line[320];
    snprintf(line, sizeof line, "%3.0f %%  %s of %s  %s/s  %s left",
             c->total ? 100 * (double)c->done / (double)c->total : 0.0, ckpt_size(c->done, &done),
             ckpt_size(c->total, &total), ckpt_size((uint64_t)rate, &speed), clock_print(left, &time));
    status_show(&c->line, line);
}

bool ckpt_step(ckpt *c, uint64_t bytes)
{
    const double now = seconds();
    c->done += bytes;
    if (signals_stop()) tg_fail(c->root, "%s", signals_word());
    else if (now - c->began > patience && status_due(&c->line, now)) show(c, now - c->began);
    return tg_ok(c->root);
}

int ckpt_end(ckpt *c, int status)
{
    status_clear(&c->line);
    fflush(stdout); /* detects a closed pipe now */
    const bool done = tg_ok(c->root), unread = signals_stop() == SIGPIPE;
    if (!done && !unread) fprintf(stderr, "%s: %s\n", c->name, tg_message(c->root));
    if (!done) status = EXIT_FAILED;
    if (unread || (!done && signals_stop())) status = 128 + signals_stop();
    tg_close(c->root);
    return status == EXIT_OK && c->left_out ? EXIT_FAILED : status;
}
