/* progress.c - the line that shows how far a training is. */
#include "progress.h"
#include <stdarg.h>

progress progress_start(FILE *to, int epochs, int64_t images)
{
    return (progress){ .line = status_open(to), .epochs = epochs, .images = images };
}

void progress_epoch(progress *p, int epoch)
{
    p->done += p->seen;
    p->epoch = epoch;
    p->seen  = 0;
    p->loss  = p->right = 0;
    p->since = p->line.shown = seconds();
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double progress_rate    (const progress *p) { return ratio((double)(p->done + p->seen), p->train_seconds); }
double progress_loss    (const progress *p) { return ratio(p->loss, (double)p->seen); }
double progress_accuracy(const progress *p) { return 100 * ratio(p->right, (double)p->seen); }

static void show(const progress *p)
{
    const int64_t left = p->images * p->epochs - p->done - p->seen;
    const double  rate = progress_rate(p), part = ratio((double)p->seen, (double)p->images);
    clock_text time;
    char       line[256];
    clock_print(ratio((double)left, rate), &time);
    snprintf(line, sizeof line, "epoch %d/%d %3.0f %%  loss %.4f  accuracy %.1f %%  %.0f img/s  %s left", p->epoch,
             p->epochs, 100 * part, progress_loss(p), progress_accuracy(p), rate, time.text);
    status_show(&p->line, line);
}

void progress_step(progress *p, int count, double loss, int64_t right)
{
    const double now = seconds();
    p->train_seconds += now - p->since;
    p->since          = now;
    p->seen          += count;
    p->loss          += loss * count;
    p->right         += (double)right;
    if (status_due(&p->line, now)) show(p);
}

void progress_clear(progress *p) { status_clear(&p->line); }

void progress_line(progress *p, const char *format, ...)
{
    va_list list;
    progress_clear(p);
    va_start(list, format);
    vfprintf(p->line.to, format, list);
    va_end(list);
    fflush(p->line.to);
}
