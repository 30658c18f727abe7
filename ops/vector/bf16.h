/* bf16.h - loads and stores of f32 or bf16, for loops that compute in FP32 and are written once for both.
 *
 * `is_bf16` is the element type. It must be a compile-time constant in the loop, so functions with such a parameter are
 * inlined and called once with true and once with false. A load is a shift. A store rounds to nearest even and keeps
 * NaNs, as tg_f32_to_bf16 does, but without branches. */
#ifndef TG_BF16_H
#define TG_BF16_H
#include "inline.h"
#include "op.h"

TG_INLINE float tg_bf16_value(uint16_t bits)
{
    return (union {
               uint32_t bits;
               float value;
           }){ .bits = (uint32_t)bits << 16 }
        .value;
}

TG_INLINE uint16_t tg_bf16_bits(float value)
{
    const uint32_t u = (union {
                           float value;
                           uint32_t bits;
                       }){ .value = value }
                           .bits;
    const uint32_t nearest = u + 0x7fffu + (u >> 16 & 1u), quiet = u | 0x400000u;
    return (uint16_t)((value != value ? quiet : nearest) >> 16);
}

TG_INLINE float tg_load(const void *x, bool is_bf16, int64_t i)
{
    return is_bf16 ? tg_bf16_value(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

TG_INLINE void tg_store(void *y, bool is_bf16, int64_t i, float value)
{
    if (is_bf16) ((uint16_t *)y)[i] = tg_bf16_bits(value);
    else ((float *)y)[i] = value;
}

/* For values that were loaded as they are, or 0: no rounding needed. */
TG_INLINE void tg_store_exact(void *y, bool is_bf16, int64_t i, float value)
{
    if (is_bf16)
        ((uint16_t *)y)[i] = (uint16_t)((union {
                                            float value;
                                            uint32_t bits;
                                        }){ .value = value }
                                            .bits >>
                                        16);
    else ((float *)y)[i] = value;
}

/* Whether relu's result y, as raw bf16 bits, is positive or NaN. Read as a signed integer, a positive value is at least
 * 0x80 (denormals count as 0, as in FP32), and a NaN with its sign bit set is between -0x7f and -1. */
TG_INLINE bool tg_relu_passed(uint16_t y) { return (int16_t)y >= 0x80 || ((int16_t)y < 0 && (int16_t)y > -0x80); }

/* y <= 0 ? 0 : gy, which passes the gradient where y is NaN. */
TG_INLINE float tg_relu_grad(const void *gy, const void *y, bool is_bf16, int64_t i)
{
    if (!is_bf16) return ((const float *)y)[i] <= 0.0f ? 0.0f : ((const float *)gy)[i];
    return tg_bf16_value(tg_relu_passed(((const uint16_t *)y)[i]) ? ((const uint16_t *)gy)[i] : 0);
}

/* ---- bf16 values in pairs: the two halves of a 32-bit word, which shifts split and join, while single values would
 * need vector permutations. f32 values are loaded one at a time, as a pair's a, so that a loop is written once. ---- */

typedef struct {
    float a, b;
} tg_pair;
typedef uint32_t tg_word __attribute__((aligned(2), may_alias));

TG_INLINE float tg_value_of(uint32_t bits)
{
    return (union {
               uint32_t bits;
               float value;
           }){ .bits = bits }
        .value;
}
TG_INLINE uint32_t tg_value_bits(float value)
{
    return (union {
               float value;
               uint32_t bits;
           }){ .value = value }
        .bits;
}

TG_INLINE tg_pair tg_load_pair(const void *x, bool is_bf16, int64_t j)
{
    if (!is_bf16) return (tg_pair){ ((const float *)x)[j], 0 };
    const uint32_t word = ((const tg_word *)x)[j];
    return (tg_pair){ tg_value_of(word << 16), tg_value_of(word & 0xffff0000u) };
}

/* The upper 16 bits hold the nearest bf16 value. A NaN survives only if its lower bits are 0, which holds for bf16 NaNs
 * and for NaNs that arithmetic produced from bf16 values or from non-NaNs (tg_plain). */
TG_INLINE uint32_t tg_nearest(float value)
{
    const uint32_t u = tg_value_bits(value);
    return u + 0x7fffu + (u >> 16 & 1u);
}

TG_INLINE float tg_plain(float value) { return value != value ? tg_value_of(0x7fc00000u) : value; }

TG_INLINE void tg_store_pair(void *y, bool is_bf16, int64_t j, tg_pair v)
{
    if (is_bf16) ((tg_word *)y)[j] = tg_nearest(v.a) >> 16 | (tg_nearest(v.b) & 0xffff0000u);
    else ((float *)y)[j] = v.a;
}

/* g = y <= 0 ? 0 : gy, for n elements; bf16 values stay in 16 bits. */
TG_INLINE void tg_relu_grad_line(const void *gy, const void *y, bool is_bf16, int64_t n, void *g)
{
    const uint16_t *const bits = gy, *const mask = y;
    if (is_bf16)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) ((uint16_t *)g)[i] = bits[i] & (tg_relu_passed(mask[i]) ? 0xffffu : 0);
    else
#pragma omp simd
        for (int64_t i = 0; i < n; i++) tg_store(g, false, i, tg_relu_grad(gy, y, false, i));
}

/* Prefetches n bf16 elements of x, from element i on. Hardware prefetchers follow a single array by themselves, but
 * stop at page boundaries and lose track of several streams. */
TG_INLINE void tg_fetch(const void *x, int64_t i, int64_t n)
{
    const char *const begin = (const char *)x + 2 * i;
    for (int64_t at = 0; at < 2 * n; at += 64) __builtin_prefetch(begin + at);
}

/* Address of element i of x; NULL stays NULL. */
TG_INLINE void *tg_at(const void *x, bool is_bf16, int64_t i) { return x ? (char *)x + i * (is_bf16 ? 2 : 4) : NULL; }

TG_INLINE void tg_widen(const void *x, bool is_bf16, int64_t n, float *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = tg_load(x, is_bf16, i);
}

TG_INLINE void tg_narrow(const float *x, bool is_bf16, int64_t n, void *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) tg_store(y, is_bf16, i, x[i]);
}

static inline bool tg_is_bf16(const tg_tensor *t) { return t && t->dtype == TG_BF16; }
#endif
