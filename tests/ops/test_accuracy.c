/* test_accuracy.c - means, variances and long sums of every kernel against double: values with a mean much larger than
 * their deviation, constants, outliers, more terms than f32 can count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "attr.h"
#include "core_ops.h"
#include "dispatch.h"
#include "expect.h"

static bool runs_here(const tg_kernel *k) { return !k->isa || k->isa <= tg_max_isa(); }

static tg_tensor *applied(tg_scope *s, const tg_op *op, const tg_kernel *kernel, tg_tensor *const in[],
                          const void *attr)
{
    tg_force_kernel(op, kernel);
    tg_tensor *y = tg_apply(s, op, in, attr);
    tg_data(y);
    tg_force_kernel(NULL, NULL);
    expect_ok(s);
    return y;
}

/* AddressSanitizer prevents vectorisation, and one partial sum instead of 16 is less accurate. */
#ifdef __SANITIZE_ADDRESS__
enum { LOOSER = 16 };
#else
enum { LOOSER = 1 };
#endif

static void expect_near(const char *row, const char *what, const tg_kernel *k, double got, double want, double error)
{
    if (!(fabs(got - want) <= LOOSER * error))
        fail_msg("%s by %s: %s is %.9g, want %.9g", row, k->name, what, got, want);
}

/* ---- normalisations: `first`, then mean + deviation * uniform(-1, 1), n values per row or channel ---- */

typedef struct {
    const char *name;
    int64_t n;
    double mean, deviation, first;
} values;
static const values rows[] = {
    { "short constant", 17, 1000.1, 0, 1000.1 },
    { "constant", 1024, 1000.1, 0, 1000.1 },
    { "long constant", 9000, 65535.3, 0, 65535.3 },
    { "large constant", 768, 1e6 + 0.7, 0, 1e6 + 0.7 },
    { "one off by .01", 1024, 300.3, 0, 300.31 },
    { "one in a million", 768, 1e6, 0, 1e6 + 0.07 },
    { "thousand", 1000, 1e3, 1e-2, 1e3 },
    { "ten thousand", 1000, 1e4, 1e-2, 1e4 },
    { "hundred thousand", 4097, -1e5, 5e-2, -1e5 },
    { "million", 333, 1e6, 1, 1e6 },
    { "outlier first", 5000, 1, 1, 3e4 },
    { "far outlier first", 5000, 1000, 1e-2, 1300 },
    { "plain", 64, 0, 1, 0.5 },
};
enum { ROWS = sizeof rows / sizeof *rows, SOME = 3 };

/* [SOME][n], or [n][SOME] if they are channels. */
static tg_tensor *made(tg_scope *s, const values *v, bool channels)
{
    tg_tensor *x = channels ? tg_rand(s, -1, 1, 4, TG_DIM(1, 1, v->n, SOME)) : tg_rand(s, -1, 1, 2, TG_DIM(SOME, v->n));
    float *at = tg_edit(s, x);
    for (int64_t i = 0; at && i < SOME * v->n; i++) at[i] = (float)(v->mean + v->deviation * (double)at[i]);
    for (int64_t i = 0; at && i < SOME; i++) at[channels ? i : i * v->n] = (float)v->first;
    return x;
}

typedef struct {
    double mean, var;
} moments;

static moments moments_of(const float *x, int64_t n, int64_t step)
{
    moments m = { 0, 0 };
    for (int64_t i = 0; i < n; i++) m.mean += (double)x[i * step];
    m.mean /= (double)n;
    for (int64_t i = 0; i < n; i++) m.var += pow((double)x[i * step] - m.mean, 2) / (double)n;
    return m;
}

