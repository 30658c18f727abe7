/* library.h - shared libraries, loaded on first use. */
#ifndef TG_LIBRARY_H
#define TG_LIBRARY_H
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    const char *backend;      /* that uses it */
    const char *const *files; /* tried in this order; NULL-terminated */
    const char *const *names; /* of its functions; NULL-terminated */
    void **functions;         /* receives their addresses */
    char why_not[256];        /* "": it can be used */
    atomic_bool loaded;
} tg_library;

/* Loads l.  On failure sets why_not, reports it to dispatch and returns false: the library is missing, lacks a
 * function, or the address space is limited (ulimit -v): OpenBLAS hangs when it runs out, and oneDNN crashes. */
bool tg_library_load(tg_library *l);
#endif
