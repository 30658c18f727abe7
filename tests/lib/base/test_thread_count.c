/* test_thread_count.c - tg_set_threads at any moment: runs and jobs keep the count with which they started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "beside.h"
#include "dispatch.h"
#include "expect.h"
#include "run.h"
#include <stdatomic.h>
#include <unistd.h>

static void while_another_thread_computes(void **state)
{
    (void)state;
    tg_set_backends("ref,vector,brgemm");
    beside_begin();
    for (int i = 0; i < 1000; i++) {
        tg_set_threads(1 + i % 4);
        usleep(100);
    }
    assert_int_equal(beside_end(), 0);
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
    assert_int_equal(other, 0); /* the job keeps its count */
    assert_int_equal(tg_threads(), 4);
    tg_set_threads(2);
}

static bool set_while_planned(void *threads, const tg_call *c)
{
    (void)c;
    return tg_set_threads(*(int *)threads);
}

/* Sets the count between planning, which sizes the workers' scratch, and execution. */
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
        cmocka_unit_test(while_another_thread_computes),
        cmocka_unit_test(within_a_body),
        cmocka_unit_test(within_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
