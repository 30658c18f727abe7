/* layer_norm_vector.c - layer normalisation.  A row is the last axes; long rows are summed in pieces, in double.
 * Rows of bf16 are widened into scratch, worked on there, and rounded when they are stored. */
#include "attr.h"
#include "bf16.h"
#include "vector.h"
#include <math.h>
#include <string.h>

/* Rows are cut into blocks; at least 16 rows share one block's sums of ggamma and gbeta. */
typedef struct { int64_t rows, n, block_rows, blocks; } cut;
enum { PIECE = 4096, LEAST_ROWS = 16, CHUNK = 1024 };

static cut cut_of(const tg_tensor *x, const void *attr)
{
    cut k = { .rows = 1, .n = 1 };
    const int rest = x->rank - ((const tg_layer_norm_attr *)attr)->axes;
    for (int i = 0; i < x->rank; i++)
        *(i < rest ? &k.rows : &k.n) *= x->dim[i];
    k.block_rows = TG_VECTOR_BLOCK / k.n > LEAST_ROWS ? TG_VECTOR_BLOCK / k.n : LEAST_ROWS;
    k.blocks = (k.rows + k.block_rows - 1) / k.block_rows;
    return k;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static double row_sum(const float *x, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += PIECE) {
        const float *const at = x + i;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < smaller(PIECE, n - i); j++)
            sum += at[j];
        total += (double)sum;
    }
    return total;
}

static double row_squares(const float *x, int64_t n, float mean)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += PIECE) {
        const float *const at = x + i;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < smaller(PIECE, n - i); j++)
            sum += (at[j] - mean) * (at[j] - mean);
        total += (double)sum;
    }
    return total;
}

static void normalise(const float *x, int64_t n, float mean, float rstd, const float *gamma, const float *beta,
                      float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] = (x[j] - mean) * rstd * (gamma ? gamma[j] : 1) + (beta ? beta[j] : 0);
}

/* Row number `row` of t: where it lies, or widened into room. */
static const float *row_of(const tg_tensor *t, int64_t row, int64_t n, float *room)
{
    if (!tg_half(t))
        return (const float *)tg_ptr(t) + row * n;
    tg_widen(tg_at(tg_ptr(t), true, row * n), true, n, room);
    return room;
}

static void run(const tg_call *c, const tg_task *t)
{
    const cut k = cut_of(c->in[0], c->attr);
    const bool half = tg_half(c->in[0]);
    float *const mean = tg_ptr(c->out[1]), *const rstd = tg_ptr(c->out[2]);
    const double eps = (double)((const tg_layer_norm_attr *)c->attr)->eps;
    const int64_t end = smaller((t->index + 1) * k.block_rows, k.rows);
    for (int64_t row = t->index * k.block_rows; row < end; row++) {
        const float *const at = row_of(c->in[0], row, k.n, t->scratch);
        void *const y = tg_at(tg_ptr(c->out[0]), half, row * k.n);
        mean[row] = (float)(row_sum(at, k.n) / (double)k.n);
        rstd[row] = (float)(1 / sqrt(row_squares(at, k.n, mean[row]) / (double)k.n + eps));
        normalise(at, k.n, mean[row], rstd[row], tg_ptr(c->in[1]), tg_ptr(c->in[2]), half ? t->scratch : y);
        if (half)
            tg_narrow(t->scratch, true, k.n, y);
    }
}

static tg_scratch scratch(const tg_call *c)
{
    return (tg_scratch){ .worker = tg_half(c->in[0]) ? (size_t)cut_of(c->in[0], c->attr).n * sizeof(float) : 0 };
}

/* ---- the derivative: 0 gx, and each block's sums of gy xhat and gy; 1 these summed ---- */

typedef struct { double sum, product; } row_sums;

static row_sums sums_of(const float *gy, const float *x, const float *gamma, int64_t n, float mean)
{
    row_sums total = { 0, 0 };
    for (int64_t i = 0; i < n; i += PIECE) {
        const float *const g = gy + i, *const v = x + i, *const scale = gamma ? gamma + i : NULL;
        float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
        for (int64_t j = 0; j < smaller(PIECE, n - i); j++) {
            const float h = g[j] * (scale ? scale[j] : 1);
            sum += h;
            product += h * (v[j] - mean);
        }
        total.sum += (double)sum;
        total.product += (double)product;
    }
    return total;
}

