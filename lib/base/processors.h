/* processors.h - the processors on which the process may run, and those to which its workers are bound.
 *
 * Concurrent processes would all bind workers to the same processors if each started with the first of its mask.  So a
 * processor with a bound worker is locked, by a lock on its folder in /sys that ends with the process. */
#ifndef TG_PROCESSORS_H
#define TG_PROCESSORS_H
#include <sched.h>
#include <stdbool.h>

extern const char *tg_processor_folders;      /* the parent of the folders that are locked; tests set their own */
const cpu_set_t *tg_allowed_processors(void); /* the affinity mask and OpenMP's places */
double tg_quota_here(void);                   /* tg_cpu_quota of this process */

/* Takes n processors that no other process has taken, starting with the one on which the caller runs.  False: fewer are
 * free, and none is taken. */
bool tg_take_processors(int n);
void tg_release_processors(void);
int tg_taken_processor(int k); /* the k-th of those taken; -1: fewer are taken */
void tg_swap_processors(int a, int b);
#endif
