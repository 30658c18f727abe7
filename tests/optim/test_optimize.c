/* test_optimize.c - tg_optimize: its report, all or nothing on failure, and correct results whatever is done
 * afterwards.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "expect.h"
#include "system.h"

static bool has_bf16(void) { return tg_max_isa() >= TG_ISA_AVX512; }

/* ---- the report ---- */

static tg_tensor *linear_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_linear(s, x, m->slots->tensor, NULL);
}

/* Two linear layers that share their weight, a depthwise and a frozen convolution, normalisation. */
static tg_module *mixed(tg_scope *s)
{
    tg_module *frozen = tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 2, .out = 8, .kernel = 3 });
    tg_module *linear = tg_layer_linear(s, (tg_layer_linear_config){ .in = 8, .out = 8, .no_bias = true });
    tg_module *other = tg_module_new(s, sizeof *other, "Linear", linear_forward);
    if (tg_ok(s)) tg_weight(s, other, "weight", linear->slots->tensor);
    tg_freeze(frozen);
    return tg_sequential(
        s, (tg_module *[]){ frozen,
                            tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 8, .out = 8, .kernel = 1, .groups = 8 }),
                            tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 8 }), tg_layer_relu(s),
                            linear, other, NULL });
}

static void expect_report(const tg_optimize_report *report, const char *want)
{
    char *got = NULL;
    size_t size;
    FILE *to = open_memstream(&got, &size);
    tg_print_report(report, to);
    fclose(to);
    assert_string_equal(got, want);
    free(got);
}

static void says_each_layer_once(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    tg_scope *s = tg_open();
    tg_module *net = mixed(s);
    expect_report(tg_optimize(s, net, NULL, TG_BF16),
                  "layer  kind              weight  packed  \n"
                  "0      Conv2d            BF16    kept    frozen\n"
                  "1      Conv2d            FP32    -       depthwise convolutions have no BF16 backward-weights\n"
                  "2      BatchNorm2d       FP32    -       its sums want FP32\n"
                  "4      Linear            BF16    kept    \n"
                  "5      Linear            BF16    kept    shared with 4\n");
    const tg_optimize_report *again = tg_optimize(s, net, NULL, TG_BF16);
    assert_string_equal(again->rows[3].why, "was BF16 before");
    expect_ok(s);
    tg_close(s);
}

static void says_why_nothing_changed(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_module *net = tg_layer_linear(s, (tg_layer_linear_config){ .in = 8, .out = 8, .no_bias = true });
    const tg_optimize_report *r = tg_optimize_with(s, net, NULL, TG_BF16, (tg_optimize_config){ .level = TG_O0 });
    assert_string_equal(r->note, "level O0: nothing was changed");
    assert_true(!r->rows[0].bf16 && !r->rows[0].packed && net->slots->tensor->dtype == TG_F32);
    r = tg_optimize_with(s, net, NULL, TG_BF16, (tg_optimize_config){ .no_bf16 = true, .no_prepack = true });
    if (has_bf16()) assert_string_equal(r->rows[0].why, "switched off");
    else assert_string_equal(r->note, "no AVX-512 here: computes in FP32");
    assert_true(!r->rows[0].bf16 && !r->rows[0].packed);
    r = tg_optimize(s, net, NULL, TG_F32);
    assert_true(!r->rows[0].bf16 && r->rows[0].packed && !*r->rows[0].why && !*r->note);
    expect_ok(s);
    assert_null(tg_optimize(s, net, NULL, TG_I32));
    expect_message(s, "optimize: dtype i32, want bf16 or f32");
    tg_clear(s);
    assert_null(tg_optimize(s, NULL, NULL, TG_F32));
    expect_message(s, "optimize: the module is NULL");
    tg_close(s);
}

/* ---- all or nothing ---- */