static void row_gx(const float *gy, const float *x, const float *gamma, int64_t n, float mean, float rstd, float *gx)
{
    const row_sums total = sums_of(gy, x, gamma, n, mean);
    const float shift = (float)(total.sum / (double)n), bend = (float)(total.product / (double)n) * rstd * rstd;
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        gx[j] = rstd * (gy[j] * (gamma ? gamma[j] : 1) - shift - (x[j] - mean) * bend);
}

static void row_parameters(const float *gy, const float *x, int64_t n, float mean, float rstd, float *ggamma,
                           float *gbeta)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        ggamma[j] += gy[j] * ((x[j] - mean) * rstd);
        gbeta[j] += gy[j];
    }
}

static void grad_block(const tg_call *c, const tg_task *t, const cut *k)
{
    const float *const mean = tg_ptr(c->in[3]), *const rstd = tg_ptr(c->in[4]);
    float *const partial = (float *)t->shared + 2 * k->n * t->index, *const room = t->scratch;
    const bool parameters = c->out[1] || c->out[2], half = tg_half(c->in[1]);
    if (parameters)
        memset(partial, 0, 2 * (size_t)k->n * sizeof(float));
    for (int64_t row = t->index * k->block_rows; row < smaller((t->index + 1) * k->block_rows, k->rows); row++) {
        const float *const gy = row_of(c->in[0], row, k->n, room);
        const float *const x = row_of(c->in[1], row, k->n, half ? room + k->n : NULL);
        void *const gx = tg_at(tg_ptr(c->out[0]), half, row * k->n);
        if (parameters)
            row_parameters(gy, x, k->n, mean[row], rstd[row], partial, partial + k->n);
        if (gx)
            row_gx(gy, x, tg_ptr(c->in[2]), k->n, mean[row], rstd[row], half ? room : gx);
        if (gx && half)
            tg_narrow(room, true, k->n, gx);
    }
}

static void sum_blocks(const float *partial, const cut *k, int64_t chunk, float *to)
{
    const int64_t first = chunk * CHUNK, end = smaller(first + CHUNK, k->n);
    for (int64_t j = first; j < end; j++)
        to[j] = partial[j];
    for (int64_t b = 1; b < k->blocks; b++) {
        const float *const from = partial + 2 * k->n * b;
#pragma omp simd
        for (int64_t j = first; j < end; j++)
            to[j] += from[j];
    }
}

static void run_grad(const tg_call *c, const tg_task *t)
{
    const cut k = cut_of(c->in[1], c->attr);
    if (t->phase == 0) {
        grad_block(c, t, &k);
        return;
    }
    if (c->out[1])
        sum_blocks(t->shared, &k, t->index, tg_ptr(c->out[1]));
    if (c->out[2])
        sum_blocks((const float *)t->shared + k.n, &k, t->index, tg_ptr(c->out[2]));
}

static int64_t tasks(const tg_call *c, int phase) { return phase == 0 ? cut_of(c->in[0], c->attr).blocks : 0; }

static int64_t grad_tasks(const tg_call *c, int phase)
{
    const cut k = cut_of(c->in[1], c->attr);
    return phase == 0 ? k.blocks : phase == 1 && (c->out[1] || c->out[2]) ? (k.n + CHUNK - 1) / CHUNK : 0;
}

static tg_scratch grad_scratch(const tg_call *c)
{
    const cut k = cut_of(c->in[1], c->attr);
    return (tg_scratch){ .shared = c->out[1] || c->out[2] ? (size_t)(2 * k.n * k.blocks) * sizeof(float) : 0,
                         .worker = tg_half(c->in[1]) ? 2 * (size_t)k.n * sizeof(float) : 0 };
}

TG_VECTOR_KERNEL(layer_norm_vector) = {
    TG_VECTOR_HEAD, .tasks = tasks, .scratch = scratch, .run = run, .in_place = true,
};
TG_VECTOR_KERNEL(layer_norm_grad_vector) = {
    TG_VECTOR_HEAD, .tasks = grad_tasks, .scratch = grad_scratch, .run = run_grad, .in_place = true,
};
