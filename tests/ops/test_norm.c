/* test_norm.c - losses and normalisations match PyTorch (tests/oracle/losses.py), fused and not; messages for bad
 * classes and bad calls; dropout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "expect.h"
#include "run.h"
#include "wave.h"

typedef tg_tensor *(*loss_function)(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction);
#include "losses.h"

static const tg_options modes[] = { { .fuse = true }, { .fuse = false }, { .eager = true } };
enum { MODES = sizeof modes / sizeof *modes, CLASSES = 5, ROWS = 6 };

static void expect_close(const char *what, int row, tg_tensor *t, const double *want)
{
    const float *data = tg_data(t);
    if (!data) fail_msg("%s %d: no numbers", what, row);
    for (int64_t i = 0; data && i < tg_count(t); i++) {
        double got = (double)data[place_of(t, i)];
        bool same = isnan(want[i]) ? isnan(got) : fabs(got - want[i]) <= 1e-5 * (1 + fabs(want[i]));
        if (!same) fail_msg("%s %d at %lld: %.9g, want %.9g", what, row, (long long)i, got, want[i]);
    }
}

static tg_scope *open_with(tg_options options)
{
    tg_scope *root = tg_open();
    *tg_tree_options(root) = options;
    return root;
}

static tg_tensor *leaf(tg_scope *s, wave formula, int rank, const int64_t *dim)
{
    return tg_require_grad(s, new_wave(s, formula, rank, dim));
}

static tg_tensor *weights_for(tg_scope *s, const tg_tensor *y, double seed)
{
    return new_wave(s, (wave){ seed, 1, 0 }, y->rank, y->dim);
}

/* ---- losses ---- */

static void cross_entropy_case(tg_options options, int i)
{
    static const int64_t target[ROWS] = { 0, 4, 2, 2, 1, 3 }, threes[ROWS] = { 3, 3, 3, 3, 3, 3 };
    tg_scope *root = open_with(options), *s = tg_train(root);
    tg_tensor *x = leaf(root, (wave){ 1, 2, 0 }, 2, TG_DIM(ROWS, CLASSES));
    tg_tensor *y = tg_from(root, TG_I64, 1, TG_DIM(ROWS), cross_entropies[i].all ? threes : target);
    tg_tensor *loss = tg_cross_entropy_with(
        s, x, y,
        (tg_cross_entropy_config){
            .weight = cross_entropies[i].weighted ? new_wave(root, (wave){ 2, 0.5, 1 }, 1, TG_DIM(CLASSES)) : NULL,
            .label_smoothing = cross_entropies[i].smoothing,
            .ignore = cross_entropies[i].ignored != -100,
            .ignore_index = cross_entropies[i].ignored,
            .reduction = cross_entropies[i].reduction,
        });
    tg_backward_from(s, loss, weights_for(s, loss, 3));
    tg_run(s, false);
    expect_close("cross_entropy: gradient", i, tg_grad(x), cross_entropies[i].gx);
    expect_close("cross_entropy", i, loss, cross_entropies[i].loss);
    expect_ok(root);
    tg_close(root);
}

static void cross_entropy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cross_entropies / sizeof *cross_entropies; i++)
        for (int m = 0; m < MODES; m++) cross_entropy_case(modes[m], (int)i);
}

static void pointwise_case(tg_options options, int i)
{
    const bool probabilities = pointwise[i].loss == tg_bce_with_logits;
    const double half = probabilities ? 0.5 : 0;
    tg_scope *root = open_with(options), *s = tg_train(root);
    tg_tensor *x = leaf(root, (wave){ 4, 2, 0 }, 2, TG_DIM(4, 3));
    tg_tensor *target = leaf(root, (wave){ 5, probabilities ? 0.5 : 1, half }, 2, TG_DIM(4, 3));
    const float *first = tg_data(x);
    float *same = tg_edit(root, target);
    if (first && same) same[0] = first[0];
    tg_tensor *loss = pointwise[i].loss(s, x, target, pointwise[i].reduction);
    tg_backward_from(s, loss, weights_for(s, loss, 3));
    expect_close("pointwise: value", i, loss, pointwise[i].value);
    expect_close("pointwise: gradient of x", i, tg_grad(x), pointwise[i].gx);
    expect_close("pointwise: gradient of target", i, tg_grad(target), pointwise[i].gtarget);
    expect_ok(root);
    tg_close(root);
}

static void pointwise_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pointwise / sizeof *pointwise; i++)
        for (int m = 0; m < MODES; m++) pointwise_case(modes[m], (int)i);
}

/* ---- normalisations ---- */

