/* test_autocast.c - under autocast each operator computes in the dtype of its list; nested, switched off, never stale.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "expect.h"

static tg_scope *s;
static tg_tensor *x, *y, *w, *m, *g, *classes; /* x, y: [2,6,6,4] of the row's dtypes; w, m, g: f32 */

#define TWO(name) \
    static tg_tensor *name##_row(void) { return tg_##name(s, x, y); }
TWO(add)
TWO(sub)
TWO(mul)
TWO(div)
#define CALL(name, ...) \
    static tg_tensor *name##_row(void) { return tg_##name(s, __VA_ARGS__); }
#define TG_UNARY CALL
#include "elementwise.def"
CALL(conv2d, x, w, NULL, (tg_conv2d_config){ 0 })
CALL(conv_transpose2d, x, w, NULL, (tg_conv_transpose2d_config){ 0 })
CALL(linear, x, m, g)
CALL(matmul, x, m)
CALL(mse, x, y, TG_MEAN)
CALL(l1, x, y, TG_MEAN)
CALL(bce_with_logits, x, y, TG_MEAN)
CALL(cross_entropy, x, classes)
CALL(nll_loss, x, classes, (tg_cross_entropy_config){ 0 })
CALL(concat, (tg_tensor *[]){ x, y }, 2, 3)
CALL(dropout, x, 0.5)
CALL(max_pool2d, x, (tg_pool2d_config){ .kernel = { 2, 2 } })
CALL(avg_pool2d, x, (tg_pool2d_config){ .kernel = { 2, 2 } })
CALL(adaptive_avg_pool2d, x, 1, 1)
CALL(batch_norm2d, x, g, g, NULL, NULL, (tg_batch_norm2d_config){ 0 })
CALL(layer_norm, x, g, g, 0)
CALL(softmax, x, 3)
CALL(log_softmax, x, 3)
CALL(sum, x, (tg_axes){ 0 })
CALL(mean, x, (tg_axes){ 0 })
CALL(max, x, (tg_axes){ 0 })
CALL(flatten, x)
CALL(reshape, x, 1, TG_DIM(-1))
CALL(permute, x, ((const int[]){ 3, 2, 1, 0 }))
CALL(transpose, x, 0, 1)
CALL(slice, x, 0, 0, 1)
CALL(pad, x, TG_DIM(0, 1, 1, 0), TG_DIM(0, 1, 1, 0), 0)
CALL(upsample, x, (tg_upsample_config){ 12, 12, false, false })

typedef enum { LOWER, FP32, WIDEST, AS_IT_COMES } list;
static const struct {
    const char *name;
    tg_tensor *(*call)(void);
    list list;
} rows[] = {
    { "conv2d", conv2d_row, LOWER },
    { "conv_transpose2d", conv_transpose2d_row, LOWER },
    { "linear", linear_row, LOWER },
    { "matmul", matmul_row, LOWER },
    { "mse", mse_row, FP32 },
    { "l1", l1_row, FP32 },
    { "bce_with_logits", bce_with_logits_row, FP32 },
    { "cross_entropy", cross_entropy_row, FP32 },
    { "nll_loss", nll_loss_row, FP32 },
    { "concat", concat_row, WIDEST },
    { "add", add_row, WIDEST },
    { "sub", sub_row, WIDEST },
    { "mul", mul_row, WIDEST },
    { "div", div_row, WIDEST },
#define TG_UNARY(name, ...) { #name, name##_row, AS_IT_COMES },
#include "elementwise.def"
    { "flatten", flatten_row, AS_IT_COMES },
    { "dropout", dropout_row, AS_IT_COMES },
    { "max_pool2d", max_pool2d_row, AS_IT_COMES },
    { "avg_pool2d", avg_pool2d_row, AS_IT_COMES },
    { "adaptive_avg_pool2d", adaptive_avg_pool2d_row, AS_IT_COMES },
    { "batch_norm2d", batch_norm2d_row, AS_IT_COMES },
    { "layer_norm", layer_norm_row, AS_IT_COMES },
    { "softmax", softmax_row, AS_IT_COMES },
    { "log_softmax", log_softmax_row, AS_IT_COMES },
    { "sum", sum_row, AS_IT_COMES },
    { "mean", mean_row, AS_IT_COMES },
    { "max", max_row, AS_IT_COMES },
    { "reshape", reshape_row, AS_IT_COMES },
    { "permute", permute_row, AS_IT_COMES },
    { "transpose", transpose_row, AS_IT_COMES },
    { "slice", slice_row, AS_IT_COMES },
    { "pad", pad_row, AS_IT_COMES },
    { "upsample", upsample_row, AS_IT_COMES },
};

static tg_scope *open_inputs(tg_dtype of_x, tg_dtype of_y)
{
    tg_scope *root = tg_open();
    s = tg_train(root);
    x = tg_cast(s, tg_rand(s, 0.1, 1, 4, TG_DIM(2, 6, 6, 4)), of_x);
    y = tg_cast(s, tg_rand(s, 0.1, 1, 4, TG_DIM(2, 6, 6, 4)), of_y);
    w = tg_randn(s, 0, 1, 4, TG_DIM(4, 3, 3, 4));
    m = tg_randn(s, 0, 1, 2, TG_DIM(4, 4));
    g = tg_randn(s, 0, 1, 1, TG_DIM(4));
    classes = tg_zeros(s, TG_I64, 3, TG_DIM(2, 6, 6));
    return root;
}

