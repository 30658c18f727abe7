/* line_sum.h - sums along a line, in double.
 *
 * Long lines use four independent sums, because a single one would wait for the latency of each addition. f32 and bf16
 * values are exact in double, and so are sums of equal values: the mean of a constant line is that constant. */
#ifndef TG_LINE_SUM_H
#define TG_LINE_SUM_H
#include "bf16.h"
#include <string.h>

enum { TG_SUM_WIDTH = 16, TG_SUM_LONG = 512 };

/* Elements of each of the four. */
static inline int64_t tg_line_quarter(int64_t n) { return n < TG_SUM_LONG ? 0 : n / (4 * TG_SUM_WIDTH) * TG_SUM_WIDTH; }

TG_INLINE double tg_line_sum(const void *x, bool is_bf16, int64_t n)
{
    const int64_t quarter = tg_line_quarter(n);
    const void *y = tg_at(x, is_bf16, quarter), *z = tg_at(y, is_bf16, quarter), *w = tg_at(z, is_bf16, quarter);
    double a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t j = 0; j < quarter; j++) {
        a += (double)tg_load(x, is_bf16, j);
        b += (double)tg_load(y, is_bf16, j);
        c += (double)tg_load(z, is_bf16, j);
        d += (double)tg_load(w, is_bf16, j);
    }
#pragma omp simd reduction(+ : a)
    for (int64_t j = 4 * quarter; j < n; j++) a += (double)tg_load(x, is_bf16, j);
    return (a + b) + (c + d);
}

/* ---- short lines: as many at a time as a vector of doubles has lanes, so that no line waits for its own additions;
 * their vectors are reduced together ---- */

#if defined __AVX512F__
enum { TG_LINES = 8 };
#define TG_LINES_STEP_1(a, b) \
    (__builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) + \
     __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15))
#define TG_LINES_STEP_2(a, b) \
    (__builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + \
     __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15))
#define TG_LINES_STEP_4(a, b) \
    (__builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + \
     __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15))
#else
enum { TG_LINES = 4 };
#define TG_LINES_STEP_1(a, b) (__builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7))
#define TG_LINES_STEP_2(a, b) (__builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7))
#endif
typedef double tg_lines_d __attribute__((vector_size(8 * TG_LINES)));
typedef float tg_lines_f __attribute__((vector_size(4 * TG_LINES)));
typedef uint32_t tg_lines_u __attribute__((vector_size(4 * TG_LINES)));
typedef uint16_t tg_lines_h __attribute__((vector_size(2 * TG_LINES)));

/* Lane i of v[0] becomes the horizontal sum of v[i]. */
TG_INLINE void tg_lines_across(tg_lines_d v[TG_LINES])
{
    for (int i = 0; i < TG_LINES; i += 2) v[i / 2] = TG_LINES_STEP_1(v[i], v[i + 1]);
    for (int i = 0; i < TG_LINES / 2; i += 2) v[i / 2] = TG_LINES_STEP_2(v[i], v[i + 1]);
#if defined __AVX512F__
    v[0] = TG_LINES_STEP_4(v[0], v[1]);
#endif
}

TG_INLINE void tg_lines_load(const void *x, bool is_bf16, int64_t i, tg_lines_f *to)
{
    tg_lines_h bits;
    if (is_bf16) {
        memcpy(&bits, (const uint16_t *)x + i, sizeof bits);
        const tg_lines_u wide = __builtin_convertvector(bits, tg_lines_u) << 16;
        memcpy(to, &wide, sizeof wide);
    } else {
        memcpy(to, (const float *)x + i, sizeof *to);
    }
}

/* Start of line i of `count` in x; beyond the last, the last again. */
TG_INLINE const void *tg_line_at(const void *x, bool is_bf16, int64_t n, int i, int64_t count)
{
    return tg_at(x, is_bf16, (i < count ? i : count - 1) * n);
}

/* The sums of lines 0 .. count - 1, n elements each; lanes from count on are undefined. */
TG_INLINE void tg_lines_sum(const void *x, bool is_bf16, int64_t n, int64_t count, double total[TG_LINES])
{
    const int64_t whole = n / TG_LINES * TG_LINES;
    const void *line[TG_LINES];
    tg_lines_d sum[TG_LINES];
    for (int i = 0; i < TG_LINES; i++) line[i] = tg_line_at(x, is_bf16, n, i, count), sum[i] = (tg_lines_d){ 0 };
    for (int64_t j = 0; j < whole; j += TG_LINES)
#pragma GCC unroll 8
        for (int i = 0; i < TG_LINES; i++) {
            tg_lines_f v;
            tg_lines_load(line[i], is_bf16, j, &v);
            sum[i] += __builtin_convertvector(v, tg_lines_d);
        }
    tg_lines_across(sum);
    memcpy(total, sum, sizeof *sum);
    for (int64_t j = whole; j < n; j++)
        for (int i = 0; i < TG_LINES; i++) total[i] += (double)tg_load(line[i], is_bf16, j);
}

/* The sums of squared differences from mean[line], in f32: for lines shorter than TG_SUM_LONG. */
TG_INLINE void tg_lines_squares(const float *x, int64_t n, int64_t count, const float mean[TG_LINES],
                                double total[TG_LINES])
{
    const int64_t whole = n / TG_LINES * TG_LINES;
    const float *line[TG_LINES];
    tg_lines_f sum[TG_LINES];
    tg_lines_d wide[TG_LINES];
    for (int i = 0; i < TG_LINES; i++) line[i] = tg_line_at(x, false, n, i, count), sum[i] = (tg_lines_f){ 0 };
    for (int64_t j = 0; j < whole; j += TG_LINES)
#pragma GCC unroll 8
        for (int i = 0; i < TG_LINES; i++) {
            tg_lines_f v;
            tg_lines_load(line[i], false, j, &v);
            v -= mean[i];
            sum[i] += v * v;
        }
    for (int i = 0; i < TG_LINES; i++) wide[i] = __builtin_convertvector(sum[i], tg_lines_d);
    tg_lines_across(wide);
    memcpy(total, wide, sizeof *wide);
    for (int64_t j = whole; j < n; j++)
        for (int i = 0; i < TG_LINES; i++) {
            const double d = (double)(line[i][j] - mean[i]);
            total[i] += d * d;
        }
}
#endif
