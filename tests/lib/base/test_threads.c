/* test_threads.c - the same seed gives the same bits with 1, 2 and 4 threads.  oneDNN and OpenBLAS split sums by the
 * number of threads and cannot promise that, so their results only have to be close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "dispatch.h"
#include "expect.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { STEPS = 5 };

typedef struct {
    double loss[STEPS];
    uint64_t model;
} outcome;
typedef tg_optim *(*optimizer)(tg_scope *s, tg_module *m);

static tg_optim *sgd(tg_scope *s, tg_module *m)
{
    return tg_sgd(s, m, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
}

static tg_optim *adam(tg_scope *s, tg_module *m) { return tg_adam(s, m, (tg_adam_config){ .lr = 0.001f }); }

static outcome train(tg_module *(*make)(tg_scope *, int), int64_t size, int64_t channels, optimizer with)
{
    enum { BATCH = 12 };
    outcome o = { .model = 0 };
    int64_t classes[BATCH];
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_seed(root, 21);
    tg_module *net = make(root, 10);
    tg_optim *optim = with(root, net);
    tg_clip_norm(root, optim, 1);
    for (int i = 0; i < BATCH; i++) classes[i] = i * 7 % 10;
    tg_tensor *y = tg_from(root, TG_I64, 1, TG_DIM(BATCH), classes);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        tg_tensor *x = tg_randn(s, 0, 1, 4, TG_DIM(BATCH, size, size, channels));
        tg_tensor *loss = tg_cross_entropy(s, tg_forward(s, net, x), y);
        tg_backward(s, loss);
        tg_update(s, optim);
        o.loss[i] = tg_item(loss);
    }
    expect_ok(root);
    o.model = lasting_bytes(net, optim);
    tg_close(root);
    return o;
}

static void same_bits(tg_module *(*make)(tg_scope *, int), int64_t size, int64_t channels, optimizer with)
{
    int before = tg_threads();
    tg_set_backends("ref,vector");
    tg_set_threads(1);
    outcome want = train(make, size, channels, with);
    for (int threads = 2; threads <= 4; threads *= 2) {
        tg_set_threads(threads);
        outcome got = train(make, size, channels, with);
        for (int i = 0; i < STEPS; i++)
            if (got.loss[i] != want.loss[i])
                fail_msg("%d threads, step %d: loss %.17g, with one %.17g", threads, i, got.loss[i], want.loss[i]);
        if (got.model != want.model) fail_msg("%d threads: other parameters or states than with one", threads);
    }
    tg_set_threads(before);
    tg_set_backends(NULL);
}

static void lenet_with_sgd(void **state)
{
    (void)state;
    same_bits(tg_lenet, 28, 1, sgd);
}

static void resnet20_with_adam(void **state)
{
    (void)state;
    same_bits(tg_resnet20, 8, 3, adam);
}

/* The same network with a library's kernels: close, but not the same bits. */
static void close_with(const char *backends)
{
    int before = tg_threads();
    tg_set_backends(backends);
    tg_set_threads(1);
    outcome want = train(tg_lenet, 28, 1, sgd);
    tg_set_threads(2);
    outcome got = train(tg_lenet, 28, 1, sgd);
    tg_set_threads(before);
    tg_set_backends(NULL);
    for (int i = 0; i < STEPS; i++) assert_true(fabs(got.loss[i] - want.loss[i]) <= 1e-4 * fabs(want.loss[i]));
    print_message("%s: the same bits with 1 and 2 threads: %s; not promised\n", backends,
                  got.model == want.model ? "yes" : "no");
}

static void onednn_is_close(void **state)
{
    (void)state;
    if (!TG_WITH_ONEDNN) skip();
    close_with("ref,vector,onednn");
}

static void openblas_is_close(void **state)
{
    (void)state;
    if (!TG_WITH_OPENBLAS) skip();
    close_with("ref,vector,openblas");
}

