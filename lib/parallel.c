/* parallel.c - how many threads there are and where they run; the only file that knows OpenMP.  See parallel.h.
 *
 * Tasks are done by a team of our own (team.c).  Libraries that bring parallel regions of their own have OpenMP's threads,
 * as many and bound alike; the two never work at the same time.  libgomp reads its environment when it is loaded, which
 * is too late for a library to set it, so all that is done here by other means. */
#include "parallel.h"
#include "team.h"
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_DENORMALS = 0x8040 };           /* of the control word of the vector units: to zero, as tiles do */

static cpu_set_t       mask;                 /* of the process, before anything was bound */
static pthread_once_t  mask_once = PTHREAD_ONCE_INIT;
static pthread_once_t  crowd_once = PTHREAD_ONCE_INIT;
static atomic_int      threads;              /* 0: not decided yet */
static pthread_mutex_t one_job = PTHREAD_MUTEX_INITIALIZER;
static int             mustered;             /* the number of threads that the team was made for; 0: none */
static atomic_bool     have_bound;           /* workers are bound by us */
static _Thread_local bool in_job;

static void read_mask(void)
{
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) CPU_SET(0, &mask);
}

int tg_processors(void)
{
    pthread_once(&mask_once, read_mask);
    int n = CPU_COUNT(&mask);
    return n > 0 ? n : 1;
}

/* OpenMP notes the number for each thread that opens regions, and libraries with regions of their own ask it: a thread
 * of the user's has to hear of it too.  In a job such a library works alone. */
int tg_threads(void)
{
    if (!threads) {
        int processors = tg_processors(), wanted = omp_get_max_threads();
        const char *asked = getenv("OMP_NUM_THREADS");
        threads = asked && *asked && wanted >= 1 && wanted <= TG_TEAM_MOST ? wanted : processors;
    }
    if (!in_job && omp_get_max_threads() != threads) omp_set_num_threads(threads);
    return threads;
}

/* ---- where they run ---- */

static bool may_bind(void)
{
    const char *value = getenv("TG_BIND"), *omp = getenv("OMP_PROC_BIND");
    return !(value && !strcmp(value, "0")) && !omp && threads > 1 && threads <= tg_processors();
}

static void bind_to(int worker)
{
    for (int cpu = 0, nth = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &mask) || nth++ != worker) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

void tg_unbind_thread(void)
{
    tg_processors();
    sched_setaffinity(0, sizeof mask, &mask);
}

bool tg_threads_bound(void)
{
    tg_threads();
    return may_bind();
}

/* ---- the team ---- */

static void begin(int worker)
{
    if (have_bound) bind_to(worker);
    omp_set_num_threads(1);
    in_job = true;
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | FLUSH_DENORMALS);
}

static void bind_openmp(void)
{
    const bool bind = may_bind();
    if (!bind && !have_bound) return;
#pragma omp parallel num_threads(threads)
    if (bind) bind_to(omp_get_thread_num());
    else tg_unbind_thread();
    have_bound = bind;
}

static void *be_two(void *unused)
{
#pragma omp parallel num_threads(2)
    __asm__ volatile("" : : "r"(unused));    /* an empty region is none */
    for (;;) pause();
    return NULL;
}

/* At the end of a region libgomp's threads look at memory for milliseconds, and use up what other programs leave them of
 * a processor, unless libgomp has more threads than there are processors: two that sleep make it so. */
static void crowd(void)
{
    pthread_t thread;
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    if (!pthread_create(&thread, NULL, be_two, NULL)) pthread_detach(thread);
}

static void muster(int workers)
{
    if (mustered == workers) return;
    tg_team_stop();
    bind_openmp();
    tg_team_start(workers, begin);
    mustered = workers;
    if (workers == tg_processors()) pthread_once(&crowd_once, crowd);
}

bool tg_set_threads(int n)
{
    if (n < 1 || n > TG_TEAM_MOST) return false;
    tg_processors();
    pthread_mutex_lock(&one_job);
    if (have_bound) tg_unbind_thread();      /* workers to come inherit the caller's mask */
    threads = n;
    mustered = 0;
    omp_set_num_threads(n);
    pthread_mutex_unlock(&one_job);
    return true;
}

/* ---- jobs ---- */

static void share_out(int workers, int64_t n, bool backwards, tg_task_body *body, void *context)
{
    pthread_mutex_lock(&one_job);
    muster(workers);
    tg_team_work(n, backwards, body, context);
    pthread_mutex_unlock(&one_job);
}

static void do_alone(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    for (int64_t i = 0; i < n; i++) body(context, backwards ? n - 1 - i : i, 0);
}

static void work(int workers, int64_t n, bool backwards, tg_task_body *body, void *context)
{
    const unsigned saved = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(saved | FLUSH_DENORMALS);
    omp_set_num_threads(1);
    in_job = true;
    if (n <= 1 || workers == 1) do_alone(n, backwards, body, context);
    else share_out(workers, n, backwards, body, context);
    in_job = false;
    omp_set_num_threads(workers);
    __builtin_ia32_ldmxcsr(saved);
}

/* Which worker computes which task, and when, never changes a result. */
static void do_all(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    const int workers = tg_threads();
    if (in_job) do_alone(n, backwards, body, context);
    else work(workers, n, backwards, body, context);
}

void tg_parallel(int64_t n, void (*body)(void *, int64_t, int), void *context) { do_all(n, false, body, context); }

void tg_parallel_backwards(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    do_all(n, true, body, context);
}
