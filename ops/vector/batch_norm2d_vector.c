/* batch_norm2d_vector.c - batch normalisation, alone or with an addition and relu: two passes over x in training, one
 * in evaluation.
 *
 * Training:
 *     0  each block sums d = x - shift and d d by channel, where shift is the channel's first value in the block. If
 * that was an outlier, the squares cancel: then the block, still in the cache, is summed again with shift = its mean 1
 * the blocks' means and squared deviations are combined in order, in double (Chan, Golub, LeVeque 1979) 2  y = (x -
 * mean) scale + beta, in reverse order: the last block of x is still in the cache Evaluation: 0 computes mean, scale
 * and beta from the running statistics, 1 is training's 2. "Again" (recomputation) is the same, from the saved
 * statistics of training. */
#include "attr.h"
#include "bf16.h"
#include "channels.h"
#include "vector.h"
#include <math.h>
#include <string.h>

typedef struct {
    float *mean, *scale, *beta, *partial;
} shared_part; /* lines of width; partial[blocks][3][c] */

static shared_part shared_of(const tg_channels *p, const tg_task *t)
{
    float *const line = t->shared;
    return (shared_part){ line, line + p->width, line + 2 * p->width, line + 3 * p->width };
}

/* ---- phase 0 of training ---- */

/* Adds `lines` lines. Inlined with constant is_bf16 and lines. */
TG_INLINE void bn_add_lines(const void *x, bool is_bf16, int lines, int64_t pairs, const float *shift, float *sum,
                            float *square)
{
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        tg_pair s = { 0, 0 }, q = { 0, 0 };
#pragma GCC unroll 4
        for (int i = 0; i < lines; i++) {
            const tg_pair v = tg_load_pair(x, is_bf16, i * pairs + j);
            const tg_pair d = { v.a - shift[j], v.b - shift[is_bf16 ? pairs + j : j] };
            s.a += d.a;
            s.b += d.b;
            q.a += d.a * d.a;
            q.b += d.b * d.b;
        }
        sum[j] += s.a;
        square[j] += q.a;
        if (is_bf16) {
            sum[pairs + j] += s.b;
            square[pairs + j] += q.b;
        }
    }
}

/* Adds a partial line of n elements. */
TG_INLINE void bn_add_rest(const tg_channels *p, const void *x, bool is_bf16, int64_t n, const float *shift, float *sum,
                           float *square)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(p, i);
        const float d = tg_load(x, is_bf16, i) - shift[j];
        sum[j] += d;
        square[j] += d * d;
    }
}

/* Sums x[at..end) by channel: partial holds the shifts, and receives the sums and squares. */
TG_INLINE void bn_sum_elements(const tg_channels *p, const void *x, bool is_bf16, int64_t at, int64_t end, float *room,
                               float *partial)
{
    float *const shift = room, *const sum = shift + p->width, *const square = sum + p->width;
    tg_repeat(p, partial, shift);
    memset(sum, 0, 2 * (size_t)p->width * sizeof(float));
    for (int64_t n = 4 * p->width; end - at >= n; at += n) {
        if (is_bf16 && end - at >= 2 * n) tg_fetch(x, at + n, n);
        bn_add_lines(tg_at(x, is_bf16, at), is_bf16, 4, p->pairs, shift, sum, square);
    }
    for (; end - at >= p->width; at += p->width)
        bn_add_lines(tg_at(x, is_bf16, at), is_bf16, 1, p->pairs, shift, sum, square);
    bn_add_rest(p, tg_at(x, is_bf16, at), is_bf16, end - at, shift, sum, square);
    tg_fold(p, sum, partial + p->c);
    tg_fold(p, square, partial + 2 * p->c);
}

/* Moves each channel's shift to its mean; returns whether any shift was more than 8 deviations off. */
static bool bn_center(float *partial, int64_t c, int64_t rows)
{
    float *const shift = partial, *const sum = partial + c, *const square = sum + c, each = 1 / (float)rows;
    bool far = false;
    for (int64_t j = 0; j < c; j++) {
        const float off = sum[j] * each * sum[j];
        far |= off > 64 * (square[j] - off);
    }
    for (int64_t j = 0; j < c && far; j++) shift[j] += sum[j] * each;
    return far;
}