static void nothing_changes_when_memory_is_short(void **state)
{
    (void)state;
    toy t;
    tg_scope *s = tg_open(), *step = tg_train(s);
    toy_open(&t, s);
    toy_step(&t, step);
    tg_reset(step);
    const uint64_t before = lasting_bytes(t.net, t.optim);
    int refused = 0;
    for (uint64_t n = 1; n < 1000; n++) {
        tg_scope *child = tg_push(s); /* its memory is allocated anew */
        tg_system_fail_at(n);
        const tg_optimize_report *r = tg_optimize(child, t.net, t.optim, TG_BF16);
        tg_system_fail_at(0);
        const bool failed = !tg_ok(child);
        if (failed) assert_non_null(strstr(tg_message(child), "out of memory"));
        assert_true(failed == !r);
        tg_clear(child);
        tg_pop(child);
        if (!failed) break;
        refused++;
        assert_true(lasting_bytes(t.net, t.optim) == before);
    }
    assert_true(refused > 0);
    if (has_bf16()) assert_true(tg_is_split(tg_find_param(t.net, "0.weight")));
    assert_true(isfinite(toy_step(&t, step)));
    expect_ok(s);
    tg_close(s);
}

/* ---- training ---- */

static void run_steps(toy *t, tg_scope *root, int steps, double *loss)
{
    tg_scope *step = tg_train(root);
    for (int i = 0; i < steps; i++, tg_reset(step)) *loss = toy_step(t, step);
    tg_pop(step);
}

static void trains_as_fp32_does(void **state)
{
    (void)state;
    double loss[2], first[2];
    for (int bf16 = 0; bf16 < 2; bf16++) {
        toy t;
        tg_scope *root = tg_open();
        toy_open(&t, root);
        tg_optimize(root, t.net, t.optim, bf16 ? TG_BF16 : TG_F32);
        run_steps(&t, root, 1, first + bf16);
        run_steps(&t, root, 59, loss + bf16);
        expect_ok(root);
        tg_close(root);
    }
    assert_true(fabs(first[0] - first[1]) < 0.02);
    assert_true(loss[0] < 0.5 * first[0] && loss[1] < 0.5 * first[1]);
}

/* Everything that tripped users of IPEX, with and without cached packed weights: the same bits. */
static uint64_t eventful_training(bool packs, tg_dtype dtype)
{
    toy t;
    double loss;
    tg_scope *root = tg_open();
    toy_open(&t, root);
    tg_optimize_with(root, t.net, t.optim, dtype, (tg_optimize_config){ .no_prepack = !packs });
    run_steps(&t, root, 2, &loss);
    ((float *)tg_edit(root, tg_find_param(t.net, "0.weight")))[3] = 0.123f; /* edit a weight */
    run_steps(&t, root, 2, &loss);
    tg_set_threads(3); /* change the number of threads */
    run_steps(&t, root, 2, &loss);
    tg_scope *look = tg_push(root); /* evaluate in between, twice */
    tg_data(tg_forward(look, t.net, t.x));
    tg_pop(look);
    look = tg_push(root);
    tg_data(tg_forward(look, t.net, t.x));
    tg_pop(look);
    run_steps(&t, root, 1, &loss);
    tg_no_decay_on_bias_and_norm(root, t.optim); /* add a group */
    run_steps(&t, root, 2, &loss);
    tg_set_threads(tg_processors());
    expect_ok(root);
    const uint64_t hash = lasting_bytes(t.net, t.optim);
    tg_close(root);
    return hash;
}

static void whatever_is_done_results_stay_right(void **state)
{
    (void)state;
    assert_true(eventful_training(true, TG_F32) == eventful_training(false, TG_F32));
    assert_true(eventful_training(true, TG_BF16) == eventful_training(false, TG_BF16));
}