/* gx and the gradient of gamma of one row or channel, for gamma = 1. */
static void expect_gradients(const char *row, const tg_kernel *k, const float *x, const float *gy, int64_t n,
                             int64_t step, double eps, const float *gx, float ggamma)
{
    const moments m = moments_of(x, n, step);
    const double rstd = 1 / sqrt(m.var + eps);
    double sum = 0, product = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double xhat = ((double)x[i * step] - m.mean) * rstd;
        sum += (double)gy[i * step];
        product += (double)gy[i * step] * xhat;
        size += fabs((double)gy[i * step] * xhat);
    }
    if (step > 1) expect_near(row, "d gamma", k, (double)ggamma, product, 4e-6 * (1e-3 + size));
    for (int64_t i = 0; i < n; i++) {
        const double xhat = ((double)x[i * step] - m.mean) * rstd;
        const double want = rstd * ((double)gy[i * step] - sum / (double)n - xhat * product / (double)n);
        expect_near(row, "gx", k, (double)gx[i * step], want, 1e-5 * rstd * (1 + fabs(xhat)));
    }
}

static void layer_norm_row(const values *v, const tg_kernel *kernel, const tg_kernel *grad)
{
    const tg_layer_norm_attr a = { .eps = 1e-5f, .axes = 1 };
    tg_scope *s = tg_open();
    tg_tensor *x = made(s, v, false), *gy = tg_rand(s, -1, 1, 2, TG_DIM(SOME, v->n));
    tg_tensor *y = applied(s, &tg_layer_norm_op, kernel, (tg_tensor *const[]){ x, NULL, NULL }, &a);
    tg_tensor *gx = applied(s, &tg_layer_norm_grad_op, grad,
                            (tg_tensor *const[]){ gy, x, NULL, tg_output(y, 1), tg_output(y, 2) }, &a);
    const float *at = tg_data(x), *to = tg_data(y), *ggamma = tg_data(tg_output(gx, 1));
    double *sums = calloc((size_t)v->n, sizeof *sums), *sizes = calloc((size_t)v->n, sizeof *sizes);
    for (int64_t r = 0; r < SOME; r++) {
        const moments m = moments_of(at + r * v->n, v->n, 1);
        const float *g = (const float *)tg_data(gy) + r * v->n;
        for (int64_t i = 0; i < v->n; i++) {
            const double want = ((double)at[r * v->n + i] - m.mean) / sqrt(m.var + (double)a.eps);
            expect_near(v->name, "y", kernel, (double)to[r * v->n + i], want, 3e-6 * (1e-3 + fabs(want)));
            sums[i] += (double)g[i] * want;
            sizes[i] += fabs((double)g[i] * want);
        }
        expect_gradients(v->name, grad, at + r * v->n, g, v->n, 1, (double)a.eps, (const float *)tg_data(gx) + r * v->n,
                         0);
    }
    for (int64_t i = 0; i < v->n; i++)
        expect_near(v->name, "d gamma", grad, (double)ggamma[i], sums[i], 4e-6 * (1e-3 + sizes[i]));
    free(sums), free(sizes);
    tg_close(s);
}

static void batch_norm_row(const values *v, const tg_kernel *kernel, const tg_kernel *grad)
{
    const tg_batch_norm2d_attr a = { .eps = 1e-5f, .momentum = 0.1f };
    tg_scope *s = tg_open();
    tg_tensor *x = made(s, v, true), *gy = tg_rand(s, -1, 1, 4, x->dim);
    tg_tensor *gamma = tg_full(s, 1, 1, TG_DIM(SOME)), *beta = tg_full(s, 0, 1, TG_DIM(SOME));
    tg_tensor *y = applied(s, &tg_batch_norm2d_op, kernel, (tg_tensor *const[]){ x, gamma, beta }, &a);
    tg_tensor *gx = applied(s, &tg_batch_norm2d_grad_op, grad,
                            (tg_tensor *const[]){ gy, x, gamma, tg_output(y, 1), tg_output(y, 2), beta }, &a);
    const float *at = tg_data(x), *to = tg_data(y), *var = tg_data(tg_output(y, 3)),
                *ggamma = tg_data(tg_output(gx, 1));
    for (int64_t c = 0; c < SOME; c++) {
        const moments m = moments_of(at + c, v->n, SOME);
        const double unbiased = m.var * (double)v->n / (double)(v->n - 1);
        expect_near(v->name, "variance", kernel, (double)var[c], unbiased, 4e-6 * unbiased);
        for (int64_t i = 0; i < v->n; i++) {
            const double want = ((double)at[i * SOME + c] - m.mean) / sqrt(m.var + (double)a.eps);
            expect_near(v->name, "y", kernel, (double)to[i * SOME + c], want, 3e-6 * (0.1 + fabs(want)));
        }
        expect_gradients(v->name, grad, at + c, (const float *)tg_data(gy) + c, v->n, SOME, (double)a.eps,
                         (const float *)tg_data(gx) + c, ggamma[c]);
    }
    tg_close(s);
}

