/* batch_norm2d_grad_vector.c - the gradient of batch normalisation, alone or followed by relu: two passes.
 *
 * Let g be the gradient of y (gy, or gy + other, where relu passed, otherwise 0), d = x - mean, m the number of values
 * per channel. mean is the f32 output of forward, and r its rounding error.
 *     0  each block sums g and g d by channel; g is stored if it is an output
 *     1  the block sums are added in order, in double: gbeta = sum g, ggamma = rstd sum g (d - r), and the factors of
 *     2  gx = gamma rstd (g - sum g / m - (d - r) rstd^2 sum g (d - r) / m) = slope g - bend d - shift,
 *        in reverse order: the last block is still in the cache
 * Running statistics do not depend on x: bend = shift = 0. Where y = relu(batch_norm2d(x)), x determines where relu
 * passed. */
#include "attr.h"
#include "bf16.h"
#include "channels.h"
#include "vector.h"
#include <math.h>
#include <string.h>

typedef struct {
    const void *gy, *other, *mask, *x; /* the gradient is gy + other; mask: relu's result; both may be NULL */
    const float *gamma, *mean, *rstd;  /* running: rstd holds the running variance */
    const float *rest;                 /* rounding error of the mean; running: NULL */
    const float *beta;                 /* replaces the mask; or NULL */
    void *gx, *g;                      /* each may be NULL */
    float *ggamma, *gbeta;             /* likewise */
    bool running;
    float eps;
    tg_channels p;
    float *slope, *bend, *shift, *center, *raise; /* lines of width */
    float *partial;                               /* [blocks][2][c] */
} bn_grad;

static bn_grad bn_grad_of(const tg_call *c, const tg_task *t)
{
    const bool sum = c->op == &tg_add_relu_grad_batch_norm2d_grad_op;
    const bool masks = sum || c->op == &tg_relu_grad_batch_norm2d_grad_op;
    tg_tensor *const *const in = c->in + sum + masks;
    bn_grad b = {
        .gy = tg_ptr(c->in[0]),
        .other = sum ? tg_ptr(c->in[1]) : NULL,
        .mask = masks ? tg_ptr(in[0]) : NULL,
        .x = tg_ptr(in[1]),
        .gamma = tg_ptr(in[2]),
        .mean = tg_ptr(in[3]),
        .rstd = tg_ptr(in[4]),
        .gx = tg_ptr(c->out[0]),
        .ggamma = tg_ptr(c->out[1]),
        .gbeta = tg_ptr(c->out[2]),
        .beta = c->op == &tg_batch_norm2d_relu_grad_op ? tg_ptr(in[5]) : NULL,
        .g = masks ? tg_ptr(c->out[3]) : NULL,
        .running = c->op == &tg_batch_norm2d_eval_grad_op,
        .eps = ((const tg_batch_norm2d_attr *)c->attr)->eps,
        .p = tg_channels_of(in[1]),
    };
    b.rest = b.running ? NULL : b.mean + b.p.c;
    b.slope = t->shared;
    b.bend = b.slope + b.p.width;
    b.shift = b.bend + b.p.width;
    b.center = b.shift + b.p.width;
    b.raise = b.center + b.p.width;
    b.partial = b.raise + b.p.width;
    return b;
}

/* ---- where relu passed ---- */

typedef struct {
    const float *mean, *scale, *beta;
} relu_affine; /* lines: relu's input is (x - mean) scale + beta */

/* g where relu passed; all of g if k is NULL. */
TG_INLINE float relu_passed(const relu_affine *k, float g, float x, int64_t j)
{
    return k && tg_normalised(x, k->mean[j], k->scale[j], k->beta[j]) <= 0 ? 0 : g;
}

TG_INLINE tg_pair relu_passed_pair(const relu_affine *k, tg_pair g, tg_pair x, int64_t j, int64_t i)
{
    return (tg_pair){ relu_passed(k, g.a, x.a, j), relu_passed(k, g.b, x.b, i) };
}

/* ---- phase 0 ---- */

#define LINES(is_bf16) (is_bf16 ? 4 : 2) /* lines at a time: what is read of them fits the first-level cache */

