/* bf16.h - loads and stores of f32 or bf16, for loops that compute in FP32 and are written once for both.
 *
 * `half` says that the numbers are bf16.  It must be a constant where the loop is: a function with such a parameter is
 * inlined, and called once with true and once with false.  A load is a shift; a store rounds to nearest, ties to even,
 * and keeps NaNs, as tg_f32_to_bf16 does, but without branches. */
#ifndef TG_BF16_H
#define TG_BF16_H
#include "op.h"

#define TG_INLINE static inline __attribute__((always_inline))

TG_INLINE float tg_bf16_value(uint16_t bits)
{
    return (union { uint32_t bits; float value; }){ .bits = (uint32_t)bits << 16 }.value;
}

TG_INLINE uint16_t tg_bf16_bits(float value)
{
    const uint32_t u = (union { float value; uint32_t bits; }){ .value = value }.bits;
    const uint32_t nearest = u + 0x7fffu + (u >> 16 & 1u), quiet = u | 0x400000u;
    return (uint16_t)((value != value ? quiet : nearest) >> 16);
}

TG_INLINE float tg_load(const void *x, bool half, int64_t i)
{
    return half ? tg_bf16_value(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

TG_INLINE void tg_store(void *y, bool half, int64_t i, float value)
{
    if (half) ((uint16_t *)y)[i] = tg_bf16_bits(value);
    else ((float *)y)[i] = value;
}

/* Where the value is one that was loaded, or 0: nothing is to be rounded. */
TG_INLINE void tg_store_exact(void *y, bool half, int64_t i, float value)
{
    if (half) ((uint16_t *)y)[i] = (uint16_t)((union { float value; uint32_t bits; }){ .value = value }.bits >> 16);
    else ((float *)y)[i] = value;
}

/* y > 0 ? gy : 0.  bf16 is compared as it lies in memory: a positive number that is neither NaN nor a denormal, which
 * counts as 0 as it does in FP32, has bits from 0x0080 to 0x7f80. */
TG_INLINE float tg_relu_grad(const void *gy, const void *y, bool half, int64_t i)
{
    if (!half) return ((const float *)y)[i] > 0.0f ? ((const float *)gy)[i] : 0.0f;
    const uint16_t above = (uint16_t)(((const uint16_t *)y)[i] - 0x80u), bits = ((const uint16_t *)gy)[i];
    return tg_bf16_value(above <= 0x7f00u ? bits : 0);
}

/* Element i of x; NULL stays NULL. */
TG_INLINE void *tg_at(const void *x, bool half, int64_t i)
{
    return x ? (char *)x + i * (half ? 2 : 4) : NULL;
}

TG_INLINE void tg_widen(const void *x, bool half, int64_t n, float *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = tg_load(x, half, i);
}

TG_INLINE void tg_narrow(const float *x, bool half, int64_t n, void *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) tg_store(y, half, i, x[i]);
}

static inline bool tg_half(const tg_tensor *t) { return t && t->dtype == TG_BF16; }
#endif