TG_INLINE void bn_sum_block(const tg_channels *p, const void *x, bool is_bf16, const tg_task *t)
{
    float *const partial = shared_of(p, t).partial + 3 * p->c * t->index;
    const int64_t begin = tg_block_begin(p, t->index), rows = tg_rows_of_block(p, t->index), end = begin + rows * p->c;
    tg_widen(tg_at(x, is_bf16, begin), is_bf16, p->c, partial);
    bn_sum_elements(p, x, is_bf16, begin, end, t->scratch, partial);
    if (bn_center(partial, p->c, rows)) bn_sum_elements(p, x, is_bf16, begin, end, t->scratch, partial);
}

/* ---- phase 1 of training ---- */

typedef struct {
    double mean[TG_CHANNEL_CHUNK], squares[TG_CHANNEL_CHUNK];
} moments;

static void bn_add_block(moments *all, const float *partial, int64_t c, int64_t n, double before, double rows)
{
    const float *const shift = partial, *const sum = partial + c, *const square = sum + c;
    const double share = rows / (before + rows), each = 1 / rows;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        const double s = (double)sum[j] * each, inside = (double)square[j] - s * (double)sum[j];
        const double delta = (double)shift[j] + s - all->mean[j];
        all->mean[j] += delta * share;
        all->squares[j] += (inside < 0 ? 0 : inside) + delta * delta * before * share;
    }
}

static void bn_combine(const tg_call *c, const tg_channels *p, const tg_task *t)
{
    const shared_part to = shared_of(p, t);
    const int64_t first = t->index * TG_CHANNEL_CHUNK, left = p->c - first;
    const int64_t n = left < TG_CHANNEL_CHUNK ? left : TG_CHANNEL_CHUNK;
    const double rows = (double)p->rows, eps = (double)((const tg_batch_norm2d_attr *)c->attr)->eps;
    const float *const gamma = tg_ptr(c->in[1]), *const beta = tg_ptr(c->in[2]);
    float *const mean = tg_ptr(c->out[1]), *const rstd = tg_ptr(c->out[2]), *const var = tg_ptr(c->out[3]);
    moments all = { .mean = { 0 } };
    for (int64_t b = 0; b < p->blocks; b++)
        bn_add_block(&all, to.partial + 3 * p->c * b + first, p->c, n, (double)(b * p->block_rows),
                     (double)tg_rows_of_block(p, b));
    for (int64_t j = 0; j < n; j++) {
        const int64_t k = first + j;
        mean[k] = (float)all.mean[j];
        mean[p->c + k] = (float)(all.mean[j] - (double)mean[k]);
        rstd[k] = (float)(1 / sqrt(all.squares[j] / rows + eps));
        if (var) var[k] = (float)(all.squares[j] / (rows - 1));
        for (int64_t i = k; i < p->width; i += p->c) {
            const int64_t at = tg_place(p, i);
            to.mean[at] = tg_plain(mean[k]);
            to.scale[at] = tg_plain(gamma[k] * rstd[k]);
            to.beta[at] = tg_plain(tg_raised(beta[k], gamma[k] * rstd[k], mean[p->c + k]));
        }
    }
}

/* ---- phase 0 of evaluation ---- */

static void bn_eval_moments(const tg_call *c, const tg_channels *p, const tg_task *t)
{
    const shared_part to = shared_of(p, t);
    const float *const gamma = tg_ptr(c->in[1]), *const var = tg_ptr(c->in[4]);
    const float eps = ((const tg_batch_norm2d_attr *)c->attr)->eps;
    tg_repeat(p, tg_ptr(c->in[3]), to.mean);
    tg_repeat(p, tg_ptr(c->in[2]), to.beta);
#pragma omp simd
    for (int64_t j = 0; j < p->c; j++) to.partial[j] = gamma[j] / sqrtf(var[j] + eps);
    tg_repeat(p, to.partial, to.scale);
}

/* ---- phase 0 of recomputation: what combine left, from the saved statistics ---- */