/* Adds `lines` lines. Inlined with constant is_bf16, lines and k == NULL. */
TG_INLINE void bn_grad_add_lines(const relu_affine *k, const void *g, const void *x, bool is_bf16, int lines,
                                 int64_t pairs, const float *mean, float *sum, float *product)
{
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        tg_pair s = { 0, 0 }, q = { 0, 0 };
#pragma GCC unroll 4
        for (int i = 0; i < lines; i++) {
            const int64_t other = is_bf16 ? pairs + j : j;
            const tg_pair v = tg_load_pair(x, is_bf16, i * pairs + j);
            const tg_pair d = relu_passed_pair(k, tg_load_pair(g, is_bf16, i * pairs + j), v, j, other);
            s.a += d.a;
            s.b += d.b;
            q.a += d.a * (v.a - mean[j]);
            q.b += d.b * (v.b - mean[other]);
        }
        sum[j] += s.a;
        product[j] += q.a;
        if (is_bf16) {
            sum[pairs + j] += s.b;
            product[pairs + j] += q.b;
        }
    }
}

/* Adds a partial line of n elements. */
TG_INLINE void bn_grad_add_rest(const tg_channels *p, const relu_affine *k, const void *g, const void *x, bool is_bf16,
                                int64_t n, const float *mean, float *sum, float *product)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(p, i);
        const float v = tg_load(x, is_bf16, i), d = relu_passed(k, tg_load(g, is_bf16, i), v, j);
        sum[j] += d;
        product[j] += d * (v - mean[j]);
    }
}

TG_INLINE void add_gradients(const void *a, const void *b, bool is_bf16, int64_t n, void *sum)
{
    const int64_t pairs = is_bf16 ? n / 2 : n;
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        const tg_pair v = tg_load_pair(a, is_bf16, j), w = tg_load_pair(b, is_bf16, j);
        tg_store_pair(sum, is_bf16, j, (tg_pair){ v.a + w.a, v.b + w.b });
    }
    if (is_bf16 && n % 2) tg_store(sum, is_bf16, n - 1, tg_load(a, is_bf16, n - 1) + tg_load(b, is_bf16, n - 1));
}

/* n elements of g from `at` on: gy itself, or masked, stored in g or in `room`. */
TG_INLINE const void *masked(const bn_grad *b, bool is_bf16, int64_t at, int64_t n, void *room)
{
    const void *gy = tg_at(b->gy, is_bf16, at);
    void *const g = b->g ? tg_at(b->g, is_bf16, at) : room;
    if (b->other) {
        add_gradients(gy, tg_at(b->other, is_bf16, at), is_bf16, n, room);
        gy = room;
    }
    if (!b->mask) return gy;
    tg_relu_grad_line(gy, tg_at(b->mask, is_bf16, at), is_bf16, n, g);
    return g;
}

/* Prefetches what phase 0, or phase 2, reads of n elements. */
static void prefetch_block(const bn_grad *b, int64_t at, int64_t n, bool first)
{
    tg_fetch(b->x, at, n);
    tg_fetch(b->g && !first ? b->g : b->gy, at, n);
    if (b->mask && (first || !b->g)) tg_fetch(b->mask, at, n);
    if (b->other && (first || !b->g)) tg_fetch(b->other, at, n);
}

typedef struct {
    const float *mean;
    float *sum, *product, *room;
} block_sums;

/* Adds `lines` lines, or a partial one if lines is 0. Inlined with constant k == NULL, is_bf16 and lines. */
TG_INLINE void bn_grad_add_some(const bn_grad *b, const relu_affine *k, bool is_bf16, int lines, int64_t at, int64_t n,
                                const block_sums *to)
{
    const void *const g = masked(b, is_bf16, at, n, to->room), *const x = tg_at(b->x, is_bf16, at);
    if (lines) bn_grad_add_lines(k, g, x, is_bf16, lines, b->p.pairs, to->mean, to->sum, to->product);
    else bn_grad_add_rest(&b->p, k, g, x, is_bf16, n, to->mean, to->sum, to->product);
}

