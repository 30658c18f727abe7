/* openmp.c - runs OpenMP regions without idle threads that spin, also after a fork.  See openmp.h. */
#include "openmp.h"
#include <omp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static bool forked;

static struct {
    pthread_mutex_t lock;
    atomic_bool running;
    pthread_t thread;
    sem_t end;
} sleepers = { .lock = PTHREAD_MUTEX_INITIALIZER };

typedef struct {
    int threads;
    void (*call)(void *);
    void *context;
} job;

int tg_openmp_asked(void)
{
    const char *const asked = getenv("OMP_NUM_THREADS");
    char *end;
    const long n = asked ? strtol(asked, &end, 10) : 0;
    return n > 0 && n <= CPU_SETSIZE ? (int)n : 0;
}

void tg_openmp_places(cpu_set_t *to)
{
    int processor[CPU_SETSIZE];
    for (int place = omp_get_num_places(); place-- > 0;) {
        const int n = omp_get_place_num_procs(place);
        if (n < 1 || n > CPU_SETSIZE) continue;
        omp_get_place_proc_ids(place, processor);
        for (int i = 0; i < n; i++)
            if (processor[i] >= 0 && processor[i] < CPU_SETSIZE) CPU_SET(processor[i], to);
    }
}

/* ---- threads that oversubscribe libgomp ---- */

static void *hold_two_threads(void *unused)
{
#pragma omp parallel num_threads(2)
    __asm__ volatile("" : : "r"(unused));     /* the compiler would remove an empty region */
    while (sem_wait(&sleepers.end)) continue; /* interrupted by a signal */
    return NULL;
}

/* At the end of a region libgomp's threads spin for milliseconds, and take processor time from other programs and our
 * own workers.  They don't spin if libgomp has more threads than there are processors, so two sleeping threads
 * oversubscribe it. */
static void start_sleepers(void)
{
    if (sleepers.running || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    pthread_mutex_lock(&sleepers.lock);
    if (!sleepers.running && !sem_init(&sleepers.end, 0, 0))
        sleepers.running = !pthread_create(&sleepers.thread, NULL, hold_two_threads, NULL);
    pthread_mutex_unlock(&sleepers.lock);
}

void tg_openmp_close(void)
{
    pthread_mutex_lock(&sleepers.lock);
    if (sleepers.running) {
        sem_post(&sleepers.end);
        pthread_join(sleepers.thread, NULL);
        sem_destroy(&sleepers.end);
    }
    sleepers.running = false;
    pthread_mutex_unlock(&sleepers.lock);
}

/* ---- regions ---- */

static void *call_with(void *context)
{
    const job *const j = context;
    const int was = omp_get_max_threads();
    omp_set_num_threads(j->threads);
    j->call(j->context);
    omp_set_num_threads(was);
    return NULL;
}

/* libgomp keeps a pool of threads for each thread that opens regions.  After a fork, the forking thread's pool exists
 * only in the parent, and a region would wait for it forever.  A new thread gets a new pool. */
bool tg_with_openmp(int threads, void (*call)(void *context), void *context)
{
    job j = { threads, call, context };
    pthread_t thread;
    if (threads > 1) start_sleepers();
    if (!forked || threads == 1) {
        call_with(&j);
        return true;
    }
    if (pthread_create(&thread, NULL, call_with, &j)) return false;
    pthread_join(thread, NULL);
    return true;
}

void tg_openmp_forked(void)
{
    forked = true;
    sleepers.running = false;
    pthread_mutex_init(&sleepers.lock, NULL);
}
