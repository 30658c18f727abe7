/* status_line.h - a line that is drawn again and again on a terminal, and now and then a plain one elsewhere. */
#ifndef TG_APPS_STATUS_LINE_H
#define TG_APPS_STATUS_LINE_H
#include <tilegrad/tilegrad.h>
#include <stdio.h>

typedef struct {
    FILE *to;
    bool terminal;
    double shown; /* when it was drawn last */
} status_line;

typedef struct {
    char text[24];
} clock_text;

double seconds(void);                                 /* on a clock that only goes forward */
const char *clock_print(double time, clock_text *to); /* "1:02:03" or "2:03", in `to` */
status_line status_open(FILE *to);
bool status_due(status_line *line, double now); /* it is time to draw: and it counts as drawn */
void status_show(const status_line *line, const char *text);
void status_clear(const status_line *line); /* takes it off the terminal */
#endif
