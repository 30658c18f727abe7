/* processors.h - where the process may run, and which of its processors its workers have.
 *
 * Processes that compute side by side would meet on the same processors if each began with the first of its mask.  So a
 * processor that a worker is bound to is locked, by a lock on its folder in /sys that ends with the process. */
#ifndef TG_PROCESSORS_H
#define TG_PROCESSORS_H
#include <sched.h>
#include <stdbool.h>

extern const char *tg_processor_folders;      /* where their folders are; tests have some of their own */
const cpu_set_t *tg_allowed_processors(void); /* the affinity mask, with the places of OpenMP */
double tg_quota_here(void);                   /* tg_cpu_quota of this process */

/* Takes n processors that no other process has taken, beginning with the one on which the caller runs.  False: there
 * are not so many, and none is taken. */
bool tg_take_processors(int n);
void tg_leave_processors(void);
int tg_taken_processor(int k); /* number k of those taken; -1: there is none */
void tg_swap_processors(int a, int b);
#endif