static void layer_norm(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; tg_layer_norm_op.kernels[k]; k++)
            if (runs_here(tg_layer_norm_op.kernels[k]))
                layer_norm_row(&rows[i], tg_layer_norm_op.kernels[k], tg_layer_norm_grad_op.kernels[k]);
}

static void batch_norm(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; tg_batch_norm2d_op.kernels[k]; k++)
            if (runs_here(tg_batch_norm2d_op.kernels[k]))
                batch_norm_row(&rows[i], tg_batch_norm2d_op.kernels[k], tg_batch_norm2d_grad_op.kernels[k]);
}

/* ---- sums of positive terms: error relative to the sum ---- */

#define OVER(bits) (&(const tg_reduce_attr){ bits, false })
static const struct {
    const char *name;
    const tg_op *op;
    int rank, inputs, out; /* `inputs` of the same shape; output `out` holds the sums */
    int64_t dim[4];
    const void *attr;
    uint32_t axes; /* the axes to sum over */
} sums[] = {
    { "sum of columns", &tg_sum_op, 2, 1, 0, { 50000, 17 }, OVER(1), 1 },
    { "sum of wide columns", &tg_sum_op, 2, 1, 0, { 1000, 1100 }, OVER(1), 1 },
    { "sum of all", &tg_sum_op, 2, 1, 0, { 3000, 301 }, OVER(3), 3 },
    { "sum of rows", &tg_sum_op, 2, 1, 0, { 3, 300000 }, OVER(2), 2 },
    { "sum of axes apart", &tg_sum_op, 3, 1, 0, { 300, 3, 1000 }, OVER(5), 5 },
    { "mean of columns", &tg_mean_op, 2, 1, 0, { 50000, 17 }, OVER(1), 1 },
    { "mean of pixels", &tg_mean_op, 3, 1, 0, { 2, 40000, 5 }, OVER(2), 2 },
    { "mean of axes apart", &tg_mean_op, 3, 1, 0, { 300, 3, 1000 }, OVER(5), 5 },
    { "sum_to of columns", &tg_sum_to_op, 2, 1, 0, { 50000, 17 }, &(const tg_sum_to_attr){ 1, { -1 } }, 1 },
    { "sum_to of pixels", &tg_sum_to_op, 3, 1, 0, { 2, 40000, 5 }, &(const tg_sum_to_attr){ 3, { -1, 1, -1 } }, 2 },
    { "sum_to, axes apart", &tg_sum_to_op, 3, 1, 0, { 300, 3, 1000 }, &(const tg_sum_to_attr){ 2, { -1, 1 } }, 5 },
    { "channel_sum", &tg_channel_sum_op, 2, 1, 0, { 50000, 17 }, NULL, 1 },
    { "relu_grad, channels", &tg_relu_grad_channel_sum_op, 2, 2, 1, { 50000, 17 }, NULL, 1 },
};

/* Computes the sums in double, in the order of the results; returns their number. */
static int64_t summed(const tg_tensor *x, uint32_t axes, double *sum)
{
    int64_t results = 1;
    for (int k = 0; k < x->rank; k++) results *= axes & TG_BIT(k) ? 1 : x->dim[k];
    for (int64_t o = 0; o < results; o++) sum[o] = 0;
    for (int64_t i = 0; i < tg_count(x); i++) {
        int64_t rest = i, o = 0, step = 1;
        for (int k = x->rank - 1; k >= 0; rest /= x->dim[k--])
            if (!(axes & TG_BIT(k))) o += rest % x->dim[k] * step, step *= x->dim[k];
        sum[o] += tg_get(x, i);
    }
    return results;
}

