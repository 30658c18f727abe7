/* layer_norm_vector.c - layer normalisation. A row is the last axes; long rows are summed in pieces, in double. bf16
 * rows are widened into scratch, processed there, and rounded when stored.
 *
 * The mean is exact to double, and used as two floats: `mean`, which is an output, and `rest`, its rounding error.
 * Without the second, rows whose mean is large compared with their deviations would be off by a fraction of a
 * deviation. */
#include "attr.h"
#include "line_sum.h"
#include "vector.h"
#include "ints.h"
#include <math.h>
#include <string.h>

/* Rows are split into blocks. The rows of a block share its f32 sums of ggamma and gbeta, so there must not be too
 * many. */
typedef struct {
    int64_t rows, n, block_rows, blocks;
} layer_norm_cut;
enum { PIECE = 4096, LEAST_ROWS = 32, MOST_ROWS = 64, CHUNK = 256 };

static layer_norm_cut layer_norm_cut_of(const tg_tensor *x, const void *attr)
{
    layer_norm_cut k = { .rows = 1, .n = 1 };
    const int rest = x->rank - ((const tg_layer_norm_attr *)attr)->axes;
    for (int i = 0; i < x->rank; i++) *(i < rest ? &k.rows : &k.n) *= x->dim[i];
    k.block_rows = TG_VECTOR_BLOCK / k.n;
    k.block_rows = k.block_rows < LEAST_ROWS ? LEAST_ROWS : k.block_rows > MOST_ROWS ? MOST_ROWS : k.block_rows;
    k.blocks = (k.rows + k.block_rows - 1) / k.block_rows;
    return k;
}

typedef struct {
    float mean, rest, rstd;
} row_moments;

static double row_squares(const float *x, int64_t n, float mean)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += PIECE) {
        const int64_t length = imin(PIECE, n - i), quarter = tg_line_quarter(length);
        const float *const at = x + i, *const y = at + quarter, *const z = y + quarter, *const w = z + quarter;
        float a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
        for (int64_t j = 0; j < quarter; j++) {
            a += (at[j] - mean) * (at[j] - mean);
            b += (y[j] - mean) * (y[j] - mean);
            c += (z[j] - mean) * (z[j] - mean);
            d += (w[j] - mean) * (w[j] - mean);
        }
#pragma omp simd reduction(+ : a)
        for (int64_t j = 4 * quarter; j < length; j++) a += (at[j] - mean) * (at[j] - mean);
        total += ((double)a + (double)b) + ((double)c + (double)d);
    }
    return total;
}

/* Not inlined: within an outer loop GCC 12 keeps reduction vectors in memory. */
static __attribute__((noinline)) row_moments moments_of(const float *x, int64_t n, double eps)
{
    const double mean = tg_line_sum(x, false, n) / (double)n, rest = mean - (double)(float)mean;
    const double var = row_squares(x, n, (float)mean) / (double)n - rest * rest;
    return (row_moments){ (float)mean, (float)rest, (float)(1 / sqrt((var > 0 ? var : var != var ? var : 0) + eps)) };
}

static void normalise_row(const float *x, int64_t n, row_moments k, const float *gamma, const float *beta, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] = ((x[j] - k.mean) - k.rest) * k.rstd * (gamma ? gamma[j] : 1) + (beta ? beta[j] : 0);
}

/* The moments of `count` short rows, at most TG_LINES. */
static __attribute__((noinline)) void short_moments(const float *x, int64_t n, int64_t count, double eps,
                                                    row_moments *k)
{
    double sum[TG_LINES], squares[TG_LINES], rest[TG_LINES], rstd[TG_LINES];
    float mean[TG_LINES];
    tg_lines_sum(x, false, n, count, sum);
#pragma omp simd
    for (int i = 0; i < TG_LINES; i++) {
        mean[i] = (float)(sum[i] / (double)n);
        rest[i] = sum[i] / (double)n - (double)mean[i];
    }
    tg_lines_squares(x, n, count, mean, squares);
#pragma omp simd
    for (int i = 0; i < TG_LINES; i++) {
        const double var = squares[i] / (double)n - rest[i] * rest[i];
        rstd[i] = 1 / sqrt((var < 0 ? 0 : var) + eps);
    }
    for (int i = 0; i < count; i++) k[i] = (row_moments){ mean[i], (float)rest[i], (float)rstd[i] };
}

