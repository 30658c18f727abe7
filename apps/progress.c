/* progress.c - the line that shows how far a training is. */
#include "progress.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double every_on_terminal = 0.1, every_elsewhere = 10;        /* seconds between two lines */

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

progress progress_start(FILE *to, int64_t epochs, int64_t images)
{
    const char *const term = getenv("TERM");
    const bool terminal = isatty(fileno(to)) && term && strcmp(term, "dumb");
    return (progress){ .to = to, .terminal = terminal, .epoch = 1, .epochs = epochs, .images = images };
}

void progress_go(progress *p) { p->since = p->shown = seconds(); }

void progress_next_epoch(progress *p)
{
    p->done += p->sums.seen;
    p->epoch++;
    p->sums = p->marked = (progress_sums){ 0 };
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double progress_rate    (const progress *p) { return ratio((double)(p->done + p->sums.seen), p->train_seconds); }
double progress_loss    (progress_sums sums) { return ratio(sums.loss, (double)sums.seen); }
double progress_accuracy(progress_sums sums) { return 100 * ratio(sums.right, (double)sums.seen); }

progress_sums progress_mark(progress *p)
{
    const progress_sums now = p->sums, then = p->marked;
    p->marked = now;
    return (progress_sums){ now.seen - then.seen, now.loss - then.loss, now.right - then.right };
}

/* "1:02:03" or "2:03" */
static void clock_text(char text[24], double time)
{
    const long long all = (long long)(time + 0.5);
    if (all >= 3600) snprintf(text, 24, "%lld:%02d:%02d", all / 3600, (int)(all / 60 % 60), (int)(all % 60));
    else snprintf(text, 24, "%lld:%02d", all / 60, (int)(all % 60));
}

static int columns(const progress *p)
{
    struct winsize size;
    return ioctl(fileno(p->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void show(const progress *p)
{
    const int64_t left = p->images * p->epochs - p->done - p->sums.seen;
    const double  rate = progress_rate(p), part = ratio((double)p->sums.seen, (double)p->images);
    char time[24], line[256];
    clock_text(time, ratio((double)left, rate));
    snprintf(line, sizeof line, "epoch %lld/%lld %3.0f %%  loss %.4f  accuracy %.1f %%  %.0f img/s  %s left",
             (long long)p->epoch, (long long)p->epochs, 100 * part, progress_loss(p->sums), progress_accuracy(p->sums), rate, time);
    if (p->terminal) fprintf(p->to, "\r\033[K%.*s", columns(p) - 1, line);
    else fprintf(p->to, "%s\n", line);
    fflush(p->to);
}

void progress_step(progress *p, int count, double loss, int64_t right)
{
    const double now = seconds();
    p->train_seconds += now - p->since;
    p->since          = now;
    p->sums.seen     += count;
    p->sums.loss     += loss * count;
    p->sums.right    += (double)right;
    if (now - p->shown < (p->terminal ? every_on_terminal : every_elsewhere)) return;
    p->shown = now;
    show(p);
}

void progress_clear(progress *p)
{
    if (p->terminal) fputs("\r\033[K", p->to);
    fflush(p->to);
}

void progress_line(progress *p, const char *format, ...)
{
    va_list list;
    progress_clear(p);
    va_start(list, format);
    vfprintf(p->to, format, list);
    va_end(list);
    fflush(p->to);
}
