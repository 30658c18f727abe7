/* softmax_row.h - softmax along a row, shared with cross entropy. from, to: the input, the output is bf16. */
#ifndef TG_SOFTMAX_ROW_H
#define TG_SOFTMAX_ROW_H
#include "bf16.h"
#include "vector_math.h"

TG_INLINE float tg_row_max(const void *x, bool from, int64_t n)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < n; j++) most = tg_load(x, from, j) > most ? tg_load(x, from, j) : most;
    return most;
}

enum { TG_SOFTMAX_PIECE = 4096 }; /* elements summed in f32; the sums of pieces are added in double */
TG_INLINE int64_t tg_piece_end(int64_t at, int64_t n) { return n - at < TG_SOFTMAX_PIECE ? n : at + TG_SOFTMAX_PIECE; }

TG_INLINE void tg_log_softmax_row(const void *x, bool from, int64_t n, void *y, bool to)
{
    const float most = tg_row_max(x, from, n);
    double total = 0;
    for (int64_t i = 0; i < n; i += TG_SOFTMAX_PIECE) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = i; j < tg_piece_end(i, n); j++) sum += tg_exp_f32(tg_load(x, from, j) - most);
        total += (double)sum;
    }
    const float shift = logf((float)total);
#pragma omp simd
    for (int64_t j = 0; j < n; j++) tg_store(y, to, j, (tg_load(x, from, j) - most) - shift);
}

/* gx may be gy or y, if dtypes match. */
TG_INLINE void tg_log_softmax_grad_row(const void *gy, const void *y, bool from, int64_t n, void *gx, bool to)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += TG_SOFTMAX_PIECE) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = i; j < tg_piece_end(i, n); j++) sum += tg_load(gy, from, j);
        total += (double)sum;
    }
    const float all = (float)total;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) tg_store(gx, to, j, tg_load(gy, from, j) - tg_exp_f32(tg_load(y, from, j)) * all);
}
#endif
