/* softmax_vector.c - softmax, its logarithm and their derivatives.
 *
 * x is viewed as [outer, n, inner] around the axis. Last axis (inner = 1): one row at a time, several per task.
 * Other axes: `inner` rows side by side, at most STRIP of them per task; if the input or output is bf16, the strip is
 * widened into scratch, processed there, and rounded when stored. */
#include "attr.h"
#include "softmax_row.h"
#include "vector.h"
#include "ints.h"

enum { STRIP = 256 };
typedef struct {
    int64_t outer, n, inner, strips, task_rows;
    bool is_bf16;
} softmax_shape;

static softmax_shape softmax_shape_of(const tg_call *c)
{
    const tg_tensor *const x = c->in[0];
    const int axis = ((const tg_softmax_attr *)c->attr)->axis;
    softmax_shape k = { .outer = 1, .n = x->dim[axis], .inner = 1, .is_bf16 = tg_is_bf16(x) || tg_is_bf16(c->out[0]) };
    for (int i = 0; i < x->rank; i++)
        if (i != axis) *(i < axis ? &k.outer : &k.inner) *= x->dim[i];
    k.strips = (k.inner + STRIP - 1) / STRIP;
    k.task_rows = k.n < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / k.n : 1;
    return k;
}

/* ---- a row; room for it in f32, which may be y ---- */

TG_INLINE void softmax_row(const void *x, bool from, int64_t n, float *room, void *y, bool to)
{
    const float most = tg_row_max(x, from, n);
    double total = 0;
    for (int64_t i = 0; i < n; i += TG_SOFTMAX_PIECE) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = i; j < tg_piece_end(i, n); j++) {
            room[j] = tg_exp_f32(tg_load(x, from, j) - most);
            sum += room[j];
        }
        total += (double)sum;
    }
    const float scale = 1 / (float)total;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) tg_store(y, to, j, room[j] * scale);
}

TG_INLINE void softmax_grad_row(const void *gy, const void *y, bool from, int64_t n, void *gx, bool to)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += TG_SOFTMAX_PIECE) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = i; j < tg_piece_end(i, n); j++) sum += tg_load(gy, from, j) * tg_load(y, from, j);
        total += (double)sum;
    }
    const float all = (float)total;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) tg_store(gx, to, j, tg_load(y, from, j) * (tg_load(gy, from, j) - all));
}

/* Not inlined: within an outer loop GCC 12 keeps reduction vectors in memory. */
#define ROW(from, to) \
    static __attribute__((noinline)) void row_##from##to(const tg_call *c, int64_t at, int64_t n, float *room) \
    { \
        const void *const x = tg_at(tg_ptr(c->in[0]), from, at), *const v = tg_at(tg_ptr(c->in[1]), from, at); \
        void *const y = tg_at(tg_ptr(c->out[0]), to, at); \
        if (c->op == &tg_softmax_op) softmax_row(x, from, n, to ? room : y, y, to); \
        else if (c->op == &tg_log_softmax_op) tg_log_softmax_row(x, from, n, y, to); \
        else if (c->op == &tg_softmax_grad_op) softmax_grad_row(x, v, from, n, y, to); \
        else tg_log_softmax_grad_row(x, v, from, n, y, to); \
    }
ROW(0, 0)
ROW(0, 1)
ROW(1, 0)
ROW(1, 1)

typedef void softmax_row_function(const tg_call *c, int64_t at, int64_t n, float *room);
static softmax_row_function *const rows[2][2] = { { row_00, row_01 }, { row_10, row_11 } };

/* ---- a strip: w <= STRIP rows side by side; `step` is the stride between a row's elements ---- */

enum { FEW = 64 }; /* elements of a row summed in f32; these sums are added in double */
typedef struct {
    float most[STRIP], sum[STRIP];
} softmax_strip_state;

/* sum[j]: the sum of `value`, an expression of at = i step + j. */
#define STRIP_SUM(sum, value) \
    do { \
        double total[STRIP] = { 0 }; \
        for (int64_t first = 0; first < n; first += FEW) { \
            float part[STRIP] = { 0 }; \
            for (int64_t i = first; i < imin(first + FEW, n); i++) _Pragma("omp simd") for (int64_t j = 0; j < w; j++) \
                { \
                    const int64_t at = i * step + j; \
                    part[j] += value; \
                } \
            for (int64_t j = 0; j < w; j++) total[j] += (double)part[j]; \
        } \
        for (int64_t j = 0; j < w; j++) (sum)[j] = (float)total[j]; \
    } while (0)

static void strip_most(const float *x, int64_t n, int64_t step, int64_t w, softmax_strip_state *s)
{
    for (int64_t j = 0; j < w; j++) s->most[j] = -INFINITY;
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++) s->most[j] = x[i * step + j] > s->most[j] ? x[i * step + j] : s->most[j];
}

static void softmax_strip(const float *x, int64_t n, int64_t step, int64_t w, float *y)
{
    softmax_strip_state s;
    strip_most(x, n, step, w, &s);
    STRIP_SUM(s.sum, (y[at] = tg_exp_f32(x[at] - s.most[j])));
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++) y[i * step + j] /= s.sum[j];
}

