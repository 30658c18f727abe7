/* status_line.c - see status_line.h. */
#include "status_line.h"
#include "output.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char clear[] = "\r\033[K";                            /* erases the line on a terminal */
static const double every_on_terminal = 0.1, every_elsewhere = 10; /* seconds between two lines */

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *clock_print(double time, clock_text *to)
{
    const long long all = (long long)(time + 0.5);
    if (all >= 3600)
        snprintf(to->text, sizeof to->text, "%lld:%02d:%02d", all / 3600, (int)(all / 60 % 60), (int)(all % 60));
    else snprintf(to->text, sizeof to->text, "%lld:%02d", all / 60, (int)(all % 60));
    return to->text;
}

status_line status_open(FILE *to)
{
    const char *const term = getenv("TERM");
    return (status_line){ .to = to, .terminal = isatty(output_fd(to)) && term && strcmp(term, "dumb") };
}

bool status_due(status_line *line, double now)
{
    if (now - line->shown < (line->terminal ? every_on_terminal : every_elsewhere)) return false;
    line->shown = now;
    return true;
}

static int columns(const status_line *line)
{
    struct winsize size;
    return ioctl(output_fd(line->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void status_show(const status_line *line, const char *text)
{
    if (line->terminal) {
        output_raw(line->to, clear, sizeof clear - 1);
        fprintf(line->to, "%.*s", columns(line) - 1, text);
    } else {
        fprintf(line->to, "%s\n", text);
    }
    fflush(line->to);
}

void status_clear(const status_line *line)
{
    if (line->terminal) output_raw(line->to, clear, sizeof clear - 1);
    else fflush(line->to);
}