static void batch_norm_case(tg_options options, int i, bool swapped)
{
    const int64_t *dim = TG_DIM(3, 3, 2, 4), *c = TG_DIM(4);
    const tg_batch_norm2d_config config = { .eps = 1e-3f, .momentum = 0.3f };
    tg_scope *root = open_with(options);
    tg_scope *s = tg_push_modes(root, (tg_modes){ .grad = true, .train = batch_norms[i].train });
    tg_tensor *x = leaf(root, (wave){ 6, 1, 0 }, 4, dim), *other = leaf(root, (wave){ 10, 1, 0 }, 4, dim);
    tg_tensor *gamma = leaf(root, (wave){ 7, 0.5, 1 }, 1, c), *beta = leaf(root, (wave){ 8, 0.5, 0 }, 1, c);
    tg_tensor *mean = new_wave(root, (wave){ 11, 0.5, 0 }, 1, c), *var = new_wave(root, (wave){ 12, 0.5, 1 }, 1, c);
    tg_tensor *z = tg_batch_norm2d(s, x, gamma, beta, mean, var, config);
    tg_tensor *y = tg_relu(s, batch_norms[i].added ? tg_add(s, swapped ? other : z, swapped ? z : other) : z);
    tg_backward_from(s, y, weights_for(s, y, 9));
    tg_run(s, false);
    expect_close("batch_norm2d: gradient of x", i, tg_grad(x), batch_norms[i].gx);
    expect_close("batch_norm2d: gradient of gamma", i, tg_grad(gamma), batch_norms[i].ggamma);
    expect_close("batch_norm2d: gradient of beta", i, tg_grad(beta), batch_norms[i].gbeta);
    if (batch_norms[i].added) expect_close("batch_norm2d: gradient of other", i, tg_grad(other), batch_norms[i].gother);
    expect_close("batch_norm2d: running mean", i, mean, batch_norms[i].mean);
    expect_close("batch_norm2d: running variance", i, var, batch_norms[i].var);
    expect_close("batch_norm2d: y", i, y, batch_norms[i].y);
    expect_ok(root);
    tg_close(root);
}

static void batch_norm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof batch_norms / sizeof *batch_norms; i++)
        for (int m = 0; m < 2 * MODES; m++) batch_norm_case(modes[m / 2], (int)i, m % 2);
}

static void layer_norm(void **state)
{
    (void)state;
    for (int m = 0; m < MODES; m++) {
        tg_scope *root = open_with(modes[m]), *s = tg_train(root);
        tg_tensor *x = leaf(root, (wave){ 6, 1, 0 }, 3, TG_DIM(4, 5, 6));
        tg_tensor *gamma = leaf(root, (wave){ 7, 0.5, 1 }, 2, TG_DIM(5, 6));
        tg_tensor *beta = leaf(root, (wave){ 8, 0.5, 0 }, 2, TG_DIM(5, 6));
        tg_tensor *y = tg_layer_norm(s, x, gamma, beta, 1e-3);
        tg_backward_from(s, y, weights_for(s, y, 9));
        expect_close("layer_norm: y", m, y, layer_norm_y);
        expect_close("layer_norm: gradient of x", m, tg_grad(x), layer_norm_gx);
        expect_close("layer_norm: gradient of gamma", m, tg_grad(gamma), layer_norm_ggamma);
        expect_close("layer_norm: gradient of beta", m, tg_grad(beta), layer_norm_gbeta);
        expect_ok(root);
        tg_close(root);
    }
}

/* Deviations of 1 around 10,000, over many blocks: sums of squares in f32 would cancel. */
static void batch_norm_does_not_cancel(void **state)
{
    (void)state;
    enum { LINES = 30000, C = 3 };
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *x = tg_zeros(root, TG_F32, 4, TG_DIM(LINES, 1, 1, C)), *mean = tg_zeros(root, TG_F32, 1, TG_DIM(C));
    tg_tensor *one = tg_full(root, 1, 1, TG_DIM(C)), *zero = tg_zeros(root, TG_F32, 1, TG_DIM(C));
    tg_tensor *var = tg_zeros(root, TG_F32, 1, TG_DIM(C));
    float *to = tg_edit(root, x);
    for (int i = 0; to && i < LINES * C; i++) to[i] = 10000 + (i / C % 2 ? 1.0f : -1.0f);
    tg_tensor *y = tg_batch_norm2d(s, x, one, zero, mean, var, (tg_batch_norm2d_config){ .momentum = 1 });
    const float *data = tg_data(y);
    for (int i = 0; data && i < LINES * C; i++)
        if (fabsf(data[i] - (i / C % 2 ? 1.0f : -1.0f)) > 1e-4f) fail_msg("y[%d] is %g", i, (double)data[i]);
    tg_run(s, false);
    for (int j = 0; j < C && data; j++) {
        const float *running = tg_data(var);
        if (!running || fabsf(running[j] - 1) > 1e-4f) fail_msg("variance %g", running ? (double)running[j] : NAN);
    }
    expect_ok(root);
    tg_close(root);
}

