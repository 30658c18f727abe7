/* test_optim.c - schedules against PyTorch's (tests/oracle/schedules.py), clipping, groups, skipped parameters, errors.
 * Whole trajectories are in test_trajectory.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "schedules.h"
#include "system.h"
#include "update.h"
#include <math.h>
#include <string.h>

static tg_tensor *identity(tg_scope *s, tg_module *m, tg_tensor *x)
{
    (void)s, (void)m;
    return x;
}

/* A module with two parameters, "a" [2] = {1, 2} and "m" [2, 1] = {3, 4}, and a training scope. */
typedef struct {
    tg_scope *root, *step;
    tg_module *net;
    tg_tensor *a, *m;
} fixture;

static int begin(void **state)
{
    static fixture f;
    const float m[] = { 3, 4 };
    f.root = tg_open();
    f.net = tg_module_new(f.root, sizeof *f.net, "Net", identity);
    f.a = tg_param(f.root, f.net, "a", vector(f.root, NUMBERS(1, 2)));
    f.m = tg_param(f.root, f.net, "m", tg_from(f.root, TG_F32, 2, TG_DIM(2, 1), m));
    f.step = tg_train(f.root);
    *state = &f;
    return !tg_ok(f.root);
}

static int end(void **state)
{
    tg_close(((fixture *)*state)->root);
    return 0;
}

/* Leaves a gradient of {x, y} in t. */
static void push(const fixture *f, tg_tensor *t, double x, double y)
{
    tg_tensor *flat = tg_reshape(f->step, t, 1, TG_DIM(2));
    tg_backward(f->step, tg_sum(f->step, tg_mul(f->step, flat, vector(f->step, NUMBERS(x, y))), (tg_axes){ 0 }));
}

static void update(const fixture *f, tg_optim *opt)
{
    tg_update(f->step, opt);
    expect_ok(f->step);
    tg_reset(f->step);
}

/* ---- what is applied ---- */

static void update_consumes_gradients(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 0.5f });
    push(f, f->a, 2, 4);
    update(f, opt);
    assert_null(tg_grad(f->a));
    expect_numbers(f->a, NUMBERS(0, 0));
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0, 0));
    expect_numbers(f->m, NUMBERS(3, 4));
    assert_int_equal(tg_steps(opt), 2);
}

static void micro_batches_add_up(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    for (int i = 0; i < 3; i++, tg_reset(f->step)) push(f, f->a, 1, -1);
    expect_numbers(tg_grad(f->a), NUMBERS(3, -3));
    update(f, opt);
    expect_numbers(f->a, NUMBERS(-2, 5));
}

/* Decay and momentum don't move it, and the parameter's step count stays. */
static void without_gradient_nothing_happens(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_adamw(f->root, f->net, (tg_adam_config){ .lr = 0.1f, .weight_decay = 0.5f });
    push(f, f->a, 1, 1);
    update(f, opt);
    expect_numbers(f->m, NUMBERS(3, 4));
    assert_null(opt->slots[1].state[0]);
    assert_int_equal(opt->slots[1].steps, 0);
    push(f, f->m, 1, -1);
    update(f, opt);
    expect_numbers(f->m, NUMBERS(3 * 0.95 - 0.1, 4 * 0.95 + 0.1)); /* Adam's first step: lr sign(g) */
    assert_int_equal(tg_steps(opt), 2);
}

static void frozen_is_skipped(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1, .weight_decay = 0.5f });
    push(f, f->a, 1, 1);
    push(f, f->m, 1, 1);
    tg_freeze(f->net);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(1, 2));
    tg_unfreeze(f->net);
    push(f, f->a, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(-0.5, 0));
}

/* ---- clipping ---- */

