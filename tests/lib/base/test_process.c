/* test_process.c - the library leaves the process alone: affinity, OpenMP's settings, threads; and works after a fork.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "beside.h"
#include "dispatch.h"
#include "expect.h"
#include "pool.h"
#include "processors.h"
#include <dirent.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 300 }; /* seconds until a child counts as hung */

static const char *const backends[] = {
#if TG_WITH_OPENBLAS
    "ref,vector,openblas",
#endif
#if TG_WITH_ONEDNN
    "ref,vector,onednn",
#endif
    "ref,vector,brgemm", NULL, /* the default */
};
enum { BACKENDS = sizeof backends / sizeof *backends };

/* ---- the program's own settings ---- */

typedef struct {
    cpu_set_t main, thread;
    int openmp, children;
} surroundings;

static void *look_at_mask(void *to)
{
    assert_int_equal(sched_getaffinity(0, sizeof(cpu_set_t), to), 0);
    return NULL;
}

static int processors_of_a_child(void)
{
    int n = 0;
    FILE *const f = popen("nproc", "r");
    if (!f || fscanf(f, "%d", &n) != 1) n = -1;
    if (f) pclose(f);
    return n;
}

static surroundings look_around(void)
{
    surroundings now;
    pthread_t thread;
    memset(&now, 0, sizeof now);
    look_at_mask(&now.main);
    pthread_create(&thread, NULL, look_at_mask, &now.thread);
    pthread_join(thread, NULL);
    now.openmp = omp_get_max_threads();
    now.children = processors_of_a_child();
    return now;
}

static int count_threads(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks && readdir(tasks)) n++;
    if (tasks) closedir(tasks);
    return n - 2;
}

static void the_program_is_left_as_it_was(void **state)
{
    (void)state;
    for (int b = 0; b < BACKENDS; b++)
        for (int openmp = 1; openmp <= 3; openmp += 2) {
            omp_set_num_threads(openmp);
            const surroundings before = look_around();
            const int threads = count_threads();
            tg_set_backends(backends[b]);
            tg_set_threads(2);
            tg_scope *const root = tg_open();
            compute();
            surroundings now = look_around();
            assert_memory_equal(&now, &before, sizeof now);
            tg_close(root);
            now = look_around();
            assert_memory_equal(&now, &before, sizeof now);
            /* The last tree to close ends the workers.  (oneDNN's threads are OpenMP's.) */
            if (backends[b] && !strstr(backends[b], "onednn")) assert_int_equal(count_threads(), threads);
        }
    tg_set_backends(NULL);
}

/* ---- where workers run ---- */

static atomic_int strangers;
static void is_where_it_should_be(void *context, int64_t index, int worker)
{
    cpu_set_t mask;
    (void)context, (void)index;
    sched_getaffinity(0, sizeof mask, &mask);
    const int own = tg_taken_processor(worker);
    const bool right =
        own < 0 ? CPU_EQUAL(&mask, tg_allowed_processors()) : CPU_COUNT(&mask) == 1 && CPU_ISSET(own, &mask);
    if (worker > 0 && !right) strangers++;
}

static void each_worker_is_bound_to_its_processor(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 3; threads++) {
        tg_set_threads(threads);
        strangers = 0;
        tg_parallel(1000, is_where_it_should_be, NULL);
        assert_int_equal(strangers, 0);
        assert_true(tg_taken_processor(0) >= 0 || threads > CPU_COUNT(tg_allowed_processors()));
    }
    tg_close(tg_open());
    assert_int_equal(tg_taken_processor(0), -1);
}

