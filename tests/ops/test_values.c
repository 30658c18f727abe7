/* test_values.c - operators on elements, axes and shapes: values that random rows don't cover (NaN, infinities, ties,
 * order), and invalid arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "attr.h"
#include "dispatch.h"
#include "expect.h"
#include "op_samples.h"

/* ---- NaN, infinities, zeros: by every kernel ---- */

static const double edges[EDGES] = { -INFINITY, -1, 0, 1, INFINITY, NAN };
#define TG_UNARY(name, ...) \
    static tg_tensor *call_##name(tg_scope *s, tg_tensor *x) { return tg_##name(s, __VA_ARGS__); }
#include "elementwise.def"
static const struct {
    const tg_op *op;
    tg_tensor *(*call)(tg_scope *s, tg_tensor *x);
    const double *want;
} at_edges[] = {
#define TG_UNARY(name, ...) { &tg_##name##_op, call_##name, edges_##name },
#include "elementwise.def"
};

static bool same(double got, double want)
{
    return isnan(want) ? isnan(got) : isinf(want) ? got == want : fabs(got - want) <= 1e-6;
}

static void expect_edges(size_t row, const tg_kernel *kernel)
{
    const tg_op *const op = at_edges[row].op;
    tg_scope *s = tg_open();
    tg_force_kernel(op, kernel);
    const float *y = tg_data(at_edges[row].call(s, vector(s, EDGES, edges)));
    tg_force_kernel(NULL, NULL);
    expect_ok(s);
    for (int i = 0; i < EDGES; i++)
        if (!same((double)y[i], at_edges[row].want[i]))
            fail_msg("%s(%g) by %s: %g, want %g", op->name, edges[i], kernel->name, (double)y[i],
                     at_edges[row].want[i]);
    tg_close(s);
}

static void edges_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof at_edges / sizeof *at_edges; i++)
        for (const tg_kernel *const *k = at_edges[i].op->kernels; *k; k++)
            if (!(*k)->isa || (*k)->isa <= tg_max_isa()) expect_edges(i, *k);
}

/* ---- along axes ---- */

#define ALL     ((tg_axes){ 0 })
#define OVER(i) ((tg_axes){ .n = 1, .axis = { i } })

static void max_sees_nan(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *x = vector(s, 4, (const double[]){ 1, NAN, 3, NAN });
    assert_true(isnan(tg_item(tg_max(s, x, ALL))));
    assert_int_equal(tg_item(tg_argmax(s, x, 0)), 1);
    tg_close(s);
}

static void ties_share(void **state)
{
    (void)state;
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *x = weight(root, 6, (const double[]){ 3, 1, 3, 0, 3, 2 });
    tg_backward(s, tg_affine(s, tg_max(s, x, ALL), 6, 0));
    expect_numbers(tg_grad(x), NUMBERS(2, 0, 2, 0, 2, 0));
    assert_int_equal(tg_item(tg_argmax(s, x, -1)), 0);
    tg_pop(s);
    tg_close(root);
}

/* So many elements that tasks share them. */
static void max_of_many_sees_nan_and_ties(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *x = tg_zeros(root, TG_F32, 1, TG_DIM(MANY));
    float *const at = tg_edit(root, x);
    at[5] = at[MANY - 1] = 7;
    tg_require_grad(root, x);
    tg_backward(s, tg_max(s, x, ALL));
    const float *const g = tg_data(tg_grad(x));
    for (int i = 0; i < MANY; i++) assert_true(g[i] == (i == 5 || i == MANY - 1 ? 0.5f : 0));
    tg_pop(s);
    ((float *)tg_edit(root, x))[100000] = NAN;
    assert_true(isnan(tg_item(tg_max(root, x, ALL))));
    tg_close(root);
}

static void negative_axes(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *x = tg_reshape(s, vector(s, 6, (const double[]){ 1, 2, 3, 4, 5, 6 }), 2, TG_DIM(2, 3));
    expect_numbers(tg_sum(s, x, OVER(-1)), NUMBERS(6, 15));
    expect_numbers(tg_mean(s, x, OVER(-2)), NUMBERS(2.5, 3.5, 4.5));
    expect_numbers(tg_slice(s, x, -1, 1, 2), NUMBERS(2, 5));
    expect_numbers(tg_transpose(s, x, -1, 0), NUMBERS(1, 4, 2, 5, 3, 6));
    expect_numbers(tg_permute(s, x, (const int[]){ -1, -2 }), NUMBERS(1, 4, 2, 5, 3, 6));
    expect_ok(s);
    tg_close(s);
}