static void bn_saved_moments(const tg_call *c, const tg_channels *p, const tg_task *t)
{
    const shared_part to = shared_of(p, t);
    const float *const mean = tg_ptr(c->in[c->op->n_in - 2]);
    tg_repeat(p, mean, to.mean);
    tg_repeat_affine(p, tg_ptr(c->in[1]), tg_ptr(c->in[c->op->n_in - 1]), mean + p->c, tg_ptr(c->in[2]), to.partial,
                     to.scale, to.beta);
}

/* ---- the last phase ---- */

/* Inlined with constant `other` == NULL and relu, one loop per variant. y may be x. */
TG_INLINE void bn_normalise_line(const tg_channels *p, const shared_part *k, const void *x, const void *other,
                                 bool relu, bool is_bf16, void *y)
{
    const int64_t pairs = p->pairs;
#pragma omp simd
    for (int64_t j = 0; j < pairs; j++) {
        const int64_t i = is_bf16 ? pairs + j : j;
        const tg_pair v = tg_load_pair(x, is_bf16, j);
        tg_pair r = { tg_normalised(v.a, k->mean[j], k->scale[j], k->beta[j]),
                      tg_normalised(v.b, k->mean[i], k->scale[i], k->beta[i]) };
        if (other) {
            const tg_pair o = tg_load_pair(other, is_bf16, j);
            r.a += o.a;
            r.b += o.b;
        }
        tg_store_pair(y, is_bf16, j, (tg_pair){ relu && r.a < 0 ? 0 : r.a, relu && r.b < 0 ? 0 : r.b });
    }
}

/* A partial line of n elements. */
TG_INLINE void bn_normalise_rest(const tg_channels *p, const shared_part *k, const void *x, const void *other,
                                 bool relu, bool is_bf16, int64_t n, void *y)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = tg_place(p, i);
        const float v = tg_normalised(tg_load(x, is_bf16, i), k->mean[j], k->scale[j], k->beta[j]);
        const float sum = other ? v + tg_load(other, is_bf16, i) : v;
        tg_store(y, is_bf16, i, relu && sum < 0 ? 0 : sum);
    }
}

TG_INLINE void bn_normalise_lines(const tg_call *c, const tg_channels *p, const tg_task *t, const void *others,
                                  bool relu, bool is_bf16)
{
    const shared_part k = shared_of(p, t);
    const int64_t begin = tg_block_begin(p, t->index), end = begin + tg_rows_of_block(p, t->index) * p->c;
    for (int64_t i = begin; i < end; i += p->width) {
        const void *const x = tg_at(tg_ptr(c->in[0]), is_bf16, i), *const other = tg_at(others, is_bf16, i);
        void *const y = tg_at(tg_ptr(c->out[0]), is_bf16, i);
        if (is_bf16 && end - i >= 4 * p->width) {
            tg_fetch(x, 3 * p->width, p->width);
            if (other) tg_fetch(other, 3 * p->width, p->width);
        }
        if (end - i < p->width) bn_normalise_rest(p, &k, x, other, relu, is_bf16, end - i, y);
        else if (other) bn_normalise_line(p, &k, x, other, true, is_bf16, y);
        else if (relu) bn_normalise_line(p, &k, x, NULL, true, is_bf16, y);
        else bn_normalise_line(p, &k, x, NULL, false, is_bf16, y);
    }
}

static void bn_normalise(const tg_call *c, const tg_channels *p, const tg_task *t, const tg_tensor *other, bool relu)
{
    if (tg_is_bf16(c->in[0])) bn_normalise_lines(c, p, t, tg_ptr(other), relu, true);
    else bn_normalise_lines(c, p, t, tg_ptr(other), relu, false);
}

static void batch_norm2d_train(const tg_call *c, const tg_task *t, const tg_tensor *other, bool relu)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    if (t->phase == 0 && tg_is_bf16(c->in[0])) bn_sum_block(&p, tg_ptr(c->in[0]), true, t);
    else if (t->phase == 0) bn_sum_block(&p, tg_ptr(c->in[0]), false, t);
    else if (t->phase == 1) bn_combine(c, &p, t);
    else bn_normalise(c, &p, t, other, relu);
}