static void norm_is_over_all_parameters(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    tg_clip_norm(f->root, opt, 1);
    push(f, f->a, 1, 2);
    push(f, f->m, 2, 4); /* norm 5 */
    update(f, opt);
    expect_numbers(f->a, NUMBERS(1 - 0.2, 2 - 0.4));
    expect_numbers(f->m, NUMBERS(3 - 0.4, 4 - 0.8));
    push(f, f->a, 0.3, 0.4);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0.8 - 0.3, 1.6 - 0.4));
    tg_clip_norm(f->root, opt, 0);
    push(f, f->a, 10, 0);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(-9.5, 1.2));
}

static void the_norm_that_was_found(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    push(f, f->a, 3, 4);
    update(f, opt);
    assert_true(isnan(tg_grad_norm(opt)));
    tg_clip_norm(f->root, opt, 1);
    push(f, f->a, 1, 2);
    push(f, f->m, 2, 4);
    update(f, opt);
    assert_true(tg_grad_norm(opt) == 5); /* before clipping */
    tg_clip_norm(f->root, opt, INFINITY);
    push(f, f->a, 30, 40);
    update(f, opt);
    assert_true(tg_grad_norm(opt) == 50);
    expect_numbers(f->a, NUMBERS(1 - 3 - 0.2 - 30, 2 - 4 - 0.4 - 40));
    update(f, opt);
    assert_true(isnan(tg_grad_norm(opt))); /* no gradients */
}

static void value_is_element_by_element(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    tg_clip_value(f->root, opt, 0.5f);
    push(f, f->a, 0.25, -7);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0.75, 2.5));
}

/* ---- groups ---- */

static bool named(const char *name, const tg_tensor *t, void *context)
{
    (void)t;
    return !strcmp(name, context);
}

static void groups_have_their_own_rates(void **state)
{
    const fixture *f = *state;
    char name[] = "m";
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1, .weight_decay = 0.5f });
    assert_int_equal(tg_add_group(f->root, opt, (tg_group_config){ .lr_scale = 0.1f }, named, name), 1);
    assert_int_equal(tg_no_decay_on_bias_and_norm(f->root, opt), 2);
    push(f, f->a, 1, 1);
    push(f, f->m, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0, 1));
    expect_numbers(f->m, NUMBERS(2.9, 3.9));
}

/* The parameters that tg_no_decay_on_bias_and_norm exempts. */
static void decay_goes_by_role(void **state)
{
    const fixture *f = *state;
    tg_scope *s = f->root;
    tg_module *own = tg_module_new(s, sizeof *own, "Own", identity);
    tg_param(s, own, "gain", tg_full(s, 1, 0, NULL));
    tg_param(s, own, "scale", tg_full(s, 1, 1, TG_DIM(2)));
    tg_param(s, own, "bias", tg_full(s, 1, 3, TG_DIM(1, 1, 2)));
    tg_param(s, own, "table", tg_full(s, 1, 2, TG_DIM(2, 2)));
    tg_param(s, own, "shift", tg_full(s, 1, 3, TG_DIM(1, 1, 2)));
    tg_decays(s, own, "shift", false);
    tg_weight(s, own, "row", tg_full(s, 1, 2, TG_DIM(1, 2)));
    tg_module *net = tg_sequential(
        s,
        (tg_module *[]){ tg_layer_layer_norm(s, (tg_layer_norm_config){ .rank = 3, .dim = { 2, 2, 3 } }),
                         tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 3 }),
                         tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 3, .out = 1, .kernel = 1 }), own, NULL });
    static const struct {
        const char *name;
        bool decays;
    } rows[] = {
        { "0.weight", false }, { "0.bias", false }, { "1.weight", false }, { "1.bias", false },
        { "2.weight", true },  { "2.bias", false }, { "3.gain", false },   { "3.scale", false },
        { "3.bias", false },   { "3.table", true }, { "3.shift", false },  { "3.row", true },
    };
    tg_optim *opt = tg_sgd(s, net, (tg_sgd_config){ .lr = 0.5f, .weight_decay = 0.5f });
    assert_int_equal(tg_no_decay_on_bias_and_norm(s, opt), 1);
    assert_int_equal(opt->n_slots, sizeof rows / sizeof *rows);
    for (int i = 0; i < opt->n_slots; i++) {
        assert_string_equal(opt->slots[i].name, rows[i].name);
        if ((opt->slots[i].group->weight_decay > 0) != rows[i].decays)
            fail_msg("%s: decays, or does not", rows[i].name);
    }
    tg_decays(s, net, "nobody", true);
    expect_message(s, "module: decays of \"nobody\": there is no parameter or buffer of this name");
    tg_clear(s);
}

