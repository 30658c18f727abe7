/* status_line.h - a line redrawn in place on a terminal, or printed from time to time elsewhere. */
#ifndef TG_APPS_STATUS_LINE_H
#define TG_APPS_STATUS_LINE_H
#include <tilegrad/tilegrad.h>
#include <stdio.h>

typedef struct {
    FILE *to;
    bool terminal;
    double shown; /* when it was last drawn */
} status_line;

typedef struct {
    char text[24];
} clock_text;

double seconds(void);                                 /* on a monotonic clock */
const char *clock_print(double time, clock_text *to); /* "1:02:03" or "2:03", in `to` */
status_line status_open(FILE *to);
bool status_due(status_line *line, double now); /* is it time to draw?  If so, it counts as drawn */
void status_show(const status_line *line, const char *text);
void status_clear(const status_line *line); /* erases it from the terminal */
#endif
