/* test_depth.c - nested scopes and chains of values are limited by memory alone, not by the stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"

enum { DEEP = 100000, DEEP_WITH_CALLS = 5000, LONG = 60000 }; /* a scope with calls has an arena */

static tg_scope *nested(tg_scope *root, bool with_calls)
{
    tg_scope *s = root;
    for (int i = 0; i < (with_calls ? DEEP_WITH_CALLS : DEEP); i++) {
        s = i % 2 ? tg_push(s) : tg_train(s);
        if (with_calls) tg_neg(s, tg_full(s, 1, 0, NULL));
    }
    return s;
}

static void scopes_within_scopes(void **state)
{
    (void)state;
    for (int calls = 0; calls < 2; calls++) {
        tg_scope *const root = tg_open(), *const s = nested(root, calls);
        assert_true(tg_item(tg_full(s, 3, 0, NULL)) == 3);
        expect_ok(s);
        tg_reset(root);
        assert_true(tg_item(tg_full(root, 3, 0, NULL)) == 3);
        nested(root, calls);
        tg_close(root);
    }
}

static void an_error_rises_from_the_innermost(void **state)
{
    (void)state;
    tg_scope *const root = tg_open();
    tg_fail(nested(root, false), "deep down");
    assert_true(tg_ok(root));
    tg_reset(root);
    expect_message(root, "deep down");
    tg_clear(root);
    assert_true(tg_ok(root));
    tg_scope *const s = nested(root, false);
    tg_fail(root, "at the top");
    assert_false(tg_ok(s));
    tg_close(root);
}

static tg_tensor *middle;
static tg_tensor *chain(tg_scope *s, tg_module *m, tg_tensor *x)
{
    (void)m;
    for (int i = 0; i < LONG; i++) {
        x = tg_neg(s, x);
        if (i == LONG - 10) middle = x;
    }
    return x;
}

static void a_value_that_was_given_back_is_made_again(void **state)
{
    (void)state;
    tg_scope *const root = tg_open();
    tg_tensor *const x = tg_full(root, 2, 1, TG_DIM(1));
    tg_tensor *const y = tg_forward(root, tg_module_new(root, sizeof(tg_module), "Chain", chain), x);
    assert_true(tg_item(y) == 2);
    assert_true(tg_item(tg_add(root, middle, x)) == (LONG % 2 ? 4 : 0));
    expect_ok(root);
    tg_close(root);
}

static void casts_of_casts(void **state)
{
    (void)state;
    tg_scope *const root = tg_open(), *const s = tg_train(root);
    tg_tensor *const x = tg_require_grad(root, tg_full(root, 2, 1, TG_DIM(1)));
    tg_tensor *y = x;
    for (int i = 0; i < 2000; i++) y = tg_cast(s, y, i % 2 ? TG_F32 : TG_BF16);
    tg_backward(s, tg_sum(s, y, (tg_axes){ 0 }));
    expect_ok(s);
    assert_true(tg_item(tg_grad(x)) == 1);
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_within_scopes),
        cmocka_unit_test(an_error_rises_from_the_innermost),
        cmocka_unit_test(a_value_that_was_given_back_is_made_again),
        cmocka_unit_test(casts_of_casts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