/* ---- learning rates ---- */

static void expect_rates(const char *name, tg_schedule_config config, const double *want, int n)
{
    for (int i = 0; i < n; i++) {
        const double got = (double)tg_schedule_at(&config, 0.1f, i);
        if (!(fabs(got - want[i]) <= 1e-6 * fmax(want[i], 1e-3)))
            fail_msg("%s: update %d has lr %.9g, PyTorch's %.9g", name, i, got, want[i]);
    }
}
#define RATES(name) #name, name, name##_rates, (int)(sizeof name##_rates / sizeof *name##_rates)

static void schedules_are_pytorchs(void **state)
{
    (void)state;
    const tg_schedule_config constant = { 0 };
    const tg_schedule_config step = { .kind = TG_STEP, .every = 3, .gamma = 0.5f };
    const tg_schedule_config step_zero = { .kind = TG_STEP, .every = 3, .gamma = TG_ZERO };
    const tg_schedule_config cosine = { .kind = TG_COSINE, .total = 16, .lr_end = 0.01f };
    const tg_schedule_config warm_constant = { .warmup = 4, .warmup_from = 0.25f };
    const tg_schedule_config warm_step = {
        .kind = TG_STEP, .every = 3, .gamma = 0.5f, .warmup = 4, .warmup_from = 0.25f
    };
    const tg_schedule_config warm_cosine = { .kind = TG_COSINE, .total = 16, .warmup = 4, .warmup_from = 0.25f };
    const tg_schedule_config one_cycle = { .kind = TG_ONE_CYCLE, .total = 17 };
    const tg_schedule_config one_cycle_set = {
        .kind = TG_ONE_CYCLE, .total = 17, .pct_start = 0.5f, .div_factor = 10, .final_div_factor = 100
    };
    const tg_schedule_config one_cycle_no_rise = { .kind = TG_ONE_CYCLE, .total = 17, .pct_start = TG_ZERO };
    const struct {
        const char *name;
        tg_schedule_config config;
        const double *want;
        int n;
    } rows[] = {
        { RATES(constant) },          { RATES(step) },          { RATES(cosine) },
        { RATES(warm_constant) },     { RATES(warm_step) },     { RATES(warm_cosine) },
        { RATES(one_cycle) },         { RATES(one_cycle_set) }, { RATES(step_zero) },
        { RATES(one_cycle_no_rise) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_rates(rows[i].name, rows[i].config, rows[i].want, rows[i].n);
    assert_true(tg_schedule_at(&cosine, 0.1f, 16) == 0.01f); /* and stays there */
    assert_true(tg_schedule_at(&cosine, 0.1f, 1000) == 0.01f);
    assert_true(fabs((double)tg_schedule_at(&one_cycle, 0.1f, 1000) - 4e-7) < 1e-12);
    assert_true(isnan(tg_schedule_at(&(tg_schedule_config){ .kind = TG_STEP }, 0.1f, 3)));
}

static void update_follows_the_schedule(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    tg_schedule(f->root, opt, (tg_schedule_config){ .kind = TG_STEP, .every = 1, .gamma = 0.5f });
    for (int i = 0; i < 3; i++) {
        push(f, f->a, 1, 0);
        update(f, opt);
    }
    expect_numbers(f->a, NUMBERS(1 - 1.75, 2));
    assert_true(tg_lr(opt) == 0.125f);
    tg_set_lr(f->root, opt, 8);
    assert_true(tg_lr(opt) == 1);
}

static void a_rate_may_be_zero(void **state)
{
    const fixture *f = *state;
    char name[] = "m";
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = TG_ZERO, .weight_decay = TG_ZERO });
    push(f, f->a, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(1, 2));
    tg_set_lr(f->root, opt, 1);
    assert_int_equal(tg_add_group(f->root, opt, (tg_group_config){ .lr_scale = TG_ZERO }, named, name), 1);
    push(f, f->a, 1, 1);
    push(f, f->m, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0, 1));
    expect_numbers(f->m, NUMBERS(3, 4));
    tg_set_lr(f->root, opt, 0);
    assert_true(tg_lr(opt) == 0);
    push(f, f->a, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(0, 1));
}

