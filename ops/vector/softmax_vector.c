/* softmax_vector.c - softmax, its logarithm and their derivatives.
 *
 * x counts as [outer, n, inner] around the axis.  The last axis (inner = 1): a row at a time, a task takes several.
 * Others: `inner` rows side by side, a task takes a strip of at most STRIP of them. */
#include "attr.h"
#include "softmax_row.h"
#include "vector.h"

enum { STRIP = 256 };
typedef struct { int64_t outer, n, inner, strips, task_rows; } shape;

static shape shape_of(const tg_call *c)
{
    const tg_tensor *const x = c->in[0];
    const int axis = ((const tg_softmax_attr *)c->attr)->axis;
    shape k = { .outer = 1, .n = x->dim[axis], .inner = 1 };
    for (int i = 0; i < x->rank; i++)
        if (i != axis)
            *(i < axis ? &k.outer : &k.inner) *= x->dim[i];
    k.strips = (k.inner + STRIP - 1) / STRIP;
    k.task_rows = k.n < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / k.n : 1;
    return k;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- a row ---- */

static void softmax_row(const float *x, int64_t n, float *y)
{
    const float most = tg_row_max(x, n);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        y[j] = tg_exp_f32(x[j] - most);
        sum += y[j];
    }
    const float scale = 1 / sum;
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] *= scale;
}

static void softmax_grad_row(const float *gy, const float *y, int64_t n, float *gx)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += gy[j] * y[j];
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        gx[j] = y[j] * (gy[j] - sum);
}

/* ---- a strip: w <= STRIP rows side by side, numbers of a row `step` apart ---- */

typedef struct { float most[STRIP], sum[STRIP]; } strip;

static void strip_sums(const float *x, int64_t n, int64_t step, int64_t w, strip *s)
{
    for (int64_t j = 0; j < w; j++) {
        s->most[j] = -INFINITY;
        s->sum[j] = 0;
    }
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            s->most[j] = x[i * step + j] > s->most[j] ? x[i * step + j] : s->most[j];
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            s->sum[j] += tg_exp_f32(x[i * step + j] - s->most[j]);
}

static void softmax_strip(const float *x, int64_t n, int64_t step, int64_t w, float *y)
{
    strip s;
    strip_sums(x, n, step, w, &s);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            y[i * step + j] = tg_exp_f32(x[i * step + j] - s.most[j]) / s.sum[j];
}

static void log_softmax_strip(const float *x, int64_t n, int64_t step, int64_t w, float *y)
{
    strip s;
    strip_sums(x, n, step, w, &s);
#pragma omp simd
    for (int64_t j = 0; j < w; j++)
        s.sum[j] = tg_log_f32(s.sum[j]);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            y[i * step + j] = (x[i * step + j] - s.most[j]) - s.sum[j];
}

static void softmax_grad_strip(const float *gy, const float *y, int64_t n, int64_t step, int64_t w, float *gx)
{
    float sum[STRIP] = { 0 };
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            sum[j] += gy[i * step + j] * y[i * step + j];
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            gx[i * step + j] = y[i * step + j] * (gy[i * step + j] - sum[j]);
}

static void log_softmax_grad_strip(const float *gy, const float *y, int64_t n, int64_t step, int64_t w, float *gx)
{
    float sum[STRIP] = { 0 };
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            sum[j] += gy[i * step + j];
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++)
            gx[i * step + j] = gy[i * step + j] - tg_exp_f32(y[i * step + j]) * sum[j];
}

/* ---- tasks ---- */

/* Where a strip begins, and its width. */
static int64_t strip_begin(const shape *k, int64_t task, int64_t *w)
{
    const int64_t column = task % k->strips * STRIP;
    *w = smaller(STRIP, k->inner - column);
    return task / k->strips * k->n * k->inner + column;
}

static int64_t tasks(const tg_call *c, int phase)
{
    const shape k = shape_of(c);
    if (phase > 0)
        return 0;
    return k.inner == 1 ? (k.outer + k.task_rows - 1) / k.task_rows : k.outer * k.strips;
}

static void run(const tg_call *c, const tg_task *t)
{
    const shape k = shape_of(c);
    const bool logarithm = c->op == &tg_log_softmax_op;
    const float *const x = tg_ptr(c->in[0]);
    float *const y = tg_ptr(c->out[0]);
    if (k.inner > 1) {
        int64_t w;
        const int64_t at = strip_begin(&k, t->index, &w);
        (logarithm ? log_softmax_strip : softmax_strip)(x + at, k.n, k.inner, w, y + at);
        return;
    }
    const int64_t end = smaller((t->index + 1) * k.task_rows, k.outer);
    for (int64_t row = t->index * k.task_rows; row < end; row++)
        (logarithm ? tg_log_softmax_row : softmax_row)(x + row * k.n, k.n, y + row * k.n);
}

static void run_grad(const tg_call *c, const tg_task *t)
{
    const shape k = shape_of(c);
    const bool logarithm = c->op == &tg_log_softmax_grad_op;
    const float *const gy = tg_ptr(c->in[0]), *const y = tg_ptr(c->in[1]);
    float *const gx = tg_ptr(c->out[0]);
    if (k.inner > 1) {
        int64_t w;
        const int64_t at = strip_begin(&k, t->index, &w);
        (logarithm ? log_softmax_grad_strip : softmax_grad_strip)(gy + at, y + at, k.n, k.inner, w, gx + at);
        return;
    }
    const int64_t end = smaller((t->index + 1) * k.task_rows, k.outer);
    for (int64_t row = t->index * k.task_rows; row < end; row++)
        (logarithm ? tg_log_softmax_grad_row : softmax_grad_row)(gy + row * k.n, y + row * k.n, k.n, gx + row * k.n);
}

static const char *reject(const tg_call *c)
{
    return c->in[0]->dtype == TG_F32 && c->out[0]->dtype == TG_F32 ? NULL : "needs f32";
}

#define HEAD TG_VECTOR_HEAD, .reject = reject, .tasks = tasks, .in_place = true
TG_VECTOR_KERNEL(softmax_vector)          = { HEAD, .run = run };
TG_VECTOR_KERNEL(log_softmax_vector)      = { HEAD, .run = run };
TG_VECTOR_KERNEL(softmax_grad_vector)     = { HEAD, .run = run_grad };
TG_VECTOR_KERNEL(log_softmax_grad_vector) = { HEAD, .run = run_grad };
