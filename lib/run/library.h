/* library.h - shared libraries that are loaded when they are first needed, and not before. */
#ifndef TG_LIBRARY_H
#define TG_LIBRARY_H
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    const char *backend;      /* that stands on it */
    const char *const *files; /* tried in this order; ends with NULL */
    const char *const *names; /* of the functions that are wanted; ends with NULL */
    void **functions;         /* becomes their addresses */
    char why_not[256];        /* it cannot be used; "": it can */
    atomic_bool loaded;
} tg_library;

/* Loads l.  False, and why not, which dispatch hears as well: it is missing, it lacks a function, or the process may
 * only have so many addresses (ulimit -v): OpenBLAS waits for ever when there are too few, and oneDNN crashes. */
bool tg_library_load(tg_library *l);
#endif
