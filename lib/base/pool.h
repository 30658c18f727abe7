/* pool.h - the thread pool's private interface; parallel.h is the public one. */
#ifndef TG_POOL_H
#define TG_POOL_H
#include <stdbool.h>

/* Fixes tg_threads() at n for the calling thread, whatever tg_set_threads sets, so that a run is planned and executed
 * with the same count; 0 ends that.  Returns the count that was fixed before. */
int tg_hold_threads(int n);
void tg_pool_open(void);            /* a tree of scopes was opened */
void tg_pool_close(void);           /* a tree was closed; the last one ends the workers */
extern bool tg_pool_oversubscribes; /* for tests: allows more workers than processors */
#endif
