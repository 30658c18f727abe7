/* grad_w_runs.h - sums of gy x over pixels, lane by lane: the inner loops of backward-weights of grouped convolutions.
 *
 * A run is a set of lines of pixels that all meet x through the same taps of a kernel row. Its sums stay in registers,
 * in `rows` x `vecs` vectors. Rows are either
 *
 *     taps of one channel of x per lane    pixels of x, `row` floats apart: x is depthwise, or broadcast to each lane
 *     taps x channels of x's group         a pixel's channels are permuted to their lanes, once for all taps;
 *                                          from tap to tap gy is one pixel earlier (permuted runs) */
#ifndef TG_GRAD_W_RUNS_H
#define TG_GRAD_W_RUNS_H
#include "gemm.h"
#include "inline.h"
#if defined __AVX2__
#include <immintrin.h>
#endif

typedef float tg_lanes __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));

typedef struct {
    const float *x, *y;
    int64_t lines, pixels;
    int64_t x_line, x_pixel, y_line, y_pixel; /* strides, in floats, between those that the run meets */
    int64_t row;                              /* stride of x from row to row */
    float *sums;
    int64_t apart; /* stride of sums from row to row, or channel to channel */
    /* Permuted runs only: */
    int64_t tap_apart;        /* stride of sums from tap to tap */
    const int32_t *from;      /* lane l reads x[from[l] + channel], or all lanes x[channel] */
    int32_t channel;          /* first channel of x's group */
    int64_t x_ahead, y_ahead; /* prefetch distances, in floats */
} tg_run;

TG_INLINE void tg_add_run(int rows, int vecs, const tg_run *r)
{
    tg_lanes s[12];
#pragma GCC unroll 12
    for (int k = 0; k < rows * vecs; k++)
        s[k] = *(const tg_lanes *)(r->sums + k / vecs * r->apart + k % vecs * TG_LANES);
    for (int64_t h = 0; h < r->lines; h++) {
        const float *x = r->x + h * r->x_line, *y = r->y + h * r->y_line;
        for (int64_t w = 0; w < r->pixels; w++, x += r->x_pixel, y += r->y_pixel)
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) {
                const tg_lanes gy = *(const tg_lanes *)(y + v * TG_LANES);
#pragma GCC unroll 12
                for (int k = 0; k < rows; k++)
                    s[k * vecs + v] += gy * *(const tg_lanes *)(x + k * r->row + v * TG_LANES);
            }
    }
#pragma GCC unroll 12
    for (int k = 0; k < rows * vecs; k++) *(tg_lanes *)(r->sums + k / vecs * r->apart + k % vecs * TG_LANES) = s[k];
}

/* Maximum taps, and channels of a group, of a run: sums, permutations and gy must stay in registers. */
enum { TG_RUN_TAPS = 3 };

#if defined __AVX512F__
enum { TG_RUN_PERMUTED = 4, TG_RUN_REPEATED = 8 };
typedef __m512i tg_lane_places;
TG_INLINE tg_lane_places tg_lane_places_from(const int32_t *from, int32_t channel)
{
    return _mm512_add_epi32(_mm512_loadu_si512(from), _mm512_set1_epi32(channel));
}
TG_INLINE tg_lane_places tg_lane_places_after(tg_lane_places at, int32_t channel)
{
    return _mm512_add_epi32(at, _mm512_set1_epi32(channel));
}
TG_INLINE tg_lanes tg_repeated(float x) { return (tg_lanes)_mm512_set1_ps(x); }
TG_INLINE tg_lanes tg_permuted(const float *x, tg_lane_places at)
{
    return (tg_lanes)_mm512_permutexvar_ps(at, _mm512_loadu_ps(x));
}
#elif defined __AVX2__
enum { TG_RUN_PERMUTED = 3, TG_RUN_REPEATED = 4 };
typedef __m256i tg_lane_places;
TG_INLINE tg_lane_places tg_lane_places_from(const int32_t *from, int32_t channel)
{
    return _mm256_add_epi32(_mm256_loadu_si256((const void *)from), _mm256_set1_epi32(channel));
}
TG_INLINE tg_lane_places tg_lane_places_after(tg_lane_places at, int32_t channel)
{
    return _mm256_add_epi32(at, _mm256_set1_epi32(channel));
}
TG_INLINE tg_lanes tg_repeated(float x) { return (tg_lanes)_mm256_set1_ps(x); }
TG_INLINE tg_lanes tg_permuted(const float *x, tg_lane_places at)
{
    return (tg_lanes)_mm256_permutevar8x32_ps(_mm256_loadu_ps(x), at);
}
#endif

#if defined __AVX2__
/* one: all lanes read the same channel. */
TG_INLINE void tg_add_permuted_run(int taps, int channels, bool one, const tg_run *r)
{
    tg_lanes s[TG_RUN_TAPS][TG_RUN_REPEATED];
    tg_lane_places at[TG_RUN_REPEATED];
#pragma GCC unroll 8
    for (int i = 0; i < channels && !one; i++) at[i] = tg_lane_places_from(r->from, r->channel + i);
#pragma GCC unroll 24
    for (int k = 0; k < taps * channels; k++)
        s[k / channels][k % channels] =
            *(const tg_lanes *)(r->sums + k / channels * r->tap_apart + k % channels * r->apart);
    for (int64_t h = 0; h < r->lines; h++) {
        const float *x = r->x + h * r->x_line, *y = r->y + h * r->y_line;
        for (int64_t w = 0; w < r->pixels; w++, x += r->x_pixel, y += r->y_pixel) {
            __builtin_prefetch(x + r->x_ahead);
            __builtin_prefetch(y + r->y_ahead);
            tg_lanes gy[TG_RUN_TAPS];
#pragma GCC unroll 3
            for (int t = 0; t < taps; t++) gy[t] = *(const tg_lanes *)(y - t * r->y_pixel);
#pragma GCC unroll 8
            for (int i = 0; i < channels; i++) {
                const tg_lanes v = one ? tg_repeated(x[r->channel + i]) : tg_permuted(x, at[i]);
#pragma GCC unroll 3
                for (int t = 0; t < taps; t++) s[t][i] += v * gy[t];
            }
        }
    }
#pragma GCC unroll 24
    for (int k = 0; k < taps * channels; k++)
        *(tg_lanes *)(r->sums + k / channels * r->tap_apart + k % channels * r->apart) = s[k / channels][k % channels];
}
#endif
#endif