/* Values copied into another model compute the same results, once it is optimized, too. */
static void a_copied_model_computes_the_same(void **state)
{
    (void)state;
    toy a, b;
    double loss;
    tg_scope *root = tg_open();
    toy_open(&a, root);
    tg_optimize(root, a.net, a.optim, TG_BF16);
    run_steps(&a, root, 3, &loss);
    toy_open(&b, root);
    static const char *const name[] = { "0.weight", "1.weight", "1.bias",   "1.running_mean", "1.running_var",
                                        "4.weight", "4.bias",   "8.weight", "8.bias" };
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        tg_tensor *from = tg_copy(root, tg_find_param(a.net, name[i])), *to = tg_find_param(b.net, name[i]);
        assert_true(from->dtype == TG_F32);
        memcpy(tg_edit(root, to), tg_data(from), sizeof(float) * (size_t)tg_count(to));
    }
    tg_optimize(root, b.net, b.optim, TG_BF16);
    tg_tensor *ya = tg_forward(root, a.net, a.x), *yb = tg_forward(root, b.net, a.x);
    assert_memory_equal(tg_data(ya), tg_data(yb), (size_t)tg_count(ya) * tg_dtype_size(ya->dtype));
    expect_ok(root);
    tg_close(root);
}

/* Weight gradients are f32 and accumulate in f32 over micro-batches. */
static void gradients_are_f32(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    tg_scope *root = tg_open();
    tg_module *net = tg_layer_linear(root, (tg_layer_linear_config){ .in = 1, .out = 1, .no_bias = true });
    tg_optimize(root, net, NULL, TG_BF16);
    tg_tensor *w = net->slots->tensor;
    tg_scope *s = tg_train(root);
    for (int i = 0; i < 4;
         i++, tg_reset(s)) { /* 1 + 2^-9 isn't representable in bf16; x is, the sum of gradients isn't */
        tg_tensor *x = tg_full(s, i ? 0x1p-9 : 1, 2, TG_DIM(1, 1));
        tg_backward(s, tg_sum(s, tg_cast(s, tg_forward(s, net, x), TG_F32), (tg_axes){ 0 }));
    }
    assert_non_null(tg_grad(w));
    assert_true(tg_grad(w)->dtype == TG_F32);
    expect_number(tg_grad(w), 1 + 3 * 0x1p-9);
    assert_true(fabs(tg_item(tg_grad(w)) - (1 + 3 * 0x1p-9)) < 1e-7);
    tg_close(root);
}

/* ---- what user code sees ---- */

/* All handles of a weight have the dtype of its memory; tg_f32 reads the master through any of them. */
static void aliases_go_along(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    tg_scope *s = tg_open(), *step = tg_train(s);
    tg_module *net = tg_layer_linear(s, (tg_layer_linear_config){ .in = 4, .out = 2, .no_bias = true });
    tg_tensor *w = net->slots->tensor, *kept = tg_copy(s, w);
    tg_tensor *flat = tg_reshape(s, w, 1, TG_DIM(8)), *apart = tg_detach(step, w);
    tg_tensor *both = tg_reshape(s, tg_detach(s, w), 1, TG_DIM(-1));
    tg_tensor *gradient = tg_reshape(step, w, 1, TG_DIM(8));
    tg_tensor *const aliases[] = { flat, apart, both, gradient };
    tg_optimize(s, net, NULL, TG_BF16);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        assert_int_equal(aliases[i]->dtype, TG_BF16);
        assert_true(tg_bf16_to_f32(*(const uint16_t *)tg_data(aliases[i])) ==
                    tg_bf16_to_f32(*(const uint16_t *)tg_data(w)));
        assert_memory_equal(tg_f32(aliases[i]), tg_data(kept), 8 * sizeof(float));
        const double sum = tg_item(tg_sum(s, tg_cast(s, aliases[i], TG_F32), (tg_axes){ 0 }));
        assert_true(fabs(sum - tg_item(tg_sum(s, kept, (tg_axes){ 0 }))) < 0.02);
    }
    expect_ok(s);
    tg_split_masters(s, (tg_tensor *[]){ tg_reshape(s, kept, 1, TG_DIM(8)) }, 1);
    expect_message(s, "split_masters: a tensor of dtype f32, the result of a call, want an f32 leaf");
    tg_clear(s);
    tg_close(s);
}