/* Rows of t from number `row` on: in place, or widened into room. */
static const float *rows_as_f32(const tg_tensor *t, int64_t row, int64_t count, int64_t n, float *room)
{
    if (!tg_is_bf16(t)) return (const float *)tg_ptr(t) + row * n;
    tg_widen(tg_at(tg_ptr(t), true, row * n), true, count * n, room);
    return room;
}

/* Number of rows processed together. */
static int64_t rows_together(const layer_norm_cut *k) { return k->n < TG_SUM_LONG ? TG_LINES : 1; }

static void rows_moments(const float *x, const layer_norm_cut *k, int64_t count, double eps, row_moments *to)
{
    if (rows_together(k) > 1) short_moments(x, k->n, count, eps, to);
    else *to = moments_of(x, k->n, eps);
}

static void layer_norm_run(const tg_call *c, const tg_task *t)
{
    const layer_norm_cut k = layer_norm_cut_of(c->in[0], c->attr);
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    const double eps = (double)((const tg_layer_norm_attr *)c->attr)->eps;
    const int64_t end = imin((t->index + 1) * k.block_rows, k.rows);
    for (int64_t row = t->index * k.block_rows, count; row < end; row += count) {
        row_moments moments[TG_LINES];
        count = imin(rows_together(&k), end - row);
        const float *const at = rows_as_f32(c->in[0], row, count, k.n, t->scratch);
        rows_moments(at, &k, count, eps, moments);
        for (int64_t i = 0; i < count; i++) {
            void *const y = tg_at(tg_ptr(c->out[0]), is_bf16, (row + i) * k.n);
            float *const to = is_bf16 ? (float *)t->scratch + i * k.n : y;
            ((float *)tg_ptr(c->out[1]))[row + i] = moments[i].mean;
            ((float *)tg_ptr(c->out[2]))[row + i] = moments[i].rstd;
            normalise_row(at + i * k.n, k.n, moments[i], tg_ptr(c->in[1]), tg_ptr(c->in[2]), to);
            if (is_bf16) tg_narrow(to, true, k.n, y);
        }
    }
}

static tg_scratch layer_norm_scratch(const tg_call *c)
{
    const layer_norm_cut k = layer_norm_cut_of(c->in[0], c->attr);
    return (tg_scratch){ .worker = tg_is_bf16(c->in[0]) ? (size_t)(rows_together(&k) * k.n) * sizeof(float) : 0 };
}

/* ---- the derivative: phase 0 computes gx and each block's sums of gy xhat and gy; phase 1 adds these ---- */

typedef struct {
    double sum, product, rest;
} row_sums;

/* With h = gy gamma and d = x - mean: the sums of h, h d and d. */
static __attribute__((noinline)) row_sums sums_of(const float *gy, const float *x, const float *gamma, int64_t n,
                                                  float mean)
{
    row_sums total = { 0, 0, 0 };
    for (int64_t i = 0; i < n; i += PIECE) {
        const float *const g = gy + i, *const v = x + i, *const scale = gamma ? gamma + i : NULL;
        float sum = 0, product = 0, rest = 0;
#pragma omp simd reduction(+ : sum, product, rest)
        for (int64_t j = 0; j < imin(PIECE, n - i); j++) {
            const float h = g[j] * (scale ? scale[j] : 1), d = v[j] - mean;
            sum += h;
            product += h * d;
            rest += d;
        }
        total.sum += (double)sum;
        total.product += (double)product;
        total.rest += (double)rest;
    }
    return total;
}

static void row_gx(const float *gy, const float *x, const float *gamma, int64_t n, row_moments k, const row_sums *total,
                   float *gx)
{
    const double product = total->product - (double)k.rest * total->sum;
    const float shift = (float)(total->sum / (double)n), bend = (float)(product / (double)n) * k.rstd * k.rstd;
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        gx[j] = k.rstd * (gy[j] * (gamma ? gamma[j] : 1) - shift - ((x[j] - k.mean) - k.rest) * bend);
}

