/* parallel.h - the one pool of threads.
 *
 * The pool has as many workers as the process may use processors, or OMP_NUM_THREADS, or what tg_set_threads says.
 * With more than one, each worker is bound to a processor of the affinity mask that the process was given, for two
 * unbound threads may land on one core; TG_BIND=0 leaves them alone. */
#ifndef TG_PARALLEL_H
#define TG_PARALLEL_H
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

int  tg_threads(void);                        /* workers of the pool, at least 1 */
bool tg_set_threads(int n);                   /* false, and nothing changed: n is not in 1..1024 */
int  tg_processors(void);                     /* processors that the process may run on */
bool tg_threads_bound(void);                  /* workers are bound to processors */
void tg_unbind_thread(void);                  /* gives the calling thread the whole mask of the process back */
/* Calls body(context, index, worker) for every 0 <= index < n, spread over the workers; returns when all are done.
 * Several threads may call it: their jobs take turns.  Called by a body, it does all in the body's own thread. */
void tg_parallel(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);
/* The same; each worker begins with the last index of its part. */
void tg_parallel_backwards(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);

#ifdef __cplusplus
}
#endif
#endif
