/* batch_norm2d_grad_vector.c - the gradient of batch normalisation, alone or behind a relu: two passes.
 *
 * With g the gradient of y (gy where relu passed, else 0), d = x - mean and m values a channel:
 *   0  each block sums g and g d by channel; g is stored if somebody wants it
 *   1  the blocks' sums are added, in order, in double: gbeta = sum g, ggamma = rstd sum g d, and the factors of
 *   2  gx = gamma rstd (g - sum g / m - d rstd^2 sum g d / m) = slope g - bend d - shift,
 *      from the last block on, whose numbers are still in the cache
 * Running statistics do not depend on x: bend = shift = 0. */
#include "attr.h"
#include "bf16.h"
#include "channels.h"
#include "vector.h"
#include <math.h>
#include <string.h>

typedef struct {
    const void  *gy, *mask, *x;                    /* mask: relu's result, or NULL */
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
    const bool masked = c->op == &tg_relu_grad_batch_norm2d_grad_op;
    tg_tensor *const *const in = c->in + masked;
    problem b = { .gy = tg_ptr(c->in[0]), .mask = masked ? tg_ptr(in[0]) : NULL, .x = tg_ptr(in[1]),
                  .gamma = tg_ptr(in[2]), .mean = tg_ptr(in[3]), .rstd = tg_ptr(in[4]),
                  .gx = tg_ptr(c->out[0]), .ggamma = tg_ptr(c->out[1]), .gbeta = tg_ptr(c->out[2]),
                  .g = masked ? tg_ptr(c->out[3]) : NULL, .running = c->op == &tg_batch_norm2d_eval_grad_op,
                  .eps = ((const tg_batch_norm2d_attr *)c->attr)->eps, .p = tg_channels_of(in[1]) };
    b.slope = t->shared;
    b.bend = b.slope + b.p.width;
    b.shift = b.bend + b.p.width;
    b.center = b.shift + b.p.width;
    b.partial = b.center + b.p.width;
    return b;
}

/* ---- phase 0 ---- */

/* Adds one line, or `lines` of them, of n numbers each.  Inlined with constants for the flags and for lines. */
TG_INLINE void add_lines(const void *gy, const void *mask, const void *x, void *store, bool half, int lines, int64_t n,
                         const float *mean, float *sum, float *product)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float s = 0, q = 0;
#pragma GCC unroll 4
        for (int i = 0; i < lines; i++) {
            const int64_t at = i * n + j;
            const float g = mask ? tg_relu_grad(gy, mask, half, at) : tg_load(gy, half, at);
            if (store)
                tg_store_exact(store, half, at, g);
            s += g;
            q += g * (tg_load(x, half, at) - mean[j]);
        }
        sum[j] += s;
        product[j] += q;
    }
}

TG_INLINE void add_range(const problem *b, bool half, int64_t at, int lines, int64_t n, const float *mean, float *sum,
                         float *product)
{
    const void *const gy = tg_at(b->gy, half, at), *const x = tg_at(b->x, half, at), *mask = tg_at(b->mask, half, at);
    if (!b->mask)
        add_lines(gy, NULL, x, NULL, half, lines, n, mean, sum, product);
    else if (!b->g)
        add_lines(gy, mask, x, NULL, half, lines, n, mean, sum, product);
    else
        add_lines(gy, mask, x, tg_at(b->g, half, at), half, lines, n, mean, sum, product);
}

TG_INLINE void sum_block(const problem *b, bool half, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    float *const mean = t->scratch, *const sum = mean + p->width, *const product = sum + p->width;
    int64_t at = tg_block_begin(p, t->index);
    const int64_t end = at + tg_rows_of_block(p, t->index) * p->c;
    tg_repeat(p, b->mean, mean);
    memset(sum, 0, 2 * (size_t)p->width * sizeof(float));
    for (; end - at >= 4 * p->width; at += 4 * p->width)
        add_range(b, half, at, 4, p->width, mean, sum, product);
    for (; at < end; at += p->width)
        add_range(b, half, at, 1, end - at < p->width ? end - at : p->width, mean, sum, product);
    tg_fold(p, sum);
    tg_fold(p, product);
    float *const partial = b->partial + 2 * p->c * t->index;
    memcpy(partial, sum, (size_t)p->c * sizeof(float));
    memcpy(partial + p->c, product, (size_t)p->c * sizeof(float));
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
        b->slope[i] = (float)slope;
        b->bend[i] = b->running ? 0 : (float)(slope * rstd * rstd * product / m);
        b->shift[i] = b->running ? 0 : (float)(slope * sum / m);
        b->center[i] = b->mean[channel];
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

/* gx may be gy, x or the mask. */
TG_INLINE void line_gx(const problem *b, const void *gy, const void *mask, const void *x, bool half, int64_t n,
                       void *gx)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        const float g = mask ? tg_relu_grad(gy, mask, half, j) : tg_load(gy, half, j);
        const float bent = (tg_load(x, half, j) - b->center[j]) * b->bend[j];
        tg_store(gx, half, j, g * b->slope[j] - (bent + b->shift[j]));
    }
}

TG_INLINE void block_gx(const problem *b, bool half, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    const int64_t block = p->blocks - 1 - t->index, begin = tg_block_begin(p, block);
    const int64_t end = begin + tg_rows_of_block(p, block) * p->c;
    for (int64_t i = begin; i < end; i += p->width) {
        const int64_t n = end - i < p->width ? end - i : p->width;
        const void *const x = tg_at(b->x, half, i);
        void *const gx = tg_at(b->gx, half, i);
        if (b->mask && !b->g)
            line_gx(b, tg_at(b->gy, half, i), tg_at(b->mask, half, i), x, half, n, gx);
        else
            line_gx(b, tg_at(b->g ? b->g : b->gy, half, i), NULL, x, half, n, gx);
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
                         .worker = 3 * (size_t)p.width * sizeof(float) };
}

#define GRAD TG_VECTOR_HEAD, .scratch = scratch, .tasks = tasks, .run = run, .in_place = true
TG_VECTOR_KERNEL(batch_norm2d_grad_vector)           = { GRAD };
TG_VECTOR_KERNEL(batch_norm2d_eval_grad_vector)      = { GRAD };
TG_VECTOR_KERNEL(relu_grad_batch_norm2d_grad_vector) = { GRAD };