static void row_parameters(const float *gy, const float *x, int64_t n, row_moments k, float *ggamma, float *gbeta)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        ggamma[j] += gy[j] * (((x[j] - k.mean) - k.rest) * k.rstd);
        gbeta[j] += gy[j];
    }
}

static void layer_norm_grad_block(const tg_call *c, const tg_task *t, const layer_norm_cut *k)
{
    const float *const mean = tg_ptr(c->in[3]), *const rstd = tg_ptr(c->in[4]), *const gamma = tg_ptr(c->in[2]);
    float *const partial = (float *)t->shared + 2 * k->n * t->index, *const room = t->scratch;
    const bool parameters = c->out[1] || c->out[2], is_bf16 = tg_is_bf16(c->in[1]);
    if (parameters) memset(partial, 0, 2 * (size_t)k->n * sizeof(float));
    for (int64_t row = t->index * k->block_rows; row < imin((t->index + 1) * k->block_rows, k->rows); row++) {
        const float *const gy = rows_as_f32(c->in[0], row, 1, k->n, room);
        const float *const x = rows_as_f32(c->in[1], row, 1, k->n, is_bf16 ? room + k->n : NULL);
        void *const gx = tg_at(tg_ptr(c->out[0]), is_bf16, row * k->n);
        const row_sums total = sums_of(gy, x, gamma, k->n, mean[row]);
        const row_moments moments = { mean[row], (float)(total.rest / (double)k->n), rstd[row] };
        if (parameters) row_parameters(gy, x, k->n, moments, partial, partial + k->n);
        if (gx) row_gx(gy, x, gamma, k->n, moments, &total, is_bf16 ? room : gx);
        if (gx && is_bf16) tg_narrow(room, true, k->n, gx);
    }
}

static void sum_partial_blocks(const float *partial, const layer_norm_cut *k, int64_t chunk, float *to)
{
    const int64_t first = chunk * CHUNK, n = imin(CHUNK, k->n - first);
    double sum[CHUNK] = { 0 };
    for (int64_t b = 0; b < k->blocks; b++) {
        const float *const from = partial + 2 * k->n * b + first;
#pragma omp simd
        for (int64_t j = 0; j < n; j++) sum[j] += (double)from[j];
    }
    for (int64_t j = 0; j < n; j++) to[first + j] = (float)sum[j];
}

static void layer_norm_grad_run(const tg_call *c, const tg_task *t)
{
    const layer_norm_cut k = layer_norm_cut_of(c->in[1], c->attr);
    if (t->phase == 0) {
        layer_norm_grad_block(c, t, &k);
        return;
    }
    if (c->out[1]) sum_partial_blocks(t->shared, &k, t->index, tg_ptr(c->out[1]));
    if (c->out[2]) sum_partial_blocks((const float *)t->shared + k.n, &k, t->index, tg_ptr(c->out[2]));
}

static int64_t layer_norm_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? layer_norm_cut_of(c->in[0], c->attr).blocks : 0;
}

static int64_t layer_norm_grad_tasks(const tg_call *c, int phase)
{
    const layer_norm_cut k = layer_norm_cut_of(c->in[1], c->attr);
    return phase == 0 ? k.blocks : phase == 1 && (c->out[1] || c->out[2]) ? (k.n + CHUNK - 1) / CHUNK : 0;
}

static tg_scratch layer_norm_grad_scratch(const tg_call *c)
{
    const layer_norm_cut k = layer_norm_cut_of(c->in[1], c->attr);
    return (tg_scratch){ .shared = c->out[1] || c->out[2] ? (size_t)(2 * k.n * k.blocks) * sizeof(float) : 0,
                         .worker = tg_is_bf16(c->in[1]) ? 2 * (size_t)k.n * sizeof(float) : 0 };
}

TG_VECTOR_KERNEL(layer_norm_vector) = {
    TG_VECTOR_HEAD, .tasks = layer_norm_tasks, .scratch = layer_norm_scratch, .run = layer_norm_run, .in_place = true,
};
TG_VECTOR_KERNEL(layer_norm_grad_vector) = {
    TG_VECTOR_HEAD,   .tasks = layer_norm_grad_tasks, .scratch = layer_norm_grad_scratch, .run = layer_norm_grad_run,
    .in_place = true,
};
