/* softmax_vector.c - softmax, its logarithm and their derivatives.
 *
 * x counts as [outer, n, inner] around the axis.  The last axis (inner = 1): a row at a time, a task takes several.
 * Others: `inner` rows side by side, a task takes a strip of at most STRIP of them.  Where bf16 is read or written the
 * numbers are widened into scratch, worked on there, and rounded when they are stored. */
#include "attr.h"
#include "bf16.h"
#include "softmax_row.h"
#include "vector.h"

enum { STRIP = 256 };
typedef struct { int64_t outer, n, inner, strips, task_rows; bool half; } shape;

static shape shape_of(const tg_call *c)
{
    const tg_tensor *const x = c->in[0];
    const int axis = ((const tg_softmax_attr *)c->attr)->axis;
    shape k = { .outer = 1, .n = x->dim[axis], .inner = 1, .half = tg_half(x) || tg_half(c->out[0]) };
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

/* ---- a piece: one row, or a strip; `lines` of w numbers, `step` apart ---- */

typedef struct { int64_t at, lines, w, step; } piece;

static int64_t piece_size(const shape *k) { return k->n * (k->inner == 1 ? 1 : smaller(STRIP, k->inner)); }

static void load_piece(const tg_tensor *t, const piece *p, float *room)
{
    for (int64_t i = 0; i < p->lines; i++)
        if (tg_half(t))
            tg_widen(tg_at(tg_ptr(t), true, p->at + i * p->step), true, p->w, room + i * p->w);
        else
            tg_widen(tg_at(tg_ptr(t), false, p->at + i * p->step), false, p->w, room + i * p->w);
}

static void store_piece(const tg_tensor *t, const piece *p, const float *room)
{
    for (int64_t i = 0; i < p->lines; i++)
        if (tg_half(t))
            tg_narrow(room + i * p->w, true, p->w, tg_at(tg_ptr(t), true, p->at + i * p->step));
        else
            tg_narrow(room + i * p->w, false, p->w, tg_at(tg_ptr(t), false, p->at + i * p->step));
}

static void forward(const tg_call *c, const shape *k, const piece *p, float *room)
{
    const bool logarithm = c->op == &tg_log_softmax_op;
    const float *const x = k->half ? room : (const float *)tg_ptr(c->in[0]) + p->at;
    float *const y = k->half ? room : (float *)tg_ptr(c->out[0]) + p->at;
    if (k->half)
        load_piece(c->in[0], p, room);
    if (k->inner > 1)
        (logarithm ? log_softmax_strip : softmax_strip)(x, k->n, k->half ? p->w : p->step, p->w, y);
    else
        (logarithm ? tg_log_softmax_row : softmax_row)(x, k->n, y);
    if (k->half)
        store_piece(c->out[0], p, room);
}

static void backward(const tg_call *c, const shape *k, const piece *p, float *room)
{
    const bool logarithm = c->op == &tg_log_softmax_grad_op;
    float *const second = room + (k->half ? piece_size(k) : 0);
    const float *const gy = k->half ? room : (const float *)tg_ptr(c->in[0]) + p->at;
    const float *const y = k->half ? second : (const float *)tg_ptr(c->in[1]) + p->at;
    float *const gx = k->half ? room : (float *)tg_ptr(c->out[0]) + p->at;
    if (k->half) {
        load_piece(c->in[0], p, room);
        load_piece(c->in[1], p, second);
    }
    if (k->inner > 1)
        (logarithm ? log_softmax_grad_strip : softmax_grad_strip)(gy, y, k->n, k->half ? p->w : p->step, p->w, gx);
    else
        (logarithm ? tg_log_softmax_grad_row : softmax_grad_row)(gy, y, k->n, gx);
    if (k->half)
        store_piece(c->out[0], p, room);
}

/* ---- tasks ---- */

static int64_t tasks(const tg_call *c, int phase)
{
    const shape k = shape_of(c);
    if (phase > 0)
        return 0;
    return k.inner == 1 ? (k.outer + k.task_rows - 1) / k.task_rows : k.outer * k.strips;
}

static void run_pieces(const tg_call *c, const tg_task *t, void (*each)(const tg_call *, const shape *, const piece *,
                                                                        float *))
{
    const shape k = shape_of(c);
    if (k.inner > 1) {
        const int64_t column = t->index % k.strips * STRIP, at = t->index / k.strips * k.n * k.inner + column;
        each(c, &k, &(piece){ at, k.n, smaller(STRIP, k.inner - column), k.inner }, t->scratch);
        return;
    }
    const int64_t end = smaller((t->index + 1) * k.task_rows, k.outer);
    for (int64_t row = t->index * k.task_rows; row < end; row++)
        each(c, &k, &(piece){ row * k.n, 1, k.n, k.n }, t->scratch);
}

static void run(const tg_call *c, const tg_task *t)      { run_pieces(c, t, forward); }
static void run_grad(const tg_call *c, const tg_task *t) { run_pieces(c, t, backward); }

static tg_scratch scratch(const tg_call *c)
{
    const shape k = shape_of(c);
    return (tg_scratch){ .worker = k.half ? (size_t)(c->op->n_in * piece_size(&k)) * sizeof(float) : 0 };
}

#define HEAD TG_VECTOR_HEAD, .tasks = tasks, .scratch = scratch, .in_place = true
TG_VECTOR_KERNEL(softmax_vector)          = { HEAD, .run = run };
TG_VECTOR_KERNEL(log_softmax_vector)      = { HEAD, .run = run };
TG_VECTOR_KERNEL(softmax_grad_vector)     = { HEAD, .run = run_grad };
TG_VECTOR_KERNEL(log_softmax_grad_vector) = { HEAD, .run = run_grad };