static void batch_norm2d_eval(const tg_call *c, const tg_task *t, const tg_tensor *other, bool relu)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    if (t->phase == 0) bn_eval_moments(c, &p, t);
    else bn_normalise(c, &p, t, other, relu);
}

static void batch_norm2d_again(const tg_call *c, const tg_task *t, const tg_tensor *other, bool relu)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    if (t->phase == 0) bn_saved_moments(c, &p, t);
    else bn_normalise(c, &p, t, other, relu);
}

static void batch_norm2d_run(const tg_call *c, const tg_task *t) { batch_norm2d_train(c, t, NULL, false); }
static void batch_norm2d_relu_run(const tg_call *c, const tg_task *t) { batch_norm2d_train(c, t, NULL, true); }
static void batch_norm2d_add_relu_run(const tg_call *c, const tg_task *t) { batch_norm2d_train(c, t, c->in[3], true); }
static void batch_norm2d_eval_run(const tg_call *c, const tg_task *t) { batch_norm2d_eval(c, t, NULL, false); }
static void batch_norm2d_eval_relu_run(const tg_call *c, const tg_task *t) { batch_norm2d_eval(c, t, NULL, true); }
static void batch_norm2d_eval_add_relu_run(const tg_call *c, const tg_task *t)
{
    batch_norm2d_eval(c, t, c->in[5], true);
}
static void batch_norm2d_again_run(const tg_call *c, const tg_task *t) { batch_norm2d_again(c, t, NULL, false); }
static void batch_norm2d_relu_again_run(const tg_call *c, const tg_task *t) { batch_norm2d_again(c, t, NULL, true); }
static void batch_norm2d_add_relu_again_run(const tg_call *c, const tg_task *t)
{
    batch_norm2d_again(c, t, c->in[3], true);
}

static int64_t batch_norm2d_tasks(const tg_call *c, int phase)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return phase == 0 || phase == 2 ? p.blocks : phase == 1 ? tg_channel_chunks(&p) : 0;
}

static tg_scratch batch_norm2d_scratch(const tg_call *c)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return (tg_scratch){ .shared = (size_t)(3 * p.width + 3 * p.c * p.blocks) * sizeof(float),
                         .worker = 3 * (size_t)p.width * sizeof(float) };
}

static int64_t batch_norm2d_eval_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? 1 : phase == 1 ? tg_channels_of(c->in[0]).blocks : 0;
}

static tg_scratch batch_norm2d_eval_scratch(const tg_call *c)
{
    const tg_channels p = tg_channels_of(c->in[0]);
    return (tg_scratch){ .shared = (size_t)(3 * p.width + p.c) * sizeof(float) };
}

#define TRAIN TG_VECTOR_HEAD, .scratch = batch_norm2d_scratch, .tasks = batch_norm2d_tasks, .in_place = true
#define EVAL  TG_VECTOR_HEAD, .scratch = batch_norm2d_eval_scratch, .tasks = batch_norm2d_eval_tasks, .in_place = true
TG_VECTOR_KERNEL(batch_norm2d_vector) = { TRAIN, .run = batch_norm2d_run };
TG_VECTOR_KERNEL(batch_norm2d_relu_vector) = { TRAIN, .run = batch_norm2d_relu_run };
TG_VECTOR_KERNEL(batch_norm2d_add_relu_vector) = { TRAIN, .run = batch_norm2d_add_relu_run };
TG_VECTOR_KERNEL(batch_norm2d_eval_vector) = { EVAL, .run = batch_norm2d_eval_run };
TG_VECTOR_KERNEL(batch_norm2d_eval_relu_vector) = { EVAL, .run = batch_norm2d_eval_relu_run };
TG_VECTOR_KERNEL(batch_norm2d_eval_add_relu_vector) = { EVAL, .run = batch_norm2d_eval_add_relu_run };
TG_VECTOR_KERNEL(batch_norm2d_again_vector) = { EVAL, .run = batch_norm2d_again_run };
TG_VECTOR_KERNEL(batch_norm2d_relu_again_vector) = { EVAL, .run = batch_norm2d_relu_again_run };
TG_VECTOR_KERNEL(batch_norm2d_add_relu_again_vector) = { EVAL, .run = batch_norm2d_add_relu_again_run };