static uint64_t calls_of(tg_scope *s, toy *t, bool read)
{
    const uint64_t before = tg_statistics(s).calls;
    tg_scope *step = tg_train(s);
    tg_tensor *y = tg_forward(step, t->net, t->x), *loss = tg_cross_entropy(step, y, t->y);
    assert_int_equal(y->dtype, TG_F32);
    tg_backward(step, loss);
    if (read) assert_true(isfinite((double)((const float *)tg_data(y))[0]));
    else assert_true(isfinite((double)tg_f32(y)[0]));
    tg_update(step, t->optim);
    tg_pop(step);
    expect_ok(s);
    return tg_statistics(s).calls - before;
}

/* User code sees f32 logits, which cost a cast only if they are read directly; internally they stay bf16. */
static void results_are_f32_for_user_code(void **state)
{
    (void)state;
    if (!has_bf16()) skip();
    toy t;
    tg_scope *s = tg_open();
    toy_open(&t, s);
    tg_optimize(s, t.net, t.optim, TG_BF16);
    assert_true(calls_of(s, &t, true) == calls_of(s, &t, false) + 1);
    tg_scope *look = tg_push(s);
    tg_tensor *y = tg_forward(look, t.net, t.x),
              *top = tg_forward(look, tg_sequential(look, (tg_module *[]){ NULL }), y);
    assert_int_equal(top->dtype, TG_BF16); /* between modules it stays bf16 */
    tg_tensor *part = tg_forward(look, tg_find_module(t.net, "8"), tg_zeros(look, TG_F32, 2, TG_DIM(1, 16)));
    assert_int_equal(part->dtype, TG_BF16);
    const float *f = tg_f32(y);
    const uint16_t *h = tg_data(top);
    for (int64_t i = 0; i < tg_count(y); i++) assert_true(f[i] == tg_bf16_to_f32(h[i]) && tg_f32(top)[i] == f[i]);
    tg_optimize_with(s, t.net, t.optim, TG_BF16, (tg_optimize_config){ .bf16_out = true });
    assert_int_equal(tg_forward(look, t.net, t.x)->dtype, TG_BF16);
    expect_ok(s);
    tg_close(s);
}

/* Training makes the same calls and computes the same bits, whether user code sees results in f32 or in bf16. */
static void showing_f32_costs_nothing(void **state)
{
    (void)state;
    uint64_t calls[2], bits[2];
    for (int i = 0; i < 2; i++) {
        toy t;
        double loss;
        tg_scope *s = tg_open();
        toy_open(&t, s);
        tg_optimize_with(s, t.net, t.optim, TG_BF16, (tg_optimize_config){ .bf16_out = i });
        run_steps(&t, s, 3, &loss);
        expect_ok(s);
        calls[i] = tg_statistics(s).calls;
        bits[i] = lasting_bytes(t.net, t.optim);
        tg_close(s);
    }
    assert_int_equal(calls[0], calls[1]);
    assert_true(bits[0] == bits[1]);
}

/* Read after the update that consumed its inputs. */
static void results_can_be_read_late(void **state)
{
    (void)state;
    toy t;
    tg_scope *s = tg_open(), *step = tg_train(s);
    toy_open(&t, s);
    tg_optimize(s, t.net, t.optim, TG_BF16);
    tg_tensor *y = tg_forward(step, t.net, t.x), *early = tg_forward(step, t.net, t.x);
    const float first = tg_f32(early)[0];
    tg_backward(step, tg_cross_entropy(step, y, t.y));
    tg_update(step, t.optim);
    assert_true(tg_f32(early)[0] == first);
    assert_non_null(tg_f32(y));
    expect_ok(s);
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_each_layer_once),
        cmocka_unit_test(says_why_nothing_changed),
        cmocka_unit_test(nothing_changes_when_memory_is_short),
        cmocka_unit_test(trains_as_fp32_does),
        cmocka_unit_test(whatever_is_done_results_stay_right),
        cmocka_unit_test(a_copied_model_computes_the_same),
        cmocka_unit_test(gradients_are_f32),
        cmocka_unit_test(aliases_go_along),
        cmocka_unit_test(results_are_f32_for_user_code),
        cmocka_unit_test(results_can_be_read_late),
        cmocka_unit_test(showing_f32_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
