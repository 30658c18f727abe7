/* output.h - standard output and standard error of the command.
 *
 * Everything printed to stdout or stderr, by argp and the library too, passes through one function that escapes control
 * sequences, bidirectional marks and invalid UTF-8 (lib/base/printable.h), but not line feeds.  If output could not be
 * written, exit reports it and turns status 0 into a failure. */
#ifndef TG_APPS_OUTPUT_H
#define TG_APPS_OUTPUT_H
#include <stdio.h>

void output_open(void);                                 /* call first; a closed descriptor becomes unwritable */
void output_title(const char *text);                    /* "tilegrad train": the prefix of messages */
int output_fd(const FILE *to);                          /* of stdout or stderr, whose fileno() is -1 */
void output_raw(FILE *to, const char *bytes, size_t n); /* without escaping: our own control sequences, raw values */

/* Escapes a path or name, line feeds included, to fit in a line.  The result is stored in `room`. */
typedef struct {
    char text[4400];
} output_text;
const char *output_name(const char *text, output_text *room);
#endif
