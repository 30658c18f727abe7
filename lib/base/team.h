/* team.h - threads that share out the tasks of one job at a time, with the thread that has the job. */
#ifndef TG_TEAM_H
#define TG_TEAM_H
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

typedef void tg_task_body(void *context, int64_t index, int worker);

enum { TG_TEAM_MOST = 1024 };

/* Workers 1 .. workers - 1 are started, those that the system gives, each on the processors that place(worker, to)
 * says; each calls begin(worker) first. */
void tg_team_start(int workers, void (*begin)(int worker), void (*place)(int worker, cpu_set_t *to));
void tg_team_move(int worker, const cpu_set_t *to);
void tg_team_stop(void);   /* and waits for them; nothing if there are none */
void tg_team_forget(void); /* in a forked process, which has no workers */
/* Calls body(context, index, worker) for every 0 <= index < n, the caller as worker 0.  Each worker has a range of its
 * own, which it goes through from its first index to its last, or backwards.  One caller at a time. */
void tg_team_work(int64_t n, bool backwards, tg_task_body *body, void *context);
#endif