/* ---- shapes ---- */

static void flatten_is_channels_first(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *x = tg_from_nchw(s, 1, 2, 2, 2, (const float[]){ 1, 2, 3, 4, 5, 6, 7, 8 });
    tg_tensor *y = tg_flatten(s, x), *z = tg_flatten(s, y);
    expect_numbers(y, NUMBERS(1, 2, 3, 4, 5, 6, 7, 8));
    assert_int_equal(z->rank, 2);
    assert_int_equal(z->dim[1], 8);
    expect_ok(s);
    tg_close(s);
}

/* More inputs than one call accepts. */
static void concat_of_many(void **state)
{
    (void)state;
    enum { MANY = 137 };
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *list[MANY];
    double factor[MANY];
    for (int i = 0; i < MANY; i++) list[i] = weight(root, 1, &(const double){ i }), factor[i] = i + 1;
    tg_tensor *all = tg_concat(s, list, MANY, 0);
    for (int i = 0; i < MANY; i++) assert_true(((const float *)tg_data(all))[i] == (float)i);
    tg_backward(s, tg_sum(s, tg_mul(s, all, vector(s, MANY, factor)), ALL));
    for (int i = 0; i < MANY; i++) expect_number(tg_grad(list[i]), i + 1);
    expect_ok(root);
    tg_pop(s);
    tg_close(root);
}

/* PyTorch: F.interpolate(x, size=..., mode=...) of [[1, 2], [3, 4]] */
static void upsample_as_pytorch(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *x = tg_from_nchw(s, 1, 1, 2, 2, (const float[]){ 1, 2, 3, 4 });
    expect_numbers(tg_upsample(s, x, (tg_upsample_config){ 3, 3, false, false }), NUMBERS(1, 1, 2, 1, 1, 2, 3, 3, 4));
    expect_numbers(tg_upsample(s, x, (tg_upsample_config){ 2, 4, true, false }),
                   NUMBERS(1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4));
    expect_numbers(tg_upsample(s, x, (tg_upsample_config){ 3, 3, true, true }),
                   NUMBERS(1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4));
    expect_ok(s);
    tg_close(s);
}

/* ---- invalid arguments: x is f32 [2, 3], bytes u8 [2, 3], image [1, 2, 2, 1] ---- */

typedef struct {
    tg_tensor *x, *bytes, *image;
} given;
#define WRONG(name, call) \
    static void name(tg_scope *s, const given *g) { (void)g, call; }
WRONG(sub_shapes, tg_sub(s, g->x, tg_flatten(s, g->image)))
WRONG(mul_bytes, tg_mul(s, g->bytes, g->bytes))
WRONG(mul_mixed, tg_mul(s, g->x, g->bytes))
WRONG(exp_bytes, tg_exp(s, g->bytes))
WRONG(relu_null, tg_relu(s, NULL))
WRONG(sum_axis, tg_sum(s, g->x, OVER(2)))
WRONG(sum_twice, tg_sum(s, g->x, ((tg_axes){ .n = 2, .axis = { 1, -1 } })))
WRONG(mean_axes, tg_mean(s, g->x, ((tg_axes){ .n = 9 })))
WRONG(argmax_axis, tg_argmax(s, g->x, -3))
WRONG(reshape_count, tg_reshape(s, g->x, 2, TG_DIM(4, 2)))
WRONG(reshape_open, tg_reshape(s, g->x, 2, TG_DIM(-1, 4)))
WRONG(reshape_opens, tg_reshape(s, g->x, 2, TG_DIM(-1, -1)))
WRONG(reshape_rank, tg_reshape(s, g->x, 9, TG_DIM(6)))
WRONG(reshape_large, tg_reshape(s, g->x, 2, TG_DIM(INT64_MAX, INT64_MAX)))
WRONG(permute_twice, tg_permute(s, g->x, ((const int[]){ 0, 0 })))
WRONG(permute_axis, tg_permute(s, g->x, ((const int[]){ 0, 2 })))
WRONG(transpose_axis, tg_transpose(s, g->x, 0, 2))
WRONG(concat_none, tg_concat(s, NULL, 0, 0))
WRONG(concat_null, tg_concat(s, ((tg_tensor *const[]){ g->x, NULL }), 2, 0))
WRONG(concat_shape, tg_concat(s, ((tg_tensor *const[]){ g->x, g->image }), 2, 0))
WRONG(concat_dtype, tg_concat(s, ((tg_tensor *const[]){ g->x, g->bytes }), 2, 0))
WRONG(slice_empty, tg_slice(s, g->x, 1, 1, 1))
WRONG(slice_beyond, tg_slice(s, g->x, 1, 0, 4))
WRONG(slice_axis, tg_slice(s, g->x, 2, 0, 1))
WRONG(pad_negative, tg_pad(s, g->x, TG_DIM(0, -1), TG_DIM(0, 0), 0))
WRONG(pad_overflow, tg_pad(s, g->x, TG_DIM(0, INT64_MAX), TG_DIM(0, 0), 0))
WRONG(upsample_zero, tg_upsample(s, g->image, ((tg_upsample_config){ 4, 0, false, false })))
WRONG(upsample_rank, tg_upsample(s, g->x, ((tg_upsample_config){ 4, 4, false, false })))
WRONG(upsample_align, tg_upsample(s, g->image, ((tg_upsample_config){ 4, 4, false, true })))

