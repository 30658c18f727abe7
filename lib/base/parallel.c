/* parallel.c - how many threads there are and where they run.  See parallel.h.
 *
 * Tasks are done by a team of our own (team.c) and by the thread that has the job, which is the program's: it is left
 * as it is.  Where it runs is looked at instead, and the worker that was bound to that processor changes place with it.
 */
#include "parallel.h"
#include "openmp.h"
#include "pool.h"
#include "processors.h"
#include "team.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_DENORMALS = 0x8040 }; /* of the control word of the vector units: to zero, as tiles do */

static atomic_int threads; /* 0: not decided yet */
static pthread_mutex_t one_job = PTHREAD_MUTEX_INITIALIZER;
static int mustered;     /* the number of threads that the team was made for; 0: none */
static atomic_int trees; /* that are open */
bool tg_pool_crowds;
static _Thread_local bool in_job;
static _Thread_local int held; /* the number of threads of what this thread has begun; 0: nothing */

int tg_processors(void)
{
    const int n = CPU_COUNT(tg_allowed_processors());
    const double quota = tg_quota_here();
    if (quota > 0 && quota < n) return quota < 1 ? 1 : (int)quota;
    return n > 0 ? n : 1;
}

static int most_threads(void) { return tg_pool_crowds ? TG_TEAM_MOST : tg_processors(); }

static int decide(void)
{
    const int most = tg_processors(), asked = tg_openmp_asked();
    threads = asked && asked < most ? asked : most;
    return threads;
}

int tg_threads(void)
{
    if (held) return held;
    const int n = threads ? threads : decide(), most = most_threads();
    return n < most ? n : most;
}

bool tg_set_threads(int n)
{
    if (n < 1 || n > TG_TEAM_MOST) return false;
    threads = n;
    return true;
}

int tg_hold_threads(int n)
{
    const int was = held;
    held = n;
    return was;
}

/* ---- where they run ---- */

static bool may_bind(int workers)
{
    const char *value = getenv("TG_BIND");
    return !(value && !strcmp(value, "0")) && workers > 1 && workers <= CPU_COUNT(tg_allowed_processors());
}

static void place_of(int worker, cpu_set_t *to)
{
    const int processor = tg_taken_processor(worker);
    if (processor < 0) {
        *to = *tg_allowed_processors();
        return;
    }
    CPU_ZERO(to);
    CPU_SET(processor, to);
}

void tg_unbind_thread(void) { sched_setaffinity(0, sizeof(cpu_set_t), tg_allowed_processors()); }

bool tg_threads_bound(void) { return may_bind(tg_threads()); }

/* The caller has come to a worker's processor: the worker goes where the caller was. */
static void make_room(int workers)
{
    const int here = sched_getcpu();
    if (tg_taken_processor(0) < 0 || tg_taken_processor(0) == here) return;
    for (int worker = 1; worker < workers; worker++) {
        if (tg_taken_processor(worker) != here) continue;
        cpu_set_t place;
        tg_swap_processors(0, worker);
        place_of(worker, &place);
        tg_team_move(worker, &place);
    }
}

/* ---- the team ---- */

static void begin(int worker)
{
    (void)worker;
    in_job = true;
    held = mustered;
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | FLUSH_DENORMALS);
}

static void dismiss(void)
{
    tg_team_stop();
    tg_leave_processors();
    mustered = 0;
}

static void muster(int workers)
{
    if (mustered == workers) return;
    dismiss();
    if (may_bind(workers)) tg_take_processors(workers);
    mustered = workers;
    tg_team_start(workers, begin, place_of);
}

void tg_pool_open(void) { trees++; }

/* Nobody computes without a tree, but who calls tg_parallel: then a team is made again. */
void tg_pool_close(void)
{
    if (--trees || in_job) return;
    pthread_mutex_lock(&one_job);
    if (!trees) {
        dismiss();
        tg_openmp_close();
    }
    pthread_mutex_unlock(&one_job);
}

/* ---- forks: the child has the thread that forked, and no other ---- */

static void before_fork(void)
{
    if (!in_job) pthread_mutex_lock(&one_job);
}

static void after_fork(void)
{
    if (!in_job) pthread_mutex_unlock(&one_job);
}

static void in_child(void)
{
    tg_team_forget();
    tg_leave_processors();
    mustered = 0;
    tg_openmp_forked();
    after_fork();
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

/* ---- jobs ---- */

static void share_out(int workers, int64_t n, bool backwards, tg_task_body *body, void *context)
{
    pthread_mutex_lock(&one_job);
    muster(workers);
    make_room(workers);
    tg_team_work(n, backwards, body, context);
    pthread_mutex_unlock(&one_job);
}

static void do_alone(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    for (int64_t i = 0; i < n; i++) body(context, backwards ? n - 1 - i : i, 0);
}

static void work(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    const unsigned saved = __builtin_ia32_stmxcsr();
    const int workers = tg_threads(), was = tg_hold_threads(workers);
    __builtin_ia32_ldmxcsr(saved | FLUSH_DENORMALS);
    in_job = true;
    if (n <= 1 || workers == 1) do_alone(n, backwards, body, context);
    else share_out(workers, n, backwards, body, context);
    in_job = false;
    __builtin_ia32_ldmxcsr(saved);
    tg_hold_threads(was);
}

/* Which worker computes which task, and when, never changes a result. */
static void do_all(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    if (in_job) do_alone(n, backwards, body, context);
    else work(n, backwards, body, context);
}

void tg_parallel(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    if (body) do_all(n, false, body, context);
}

void tg_parallel_backwards(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    if (body) do_all(n, true, body, context);
}
