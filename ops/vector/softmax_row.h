/* softmax_row.h - softmax along a row, where cross entropy needs it too. */
#ifndef TG_SOFTMAX_ROW_H
#define TG_SOFTMAX_ROW_H
#include "vector_math.h"

static inline float tg_row_max(const float *x, int64_t n)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < n; j++)
        most = x[j] > most ? x[j] : most;
    return most;
}

static inline void tg_log_softmax_row(const float *x, int64_t n, float *y)
{
    const float most = tg_row_max(x, n);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += tg_exp_f32(x[j] - most);
    const float shift = logf(sum);
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] = (x[j] - most) - shift;
}

/* gx may be y. */
static inline void tg_log_softmax_grad_row(const float *gy, const float *y, int64_t n, float *gx)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += gy[j];
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        gx[j] = gy[j] - tg_exp_f32(y[j]) * sum;
}
#endif
