/* team.h - worker threads that run the tasks of one job at a time, together with the calling thread. */
#ifndef TG_TEAM_H
#define TG_TEAM_H
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

typedef void tg_task_body(void *context, int64_t index, int worker);

enum { TG_TEAM_MAX = 1024 };

/* Starts workers 1 .. workers - 1, or as many as the system allows, each bound to the processors that place(worker, to)
 * sets.  Each calls begin(worker) first. */
void tg_team_start(int workers, void (*begin)(int worker), void (*place)(int worker, cpu_set_t *to));
void tg_team_move(int worker, const cpu_set_t *to);
void tg_team_stop(void);   /* ends and joins the workers, if there are any */
void tg_team_forget(void); /* call in a forked child, which has no workers */
/* Calls body(context, index, worker) for every 0 <= index < n; the caller is worker 0.  Each worker runs a range of its
 * own from its first index to its last, or backwards.  One caller at a time. */
void tg_team_work(int64_t n, bool backwards, tg_task_body *body, void *context);
#endif
