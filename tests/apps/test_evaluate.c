/* test_evaluate.c - predictions: rows of logits with NaN have no class. */
#include "confusion.h"
#include "evaluate.h"
#include "expect.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

enum { CLASSES = 3 };
typedef struct {
    const char *name;
    float logits[CLASSES];
    int class;
} row;

static const row rows[] = {
    { "largest", { 0, 2, 1 }, 1 },
    { "first of equals", { 2, 2, 1 }, 0 },
    { "below zero", { -3, -2, -1 }, 2 },
    { "masked", { -INFINITY, -5, -INFINITY }, 1 },
    { "all NaN", { NAN, NAN, NAN }, NO_CLASS },
    { "NaN first", { NAN, 2, 1 }, NO_CLASS },
    { "NaN last", { 0, 2, NAN }, NO_CLASS },
    { "NaN beside inf", { NAN, INFINITY, 1 }, NO_CLASS },
    { "inf", { 0, INFINITY, 1 }, NO_CLASS },
    { "all masked", { -INFINITY, -INFINITY, -INFINITY }, NO_CLASS },
    { "the largest float", { 3e38f, 1, -3e38f }, 0 },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Each row separately, with each true class; then all rows together. */
static void rows_have_a_class_or_none(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    float all[ROWS][CLASSES];
    int16_t guess[ROWS];
    int64_t truth[ROWS];
    verdict v = { 0 };
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < CLASSES; k++) all[i][k] = rows[i].logits[k];
        truth[i] = 0;
        for (int64_t want = 0; want < CLASSES; want++) {
            verdict one = { 0 };
            tg_tensor *const x = tg_from(s, TG_F32, 2, TG_DIM(1, CLASSES), rows[i].logits);
            judge_rows(x, tg_from(s, TG_I64, 1, TG_DIM(1), &want), guess, &one);
            if (guess[0] != rows[i].class) fail_msg("%s: class %d, want %d", rows[i].name, guess[0], rows[i].class);
            assert_int_equal(one.right, rows[i].class == want);
            assert_int_equal(one.none, rows[i].class == NO_CLASS);
        }
    }
    judge_rows(tg_from(s, TG_F32, 2, TG_DIM(ROWS, CLASSES), all), tg_from(s, TG_I64, 1, TG_DIM(ROWS), truth), guess,
               &v);
    assert_int_equal(v.seen, ROWS);
    assert_int_equal(v.right, 2);
    assert_int_equal(v.none, 6);
    expect_ok(s);
    tg_close(s);
}

/* Images without a predicted class still count as images of their true class. */
static void confusion_knows_none(void **state)
{
    (void)state;
    static const int64_t count[] = { 3, 1, 4, 0, 0, 5 }; /* two classes, and NO_CLASS */
    const confusion c = { .classes = 2, .count = count };
    assert_int_equal(confusion_of(&c, 0), 8);
    assert_int_equal(confusion_of(&c, 1), 5);
    assert_int_equal(confusion_worst(&c, 0), 1);
    assert_int_equal(confusion_worst(&c, 1), -1);
    assert_int_equal(confusion_at(&c, 0, 2), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_a_class_or_none),
        cmocka_unit_test(confusion_knows_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