static void log_softmax_strip(const float *x, int64_t n, int64_t step, int64_t w, float *y)
{
    softmax_strip_state s;
    strip_most(x, n, step, w, &s);
    STRIP_SUM(s.sum, tg_exp_f32(x[at] - s.most[j]));
#pragma omp simd
    for (int64_t j = 0; j < w; j++) s.sum[j] = tg_log_f32(s.sum[j]);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++) y[i * step + j] = (x[i * step + j] - s.most[j]) - s.sum[j];
}

static void softmax_grad_strip(const float *gy, const float *y, int64_t n, int64_t step, int64_t w, float *gx)
{
    float sum[STRIP];
    STRIP_SUM(sum, gy[at] * y[at]);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++) gx[i * step + j] = y[i * step + j] * (gy[i * step + j] - sum[j]);
}

static void log_softmax_grad_strip(const float *gy, const float *y, int64_t n, int64_t step, int64_t w, float *gx)
{
    float sum[STRIP];
    STRIP_SUM(sum, gy[at]);
    for (int64_t i = 0; i < n; i++)
#pragma omp simd
        for (int64_t j = 0; j < w; j++) gx[i * step + j] = gy[i * step + j] - tg_exp_f32(y[i * step + j]) * sum[j];
}

typedef struct {
    int64_t at, n, w, step;
} strip_piece; /* a strip, and where it begins */

static void load_piece(const tg_tensor *t, const strip_piece *p, float *room)
{
    for (int64_t i = 0; i < p->n; i++)
        if (tg_is_bf16(t)) tg_widen(tg_at(tg_ptr(t), true, p->at + i * p->step), true, p->w, room + i * p->w);
        else tg_widen(tg_at(tg_ptr(t), false, p->at + i * p->step), false, p->w, room + i * p->w);
}

static void store_piece(const tg_tensor *t, const strip_piece *p, const float *room)
{
    for (int64_t i = 0; i < p->n; i++)
        if (tg_is_bf16(t)) tg_narrow(room + i * p->w, true, p->w, tg_at(tg_ptr(t), true, p->at + i * p->step));
        else tg_narrow(room + i * p->w, false, p->w, tg_at(tg_ptr(t), false, p->at + i * p->step));
}

/* second: a derivative's second input. */
static void softmax_strip_any(const tg_op *op, const strip_piece *p, int64_t step, const float *x, const float *second,
                              float *y)
{
    if (op == &tg_softmax_op) softmax_strip(x, p->n, step, p->w, y);
    else if (op == &tg_log_softmax_op) log_softmax_strip(x, p->n, step, p->w, y);
    else if (op == &tg_softmax_grad_op) softmax_grad_strip(x, second, p->n, step, p->w, y);
    else log_softmax_grad_strip(x, second, p->n, step, p->w, y);
}

static void softmax_run_strip(const tg_call *c, const softmax_shape *k, const strip_piece *p, float *room)
{
    float *const second = room + (k->is_bf16 ? p->n * p->w : 0);
    if (!k->is_bf16) {
        const float *const x = tg_ptr(c->in[0]), *const v = tg_ptr(c->in[1]);
        softmax_strip_any(c->op, p, p->step, x + p->at, v ? v + p->at : NULL, (float *)tg_ptr(c->out[0]) + p->at);
        return;
    }
    load_piece(c->in[0], p, room);
    if (c->in[1]) load_piece(c->in[1], p, second);
    softmax_strip_any(c->op, p, p->w, room, second, room);
    store_piece(c->out[0], p, room);
}

/* ---- tasks ---- */

static int64_t softmax_tasks(const tg_call *c, int phase)
{
    const softmax_shape k = softmax_shape_of(c);
    if (phase > 0) return 0;
    return k.inner == 1 ? (k.outer + k.task_rows - 1) / k.task_rows : k.outer * k.strips;
}

static void softmax_run(const tg_call *c, const tg_task *t)
{
    const softmax_shape k = softmax_shape_of(c);
    if (k.inner > 1) {
        const int64_t column = t->index % k.strips * STRIP, at = t->index / k.strips * k.n * k.inner + column;
        softmax_run_strip(c, &k, &(strip_piece){ at, k.n, imin(STRIP, k.inner - column), k.inner }, t->scratch);
        return;
    }
    softmax_row_function *const row = rows[tg_is_bf16(c->in[0])][tg_is_bf16(c->out[0])];
    const int64_t end = imin((t->index + 1) * k.task_rows, k.outer);
    for (int64_t i = t->index * k.task_rows; i < end; i++) row(c, i * k.n, k.n, t->scratch);
}

static tg_scratch softmax_scratch(const tg_call *c)
{
    const softmax_shape k = softmax_shape_of(c);
    const int64_t numbers = k.inner == 1 ? k.n : c->op->n_in * k.n * imin(STRIP, k.inner);
    return (tg_scratch){ .worker = k.is_bf16 ? (size_t)numbers * sizeof(float) : 0 };
}

#define HEAD TG_VECTOR_HEAD, .tasks = softmax_tasks, .scratch = softmax_scratch, .run = softmax_run, .in_place = true
TG_VECTOR_KERNEL(softmax_vector) = { HEAD };
TG_VECTOR_KERNEL(log_softmax_vector) = { HEAD };
TG_VECTOR_KERNEL(softmax_grad_vector) = { HEAD };
TG_VECTOR_KERNEL(log_softmax_grad_vector) = { HEAD };
