/* openmp.h - OpenMP, whose threads belong to the libraries that open parallel regions: oneDNN and OpenBLAS.
 *
 * The program may use OpenMP, too: nothing here changes its settings or its threads. */
#ifndef TG_OPENMP_H
#define TG_OPENMP_H
#include <sched.h>
#include <stdbool.h>

int tg_openmp_asked(void); /* the number in OMP_NUM_THREADS; 0: none */
/* Adds the processors of all places.  When it is loaded, libgomp binds the first thread to the first of its places, so
 * the affinity mask does not tell where the process may run. */
void tg_openmp_places(cpu_set_t *to);
/* Calls call(context), in which parallel regions have that many threads; afterwards the calling thread's setting is
 * what it was.  False: nothing was called, for a forked process cannot make the thread that it takes there. */
bool tg_with_openmp(int threads, void (*call)(void *context), void *context);
void tg_openmp_close(void);  /* ends the threads that tg_with_openmp keeps */
void tg_openmp_forked(void); /* this process is a child whose OpenMP threads stayed behind */
#endif