static void sums_case(int i, const tg_kernel *k, double constant)
{
    static double want[1100];
    tg_scope *s = tg_open();
    tg_tensor *x = constant != 0 ? tg_full(s, constant, sums[i].rank, sums[i].dim)
                                 : tg_rand(s, 0.5, 1.5, sums[i].rank, sums[i].dim);
    const int64_t n = summed(x, sums[i].axes, want);
    tg_tensor *y = tg_output(applied(s, sums[i].op, k, (tg_tensor *const[]){ x, x }, sums[i].attr), sums[i].out);
    for (int64_t o = 0; o < n && tg_data(y); o++) {
        if (sums[i].op == &tg_mean_op) want[o] *= (double)n / (double)tg_count(x);
        expect_near(sums[i].name, "a sum", k, tg_get(y, o), want[o], 1.5e-7 * want[o]);
        if (constant != 0 && sums[i].op == &tg_mean_op)
            expect_near(sums[i].name, "a constant's mean", k, tg_get(y, o), (double)(float)constant, 0);
    }
    tg_close(s);
}

static void long_sums(void **state)
{
    (void)state;
    for (int i = 0; i < (int)(sizeof sums / sizeof *sums); i++)
        for (const tg_kernel *const *k = sums[i].op->kernels; *k; k++)
            if (runs_here(*k)) sums_case(i, *k, 0), sums_case(i, *k, 300.3);
}

/* ---- softmax of a row of two alternating values, along the last and the first axis ---- */

static void softmax_case(const tg_op *op, const tg_kernel *k, bool first)
{
    enum { N = 300000, COLUMNS = 3 };
    const float high = 12.5f, low = 10.2f;
    tg_scope *s = tg_open();
    tg_tensor *x = first ? tg_full(s, (double)high, 2, TG_DIM(N, COLUMNS)) : tg_full(s, (double)high, 2, TG_DIM(1, N));
    float *at = tg_edit(s, x);
    for (int64_t i = 0; at && i < tg_count(x); i++)
        if ((first ? i / COLUMNS : i) % 2) at[i] = low;
    const double sum = N / 2 * (1 + exp((double)low - (double)high)), want = op == &tg_softmax_op ? 1 / sum : -log(sum);
    tg_tensor *y = applied(s, op, k, &x, &(tg_softmax_attr){ .axis = !first, .dtype = TG_F32 });
    expect_near(op->name, "y", k, tg_get(y, 0), want, 2e-6 * fabs(want));
    tg_close(s);
}

static void long_softmax(void **state)
{
    static const tg_op *const ops[] = { &tg_softmax_op, &tg_log_softmax_op };
    (void)state;
    for (int i = 0; i < 4; i++)
        for (const tg_kernel *const *k = ops[i / 2]->kernels; *k; k++)
            if (runs_here(*k)) softmax_case(ops[i / 2], *k, i % 2);
}

/* ---- relu passes the gradient where its result is NaN, fused or not, like PyTorch ---- */

enum { EDGES = 8 };
static const double results[EDGES] = { NAN, -NAN, -1, -0.0, 0, 1, INFINITY, -INFINITY };
static const double passed[EDGES] = { 2, 2, 0, 0, 0, 2, 2, 0 };
static const struct {
    const tg_op *op;
    int images, out;
} masks[] = {
    { &tg_relu_grad_op, 0, 0 },
    { &tg_relu_grad_channel_sum_op, 0, 0 },
    { &tg_relu_grad_batch_norm2d_grad_op, 1, 3 },
    { &tg_add_relu_grad_batch_norm2d_grad_op, 2, 3 },
};

static void mask_case(int i, const tg_kernel *k, tg_dtype dtype)
{
    const int64_t *const dim = TG_DIM(1, 2, 1, 2 * EDGES);
    tg_scope *s = tg_open();
    tg_tensor *y = tg_zeros(s, TG_F32, 4, dim), *one = tg_full(s, 1, 4, dim), *c = tg_full(s, 1, 1, &dim[3]);
    float *at = tg_edit(s, y);
    for (int j = 0; j < 4 * EDGES; j++) at[j] = (float)results[j % EDGES];
    y = tg_cast(s, y, dtype), one = tg_cast(s, one, dtype);
    tg_tensor *two = tg_affine(s, one, 2, 0), *mean = tg_full(s, 0, 2, TG_DIM(2, dim[3]));
    tg_tensor *const plain[] = { two, y }, *const norm[] = { two, y, one, c, mean, c, c };
    tg_tensor *const sum[] = { one, one, y, one, c, mean, c, c };
    tg_tensor *g = applied(s, masks[i].op, k,
                           masks[i].images == 0   ? plain
                           : masks[i].images == 1 ? norm
                                                  : sum,
                           masks[i].images ? &(tg_batch_norm2d_attr){ 1e-5f, 0.1f } : NULL);
    g = tg_output(g, masks[i].out);
    for (int j = 0; j < 4 * EDGES && tg_data(g); j++)
        expect_near(masks[i].op->name, "a gradient", k, tg_get(g, j), passed[j % EDGES], 0);
    tg_close(s);
}

