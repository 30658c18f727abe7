/* parallel.c - the only file that knows OpenMP.  See parallel.h.
 *
 * libgomp reads OMP_PROC_BIND when it is loaded, which is too late for a library to set it: workers bind themselves, in
 * the first region after the number of threads was set. */
#include "parallel.h"
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

static cpu_set_t      mask;                  /* of the process, before anything was bound */
static pthread_once_t mask_once = PTHREAD_ONCE_INIT;
static atomic_int     threads;               /* 0: not decided yet */
static atomic_int     bound_for;             /* the number of threads that binding was decided for; 0: none */
static atomic_bool    have_bound;            /* workers are bound by us */

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
 * of the user's has to hear of it too. */
int tg_threads(void)
{
    if (!threads) {
        int processors = tg_processors(), wanted = omp_get_max_threads();
        const char *asked = getenv("OMP_NUM_THREADS");
        threads = asked && *asked && wanted >= 1 && wanted <= MAX_THREADS ? wanted : processors;
    }
    if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
    return threads;
}

bool tg_set_threads(int n)
{
    if (n < 1 || n > MAX_THREADS) return false;
    tg_processors();
    if (have_bound) tg_unbind_thread();      /* workers to come inherit the caller's mask */
    threads = n;
    bound_for = 0;
    omp_set_num_threads(n);
    return true;
}

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

static void bind_workers(void)
{
    const bool bind = may_bind();
    bound_for = threads;
    if (!bind && !have_bound) return;
#pragma omp parallel num_threads(threads)
    if (bind) bind_to(omp_get_thread_num());
    else tg_unbind_thread();
    have_bound = bind;
}

bool tg_threads_bound(void)
{
    tg_threads();
    return may_bind();
}

/* Tasks are handed out one by one: which worker computes which never changes a result.  The workers flush denormals to
 * zero, as tiles do. */
void tg_parallel(int64_t n, void (*body)(void *, int64_t, int), void *context)
{
    int workers = tg_threads();
    if (bound_for != workers) bind_workers();
    if (n <= 1 || workers == 1) {
        unsigned saved = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(saved | 0x8040);
        for (int64_t i = 0; i < n; i++) body(context, i, 0);
        __builtin_ia32_ldmxcsr(saved);
        return;
    }
#pragma omp parallel num_threads(workers)
    {
        unsigned saved = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(saved | 0x8040);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < n; i++) body(context, i, omp_get_thread_num());
        __builtin_ia32_ldmxcsr(saved);
    }
}
