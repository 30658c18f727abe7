/* parallel.h - the one pool of threads.
 *
 * Without tg_set_threads the pool has as many workers as the process may use processors, or OMP_NUM_THREADS if those
 * are fewer.  The calling thread is one of them; it, its affinity mask and OpenMP's settings are left as they are.  The
 * others are threads of the library, begun by the first job and ended with the last tree of scopes.  Each of these is
 * bound to a processor of its own, unless too few are left by other processes that use this library; then, and with
 * TG_BIND=0, they may run on all.
 *
 * A process that forks may compute in parent and child alike, but fork must not be called by a body of tg_parallel. */
#ifndef TG_PARALLEL_H
#define TG_PARALLEL_H
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Workers of the pool, 1 .. tg_processors().  A run of recorded calls, and a job, keep the number with which they
 * began. */
int tg_threads(void);
/* The number of workers from the next run on, at any time and from any thread.  More than there are processors would
 * only wait for each other: then tg_threads() is tg_processors().  False, and nothing changed: n is not in 1..1024. */
bool tg_set_threads(int n);
/* Processors that the process may use: those of its affinity mask and of OpenMP's places (libgomp binds the first
 * thread when OMP_PROC_BIND or OMP_PLACES is set), but not more than the CPU quota of its control group allows, rounded
 * down. */
int tg_processors(void);
bool tg_threads_bound(void); /* workers are bound where there are free processors for them */
void tg_unbind_thread(void); /* lets the calling thread run on all processors that the process may use */
/* Calls body(context, index, worker) for every 0 <= index < n, spread over the workers; returns when all are done.
 * Several threads may call it: their jobs take turns.  Called by a body, it does all in the body's own thread. */
void tg_parallel(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);
/* The same; each worker begins with the last index of its part. */
void tg_parallel_backwards(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);

#ifdef __cplusplus
}
#endif
#endif