/* ---- bad classes ---- */

static void bad_class(int64_t class, const char *message)
{
    const int64_t target[4] = { 0, 1, 2, class };
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *x = leaf(root, (wave){ 1, 1, 0 }, 4, TG_DIM(4, 1, 1, 10)), *one = tg_full(root, 1, 1, TG_DIM(10));
    tg_tensor *mean = tg_zeros(root, TG_F32, 1, TG_DIM(10)), *var = tg_full(root, 1, 1, TG_DIM(10));
    tg_tensor *zero = tg_zeros(root, TG_F32, 1, TG_DIM(10));
    tg_tensor *z = tg_batch_norm2d(s, x, one, zero, mean, var, (tg_batch_norm2d_config){ 0 });
    tg_backward(s, tg_cross_entropy(s, tg_reshape(s, z, 2, TG_DIM(4, 10)), tg_from(s, TG_I64, 1, TG_DIM(4), target)));
    tg_run(s, false);
    expect_message(s, message);
    tg_clear(s);
    expect_numbers(mean, NUMBERS(0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    expect_numbers(var, NUMBERS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    tg_close(root);
}

static void classes_out_of_range(void **state)
{
    (void)state;
    bad_class(12, "cross_entropy: class 12 at row 3, want 0 to 9");
    bad_class(10, "cross_entropy: class 10 at row 3, want 0 to 9");
    bad_class(-1, "cross_entropy: class -1 at row 3, want 0 to 9");
    bad_class(INT64_MAX, "cross_entropy: class 9223372036854775807 at row 3, want 0 to 9");
}

/* ---- momentum and eps of 0 ---- */

static void zero_momentum_and_eps(void **state)
{
    (void)state;
    tg_scope *s = tg_open(), *step = tg_train(s);
    const tg_layer_batch_norm2d_config config = { .features = 1, .momentum = TG_ZERO, .eps = TG_ZERO };
    tg_module *net = tg_layer_batch_norm2d(s, config);
    tg_tensor *x = tg_from(s, TG_F32, 4, TG_DIM(2, 1, 1, 1), (const float[]){ 1, 1.0078125f });
    const float *y = tg_f32(tg_forward(step, net, x));
    assert_true(y && y[0] == -1 && y[1] == 1); /* with eps 1e-5: 0.78 */
    assert_true(tg_f32(tg_find_param(net, "running_mean"))[0] == 0 &&
                tg_f32(tg_find_param(net, "running_var"))[0] == 1);
    y = tg_f32(tg_layer_norm(step, tg_reshape(step, x, 1, TG_DIM(2)), NULL, NULL, (double)TG_ZERO));
    assert_true(y && y[0] == -1 && y[1] == 1);
    tg_close(s);
}

/* ---- bad calls, each with its message ---- */

#define BAD_CALLS(X) \
    X(tg_batch_norm2d(s, x, c, c, c, c, usual), "batch_norm2d: input 0 has shape [2, 3], want rank 4 [n, h, w, c]") \
    X(tg_batch_norm2d(s, image, two, c, c, c, usual), "batch_norm2d: gamma has shape [2], x [2, 4, 4, 3] wants [3]") \
    X(tg_batch_norm2d(s, dot, c, c, c, c, usual), \
      ("batch_norm2d: x [1, 1, 1, 3] wants more than one value a channel in training: two images or more (drop_last of " \
       "the loader leaves out a last batch of one)")) \
    X(tg_batch_norm2d(s, image, c, c, c, c, (tg_batch_norm2d_config){ .eps = -1 }), \
      "batch_norm2d: eps is -1, want a finite number of at least 0") \
    X(tg_batch_norm2d(s, image, c, c, c, c, (tg_batch_norm2d_config){ .eps = NAN }), \
      "batch_norm2d: eps is nan, want a finite number of at least 0") \
    X(tg_batch_norm2d(s, image, c, c, c, c, (tg_batch_norm2d_config){ .momentum = 2 }), \
      "batch_norm2d: momentum is 2, want 0 to 1") \
    X(tg_batch_norm2d(e, image, c, c, two, c, usual), \
      "batch_norm2d: running_mean has shape [2], x [2, 4, 4, 3] wants [3]") \
    X(tg_layer_norm(s, x, two, NULL, 0), "layer_norm: gamma has shape [2], want the last 1 axes of x [2, 3]") \
    X(tg_layer_norm(s, x, NULL, NULL, -1), "layer_norm: eps is -1, want a finite number of at least 0") \
    X(tg_softmax(s, x, 2), "softmax: axis 2 of x [2, 3], want -2 to 1") \
    X(tg_log_softmax(s, x, -3), "log_softmax: axis -3 of x [2, 3], want -2 to 1") \
    X(tg_cross_entropy(s, x, two), "cross_entropy: target has dtype f32, want classes of i64, i32 or u8") \
    X(tg_cross_entropy(s, x, tg_zeros(root, TG_I64, 1, TG_DIM(3))), \
      "cross_entropy: target has shape [3], x [2, 3] wants its shape without the last axis") \
    X(tg_cross_entropy_with(s, x, y, (tg_cross_entropy_config){ .weight = two }), \
      "cross_entropy: weight is f32 [2], want f32 [3], one for each class") \
    X(tg_cross_entropy_with(s, x, y, (tg_cross_entropy_config){ .label_smoothing = 1 }), \
      "cross_entropy: label smoothing is 1, want 0 <= e < 1") \
    X(tg_cross_entropy_with(s, x, y, (tg_cross_entropy_config){ .reduction = (tg_reduction)7 }), \
      "cross_entropy: reduction is 7, want TG_MEAN, TG_SUM or TG_NONE") \
    X(tg_mse(s, x, c, TG_MEAN), "mse: target has shape [3], x [2, 3]; want the same") \
    X(tg_bce_with_logits(s, x, x, (tg_reduction)-1), \
      "bce_with_logits: reduction is -1, want TG_MEAN, TG_SUM or TG_NONE") \
    X(tg_dropout(s, x, 1), "dropout: p is 1, want 0 <= p < 1") \
    X(tg_dropout(s, x, NAN), "dropout: p is nan, want 0 <= p < 1")

#define MESSAGE(call, message) message,
static const char *const messages[] = { BAD_CALLS(MESSAGE) };
enum { CALLS = sizeof messages / sizeof *messages };

#define CALL(call, message) \
    if (i == n++) call;
static void call_badly(int i, tg_scope *root, tg_scope *s, tg_scope *e)
{
    const tg_batch_norm2d_config usual = { 0 };
    tg_tensor *x = tg_full(root, 1, 2, TG_DIM(2, 3)), *image = tg_full(root, 1, 4, TG_DIM(2, 4, 4, 3));
    tg_tensor *dot = tg_full(root, 1, 4, TG_DIM(1, 1, 1, 3)), *two = tg_full(root, 1, 1, TG_DIM(2));
    tg_tensor *c = tg_full(root, 1, 1, TG_DIM(3)), *y = tg_zeros(root, TG_I64, 1, TG_DIM(2));
    int n = 0;
    BAD_CALLS(CALL)
}

static void bad_calls(void **state)
{
    (void)state;
    for (int i = 0; i < CALLS; i++) {
        tg_scope *root = tg_open(), *s = tg_train(root), *e = tg_push(root);
        call_badly(i, root, s, e);
        expect_message(tg_ok(s) ? e : s, messages[i]);
        tg_close(root);
    }
}

/* ---- dropout ---- */

static void dropout(void **state)
{
    (void)state;
    enum { N = 100000 };
    tg_scope *root = tg_open(), *s = tg_train(root), *e = tg_push(root);
    tg_tensor *x = tg_require_grad(root, tg_full(root, 1, 1, TG_DIM(N)));
    tg_tensor *y = tg_dropout(s, x, 0.25), *again = tg_dropout(s, x, 0.25);
    assert_ptr_equal(tg_dropout(e, x, 0.25), x);
    assert_ptr_equal(tg_dropout(s, x, 0), x);
    tg_backward(s, tg_sum(s, y, (tg_axes){ 0 }));
    const float *kept = tg_data(y), *other = tg_data(again), *g = tg_data(tg_grad(x));
    assert_true(kept && other && g);
    int dropped = 0, differ = 0;
    for (int i = 0; i < N; i++) {
        assert_true(kept[i] == g[i] && (kept[i] == 0 || fabsf(kept[i] - 4.0f / 3) < 1e-6f));
        dropped += kept[i] == 0;
        differ += kept[i] != other[i];
    }
    assert_in_range(dropped, N / 4 - 800, N / 4 + 800); /* 6 standard deviations */
    assert_in_range(differ, N * 3 / 8 - 1000, N * 3 / 8 + 1000);
    expect_ok(root);
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy),
        cmocka_unit_test(pointwise_losses),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(batch_norm_does_not_cancel),
        cmocka_unit_test(classes_out_of_range),
        cmocka_unit_test(bad_calls),
        cmocka_unit_test(dropout),
        cmocka_unit_test(zero_momentum_and_eps),
    };
    return cmocka_run_group_tests_name("normalisations and losses", tests, NULL, NULL);
}
