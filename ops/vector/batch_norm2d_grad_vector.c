/* batch_norm2d_grad_vector.c - the gradient of batch normalisation, alone or behind a relu: two passes.
 *
 * With g the gradient of y (gy, or gy + other, where relu passed, else 0), d = x - mean and m values a channel:
 *   0  each block sums g and g d by channel; g is stored if somebody wants it
 *   1  the blocks' sums are added, in order, in double: gbeta = sum g, ggamma = rstd sum g d, and the factors of
 *   2  gx = gamma rstd (g - sum g / m - d rstd^2 sum g d / m) = slope g - bend d - shift, in the other direction:
 *      the last block's numbers are still in the cache
 * Running statistics do not depend on x: bend = shift = 0. */
#include "attr.h"
#include "bf16.h"
#include "channels.h"
#include "vector.h"
#include <math.h>
#include <string.h>

typedef struct {
    const void  *gy, *other, *mask, *x;            /* the gradient is gy + other; mask: relu's result; or NULL */
    const float *gamma, *mean, *rstd;              /* running: rstd is the running variance */
    void        *gx, *g;                           /* each may be NULL, */
    float       *ggamma, *gbeta;                   /* and each of these */
    bool         running;
    float        eps;
    tg_channels  p;
    float       *slope, *bend, *shift, *center;    /* lines of width */
    float       *partial;                          /* [blocks][2][c] */
} problem;

static problem problem_of(const tg_call *c, const tg_task *t)
{
    const bool sum = c->op == &tg_add_relu_grad_batch_norm2d_grad_op;
    const bool masks = sum || c->op == &tg_relu_grad_batch_norm2d_grad_op;
    tg_tensor *const *const in = c->in + sum + masks;
    problem b = { .gy = tg_ptr(c->in[0]), .other = sum ? tg_ptr(c->in[1]) : NULL,
                  .mask = masks ? tg_ptr(in[0]) : NULL, .x = tg_ptr(in[1]),
                  .gamma = tg_ptr(in[2]), .mean = tg_ptr(in[3]), .rstd = tg_ptr(in[4]),
                  .gx = tg_ptr(c->out[0]), .ggamma = tg_ptr(c->out[1]), .gbeta = tg_ptr(c->out[2]),
                  .g = masks ? tg_ptr(c->out[3]) : NULL, .running = c->op == &tg_batch_norm2d_eval_grad_op,
                  .eps = ((const tg_batch_norm2d_attr *)c->attr)->eps, .p = tg_channels_of(in[1]) };
    b.slope = t->shared;
    b.bend = b.slope + b.p.width;
    b.shift = b.bend + b.p.width;
    b.center = b.shift + b.p.width;
    b.partial = b.center + b.p.width;
    return b;
}

/* ---- phase 0 ---- */

/* Adds `lines` lines.  Inlined with constants for half and lines. */
TG_INLINE void add_lines(const void *g, const void *x, bool half, int lines, int64_t pairs, const float *mean,
                         float *sum, float *product)
{
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        tg_pair s = { 0, 0 }, q = { 0, 0 };
#pragma GCC unroll 4
        for (int i = 0; i < lines; i++) {
            const tg_pair d = tg_load_pair(g, half, i * pairs + j), v = tg_load_pair(x, half, i * pairs + j);
            s.a += d.a;
            s.b += d.b;
            q.a += d.a * (v.a - mean[j]);
            q.b += d.b * (v.b - mean[half ? pairs + j : j]);
        }
        sum[j] += s.a;
        product[j] += q.a;
        if (half) {
            sum[pairs + j] += s.b;
            product[pairs + j] += q.b;
        }
    }
}

/* Adds a line of n numbers that is not whole. */
TG_INLINE void add_rest(const tg_channels *p, const void *g, const void *x, bool half, int64_t n, const float *mean,
                        float *sum, float *product)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(p, i);
        const float   d = tg_load(g, half, i);
        sum[j] += d;
        product[j] += d * (tg_load(x, half, i) - mean[j]);
    }
}