static const struct {
    void (*call)(tg_scope *s, const given *g);
    const char *message;
} wrong[] = {
    { sub_shapes, "sub: shapes [2, 3] and [1, 4] do not broadcast" },
    { mul_bytes, "mul: input 0 has dtype u8, want f32 or bf16" },
    { mul_mixed, "mul: input 0 has dtype f32, input 1 u8; want the same" },
    { exp_bytes, "exp: input 0 has dtype u8, want f32 or bf16" },
    { relu_null, "relu: input 0 is NULL" },
    { sum_axis, "sum: axis 2 of x [2, 3], want -2 to 1" },
    { sum_twice, "sum: axis -1 of x [2, 3] is given twice" },
    { mean_axes, "mean: 9 axes, want 0 (all) to 8" },
    { argmax_axis, "argmax: axis -3 of x [2, 3], want -2 to 1" },
    { reshape_count, "reshape: [2, 3] to [4, 2]: the number of elements differs" },
    { reshape_open, "reshape: [2, 3] to [-1, 4]: the number of elements differs" },
    { reshape_opens, "reshape: [-1, -1] has more than one -1" },
    { reshape_rank, "reshape: rank 9, want 0 to 8" },
    { reshape_large, "reshape: [2, 3] to [9223372036854775807, 9223372036854775807]: the number of elements differs" },
    { permute_twice, "permute: axis 0 of x [2, 3] is given twice" },
    { permute_axis, "permute: axis 2 of x [2, 3], want 0 to 1" },
    { transpose_axis, "transpose: axes 0 and 2 of x [2, 3], want -2 to 1" },
    { concat_none, "concat: 0 tensors, want at least 1" },
    { concat_null, "concat: input 1 is NULL" },
    { concat_shape, "concat: input 0 has shape [2, 3], input 1 [1, 2, 2, 1]; want the same but for axis 0" },
    { concat_dtype, "concat: input 0 has dtype f32, input 1 u8; want the same" },
    { slice_empty, "slice: [1, 1) of axis 1 of x [2, 3], want 0 <= start < end <= 3" },
    { slice_beyond, "slice: [0, 4) of axis 1 of x [2, 3], want 0 <= start < end <= 3" },
    { slice_axis, "slice: axis 2 of x [2, 3], want -2 to 1" },
    { pad_negative, "pad: -1 before and 0 after on axis 1, want at least 0" },
    { pad_overflow, "pad: axis 1 is longer than can be counted" },
    { upsample_zero, "upsample: size 4 x 0, want at least 1 x 1" },
    { upsample_rank, "upsample: input 0 has shape [2, 3], want rank 4 [n, h, w, c]" },
    { upsample_align, "upsample: align_corners is for bilinear only" },
};

static void wrong_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tg_scope *s = tg_open();
        given g = { tg_zeros(s, TG_F32, 2, TG_DIM(2, 3)), tg_zeros(s, TG_U8, 2, TG_DIM(2, 3)),
                    tg_zeros(s, TG_F32, 4, TG_DIM(1, 2, 2, 1)) };
        wrong[i].call(s, &g);
        expect_message(s, wrong[i].message);
        tg_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest values[] = {
        cmocka_unit_test(edges_test),      cmocka_unit_test(max_sees_nan),
        cmocka_unit_test(ties_share),      cmocka_unit_test(max_of_many_sees_nan_and_ties),
        cmocka_unit_test(negative_axes),   cmocka_unit_test(flatten_is_channels_first),
        cmocka_unit_test(concat_of_many),  cmocka_unit_test(upsample_as_pytorch),
        cmocka_unit_test(wrong_arguments),
    };
    return cmocka_run_group_tests(values, NULL, NULL);
}
