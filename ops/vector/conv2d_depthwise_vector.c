/* conv2d_depthwise_vector.c - depthwise conv2d and its backward-data.
 *
 * There is no matrix product in it: channel by channel, y is the sum of x w over the taps. The sums of several
 * neighbours stay in registers, for a vector of channels. */
#include "conv2d_direct.h"

/* A kernel row of taps, for `count` neighbours and `vectors` of channels. */
TG_INLINE void depthwise_add_taps(const line_sum *k, const float *x, const float *w, int64_t taps, const int count,
                                  const int vectors, vec *sum)
{
    const int64_t apart = k->columns.stride * k->from.pixel, step = k->columns.step * k->from.pixel;
    for (int64_t b = 0; b < taps; b++, x += step, w += k->w_tap)
#pragma GCC unroll 8
        for (int i = 0; i < count; i++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[i * vectors + v] += *(const vec *)(x + i * apart + v * TG_LANES) * *(const vec *)(w + v * TG_LANES);
}

/* The same for outputs that meet adjacent pixels through adjacent taps: a pixel is loaded once for all of them. */
TG_INLINE void depthwise_add_chain(const line_sum *k, const float *x, const float *w, const int taps, const bool back,
                                   const int count, vec *sum)
{
    const int64_t pixel = k->from.pixel;
    vec tap[7];
#pragma GCC unroll 7
    for (int b = 0; b < taps; b++) tap[b] = *(const vec *)(w + b * k->w_tap);
#pragma GCC unroll 16
    for (int p = 0; p < count + taps - 1; p++) {
        const vec v = *(const vec *)(x + (back ? count - 1 - p : p) * pixel);
#pragma GCC unroll 7
        for (int b = 0; b < taps; b++)
            if (p - b >= 0 && p - b < count) sum[back ? count - 1 - (p - b) : p - b] += v * tap[b];
    }
}

/* The sums of `count` neighbours over the same taps, for `vectors` of channels. */
TG_INLINE void depthwise_sum_block(const line_sum *k, int64_t j, int64_t c, span taps, const int count,
                                   const int vectors, const int chain, const int kind)
{
    const float *x = k->x + (c - k->first) + (taps.from * k->columns.step + j * k->columns.stride) * k->from.pixel;
    const float *w = k->w + c + taps.from * k->w_tap;
    vec sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++) sum[i] = *(const vec *)(k->bias + c + i % vectors * TG_LANES);
    for (int64_t a = 0; a < k->lines; a++, x += k->line, w += k->w_line)
        if (chain) depthwise_add_chain(k, x, w, chain < 0 ? -chain : chain, chain < 0, count, sum);
        else depthwise_add_taps(k, x, w, taps.to - taps.from, count, vectors, sum);
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++)
        direct_store(k, j + i / vectors, c + i % vectors * TG_LANES, sum[i], kind);
}

/* Channels are the inner loop, so that what neighbours share is read again soon, however large the stride of pixels. */
TG_INLINE void depthwise_sum_channels(const line_sum *k, int64_t j, span taps, const int count, const int vectors,
                                      const int chain)
{
    int64_t c = k->first;
    if (tg_is_bf16(k->d->y))
        for (; c + vectors * TG_LANES <= k->end; c += vectors * TG_LANES)
            depthwise_sum_block(k, j, c, taps, count, vectors, chain, HALVES);
    else
        for (; c + vectors * TG_LANES <= k->end; c += vectors * TG_LANES)
            depthwise_sum_block(k, j, c, taps, count, vectors, chain, FLOATS);
    for (; c < k->end; c += TG_LANES)
        if (c + TG_LANES > k->end) depthwise_sum_block(k, j, c, taps, count, 1, 0, FEW);
        else if (tg_is_bf16(k->d->y)) depthwise_sum_block(k, j, c, taps, count, 1, 0, HALVES);
        else depthwise_sum_block(k, j, c, taps, count, 1, 0, FLOATS);
}

/* Outputs from j on whose taps all meet the line, eight at a time, if enough taps share pixels. */
static bool depthwise_sum_chain(const line_sum *k, int64_t j)
{
    const span all = { 0, k->columns.taps };
    const int64_t step = k->columns.step;
    if (j + 8 > k->inner.to || k->columns.stride > 1 || step > 1 || step < -1) return false;
    switch (step * all.to) {
    case 5: depthwise_sum_channels(k, j, all, 8, 1, 5); return true;
    case 7: depthwise_sum_channels(k, j, all, 8, 1, 7); return true;
    case -5: depthwise_sum_channels(k, j, all, 8, 1, -5); return true;
    case -7: depthwise_sum_channels(k, j, all, 8, 1, -7); return true;
    default: return false;
    }
}

static void depthwise_sum_edge(const line_sum *k, int64_t j)
{
    depthwise_sum_channels(k, j, taps_of(&k->columns, j, in_size(k->d, 1)), 1, 4, 0);
}

/* Eight independent sums hide the latency of additions: with fewer neighbours, several vectors each. */
static void direct_sum_line(const line_sum *k)
{
    const span inner = k->inner, all = { 0, k->columns.taps };
    int64_t j = 0;
    for (; j < inner.from; j++) depthwise_sum_edge(k, j);
    for (; depthwise_sum_chain(k, j); j += 8) continue;
    for (; j + 4 <= inner.to; j += 4) depthwise_sum_channels(k, j, all, 4, 2, 0);
    for (; j + 2 <= inner.to; j += 2) depthwise_sum_channels(k, j, all, 2, 4, 0);
    for (; j < k->columns.n; j++) depthwise_sum_edge(k, j);
}

/* ---- kernels ---- */

static const char *conv2d_depthwise_reject(const tg_call *c)
{
    const direct d = direct_of(c);
    return tg_conv_depthwise(&d.v) ? NULL : "not depthwise: more than one channel in a group";
}

/* Named vector_depthwise_avx512, vector_depthwise_avx2, vector_depthwise_generic. */
#define DEPTHWISE_HEAD .name = "vector_depthwise_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA
#define DEPTHWISE(symbol) \
    TG_VECTOR_KERNEL(symbol) = { DEPTHWISE_HEAD, .reject = conv2d_depthwise_reject, .scratch = conv2d_direct_scratch, \
                                 .tasks = conv2d_direct_tasks, .run = conv2d_direct_run }
DEPTHWISE(conv2d_depthwise_vector);
DEPTHWISE(conv2d_relu_depthwise_vector);
DEPTHWISE(conv2d_grad_x_depthwise_vector);