TG_INLINE void add_line(const void *a, const void *b, bool half, int64_t n, void *sum)
{
    const int64_t pairs = half ? n / 2 : n;
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        const tg_pair v = tg_load_pair(a, half, j), w = tg_load_pair(b, half, j);
        tg_store_pair(sum, half, j, (tg_pair){ v.a + w.a, v.b + w.b });
    }
    if (half && n % 2) tg_store(sum, half, n - 1, tg_load(a, half, n - 1) + tg_load(b, half, n - 1));
}

/* n numbers of g from `at` on: gy itself, or masked, in their place or in `room`. */
TG_INLINE const void *masked(const problem *b, bool half, int64_t at, int64_t n, void *room)
{
    const void *gy = tg_at(b->gy, half, at);
    void *const g = b->g ? tg_at(b->g, half, at) : room;
    if (b->other) {
        add_line(gy, tg_at(b->other, half, at), half, n, room);
        gy = room;
    }
    if (!b->mask) return gy;
    tg_relu_grad_line(gy, tg_at(b->mask, half, at), half, n, g);
    return g;
}

/* What phase 0, or phase 2, reads of n numbers. */
static void fetch(const problem *b, int64_t at, int64_t n, bool first)
{
    tg_fetch(b->x, at, n);
    tg_fetch(b->g && !first ? b->g : b->gy, at, n);
    if (b->mask && (first || !b->g)) tg_fetch(b->mask, at, n);
    if (b->other && (first || !b->g)) tg_fetch(b->other, at, n);
}

TG_INLINE void sum_block(const problem *b, bool half, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    float *const mean = t->scratch, *const sum = mean + p->width, *const product = sum + p->width;
    float *const room = product + p->width, *const partial = b->partial + 2 * p->c * t->index;
    int64_t at = tg_block_begin(p, t->index);
    const int64_t end = at + tg_rows_of_block(p, t->index) * p->c;
    tg_repeat(p, b->mean, mean);
    memset(sum, 0, 2 * (size_t)p->width * sizeof(float));
    const int lines = half ? 4 : 2;                /* what is read of them stays in the first cache */
    for (int64_t n = lines * p->width; end - at >= n; at += n) {
        if (half && end - at >= 2 * n) fetch(b, at + n, n, true);
        add_lines(masked(b, half, at, n, room), tg_at(b->x, half, at), half, lines, p->pairs, mean, sum, product);
    }
    for (int64_t n = p->width; end - at >= n; at += n)
        add_lines(masked(b, half, at, n, room), tg_at(b->x, half, at), half, 1, p->pairs, mean, sum, product);
    add_rest(p, masked(b, half, at, end - at, room), tg_at(b->x, half, at), half, end - at, mean, sum, product);
    tg_fold(p, sum, partial);
    tg_fold(p, product, partial + p->c);
}

/* ---- phase 1 ---- */

typedef struct { double sum[TG_CHANNEL_CHUNK], product[TG_CHANNEL_CHUNK]; } totals;

static void add_block(totals *all, const float *partial, int64_t c, int64_t n)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        all->sum[j] += (double)partial[j];
        all->product[j] += (double)partial[c + j];
    }
}

static void spread(const problem *b, int64_t channel, double sum, double product)
{
    const double m = (double)b->p.rows;
    const double rstd = b->running ? 1 / sqrt((double)b->rstd[channel] + (double)b->eps) : (double)b->rstd[channel];
    const double slope = (double)b->gamma[channel] * rstd;
    if (b->ggamma)
        b->ggamma[channel] = (float)(product * rstd);
    if (b->gbeta)
        b->gbeta[channel] = (float)sum;
    for (int64_t i = channel; i < b->p.width; i += b->p.c) {
        const int64_t j = tg_place(&b->p, i);
        b->slope[j] = tg_plain((float)slope);
        b->bend[j] = b->running ? 0 : tg_plain((float)(slope * rstd * rstd * product / m));
        b->shift[j] = b->running ? 0 : tg_plain((float)(slope * sum / m));
        b->center[j] = tg_plain(b->mean[channel]);
    }
}