static tg_dtype expected(list l, tg_dtype of_x, tg_dtype of_y)
{
    if (l == LOWER) return TG_BF16;
    if (l == FP32) return TG_F32;
    return l == WIDEST && (of_x == TG_F32 || of_y == TG_F32) ? TG_F32 : of_x;
}

static void each_operator_has_its_dtype(void **state)
{
    static const tg_dtype pairs[][2] = {
        { TG_F32, TG_F32 }, { TG_BF16, TG_BF16 }, { TG_BF16, TG_F32 }, { TG_F32, TG_BF16 }
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
            tg_scope *root = open_inputs(pairs[k][0], pairs[k][1]);
            tg_autocast(s, true);
            tg_tensor *out = rows[i].call();
            const tg_dtype want = expected(rows[i].list, pairs[k][0], pairs[k][1]);
            if (!tg_data(out)) fail_msg("%s: %s", rows[i].name, tg_message(s));
            if (out->dtype != want)
                fail_msg("%s of %s and %s: %s, want %s", rows[i].name, tg_dtype_name(pairs[k][0]),
                         tg_dtype_name(pairs[k][1]), tg_dtype_name(out->dtype), tg_dtype_name(want));
            tg_close(root);
        }
}

static void nested_and_switched_off(void **state)
{
    (void)state;
    tg_scope *root = open_inputs(TG_F32, TG_F32);
    assert_int_equal(conv2d_row()->dtype, TG_F32);
    assert_false(tg_autocast(s, true));
    assert_int_equal(conv2d_row()->dtype, TG_BF16);
    const bool was = tg_autocast(s, false);
    assert_int_equal(conv2d_row()->dtype, TG_F32);
    tg_autocast(s, was);
    assert_int_equal(conv2d_row()->dtype, TG_BF16);
    tg_scope *child = tg_push(s), *plain = tg_push_modes(s, (tg_modes){ 0 });
    assert_true(tg_scope_modes(child).autocast && !tg_scope_modes(plain).autocast);
    expect_ok(root);
    tg_close(root);
}

static size_t casts_of(const tg_program *p, const tg_tensor *t)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) n += p->record[i]->op == &tg_cast_op && p->record[i]->in[0] == t;
    return n;
}

static void a_weight_is_cast_once_a_step(void **state)
{
    (void)state;
    tg_scope *root = open_inputs(TG_F32, TG_F32);
    tg_tensor *weight = tg_require_grad(root, tg_randn(root, 0, 1, 4, TG_DIM(4, 1, 1, 4))), *image = tg_copy(root, x);
    for (int step = 0; step < 2; step++) {
        tg_reset(s);
        tg_autocast(s, true);
        tg_tensor *one = tg_conv2d(s, image, weight, NULL, (tg_conv2d_config){ 0 });
        tg_conv2d(s, one, weight, NULL, (tg_conv2d_config){ 0 });
        assert_int_equal(casts_of(root->program, weight), 1);
    }
    expect_ok(root);
    tg_close(root);
}

static float product(tg_tensor *image, tg_tensor *weight)
{
    tg_tensor *out = tg_conv2d(s, image, weight, NULL, (tg_conv2d_config){ 0 });
    return tg_data(out) ? (float)tg_get(out, 0) : -1;
}

/* After an edit, an update or a reset the weight is cast again.  A cast recorded without gradients is not reused in
 * training. */
static void a_kept_cast_is_never_stale(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_tensor *weight = tg_require_grad(root, tg_full(root, 1, 4, TG_DIM(1, 1, 1, 1)));
    tg_tensor *image = tg_full(root, 1, 4, TG_DIM(1, 1, 1, 1));
    s = tg_push_modes(root, (tg_modes){ .autocast = true });
    assert_true(product(image, weight) == 1);
    *(float *)tg_edit(s, weight) = 2;
    assert_true(product(image, weight) == 2);
    tg_pop(s);
    s = tg_push_modes(root, (tg_modes){ .autocast = true });
    assert_true(product(image, weight) == 2);
    tg_pop(s);
    s = tg_push_modes(root, (tg_modes){ .grad = true, .train = true, .autocast = true });
    tg_tensor *out = tg_conv2d(s, image, weight, NULL, (tg_conv2d_config){ 0 });
    assert_true(out->node->needs_grad);
    tg_backward(s, tg_sum(s, tg_cast(s, out, TG_F32), (tg_axes){ 0 }));
    assert_int_equal(tg_grad(weight)->dtype, TG_F32);
    expect_number(tg_grad(weight), 1);
    expect_ok(root);
    tg_close(root);
}

/* The gradient of an f32 weight passes its cast unrounded. */
static void gradients_are_not_rounded(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_tensor *weight = tg_require_grad(root, tg_full(root, 1, 2, TG_DIM(1, 1)));
    tg_tensor *image = tg_full(root, 1, 2, TG_DIM(257, 1)); /* the gradient is 257, which bf16 cannot represent */
    s = tg_push_modes(root, (tg_modes){ .grad = true, .train = true, .autocast = true });
    tg_backward(s, tg_sum(s, tg_cast(s, tg_linear(s, image, weight, NULL), TG_F32), (tg_axes){ 0 }));
    assert_true(tg_item(tg_grad(weight)) == 257);
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operator_has_its_dtype),  cmocka_unit_test(nested_and_switched_off),
        cmocka_unit_test(a_weight_is_cast_once_a_step), cmocka_unit_test(a_kept_cast_is_never_stale),
        cmocka_unit_test(gradients_are_not_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
