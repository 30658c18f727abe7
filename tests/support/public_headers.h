/* public_headers.h - the functions that the public headers declare, for tests that have to know them all. */
#ifndef TG_PUBLIC_HEADERS_H
#define TG_PUBLIC_HEADERS_H

/* Calls visit for each, with its name and what stands between its parentheses, in the order of tilegrad.h.  The test
 * fails if a header cannot be read in the build's include folder. */
void each_public_function(void (*visit)(const char *name, const char *parameters, void *context), void *context);
#endif
