/* output.h - standard output and standard error of the command.
 *
 * Whatever is printed to stdout or stderr, by whomever (argp and the library, too), passes one function that escapes
 * what a terminal might take for a command, what turns the direction of text, and invalid UTF-8 (lib/base/printable.h);
 * a line feed alone stays.  At exit, output that could not be written makes status 0 a failure, with a message. */
#ifndef TG_APPS_OUTPUT_H
#define TG_APPS_OUTPUT_H
#include <stdio.h>

void output_open(void);              /* first of all; a descriptor that is closed is made unwritable */
void output_title(const char *text); /* "tilegrad train": begins the message */
int output_fd(const FILE *to);       /* of stdout or stderr, which know none of their own */
void output_raw(FILE *to, const char *bytes, size_t n); /* past the escaping: our own control sequences, raw values */

/* Text that may hold line feeds, as a part of a line: a path, a name.  In `room`. */
typedef struct {
    char text[4400];
} output_text;
const char *output_name(const char *text, output_text *room);
#endif
