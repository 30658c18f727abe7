/* line_sum.h - sums along a line, in double.
 *
 * In long lines four sums run side by side, as one alone would wait for each of its additions.  f32 and bf16 numbers are
 * exact in double, and so are sums of equal ones: the mean of a constant line is that constant. */
#ifndef TG_LINE_SUM_H
#define TG_LINE_SUM_H
#include "bf16.h"

enum { TG_SUM_WIDTH = 16, TG_SUM_LONG = 512 };

/* Numbers of each of the four. */
static inline int64_t tg_line_quarter(int64_t n) { return n < TG_SUM_LONG ? 0 : n / (4 * TG_SUM_WIDTH) * TG_SUM_WIDTH; }

TG_INLINE double tg_line_sum(const void *x, bool half, int64_t n)
{
    const int64_t quarter = tg_line_quarter(n);
    const void   *y = tg_at(x, half, quarter), *z = tg_at(y, half, quarter), *w = tg_at(z, half, quarter);
    double        a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t j = 0; j < quarter; j++) {
        a += (double)tg_load(x, half, j);
        b += (double)tg_load(y, half, j);
        c += (double)tg_load(z, half, j);
        d += (double)tg_load(w, half, j);
    }
#pragma omp simd reduction(+ : a)
    for (int64_t j = 4 * quarter; j < n; j++) a += (double)tg_load(x, half, j);
    return (a + b) + (c + d);
}
#endif
