/* team.c - see team.h.
 *
 * Each worker starts with its own range of tasks, the same part of every job of the same size, so that what it wrote is
 * still in its processor's cache.  A worker that finishes early takes tasks from the others.
 *
 * Nobody waits for a worker that has not started: if another program keeps its processor busy, it merely misses the
 * job.  A waiting thread spins for 0.2 ms, which covers most waits, then blocks on a futex: spinning longer would use
 * up processor time that others need. */
#include "team.h"
#include "clock.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The state packs the number of workers at the job, whether more may join, and the job's number. */
enum { AT_WORK = 0x7fff, OPEN = 0x8000, NEXT_JOB = 0x10000 };
enum { WORKER = 1, CALLER = 2 }; /* bits of the futex: which threads sleep */
static const double SPIN_MS = 0.2;

static struct {
    alignas(64) atomic_uint state;
    atomic_int asleep; /* workers blocked on the futex */
    atomic_bool caller_asleep;
    alignas(64) int64_t n; /* tasks */
    int shares;            /* nearly equal ranges of tasks, one per worker */
    bool backwards;        /* each range is run from its last task to its first */
    tg_task_body *body;
    void *context;
    bool stopping; /* the next job ends the workers */
    void (*begin)(int worker);
    int started;
    pthread_t thread[TG_TEAM_MAX];
    struct {
        alignas(64) atomic_llong next;
    } share[TG_TEAM_MAX]; /* next: its first task that is not taken */
} team;

/* ---- waiting ---- */

static void sleep_on(unsigned state, unsigned who)
{
    syscall(SYS_futex, &team.state, FUTEX_WAIT_BITSET_PRIVATE, state, NULL, NULL, who);
}

static void wake(int most, unsigned who)
{
    syscall(SYS_futex, &team.state, FUTEX_WAKE_BITSET_PRIVATE, most, NULL, NULL, who);
}

/* Whether a state ends the wait of the caller (is_done), or of a worker whose last job was `last` (is_new_job). */
static bool is_done(unsigned state, unsigned last)
{
    (void)last;
    return !(state & AT_WORK);
}
static bool is_new_job(unsigned state, unsigned last) { return (state & OPEN) && state / NEXT_JOB != last; }

static bool spin(bool (*is)(unsigned, unsigned), unsigned last)
{
    const double end = tg_now_ms() + SPIN_MS;
    do
        for (int i = 0; i < 64; i++) {
            if (is(team.state, last)) return true;
            __builtin_ia32_pause();
        }
    while (tg_now_ms() < end);
    return false;
}

static void wait_for_end(void)
{
    if (is_done(team.state, 0) || spin(is_done, 0)) return;
    team.caller_asleep = true;
    for (unsigned state; !is_done(state = team.state, 0);) sleep_on(state, CALLER);
    team.caller_asleep = false;
}

static void wait_for_job(unsigned last)
{
    if (spin(is_new_job, last)) return;
    team.asleep++;
    for (unsigned state; !is_new_job(state = team.state, last);) sleep_on(state, WORKER);
    team.asleep--;
}

/* ---- working ---- */

static int64_t start_of(int share) { return team.n / team.shares * share + team.n % team.shares * share / team.shares; }

static void do_share(int share, int worker)
{
    atomic_llong *const next = &team.share[share].next;
    const int64_t end = start_of(share + 1);
    if (atomic_load_explicit(next, memory_order_relaxed) >= end) return;
    for (int64_t i; (i = atomic_fetch_add_explicit(next, 1, memory_order_relaxed)) < end;)
        team.body(team.context, team.backwards ? start_of(share) + end - 1 - i : i, worker);
}

/* Its own share first, then the remaining tasks of the others. */
static void do_tasks(int worker)
{
    for (int i = 0; i < team.shares; i++) do_share((worker + i) % team.shares, worker);
}

/* Returns the number of the job joined; `last` if none is open any more. */
static unsigned join(unsigned last)
{
    unsigned state = team.state;
    while (is_new_job(state, last))
        if (atomic_compare_exchange_weak(&team.state, &state, state + 1)) return state / NEXT_JOB;
    return last;
}

static void leave(void)
{
    const unsigned state = atomic_fetch_sub(&team.state, 1) - 1;
    if (!(state & (OPEN | AT_WORK)) && team.caller_asleep) wake(1, CALLER);
}

static void *work(void *number)
{
    const int worker = (int)(intptr_t)number;
    unsigned last = 0;
    team.begin(worker);
    for (bool stopping = false; !stopping;) {
        wait_for_job(last);
        const unsigned job = join(last);
        if (job == last) continue;
        last = job;
        stopping = team.stopping;
        do_tasks(worker);
        leave();
    }
    return NULL;
}

/* ---- the caller ---- */

static void publish(int64_t n)
{
    team.n = n;
    team.shares = team.started + 1;
    for (int i = 0; i < team.shares; i++) atomic_store_explicit(&team.share[i].next, start_of(i), memory_order_relaxed);
    team.state = (team.state / NEXT_JOB + 1) * NEXT_JOB | OPEN;
}

static void end_job(void)
{
    team.state &= ~(unsigned)OPEN;
    wait_for_end();
}

void tg_team_work(int64_t n, bool backwards, tg_task_body *body, void *context)
{
    team.backwards = backwards;
    team.body = body;
    team.context = context;
    publish(n);
    if (team.asleep) wake(n - 1 < team.started ? (int)(n - 1) : team.started, WORKER);
    do_tasks(0);
    end_job();
}

static bool start(int worker, const cpu_set_t *place)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr)) return false;
    void *const number = (void *)(intptr_t)worker;
    pthread_t *thread = &team.thread[worker - 1];
    pthread_attr_setaffinity_np(&attr, sizeof *place, place);
    bool made = !pthread_create(thread, &attr, work, number);
    pthread_attr_destroy(&attr);
    return made || !pthread_create(thread, NULL, work, number); /* the mask may have changed since, so try without */
}

void tg_team_start(int workers, void (*begin)(int worker), void (*place)(int worker, cpu_set_t *to))
{
    team.begin = begin;
    while (team.started < workers - 1) {
        cpu_set_t at;
        place(team.started + 1, &at);
        if (!start(team.started + 1, &at)) return;
        team.started++;
    }
}

void tg_team_move(int worker, const cpu_set_t *to)
{
    if (worker <= team.started) pthread_setaffinity_np(team.thread[worker - 1], sizeof *to, to);
}

void tg_team_stop(void)
{
    if (!team.started) return;
    team.stopping = true;
    publish(0);
    wake(team.started, WORKER);
    while (team.started) pthread_join(team.thread[--team.started], NULL);
    team.stopping = false;
    end_job();
}

void tg_team_forget(void)
{
    team.started = 0;
    team.asleep = 0;
    team.caller_asleep = false;
    team.stopping = false;
    team.state = 0;
}
