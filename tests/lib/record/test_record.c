/* test_record.c - the rules of the record (R1 to R6, R10, R11), each as a small program.
 * R7 and R8: test_scope.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core.h"
#include "expect.h"
#include "world.h"
#include <math.h>

static uint64_t runs(tg_scope *s) { return tg_statistics(s).runs; }

/* ---- R1: shapes are checked when a call is recorded, values are computed on demand ---- */

static void nothing_runs_before_a_read(void **state)
{
    WORLD;
    tg_tensor *y = tg_relu(s, tg_neg(s, vector(root, NUMBERS(1, -2))));
    assert_int_equal(runs(s), 0);
    expect_numbers(y, NUMBERS(0, 2));
    assert_int_equal(runs(s), 1);
    expect_numbers(y, NUMBERS(0, 2));
    assert_int_equal(runs(s), 1);
}

static void a_bad_shape_fails_at_once(void **state)
{
    WORLD;
    tg_tensor *y = tg_add(s, vector(root, NUMBERS(1, 2)), vector(root, NUMBERS(1, 2, 3)));
    expect_message(s, "add: shapes [2] and [3] do not fit");
    assert_int_equal(tg_count(y), 0);
    assert_null(tg_data(y));
    assert_true(isnan(tg_item(tg_relu(s, y))));
    expect_ok(root);
}

static void random_counters_are_drawn_when_recorded(void **state)
{
    WORLD;
    tg_tensor *ones = tg_full(root, 1, 1, TG_DIM(64)), *a, *b;
    tg_seed(root, 9);
    a = tg_dropout(s, ones, 0.5);
    b = tg_dropout(s, ones, 0.5);
    const float *second = tg_data(b), *first = tg_data(a);
    int differ = 0;
    for (int i = 0; i < 64; i++) differ += first[i] != second[i];
    assert_true(differ > 0);
    tg_scope *other = tg_train(root);
    tg_seed(root, 9);
    assert_memory_equal(tg_data(tg_dropout(other, ones, 0.5)), first, 64 * sizeof *first);
}

static void a_call_made_again_drops_the_same(void **state)
{
    WORLD;
    tg_tensor *ones = tg_full(root, 1, 1, TG_DIM(64)), *inner;
    tg_enter(s, "module");
    inner = tg_dropout(s, ones, 0.5);
    tg_tensor *twice = tg_leave(s, tg_add(s, inner, inner));
    const float *sum = tg_data(twice);
    assert_null(inner->storage->data);
    const float *again = tg_data(inner);
    for (int i = 0; i < 64; i++) assert_true(2 * again[i] == sum[i]);
    assert_int_equal(tg_statistics(s).again, 1);
}

/* ---- R2: writes are calls, and write leaves only ---- */

static void a_reader_sees_what_was_recorded_before_it(void **state)
{
    WORLD;
    tg_tensor *w1 = vector(root, NUMBERS(1, 2)), *one = vector(root, NUMBERS(1, 1));
    tg_tensor *before = tg_neg(s, w1);
    accumulate(s, w1, one);
    tg_tensor *between = tg_neg(s, w1);
    accumulate(s, w1, one);
    expect_numbers(between, NUMBERS(-2, -3));
    expect_numbers(before, NUMBERS(-1, -2));
    expect_numbers(w1, NUMBERS(3, 4));
    expect_numbers(tg_neg(s, w1), NUMBERS(-3, -4));
}

static void only_leaves_are_written(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1));
    accumulate(s, tg_neg(s, x), x);
    expect_message(s, "accumulate: input 0 is written, want a leaf");
}

static void a_view_of_a_leaf_sees_its_writes(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, 2)), *view = tg_reshape(s, x, 2, TG_DIM(1, 2));
    tg_tensor *before = tg_neg(s, view);
    accumulate(s, x, vector(root, NUMBERS(1, 1)));
    expect_numbers(tg_neg(s, view), NUMBERS(-2, -3));
    expect_numbers(before, NUMBERS(-1, -2));
}

/* ---- R3: order ---- */

static void a_write_between_the_links_of_a_chain(void **state)
{
    WORLD;
    tg_tensor *x = tg_full(root, 2, 4, TG_DIM(1, 2, 1, 1)), *one = vector(root, NUMBERS(1));
    tg_tensor *gamma = vector(root, NUMBERS(3)), *beta = vector(root, NUMBERS(0));
    tg_tensor *mean = vector(root, NUMBERS(0)), *var = vector(root, NUMBERS(1));
    tg_scope *e = tg_push(s);
    tg_batch_norm2d_config config = { .eps = 1e-12f };
    tg_tensor *y = tg_batch_norm2d(e, x, gamma, beta, mean, var, config);
    accumulate(e, gamma, one);
    tg_tensor *z = tg_relu(e, y), *later = tg_relu(e, tg_batch_norm2d(e, x, gamma, beta, mean, var, config));
    expect_numbers(later, NUMBERS(8, 8));
    expect_numbers(z, NUMBERS(6, 6));
}

