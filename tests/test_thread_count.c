/* test_thread_count.c - tg_set_threads at any moment: a run, and a job, keep the number with which they began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "dispatch.h"
#include "expect.h"
#include "run.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Kernels with scratch for each worker, in several runs. */
static double compute(void)
{
    tg_scope  *root = tg_open(), *s = tg_train(root);
    tg_module *net = tg_lenet(root, 10);
    tg_optim  *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    double     result = 0;
    for (int i = 0; i < 2; i++, tg_reset(s)) {
        tg_tensor *x = tg_randn(s, 0, 1, 4, TG_DIM(8, 28, 28, 1)), *y = tg_zeros(s, TG_I64, 1, TG_DIM(8));
        tg_tensor *loss = tg_cross_entropy(s, tg_forward(s, net, x), y);
        tg_backward(s, loss);
        tg_update(s, opt);
        result = tg_item(loss);
    }
    tg_close(root);
    return result;
}

static atomic_bool enough;
static void *compute_on(void *wrong)
{
    for (const double want = compute(); !enough;)
        if (compute() != want) atomic_fetch_add((atomic_int *)wrong, 1);
    return NULL;
}

static void while_another_thread_computes(void **state)
{
    atomic_int wrong = 0;
    pthread_t  thread;
    (void)state;
    tg_set_backends("ref,vector,brgemm");
    enough = false;
    pthread_create(&thread, NULL, compute_on, &wrong);
    for (int i = 0; i < 1000; i++) {
        tg_set_threads(1 + i % 4);
        usleep(100);
    }
    enough = true;
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    tg_set_backends(NULL);
    tg_set_threads(2);
}

static void set_in_body(void *number, int64_t index, int worker)
{
    if (index == 3) tg_set_threads(4);
    if (worker >= 3 || tg_threads() != 3) atomic_fetch_add((atomic_int *)number, 1);
}

static void within_a_body(void **state)
{
    atomic_int other = 0;
    (void)state;
    tg_set_threads(3);
    tg_parallel(100, set_in_body, &other);
    assert_int_equal(other, 0);                     /* the job keeps its number */
    assert_int_equal(tg_threads(), 4);
    tg_set_threads(2);
}

static bool set_while_planned(void *threads, const tg_call *c)
{
    (void)c;
    return tg_set_threads(*(int *)threads);
}

/* Between the plan, which counts the workers' scratch, and the kernels. */
static void within_a_run(void **state)
{
    (void)state;
    for (int before = 1; before <= 4; before++)
        for (int after = 1; after <= 4; after++) {
            tg_scope *const root = tg_open();
            *tg_tree_options(root) = (tg_options){ .observe = set_while_planned, .context = &after };
            tg_set_threads(before);
            tg_tensor *a = tg_full(root, 1, 2, TG_DIM(300, 300));
            assert_true(tg_item(tg_sum(root, tg_matmul(root, a, a), (tg_axes){ 0 })) == 300 * 300 * 300);
            assert_int_equal(tg_threads(), after);
            tg_close(root);
        }
    tg_set_threads(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_another_thread_computes), cmocka_unit_test(within_a_body), cmocka_unit_test(within_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