/* ---- a failure ---- */

static void failed_update_changes_nothing(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1, .momentum = 0.9f });
    const int64_t wrong = 7;
    push(f, f->a, 1, 1);
    update(f, opt);
    push(f, f->a, 1, 1);
    tg_tensor *logits = tg_reshape(f->step, f->a, 2, TG_DIM(1, 2));
    tg_cross_entropy(f->step, logits, tg_from(f->step, TG_I64, 1, TG_DIM(1), &wrong));
    tg_update(f->step, opt);
    assert_false(tg_ok(f->step));
    assert_int_equal(tg_steps(opt), 1);
    tg_reset(f->step);
    tg_clear(f->root);
    expect_numbers(f->a, NUMBERS(0, 1));
    tg_clear_grad(f->a);
    push(f, f->a, 1, 1);
    update(f, opt);
    expect_numbers(f->a, NUMBERS(-1.9, -0.9));
    assert_int_equal(tg_steps(opt), 2);
}

static void steady_state_asks_the_system_for_nothing(void **state)
{
    const fixture *f = *state;
    tg_optim *opt = tg_adam(f->root, f->net, (tg_adam_config){ .lr = 0.1f });
    uint64_t before = 0;
    tg_clip_norm(f->root, opt, 1);
    for (int i = 0; i < 6; i++) {
        if (i == 2) before = tg_system_requests();
        push(f, f->a, 1, 1);
        push(f, f->m, 1, 1);
        update(f, opt);
    }
    assert_true(tg_system_requests() == before);
}

/* ---- errors ---- */

static const struct {
    const char *message;
    tg_adam_config adam;
} bad_adam[] = {
    { "adamw: lr nan, want a finite number of at least 0", { .lr = NAN } },
    { "adamw: beta1 1, want 0 <= beta1 < 1 (0: the default)", { .lr = 1, .beta1 = 1 } },
    { "adamw: beta2 nan, want 0 <= beta2 < 1 (0: the default)", { .lr = 1, .beta2 = NAN } },
    { "adamw: eps -1, want a finite number of at least 0", { .lr = 1, .eps = -1 } },
};

static const struct {
    const char *message;
    tg_sgd_config sgd;
} bad_sgd[] = {
    { "sgd: lr 0, want a finite number above 0 (or TG_ZERO)", { .lr = 0 } },
    { "sgd: lr nan, want a finite number of at least 0", { .lr = NAN } },
    { "sgd: lr inf, want a finite number of at least 0", { .lr = INFINITY } },
    { "sgd: lr -1, want a finite number of at least 0", { .lr = -1 } },
    { "sgd: momentum -0.5, want a finite number of at least 0", { .lr = 1, .momentum = -0.5f } },
    { "sgd: weight_decay nan, want a finite number of at least 0", { .lr = 1, .weight_decay = NAN } },
    { "sgd: dampening inf, want a finite number", { .lr = 1, .dampening = INFINITY } },
    { "sgd: nesterov with momentum 0 and dampening 0, want momentum above 0 and no dampening",
      { .lr = 1, .nesterov = true } },
};

