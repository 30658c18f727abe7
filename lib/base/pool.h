/* pool.h - what the core asks of the pool of threads beside parallel.h. */
#ifndef TG_POOL_H
#define TG_POOL_H
#include <stdbool.h>

/* From here on tg_threads() is n for the calling thread, whatever tg_set_threads says; 0: it follows that again.  A run
 * is planned and executed with one number.  Returns what was held before. */
int tg_hold_threads(int n);
void tg_pool_open(void);    /* a tree of scopes begins */
void tg_pool_close(void);   /* one ends; with the last of them the workers end, too */
extern bool tg_pool_crowds; /* for tests: there may be more workers than processors */
#endif