static void tracking_stands_between_the_links(void **state)
{
    WORLD;
    tg_tensor *x = tg_from(root, TG_F32, 4, TG_DIM(1, 2, 1, 1), (float[]){ 1, 3 });
    tg_tensor *mean = vector(root, NUMBERS(0)), *var = vector(root, NUMBERS(1));
    tg_tensor *gamma = vector(root, NUMBERS(1)), *beta = vector(root, NUMBERS(0));
    tg_enter(s, "block");
    tg_tensor *y = tg_batch_norm2d(s, x, gamma, beta, mean, var, (tg_batch_norm2d_config){ .eps = 1e-12f });
    y = tg_leave(s, tg_relu(s, y));
    expect_numbers(y, NUMBERS(0, 1));
    expect_numbers(mean, NUMBERS(0.2));
    expect_numbers(var, NUMBERS(0.9 + 0.1 * 2));
}

/* ---- R4: which values are kept ---- */

static void a_module_may_look_at_what_it_made(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, -1));
    tg_enter(s, "residual");
    tg_tensor *h = tg_neg(s, x), *r = tg_relu(s, h);
    expect_numbers(r, NUMBERS(0, 1));            /* a printf in the middle of a model */
    tg_tensor *y = tg_leave(s, tg_add(s, h, r)); /* h is used again afterwards */
    expect_numbers(y, NUMBERS(-1, 2));
    assert_int_equal(tg_statistics(s).again, 0);
}

static void what_user_code_made_stays(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, -1)), *h = tg_neg(s, x), *y = tg_relu(s, h);
    expect_numbers(y, NUMBERS(0, 1));
    assert_non_null(h->storage->data);
    expect_numbers(h, NUMBERS(-1, 1));
    assert_int_equal(tg_statistics(s).again, 0);
}

static void optional_outputs_are_made_when_wanted(void **state)
{
    WORLD;
    tg_tensor *x = tg_from(root, TG_F32, 4, TG_DIM(1, 1, 2, 1), (float[]){ 1, 5 });
    tg_enter(s, "pool");
    tg_tensor *y = tg_leave(s, tg_max_pool2d(s, x, (tg_pool2d_config){ .kernel = { 1, 2 } }));
    expect_numbers(y, NUMBERS(5));
    assert_null(tg_output(y, 1)->storage->data);
    const uint8_t *index = tg_data(tg_output(y, 1));
    assert_int_equal(index[0], 1);
}

/* ---- R6: a released value is recomputed, or the message says why it cannot be ---- */

static void gone_and_overwritten(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, -1)), *k = vector(root, NUMBERS(2, 2));
    tg_enter(s, "module");
    tg_tensor *inner = tg_mul(s, x, k);
    expect_numbers(tg_leave(s, tg_neg(s, inner)), NUMBERS(-2, 2));
    accumulate(s, k, x);
    assert_null(tg_data(inner));
    expect_message(s, "module: mul: its result was not kept, and its input 1 was written after the call");
    tg_clear(s);
    expect_numbers(k, NUMBERS(3, 1));
}

static void gone_things_are_made_again_from_gone_things(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, -1));
    tg_enter(s, "module");
    tg_tensor *a = tg_affine(s, x, 3, 0), *b = tg_affine(s, a, 1, 1);
    expect_numbers(tg_leave(s, tg_neg(s, b)), NUMBERS(-4, 2));
    expect_numbers(tg_relu(s, b), NUMBERS(4, 0));
    assert_int_equal(tg_statistics(s).again, 2);
}

/* ---- R10: access to elements ---- */

static void an_edit_comes_between(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1, 2)), *before = tg_neg(s, x);
    ((float *)tg_edit(s, x))[0] = 5;
    expect_numbers(tg_neg(s, x), NUMBERS(-5, -2));
    expect_numbers(before, NUMBERS(-1, -2));
    assert_null(tg_edit(s, before));
    expect_message(s, "edit: the tensor is the result of neg, want a leaf");
}

static void one_number(void **state)
{
    WORLD;
    assert_true(isnan(tg_item(vector(s, NUMBERS(1, 2)))));
    expect_message(s, "item: the tensor has shape [2], want one element");
}

/* ---- R11: a long record is run before it is complete ---- */

static void more_calls_than_may_be_pending(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(1)), *zero = vector(root, NUMBERS(0)), *y = p;
    tg_enter(s, "long");
    for (int i = 0; i < TG_MAX_PENDING + 100; i++) y = tg_add(s, y, zero);
    tg_backward(s, tg_leave(s, y));
    expect_number(y, 1);
    expect_numbers(tg_grad(p), NUMBERS(1));
    expect_ok(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
int main(void)
{
    const struct CMUnitTest record[] = {
        TEST(nothing_runs_before_a_read),
        TEST(a_bad_shape_fails_at_once),
        TEST(random_counters_are_drawn_when_recorded),
        TEST(a_call_made_again_drops_the_same),
        TEST(a_reader_sees_what_was_recorded_before_it),
        TEST(only_leaves_are_written),
        TEST(a_view_of_a_leaf_sees_its_writes),
        TEST(a_write_between_the_links_of_a_chain),
        TEST(tracking_stands_between_the_links),
        TEST(a_module_may_look_at_what_it_made),
        TEST(what_user_code_made_stays),
        TEST(optional_outputs_are_made_when_wanted),
        TEST(gone_and_overwritten),
        TEST(gone_things_are_made_again_from_gone_things),
        TEST(an_edit_comes_between),
        TEST(one_number),
        TEST(more_calls_than_may_be_pending),
    };
    return cmocka_run_group_tests(record, NULL, NULL);
}
