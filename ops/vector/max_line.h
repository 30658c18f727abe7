/* max_line.h - the maximum of a line; NaN counts as the largest. */
#ifndef TG_MAX_LINE_H
#define TG_MAX_LINE_H
#include "bf16.h"
#include <math.h>

TG_INLINE float nan_max(float most, float v) { return v > most || v != v ? v : most; }

TG_INLINE float line_max(const void *x, bool is_bf16, int64_t n)
{
    float most = -INFINITY;
    int32_t nans = 0;
#pragma omp simd reduction(max : most) reduction(+ : nans)
    for (int64_t j = 0; j < n; j++) {
        const float v = tg_load(x, is_bf16, j);
        most = v > most ? v : most;
        nans += v != v;
    }
    return nans ? NAN : most;
}

/* Not inlined: within an outer loop GCC 12 keeps reduction vectors in memory. */
static __attribute__((noinline)) float max_f32(const void *x, int64_t n) { return line_max(x, false, n); }
static __attribute__((noinline)) float max_bf16(const void *x, int64_t n) { return line_max(x, true, n); }

TG_INLINE bool is_tie(float a, float b) { return a == b || (a != a && b != b); }

#endif
