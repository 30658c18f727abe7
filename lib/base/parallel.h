/* parallel.h - threads.
 *
 * All trees of a process share one pool of threads.  Unless tg_set_threads says otherwise it has as many workers as the
 * process may use processors, or OMP_NUM_THREADS if that is less.  The calling thread is one of the workers; it, its
 * affinity mask and OpenMP's settings stay as they are.  The others are created for the first job and end with the last
 * tree.  Each is bound to a processor of its own, unless other processes that use this library leave too few; then, and
 * with TG_BIND=0, they may run on any.
 *
 * After fork both processes may compute, but a body of tg_parallel must not call fork. */
#ifndef TG_PARALLEL_H
#define TG_PARALLEL_H
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* The number of workers, 1 to tg_processors().  It stays the same during a run of recorded calls, and during a job. */
int tg_threads(void);
/* Sets the number of workers from the next run on; may be called at any time from any thread.  n is limited to
 * tg_processors(), as more would only wait for each other.  False, and nothing changes, if n is not in 1 to 1024. */
bool tg_set_threads(int n);
/* The number of processors that the process may use: those in its affinity mask or in OpenMP's places (libgomp binds
 * the first thread if OMP_PROC_BIND or OMP_PLACES is set), limited by the CPU quota of its control group, rounded down.
 */
int tg_processors(void);
bool tg_threads_bound(void); /* workers are bound: TG_BIND is not 0, and there are enough processors */
void tg_unbind_thread(void); /* lets the calling thread run on any processor that the process may use */
/* Calls body(context, index, worker) for each index in [0, n), distributed over the workers, and returns when all calls
 * have.  Jobs of several threads take turns.  Within a body it runs serially, in the body's thread. */
void tg_parallel(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);
/* The same, but each worker starts with the last index of its part. */
void tg_parallel_backwards(int64_t n, void (*body)(void *context, int64_t index, int worker), void *context);

#ifdef __cplusplus
}
#endif
#endif