static void refuses_bad_optimizers(void **state)
{
    const fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_sgd / sizeof *bad_sgd; i++, tg_clear(f->root)) {
        assert_null(tg_sgd(f->root, f->net, bad_sgd[i].sgd));
        expect_message(f->root, bad_sgd[i].message);
    }
    for (size_t i = 0; i < sizeof bad_adam / sizeof *bad_adam; i++, tg_clear(f->root)) {
        assert_null(tg_adamw(f->root, f->net, bad_adam[i].adam));
        expect_message(f->root, bad_adam[i].message);
    }
    assert_null(tg_sgd(f->root, tg_layer_relu(f->root), (tg_sgd_config){ .lr = 1 }));
    expect_message(f->root, "sgd: ReLU has no parameters");
    tg_clear(f->root);
    assert_null(tg_adam(f->root, NULL, (tg_adam_config){ .lr = 1 }));
    expect_message(f->root, "adam: the module is NULL");
    tg_clear(f->root);
    tg_update(f->step, NULL);
    expect_message(f->step, "update: the optimizer is NULL");
}

static void refuses_bad_settings(void **state)
{
    static const struct {
        const char *message;
        tg_schedule_config config;
    } bad[] = {
        { "schedule: 9 is no kind", { .kind = (tg_schedule_kind)9 } },
        { "schedule: warmup -1, want at least 0", { .warmup = -1 } },
        { "schedule: every 0, want at least 1", { .kind = TG_STEP, .gamma = 1 } },
        { "schedule: gamma 0, want above 0 (or TG_ZERO)", { .kind = TG_STEP, .every = 1 } },
        { "schedule: total 4 with warmup 4, want more updates than those of the warm-up",
          { .kind = TG_COSINE, .total = 4, .warmup = 4 } },
        { "schedule: lr_end nan, want a finite number of at least 0",
          { .kind = TG_COSINE, .total = 4, .lr_end = NAN } },
        { "schedule: div_factor 0 and final_div_factor 10000, want both above 0",
          { .kind = TG_ONE_CYCLE, .total = 4, .div_factor = TG_ZERO } },
        { "schedule: pct_start 1, want below 1", { .kind = TG_ONE_CYCLE, .total = 4, .pct_start = 1 } },
        { "schedule: warmup 2 in a one-cycle schedule, want 0: it has its own (pct_start)",
          { .kind = TG_ONE_CYCLE, .total = 4, .warmup = 2 } },
    };
    const fixture *f = *state;
    tg_optim *opt = tg_sgd(f->root, f->net, (tg_sgd_config){ .lr = 1 });
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++, tg_clear(f->root)) {
        tg_schedule(f->root, opt, bad[i].config);
        expect_message(f->root, bad[i].message);
    }
    tg_clip_norm(f->root, opt, -1);
    expect_message(f->root, "clip_norm: max_norm -1, want a finite number of at least 0");
    tg_clear(f->root);
    tg_clip_value(f->root, opt, NAN);
    expect_message(f->root, "clip_value: max_value nan, want a finite number of at least 0");
    tg_clear(f->root);
    tg_set_lr(f->root, opt, -2);
    expect_message(f->root, "sgd: lr -2, want a finite number of at least 0");
    tg_clear(f->root);
    assert_int_equal(tg_add_group(f->root, opt, (tg_group_config){ .lr_scale = -1 }, named, NULL), -1);
    expect_message(f->root, "add_group: lr_scale -1, want a finite number of at least 0");
    assert_true(tg_lr(opt) == 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(update_consumes_gradients),
        TEST(micro_batches_add_up),
        TEST(without_gradient_nothing_happens),
        TEST(frozen_is_skipped),
        TEST(norm_is_over_all_parameters),
        TEST(the_norm_that_was_found),
        TEST(value_is_element_by_element),
        TEST(groups_have_their_own_rates),
        TEST(decay_goes_by_role),
        TEST(schedules_are_pytorchs),
        TEST(update_follows_the_schedule),
        TEST(a_rate_may_be_zero),
        TEST(failed_update_changes_nothing),
        TEST(steady_state_asks_the_system_for_nothing),
        TEST(refuses_bad_optimizers),
        TEST(refuses_bad_settings),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL) != 0;
}
