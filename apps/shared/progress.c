/* progress.c - the line that shows a training run's progress. */
#include "progress.h"
#include <stdarg.h>

progress progress_start(FILE *to, int64_t epochs, int64_t images)
{
    return (progress){ .line = status_open(to), .epoch = 1, .epochs = epochs, .images = images };
}

void progress_go(progress *p) { p->since = p->line.shown = seconds(); }

void progress_next_epoch(progress *p)
{
    p->done += p->sums.seen;
    p->epoch++;
    p->sums = p->marked = (progress_sums){ 0 };
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double progress_rate(const progress *p) { return ratio((double)(p->done + p->sums.seen), p->train_seconds); }
double progress_loss(progress_sums sums) { return ratio(sums.loss, (double)sums.seen); }
double progress_accuracy(progress_sums sums) { return 100 * ratio(sums.right, (double)sums.seen); }

progress_sums progress_mark(progress *p)
{
    const progress_sums now = p->sums, then = p->marked;
    p->marked = now;
    return (progress_sums){ now.seen - then.seen, now.loss - then.loss, now.right - then.right };
}

static void show(const progress *p)
{
    const int64_t left = p->images * p->epochs - p->done - p->sums.seen;
    const double rate = progress_rate(p), part = ratio((double)p->sums.seen, (double)p->images);
    clock_text time;
    char line[256];
    clock_print(ratio((double)left, rate), &time);
    snprintf(line, sizeof line, "epoch %lld/%lld %3.0f %%  loss %.4f  accuracy %.1f %%  %.0f img/s  %s left",
             (long long)p->epoch, (long long)p->epochs, 100 * part, progress_loss(p->sums), progress_accuracy(p->sums),
             rate, time.text);
    status_show(&p->line, line);
}

void progress_step(progress *p, int count, double loss, int64_t right)
{
    const double now = seconds();
    p->train_seconds += now - p->since;
    p->since = now;
    p->sums.seen += count;
    p->sums.loss += loss * count;
    p->sums.right += (double)right;
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