/* Whether a child process can take n processors. */
static bool child_can_take(int n)
{
    int status;
    const pid_t child = fork();
    if (!child) _exit(tg_take_processors(n) ? 0 : 1);
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void two_processes_share_out_the_processors(void **state)
{
    (void)state;
    const int n = CPU_COUNT(tg_allowed_processors());
    if (n < 2) skip();
    assert_true(tg_take_processors(1));
    assert_true(child_can_take(n - 1));
    assert_false(child_can_take(n));
    tg_release_processors();
    assert_true(tg_take_processors(n));
    assert_false(child_can_take(1));
    tg_release_processors();
    assert_true(child_can_take(n)); /* the child's locks ended with it */
    assert_false(tg_take_processors(n + 1));
    assert_true(child_can_take(n));
}

static void more_threads_than_processors_are_not_used(void **state)
{
    (void)state;
    tg_pool_oversubscribes = false;
    assert_true(tg_set_threads(64));
    assert_int_equal(tg_threads(), tg_processors() < 64 ? tg_processors() : 64);
    tg_pool_oversubscribes = true;
    assert_int_equal(tg_threads(), 64);
    tg_set_threads(2);
}

/* ---- fork ---- */

/* Checks that a child process computes `want`; the alarm kills one that hangs. */
static void child_computes(double want, const char *who)
{
    int status;
    const pid_t child = fork();
    if (!child) {
        alarm(PATIENCE);
        _exit(compute() == want ? 0 : 1);
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) fail_msg("%s: the child ended by signal %d", who, WTERMSIG(status));
    if (WEXITSTATUS(status)) fail_msg("%s: the child computed something else", who);
}

static void a_forked_child_computes_the_same(void **state)
{
    (void)state;
    for (int b = 0; b < BACKENDS; b++)
        for (int threads = 1; threads <= 2; threads++) {
            tg_set_backends(backends[b]);
            tg_set_threads(threads);
            tg_scope *const root = tg_open(); /* keeps the workers alive */
            const double want = compute();
            child_computes(want, backends[b] ? backends[b] : "all");
            assert_true(compute() == want);
            tg_close(root);
        }
    tg_set_backends(NULL);
    tg_set_threads(2);
}

static void a_forked_child_may_set_threads_and_fork(void **state)
{
    int status;
    (void)state;
    tg_set_backends("ref,vector,brgemm");
    const double want = compute();
    const pid_t child = fork();
    if (!child) {
        alarm(PATIENCE);
        bool same = true;
        for (int threads = 1; threads <= 4; threads++) {
            tg_set_threads(threads);
            same = same && compute() == want;
        }
        child_computes(want, "the child's child");
        _exit(same ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tg_set_backends(NULL);
}

static void fork_while_another_thread_computes(void **state)
{
    (void)state;
    tg_set_backends("ref,vector,brgemm");
    const double want = compute();
    beside_begin();
    for (int i = 0; i < 10; i++) child_computes(want, "beside another thread");
    assert_int_equal(beside_end(), 0);
    tg_set_backends(NULL);
}

static void a_loader_says_that_it_was_forked(void **state)
{
    int status;
    tg_batch b;
    static uint8_t images[64 * 4], labels[64];
    tg_scope *const root = tg_open();
    tg_loader *const l = tg_loader_new(root, tg_dataset_from(root, 64, 2, 2, 1, 2, images, labels),
                                       (tg_loader_config){ .batch = 8, .no_normalize = true });
    (void)state;
    assert_true(tg_next(root, l, &b));
    const pid_t child = fork();
    if (!child) {
        alarm(PATIENCE);
        const bool refused = !tg_next(root, l, &b) && strstr(tg_message(root), "in the parent process");
        tg_close(root);
        _exit(refused ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(tg_next(root, l, &b));
    tg_close(root);
}

/* Other programs that use tilegrad may run on this machine, so this test locks folders of its own. */
static char folders[] = "/tmp/tilegrad_processors_XXXXXX";

static int make_folders(void **state)
{
    char path[64];
    (void)state;
    if (!mkdtemp(folders)) return -1;
    tg_processor_folders = folders;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        snprintf(path, sizeof path, "%s/cpu%d", folders, i);
        if (CPU_ISSET(i, tg_allowed_processors()) && mkdir(path, 0777)) return -1;
    }
    return 0;
}

static int remove_folders(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folders);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_is_left_as_it_was),
        cmocka_unit_test(each_worker_is_bound_to_its_processor),
        cmocka_unit_test(two_processes_share_out_the_processors),
        cmocka_unit_test(more_threads_than_processors_are_not_used),
        cmocka_unit_test(a_forked_child_computes_the_same),
        cmocka_unit_test(a_forked_child_may_set_threads_and_fork),
        cmocka_unit_test(fork_while_another_thread_computes),
        cmocka_unit_test(a_loader_says_that_it_was_forked),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