static void relu_of_nan(void **state)
{
    (void)state;
    for (int i = 0; i < (int)(sizeof masks / sizeof *masks); i++)
        for (const tg_kernel *const *k = masks[i].op->kernels; *k; k++)
            for (int bf16 = 0; bf16 < 2; bf16++)
                if (runs_here(*k)) mask_case(i, *k, bf16 ? TG_BF16 : TG_F32);
}

/* ---- denormals count as 0, as ops.h says ---- */

static void denormals(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const tg_dtype dtype = bf16 ? TG_BF16 : TG_F32;
        tg_scope *root = tg_open(), *s = tg_train(root);
        tg_tensor *x = tg_cast(s, vector(root, 2, (const double[]){ 0, -90 }), dtype);
        expect_numbers(tg_cast(s, tg_log_softmax(s, x, 0), TG_F32), NUMBERS(0, -90));
        const float *log = tg_data(tg_log(s, tg_cast(s, tg_softmax(s, x, 0), TG_F32)));
        assert_true(isinf(log[1]) && log[1] < 0);
        tg_tensor *small = tg_require_grad(root, vector(root, 2, (const double[]){ 1e-39, 1e-37 }));
        tg_tensor *y = tg_relu(s, tg_cast(s, small, dtype));
        tg_backward_from(s, y, tg_cast(s, tg_full(s, 1, 1, TG_DIM(2)), dtype));
        expect_numbers(tg_grad(small), NUMBERS(0, 1));
        expect_ok(root);
        tg_close(root);
    }
}

/* ---- random numbers ---- */

static void rand_range(void **state)
{
    static const struct {
        double low, high;
        const char *message;
    } wrong[] = {
        { 1, 0, "rand: range [1, 0), want low <= high" },
        { 0, INFINITY, "rand: range [0, inf), want two finite f32 numbers" },
        { NAN, 1, "rand: range [nan, 1), want two finite f32 numbers" },
        { -1e39, 1, "rand: range [-1e+39, 1), want two finite f32 numbers" },
        { 1 + 1e-12, 1 + 2e-12, "rand: no f32 number lies in [1.0000000000010001, 1.000000000002)" },
    };
    static const double right[][2] = {
        { 1, 1 + 0x1p-23 }, { 0.7, 0.7 + 1e-7 }, { -1, -1 + 0x1p-24 }, { 0, 1e-45 }, { 1e30, 1.0000002e30 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tg_scope *s = tg_open();
        tg_rand(s, wrong[i].low, wrong[i].high, 1, TG_DIM(3));
        expect_message(s, wrong[i].message);
        tg_close(s);
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        tg_scope *s = tg_open();
        tg_tensor *x = tg_rand(s, right[i][0], right[i][1], 1, TG_DIM(1000));
        expect_ok(s);
        for (int j = 0; j < 1000; j++) assert_true(tg_get(x, j) >= right[i][0] && tg_get(x, j) < right[i][1]);
        assert_true(tg_item(tg_rand(s, 0.7, 0.7, 0, NULL)) == (double)0.7f);
        tg_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(layer_norm),   cmocka_unit_test(batch_norm),  cmocka_unit_test(long_sums),
        cmocka_unit_test(long_softmax), cmocka_unit_test(relu_of_nan), cmocka_unit_test(denormals),
        cmocka_unit_test(rand_range),
    };
    return cmocka_run_group_tests_name("accuracy", all, NULL, NULL);
}
