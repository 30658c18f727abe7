/* openmp.c - see openmp.h. */
#include "openmp.h"
#include <omp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static bool forked;

static struct {
    pthread_mutex_t lock;
    atomic_bool there;
    pthread_t thread;
    sem_t end;
} crowd = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

/* ---- the crowd ---- */

static void *be_two(void *unused)
{
#pragma omp parallel num_threads(2)
    __asm__ volatile("" : : "r"(unused));  /* an empty region is none */
    while (sem_wait(&crowd.end)) continue; /* a signal may end the wait */
    return NULL;
}

/* At the end of a region libgomp's threads look at memory for milliseconds, and use up what other programs and our own
 * workers leave them of a processor, unless libgomp has more threads than there are processors: two that sleep make it
 * so. */
static void have_crowd(void)
{
    if (crowd.there || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    pthread_mutex_lock(&crowd.lock);
    if (!crowd.there && !sem_init(&crowd.end, 0, 0)) crowd.there = !pthread_create(&crowd.thread, NULL, be_two, NULL);
    pthread_mutex_unlock(&crowd.lock);
}

void tg_openmp_close(void)
{
    pthread_mutex_lock(&crowd.lock);
    if (crowd.there) {
        sem_post(&crowd.end);
        pthread_join(crowd.thread, NULL);
        sem_destroy(&crowd.end);
    }
    crowd.there = false;
    pthread_mutex_unlock(&crowd.lock);
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

/* libgomp keeps a pool of threads for each thread that opens regions.  Those of the thread that forked stayed in the
 * parent, and a region would wait for them for ever; a new thread has a new pool. */
bool tg_with_openmp(int threads, void (*call)(void *context), void *context)
{
    job j = { threads, call, context };
    pthread_t thread;
    if (threads > 1) have_crowd();
    if (!forked || threads == 1) return call_with(&j), true;
    if (pthread_create(&thread, NULL, call_with, &j)) return false;
    pthread_join(thread, NULL);
    return true;
}

void tg_openmp_forked(void)
{
    forked = true;
    crowd.there = false;
    pthread_mutex_init(&crowd.lock, NULL);
}
