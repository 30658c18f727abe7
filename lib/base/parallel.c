/* parallel.c - the number of threads and their placement.  See parallel.h.
 *
 * Tasks run on our own team (team.c) and on the calling thread.  That one belongs to the program, so its affinity is
 * never changed; instead, a worker bound to the processor on which the caller currently runs moves to the caller's
 * previous one.
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

enum { FLUSH_DENORMALS = 0x8040 }; /* MXCSR's FTZ and DAZ: AMX tiles flush denormals, too */

static atomic_int threads; /* 0: not decided yet */
static pthread_mutex_t one_job = PTHREAD_MUTEX_INITIALIZER;
static int team_size;    /* the number of threads for which the team was started; 0: no team */
static atomic_int trees; /* open trees of scopes */
bool tg_pool_oversubscribes;
static _Thread_local bool in_job;
static _Thread_local int held; /* the thread count fixed by tg_hold_threads; 0: none */

int tg_processors(void)
{
    const int n = CPU_COUNT(tg_allowed_processors());
    const double quota = tg_quota_here();
    if (quota > 0 && quota < n) return quota < 1 ? 1 : (int)quota;
    return n > 0 ? n : 1;
}

static int max_threads(void) { return tg_pool_oversubscribes ? TG_TEAM_MAX : tg_processors(); }

static int decide(void)
{
    const int most = tg_processors(), asked = tg_openmp_asked();
    threads = asked && asked < most ? asked : most;
    return threads;
}

int tg_threads(void)
{
    if (held) return held;
    const int n = threads ? threads : decide(), most = max_threads();
    return n < most ? n : most;
}

bool tg_set_threads(int n)
{
    if (n < 1 || n > TG_TEAM_MAX) return false;
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

static void affinity_of(int worker, cpu_set_t *to)
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

/* If the caller was moved to a worker's processor, moves that worker to the caller's previous one. */
static void vacate_processor(int workers)
{
    const int here = sched_getcpu();
    if (tg_taken_processor(0) < 0 || tg_taken_processor(0) == here) return;
    for (int worker = 1; worker < workers; worker++) {
        if (tg_taken_processor(worker) != here) continue;
        cpu_set_t place;
        tg_swap_processors(0, worker);
        affinity_of(worker, &place);
        tg_team_move(worker, &place);
    }
}

/* ---- the team ---- */

static void begin(int worker)
{
    (void)worker;
    in_job = true;
    held = team_size;
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | FLUSH_DENORMALS);
}

static void stop_team(void)
{
    tg_team_stop();
    tg_release_processors();
    team_size = 0;
}

static void start_team(int workers)
{
    if (team_size == workers) return;
    stop_team();
    if (may_bind(workers)) tg_take_processors(workers);
    team_size = workers;
    tg_team_start(workers, begin, affinity_of);
}

void tg_pool_open(void) { trees++; }

/* Without a tree only a direct call of tg_parallel computes; that starts a new team. */
void tg_pool_close(void)
{
    if (--trees || in_job) return;
    pthread_mutex_lock(&one_job);
    if (!trees) {
        stop_team();
        tg_openmp_close();
    }
    pthread_mutex_unlock(&one_job);
}

/* ---- forks: the child has only the thread that forked ---- */

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
    tg_release_processors();
    team_size = 0;
    tg_openmp_forked();
    after_fork();
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

/* ---- jobs ---- */

static void run_on_team(int workers, int64_t n, bool backwards, tg_task_body *body, void *context)
{
    pthread_mutex_lock(&one_job);
    start_team(workers);
    vacate_processor(workers);
    tg_team_work(n, backwards, body, context);
    pthread_mutex_unlock(&one_job);
}

static void run_serially(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    for (int64_t i = 0; i < n; i++) body(context, backwards ? n - 1 - i : i, 0);
}

static void run_job(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    const unsigned saved = __builtin_ia32_stmxcsr();
    const int workers = tg_threads(), was = tg_hold_threads(workers);
    __builtin_ia32_ldmxcsr(saved | FLUSH_DENORMALS);
    in_job = true;
    if (n <= 1 || workers == 1) run_serially(n, backwards, body, context);
    else run_on_team(workers, n, backwards, body, context);
    in_job = false;
    __builtin_ia32_ldmxcsr(saved);
    tg_hold_threads(was);
}

/* Results never depend on which worker computes a task, or when. */
static void run_tasks(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    if (in_job) run_serially(n, backwards, body, context);
    else run_job(n, backwards, body, context);
}

void tg_parallel(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    if (body) run_tasks(n, false, body, context);
}

void tg_parallel_backwards(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    if (body) run_tasks(n, true, body, context);
}
