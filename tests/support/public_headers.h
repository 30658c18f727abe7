/* public_headers.h - lists the functions that the public headers declare, for tests of all of them. */
#ifndef TG_PUBLIC_HEADERS_H
#define TG_PUBLIC_HEADERS_H

/* Calls visit for each function, with its name and its parameter list, in the order of tilegrad.h.  The test
 * fails if a header cannot be read in the build's include folder. */
void each_public_function(void (*visit)(const char *name, const char *parameters, void *context), void *context);
#endif
