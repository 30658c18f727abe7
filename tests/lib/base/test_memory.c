/* test_memory.c - each allocation fails once, and the steady state allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "expect.h"
#include "system.h"
#include <math.h>

enum { STEPS = 3, MOST = 20000 };

static void expect_out_of_memory(const tg_scope *s, uint64_t n)
{
    if (!strstr(tg_message(s), "memory") && !strstr(tg_message(s), "thread 1 of 1 cannot be created"))
        fail_msg("request %d: \"%s\"", (int)n, tg_message(s));
}

/* ---- one step, with its n-th request refused ---- */

static void reference_losses(double loss[STEPS])
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    toy_open(&t, root);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) loss[i] = toy_step(&t, s);
    expect_ok(root);
    tg_close(root);
}

/* Refuses the n-th request of step `bad`: the model must not change, and training must be able to continue.  Returns
 * whether there was an n-th request. */
static bool survives(uint64_t n, int bad, const double want[STEPS])
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    bool refused = false;
    toy_open(&t, root);
    expect_ok(root);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        uint64_t before = i == bad ? lasting_bytes(t.net, t.optim) : 0;
        if (i == bad) tg_seed(root, 3 + (uint64_t)bad);
        tg_system_fail_at(i == bad ? n : 0);
        double loss = toy_step(&t, s);
        tg_system_fail_at(0);
        if (i == bad && !tg_ok(s)) {
            refused = true;
            assert_true(isnan(loss));
            expect_out_of_memory(s, n);
            tg_reset(s);
            assert_false(tg_ok(root));
            tg_clear(root);
            if (lasting_bytes(t.net, t.optim) != before) fail_msg("request %d: the model has changed", (int)n);
            assert_int_equal(tg_steps(t.optim), i);
            tg_seed(root, 3 + (uint64_t)bad);
            loss = toy_step(&t, s);
            expect_ok(s);
        }
        if (loss != want[i]) fail_msg("request %d of step %d: loss %.9g, want %.9g", (int)n, bad, loss, want[i]);
    }
    tg_close(root);
    return refused;
}

static void losses_with_seed(int bad, double loss[STEPS])
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    toy_open(&t, root);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        if (i == bad) tg_seed(root, 3 + (uint64_t)bad);
        loss[i] = toy_step(&t, s);
    }
    tg_close(root);
}

static void every_request_of_a_step_is_refused_once(void **state)
{
    double want[STEPS];
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        uint64_t n = 1;
        losses_with_seed(bad, want);
        while (n < MOST && survives(n, bad, want)) n++;
        print_message("step %d: %d requests refused, one by one\n", bad, (int)n - 1);
        assert_true(n < MOST && (bad || n > 3));
    }
}

/* ---- the whole program, from tg_open on ---- */

static bool whole_program(uint64_t n, const double want[STEPS])
{
    toy t = { .optim = NULL };
    double loss = NAN;
    tg_system_fail_at(n);
    tg_scope *root = tg_open(), *s = tg_train(root);
    if (toy_open(&t, root)) loss = toy_step(&t, s);
    tg_pop(s);
    tg_system_fail_at(0);
    bool good = tg_ok(root);
    if (good) assert_true(loss == want[0]);
    else expect_out_of_memory(root, n);
    tg_close(root);
    return !good;
}

static void every_request_of_a_program_is_refused_once(void **state)
{
    double want[STEPS];
    uint64_t n = 1;
    (void)state;
    reference_losses(want);
    while (n < MOST && whole_program(n, want)) n++;
    print_message("%d requests refused, one by one\n", (int)n - 1);
    assert_true(n > 10 && n < MOST);
}

/* ---- loading data ---- */

static tg_dataset *images(tg_scope *s)
{
    static uint8_t pixels[40 * 6 * 6], labels[40];
    for (int i = 0; i < 40 * 36; i++) pixels[i] = (uint8_t)(i * 7);
    for (int i = 0; i < 40; i++) labels[i] = (uint8_t)(i % 3);
    return tg_dataset_from(s, 40, 6, 6, 1, 3, pixels, labels);
}

/* Loads two epochs of batches; returns the number of images. */
static int load(tg_scope *root)
{
    const tg_loader_config config = { .batch = 7, .crop_pad = 1, .flip = true };
    tg_loader *loader = tg_loader_new(root, images(root), config);
    tg_scope *s = tg_push(root);
    int seen = 0;
    for (int epoch = 0; epoch < 2; epoch++)
        for (tg_batch b; tg_next(s, loader, &b); tg_reset(s)) seen += b.count;
    tg_pop(s);
    return seen;
}

static void every_request_of_a_loader_is_refused_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < MOST; n++) {
        tg_system_fail_at(n);
        tg_scope *root = tg_open();
        int seen = load(root);
        tg_system_fail_at(0);
        bool good = tg_ok(root);
        if (good) assert_int_equal(seen, 80);
        else expect_out_of_memory(root, n);
        tg_close(root);
        if (!good) continue;
        print_message("%d requests refused, one by one\n", (int)n - 1);
        return;
    }
    fail_msg("it never succeeded");
}

/* ---- the steady state ---- */

static void later_steps_ask_for_nothing(void **state)
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    (void)state;
    toy_open(&t, root);
    uint64_t after_first = 0;
    for (int i = 0; i < 20; i++, tg_reset(s)) {
        toy_step(&t, s);
        if (i == 0) after_first = tg_system_requests();
    }
    expect_ok(root);
    assert_int_equal(tg_system_requests() - after_first, 0);
    tg_close(root);
}

/* Even if sizes change at random, requests stop eventually. */
static void random_sizes_reach_a_plateau(void **state)
{
    enum { ROUNDS = 400 };
    tg_scope *root = tg_open(), *s = tg_train(root);
    toy t;
    uint64_t at_half = 0;
    (void)state;
    toy_open(&t, root);
    for (int i = 0; i < ROUNDS; i++, tg_reset(s)) {
        int64_t n = 1 + tg_random_below((tg_stream){ 8, 8 }, (uint64_t)i, 24);
        tg_tensor *x = tg_randn(s, 0, 1, 4, TG_DIM(n, 8, 8, 2));
        tg_backward(s, tg_mean(s, tg_forward(s, t.net, x), (tg_axes){ 0 }));
        tg_update(s, t.optim);
        if (i == ROUNDS / 2) at_half = tg_system_requests();
    }
    expect_ok(root);
    assert_int_equal(tg_system_requests() - at_half, 0);
    tg_close(root);
}

static void what_a_step_took_is_given_back(void **state)
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    uint64_t used = 0;
    (void)state;
    toy_open(&t, root);
    for (int i = 0; i < 5; i++) {
        toy_step(&t, s);
        tg_reset(s);
        if (i == 0) used = tg_statistics(root).bytes;
        assert_int_equal(tg_statistics(root).bytes, used);
    }
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest memory[] = {
        cmocka_unit_test(every_request_of_a_step_is_refused_once),
        cmocka_unit_test(every_request_of_a_program_is_refused_once),
        cmocka_unit_test(every_request_of_a_loader_is_refused_once),
        cmocka_unit_test(later_steps_ask_for_nothing),
        cmocka_unit_test(random_sizes_reach_a_plateau),
        cmocka_unit_test(what_a_step_took_is_given_back),
    };
    return cmocka_run_group_tests(memory, NULL, NULL);
}