static void combine(const problem *b, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    const int64_t first = t->index * TG_CHANNEL_CHUNK, left = p->c - first;
    const int64_t n = left < TG_CHANNEL_CHUNK ? left : TG_CHANNEL_CHUNK;
    totals all = { .sum = { 0 } };
    for (int64_t k = 0; k < p->blocks; k++)
        add_block(&all, b->partial + 2 * p->c * k + first, p->c, n);
    for (int64_t j = 0; j < n; j++)
        spread(b, first + j, all.sum[j], all.product[j]);
}

/* ---- phase 2 ---- */

/* gx may be g or x. */
TG_INLINE void line_gx(const problem *b, const void *g, const void *x, bool half, void *gx)
{
    const int64_t pairs = b->p.pairs;
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        const int64_t k = half ? pairs + j : j;
        const tg_pair d = tg_load_pair(g, half, j), v = tg_load_pair(x, half, j);
        const float   one = (v.a - b->center[j]) * b->bend[j], other = (v.b - b->center[k]) * b->bend[k];
        tg_store_pair(gx, half, j, (tg_pair){ d.a * b->slope[j] - (one + b->shift[j]),
                                              d.b * b->slope[k] - (other + b->shift[k]) });
    }
}

/* A line of n numbers that is not whole. */
TG_INLINE void rest_gx(const problem *b, const void *g, const void *x, bool half, int64_t n, void *gx)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(&b->p, i);
        const float   bent = (tg_load(x, half, i) - b->center[j]) * b->bend[j];
        tg_store(gx, half, i, tg_load(g, half, i) * b->slope[j] - (bent + b->shift[j]));
    }
}

TG_INLINE void block_gx(const problem *b, bool half, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    const int64_t begin = tg_block_begin(p, t->index), end = begin + tg_rows_of_block(p, t->index) * p->c;
    for (int64_t i = begin; i < end; i += p->width) {
        const int64_t n = end - i < p->width ? end - i : p->width;
        const void *const g = b->g ? tg_at(b->g, half, i) : masked(b, half, i, n, t->scratch);
        if (half && end - i >= 4 * p->width) fetch(b, i + 3 * p->width, p->width, false);
        if (n < p->width)
            rest_gx(b, g, tg_at(b->x, half, i), half, n, tg_at(b->gx, half, i));
        else
            line_gx(b, g, tg_at(b->x, half, i), half, tg_at(b->gx, half, i));
    }
}

TG_INLINE void run_phase(const problem *b, bool half, const tg_task *t)
{
    if (t->phase == 0)
        sum_block(b, half, t);
    else if (t->phase == 1)
        combine(b, t);
    else
        block_gx(b, half, t);
}

static void run(const tg_call *c, const tg_task *t)
{
    const problem b = problem_of(c, t);
    if (tg_half(c->in[0]))
        run_phase(&b, true, t);
    else
        run_phase(&b, false, t);
}

static int64_t tasks(const tg_call *c, int phase)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return phase == 0 || (phase == 2 && c->out[0]) ? p.blocks : phase == 1 ? tg_channel_chunks(&p) : 0;
}

static tg_scratch scratch(const tg_call *c)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return (tg_scratch){ .shared = (size_t)(4 * p.width + 2 * p.c * p.blocks) * sizeof(float),
                         .worker = 7 * (size_t)p.width * sizeof(float) };
}

#define GRAD TG_VECTOR_HEAD, .scratch = scratch, .tasks = tasks, .run = run, .in_place = true
TG_VECTOR_KERNEL(batch_norm2d_grad_vector)           = { GRAD };
TG_VECTOR_KERNEL(batch_norm2d_eval_grad_vector)      = { GRAD };
TG_VECTOR_KERNEL(relu_grad_batch_norm2d_grad_vector) = { GRAD };
TG_VECTOR_KERNEL(add_relu_grad_batch_norm2d_grad_vector) = { GRAD };