TG_INLINE void bn_grad_add_elements(const bn_grad *b, const relu_affine *k, bool is_bf16, int64_t at, int64_t end,
                                    const block_sums *to)
{
    const int64_t width = b->p.width, n = LINES(is_bf16) * width;
    for (; end - at >= n; at += n) {
        if (is_bf16 && end - at >= 2 * n) prefetch_block(b, at + n, n, true);
        bn_grad_add_some(b, k, is_bf16, LINES(is_bf16), at, n, to);
    }
    for (; end - at >= width; at += width) bn_grad_add_some(b, k, is_bf16, 1, at, width, to);
    bn_grad_add_some(b, k, is_bf16, 0, at, end - at, to);
}

TG_INLINE void bn_grad_sum_block(const bn_grad *b, bool is_bf16, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    float *const mean = t->scratch, *const sum = mean + p->width, *const product = sum + p->width;
    float *const scale = product + p->width, *const beta = scale + p->width, *const room = beta + p->width;
    float *const partial = b->partial + 2 * p->c * t->index;
    const relu_affine k = { mean, scale, beta };
    const block_sums to = { mean, sum, product, room };
    const int64_t begin = tg_block_begin(p, t->index), end = begin + tg_rows_of_block(p, t->index) * p->c;
    tg_repeat(p, b->mean, mean);
    memset(sum, 0, 2 * (size_t)p->width * sizeof(float));
    if (b->beta) tg_repeat_affine(p, b->gamma, b->rstd, b->rest, b->beta, partial, scale, beta);
    if (b->beta) bn_grad_add_elements(b, &k, is_bf16, begin, end, &to);
    else bn_grad_add_elements(b, NULL, is_bf16, begin, end, &to);
    tg_fold(p, sum, partial);
    tg_fold(p, product, partial + p->c);
}

/* ---- phase 1 ---- */

typedef struct {
    double sum[TG_CHANNEL_CHUNK], product[TG_CHANNEL_CHUNK];
} channel_totals;

static void bn_grad_add_block(channel_totals *all, const float *partial, int64_t c, int64_t n)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        all->sum[j] += (double)partial[j];
        all->product[j] += (double)partial[c + j];
    }
}

static void bn_grad_spread(const bn_grad *b, int64_t channel, double sum, double product)
{
    const double m = (double)b->p.rows;
    const double rstd = b->running ? 1 / sqrt((double)b->rstd[channel] + (double)b->eps) : (double)b->rstd[channel];
    const double rest = b->rest ? (double)b->rest[channel] : 0, slope = (double)b->gamma[channel] * rstd;
    const double bend = slope * rstd * rstd * (product - rest * sum) / m;
    if (b->ggamma) b->ggamma[channel] = (float)((product - rest * sum) * rstd);
    if (b->gbeta) b->gbeta[channel] = (float)sum;
    for (int64_t i = channel; i < b->p.width; i += b->p.c) {
        const int64_t j = tg_place(&b->p, i);
        b->slope[j] = tg_plain((float)slope);
        b->bend[j] = b->running ? 0 : tg_plain((float)bend);
        b->shift[j] = b->running ? 0 : tg_plain((float)(slope * sum / m - bend * rest));
        b->center[j] = tg_plain(b->mean[channel]);
        b->raise[j] = b->beta ? tg_plain(tg_raised(b->beta[channel], (float)slope, b->rest[channel])) : 0;
    }
}

static void bn_grad_combine(const bn_grad *b, const tg_task *t)
{
    const tg_channels *const p = &b->p;
    const int64_t first = t->index * TG_CHANNEL_CHUNK, left = p->c - first;
    const int64_t n = left < TG_CHANNEL_CHUNK ? left : TG_CHANNEL_CHUNK;
    channel_totals all = { .sum = { 0 } };
    for (int64_t k = 0; k < p->blocks; k++) bn_grad_add_block(&all, b->partial + 2 * p->c * k + first, p->c, n);
    for (int64_t j = 0; j < n; j++) bn_grad_spread(b, first + j, all.sum[j], all.product[j]);
}

/* ---- phase 2 ---- */