/* ---- the pool ---- */

static void a_pool_has_at_least_one_worker(void **state)
{
    int before = tg_threads();
    (void)state;
    assert_true(before >= 1 && tg_processors() >= 1);
    assert_false(tg_set_threads(0));
    assert_false(tg_set_threads(-3));
    assert_false(tg_set_threads(1025));
    assert_int_equal(tg_threads(), before);
    assert_true(tg_set_threads(3));
    assert_int_equal(tg_threads(), 3);
    tg_set_threads(before);
}

static void count(void *context, int64_t index, int worker)
{
    uint8_t *times = context;
    if (worker >= 0 && worker < tg_threads()) times[index]++;
}

static void each_index_is_done_once(void **state)
{
    enum { N = 1000 };
    int before = tg_threads();
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        uint8_t times[N] = { 0 };
        tg_set_threads(threads);
        tg_parallel(N, count, times);
        for (int i = 0; i < N; i++) assert_int_equal(times[i], 1);
        tg_parallel(0, count, times);
    }
    tg_set_threads(before);
}

/* More tasks than workers, so that each worker gets some. */
enum { OUTER = 64, INNER = 100, CALLERS = 3, JOBS = 2000 };

static void within(void *context, int64_t index, int worker)
{
    (void)worker;
    tg_parallel(INNER, count, (uint8_t *)context + index * INNER);
}

static void a_job_within_a_job(void **state)
{
    uint8_t times[OUTER * INNER] = { 0 };
    int before = tg_threads();
    (void)state;
    tg_set_threads(3);
    tg_parallel(OUTER, within, times);
    for (int i = 0; i < OUTER * INNER; i++) assert_int_equal(times[i], 1);
    tg_set_threads(before);
}

static void add_index(void *context, int64_t index, int worker)
{
    (void)worker;
    atomic_fetch_add((atomic_llong *)context, index);
}

static void *many_jobs(void *wrong)
{
    for (int i = 0; i < JOBS; i++) {
        atomic_llong sum = 0;
        const int64_t n = 1 + i % 40;
        tg_parallel(n, add_index, &sum);
        if (sum != n * (n - 1) / 2) atomic_fetch_add((atomic_int *)wrong, 1);
    }
    return NULL;
}

static void jobs_of_several_threads(void **state)
{
    pthread_t thread[CALLERS];
    atomic_int wrong = 0;
    int before = tg_threads();
    (void)state;
    tg_set_threads(4);
    for (int i = 0; i < CALLERS; i++) assert_int_equal(pthread_create(&thread[i], NULL, many_jobs, &wrong), 0);
    for (int i = 0; i < CALLERS; i++) pthread_join(thread[i], NULL);
    assert_int_equal(wrong, 0);
    tg_set_threads(before);
}

/* Short jobs with pauses in which the workers go to sleep. */
static void jobs_that_wake_workers(void **state)
{
    int before = tg_threads();
    (void)state;
    for (int threads = 2; threads <= 5; threads++) {
        tg_set_threads(threads);
        for (int i = 0; i < 50; i++) {
            atomic_llong sum = 0;
            tg_parallel(30, add_index, &sum);
            assert_int_equal(sum, 435);
            usleep(100 * (i % 3));
        }
    }
    tg_set_threads(before);
}

int main(void)
{
    const struct CMUnitTest threads[] = {
        cmocka_unit_test(lenet_with_sgd),
        cmocka_unit_test(resnet20_with_adam),
        cmocka_unit_test(onednn_is_close),
        cmocka_unit_test(openblas_is_close),
        cmocka_unit_test(a_pool_has_at_least_one_worker),
        cmocka_unit_test(each_index_is_done_once),
        cmocka_unit_test(a_job_within_a_job),
        cmocka_unit_test(jobs_of_several_threads),
        cmocka_unit_test(jobs_that_wake_workers),
    };
    return cmocka_run_group_tests(threads, NULL, NULL);
}
