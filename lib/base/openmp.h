/* openmp.h - OpenMP regions on behalf of the libraries that open them, oneDNN and OpenBLAS.
 *
 * The program may use OpenMP itself: its settings and threads are not changed. */
#ifndef TG_OPENMP_H
#define TG_OPENMP_H
#include <sched.h>
#include <stdbool.h>

int tg_openmp_asked(void); /* the value of OMP_NUM_THREADS; 0: unset or invalid */
/* Adds the processors of all OpenMP places.  On load, libgomp binds the first thread to its first place, so the
 * affinity mask alone does not show where the process may run. */
void tg_openmp_places(cpu_set_t *to);
/* Calls call(context) with `threads` threads for its parallel regions, then restores the calling thread's setting.
 * False: not called, because a forked process could not create the thread that the call needs there. */
bool tg_with_openmp(int threads, void (*call)(void *context), void *context);
void tg_openmp_close(void);  /* ends the threads that tg_with_openmp keeps */
void tg_openmp_forked(void); /* call in a forked child, which has none of its parent's OpenMP threads */
#endif
