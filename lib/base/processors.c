/* processors.c - the processors a process may use, and locks on those its workers are bound to.  See processors.h. */
#include "processors.h"
#include "openmp.h"
#include "quota.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { NO_LOCK = -1, LOCKED_BY_ANOTHER = -2 };

const char *tg_processor_folders = "/sys/devices/system/cpu";
static cpu_set_t allowed;
static double quota;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    int n;
    struct {
        int processor, lock;
    } at[CPU_SETSIZE];
} taken;

/* Replaces the mask by what the system accepts of it. */
static void *apply_mask(void *mask)
{
    sched_setaffinity(0, sizeof(cpu_set_t), mask);
    sched_getaffinity(0, sizeof(cpu_set_t), mask);
    return NULL;
}

/* Places may name processors that do not exist; a thread of its own tries them, which leaves the caller's mask alone.
 */
static void add_places(void)
{
    pthread_t thread;
    cpu_set_t more = allowed;
    tg_openmp_places(&more);
    if (CPU_EQUAL(&more, &allowed) || pthread_create(&thread, NULL, apply_mask, &more)) return;
    pthread_join(thread, NULL);
    allowed = more;
}

static void detect(void)
{
    if (sched_getaffinity(0, sizeof allowed, &allowed)) CPU_SET(0, &allowed);
    add_places();
    quota = tg_cpu_quota("");
}

const cpu_set_t *tg_allowed_processors(void)
{
    pthread_once(&once, detect);
    return &allowed;
}

double tg_quota_here(void)
{
    pthread_once(&once, detect);
    return quota;
}

/* Without the folder (no /sys) there are no locks. */
static int lock(int processor)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cpu%d", tg_processor_folders, processor);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EMFILE || errno == ENFILE ? LOCKED_BY_ANOTHER : NO_LOCK;
    if (!flock(fd, LOCK_EX | LOCK_NB)) return fd;
    const bool another = errno == EWOULDBLOCK;
    close(fd);
    return another ? LOCKED_BY_ANOTHER : NO_LOCK;
}

bool tg_take_processors(int n)
{
    const int here = sched_getcpu(), first = here > 0 ? here : 0;
    const cpu_set_t *may = tg_allowed_processors();
    for (int i = 0; i < CPU_SETSIZE && taken.n < n; i++) {
        const int processor = (first + i) % CPU_SETSIZE;
        const int held = CPU_ISSET(processor, may) ? lock(processor) : LOCKED_BY_ANOTHER;
        if (held == LOCKED_BY_ANOTHER) continue;
        taken.at[taken.n].processor = processor;
        taken.at[taken.n++].lock = held;
    }
    if (taken.n < n) tg_release_processors();
    return taken.n == n;
}

void tg_release_processors(void)
{
    while (taken.n)
        if (taken.at[--taken.n].lock >= 0) close(taken.at[taken.n].lock);
}

int tg_taken_processor(int k) { return k < taken.n ? taken.at[k].processor : -1; }

void tg_swap_processors(int a, int b)
{
    const int processor = taken.at[a].processor, lock_of = taken.at[a].lock;
    taken.at[a] = taken.at[b];
    taken.at[b].processor = processor;
    taken.at[b].lock = lock_of;
}