/* gx may be g or x. Inlined with constant is_bf16 and k == NULL. */
TG_INLINE void gx_line(const bn_grad *b, const relu_affine *k, const void *g, const void *x, bool is_bf16, void *gx)
{
    const int64_t pairs = b->p.pairs;
    const float *const center = b->center, *const bend = b->bend, *const slope = b->slope, *const shift = b->shift;
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        const int64_t other = is_bf16 ? pairs + j : j;
        const tg_pair v = tg_load_pair(x, is_bf16, j),
                      d = relu_passed_pair(k, tg_load_pair(g, is_bf16, j), v, j, other);
        const float bent = (v.a - center[j]) * bend[j], other_bent = (v.b - center[other]) * bend[other];
        tg_store_pair(
            gx, is_bf16, j,
            (tg_pair){ d.a * slope[j] - (bent + shift[j]), d.b * slope[other] - (other_bent + shift[other]) });
    }
}

/* A partial line of n elements. */
TG_INLINE void gx_rest(const bn_grad *b, const relu_affine *k, const void *g, const void *x, bool is_bf16, int64_t n,
                       void *gx)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(&b->p, i);
        const float v = tg_load(x, is_bf16, i), d = relu_passed(k, tg_load(g, is_bf16, i), v, j);
        tg_store(gx, is_bf16, i, d * b->slope[j] - ((v - b->center[j]) * b->bend[j] + b->shift[j]));
    }
}

TG_INLINE void gx_elements(const bn_grad *b, const relu_affine *k, bool is_bf16, int64_t at, int64_t end, void *room)
{
    for (const int64_t width = b->p.width; at < end; at += width) {
        const int64_t n = end - at < width ? end - at : width;
        const void *const g = b->g ? tg_at(b->g, is_bf16, at) : masked(b, is_bf16, at, n, room);
        const void *const x = tg_at(b->x, is_bf16, at);
        if (is_bf16 && end - at >= 4 * width) prefetch_block(b, at + 3 * width, width, false);
        if (n < width) gx_rest(b, k, g, x, is_bf16, n, tg_at(b->gx, is_bf16, at));
        else gx_line(b, k, g, x, is_bf16, tg_at(b->gx, is_bf16, at));
    }
}

TG_INLINE void block_gx(const bn_grad *b, bool is_bf16, const tg_task *t)
{
    const relu_affine k = { b->center, b->slope, b->raise };
    const int64_t begin = tg_block_begin(&b->p, t->index), end = begin + tg_rows_of_block(&b->p, t->index) * b->p.c;
    if (b->beta) gx_elements(b, &k, is_bf16, begin, end, t->scratch);
    else gx_elements(b, NULL, is_bf16, begin, end, t->scratch);
}

TG_INLINE void bn_grad_phase(const bn_grad *b, bool is_bf16, const tg_task *t)
{
    if (t->phase == 0) bn_grad_sum_block(b, is_bf16, t);
    else if (t->phase == 1) bn_grad_combine(b, t);
    else block_gx(b, is_bf16, t);
}

static void batch_norm2d_grad_run(const tg_call *c, const tg_task *t)
{
    const bn_grad b = bn_grad_of(c, t);
    if (tg_is_bf16(c->in[0])) bn_grad_phase(&b, true, t);
    else bn_grad_phase(&b, false, t);
}

static int64_t batch_norm2d_grad_tasks(const tg_call *c, int phase)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return phase == 0 || (phase == 2 && c->out[0]) ? p.blocks : phase == 1 ? tg_channel_chunks(&p) : 0;
}

static tg_scratch batch_norm2d_grad_scratch(const tg_call *c)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return (tg_scratch){ .shared = (size_t)(5 * p.width + 2 * p.c * p.blocks) * sizeof(float),
                         .worker = 7 * (size_t)p.width * sizeof(float) };
}

#define GRAD \
    TG_VECTOR_HEAD, .scratch = batch_norm2d_grad_scratch, .tasks = batch_norm2d_grad_tasks, \
                    .run = batch_norm2d_grad_run, .in_place = true
TG_VECTOR_KERNEL(batch_norm2d_grad_vector) = { GRAD };
TG_VECTOR_KERNEL(batch_norm2d_eval_grad_vector) = { GRAD };
TG_VECTOR_KERNEL(batch_norm2d_relu_grad_vector) = { GRAD };
TG_VECTOR_KERNEL(relu_grad_batch_norm2d_grad_vector) = { GRAD };
TG_VECTOR_KERNEL(add_relu_grad_batch_norm2d_grad_vector) = { GRAD };
