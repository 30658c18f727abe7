/* vector_math.h - branch-free exp, log, tanh and normal distribution in FP32, so that loops over them vectorise.
 *
 * Measured errors: exp and log 1 ulp, tanh and sigmoid 3 ulp, the normal distribution 1.8e-7. NaN stays NaN, overflow
 * and poles give infinities, and results below 2^-126 may be flushed to zero. The range reductions are classical: Cody
 * and Waite, "Software Manual for the Elementary Functions" (1980), for exp and tanh; the atanh series for log. The
 * polynomials minimise the maximum relative error on the stated interval (Remez exchange, in double). */
#ifndef TG_VECTOR_MATH_H
#define TG_VECTOR_MATH_H
#include <math.h>
#include <stdint.h>

typedef union {
    float value;
    uint32_t bits;
} tg_float_bits;
static inline uint32_t tg_bits_of(float value) { return (tg_float_bits){ .value = value }.bits; }
static inline float tg_float_of(uint32_t bits) { return (tg_float_bits){ .bits = bits }.value; }
static inline float tg_clamp_f32(float x, float low, float high) /* NaN stays NaN */
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* x = n ln 2 + r with |r| <= ln 2 / 2, n an integer. Adding 3 * 2^22 rounds to an integer and leaves n in the low bits.
 * ln 2 is split so that n times its upper part is exact. */
typedef struct {
    float r;
    int32_t n;
} tg_exp_parts;
static inline tg_exp_parts tg_reduce(float x)
{
    const float shift = 12582912.0f, shifted = x * 1.44269504f + shift, n = shifted - shift;
    return (tg_exp_parts){ x - n * 0.693359375f + n * 2.12194440e-4f,
                           (int32_t)(tg_bits_of(shifted) - tg_bits_of(12582912.0f)) };
}

/* e^r - 1 for |r| <= ln 2 / 2: relative error of e^r 3.1e-9 */
static inline float tg_expm1_reduced(float r)
{
    const float c =
        (((1.38145986e-3f * r + 8.36871688e-3f) * r + 4.16683880e-2f) * r + 1.66665206e-1f) * r + 0.499999934f;
    return r * r * c + r;
}

static inline float tg_power_of_two(int32_t n) { return tg_float_of((uint32_t)(n + 127) << 23); } /* -127 < n < 128 */

/* 2^n is applied as two factors: n ranges from -150 to 128, where results are denormal or infinite. */
static inline float tg_exp_f32(float x)
{
    const tg_exp_parts parts = tg_reduce(tg_clamp_f32(x, -104.0f, 89.0f));
    const int32_t is_bf16 = parts.n >> 1;
    return (1.0f + tg_expm1_reduced(parts.r)) * tg_power_of_two(is_bf16) * tg_power_of_two(parts.n - is_bf16);
}

/* x = 2^e m with sqrt(1/2) <= m < sqrt 2, f = m - 1, s = f / (2 + f): ln m = 2 atanh s = 2 s + s R(s^2), written f -
 * (f^2/2 - s (f^2/2 + R)) to avoid cancellation near 1. R: |s| <= 0.1716, error of ln m 8.3e-10. */
static inline float tg_log_finite(float x)
{
    const float tiny = 1.17549435e-38f; /* smaller inputs are scaled by 2^23 */
    const float y = x < tiny ? x * 8388608.0f : x;
    const uint32_t shifted = tg_bits_of(y) - 0x3f3504f3u; /* bits of sqrt(1/2) */
    const float e = (float)((int32_t)shifted >> 23) - (x < tiny ? 23.0f : 0.0f);
    const float f = tg_float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float s = f / (2.0f + f), z = s * s, square = 0.5f * f * f;
    const float R = z * (0.666667742f + z * (0.399777548f + z * 0.298669455f));
    return e * 0.693359375f + (f - (square - s * (square + R) + e * 2.12194440e-4f));
}
static inline float tg_log_f32(float x)
{
    const float y = tg_log_finite(x);
    const float edge = x < 0.0f ? NAN : x == 0.0f ? -INFINITY : x; /* negative, 0; +infinity and NaN unchanged */
    return x > 0.0f && x < INFINITY ? y : edge;
}

/* With t = e^(2|x|) - 1: tanh |x| = t / (t + 2), accurate for small x too. Beyond 10 it is 1. */
static inline float tg_tanh_f32(float x)
{
    const tg_exp_parts parts = tg_reduce(2.0f * tg_clamp_f32(fabsf(x), 0.0f, 10.0f));
    const float scale = tg_power_of_two(parts.n), t = scale * tg_expm1_reduced(parts.r) + (scale - 1.0f);
    return copysignf(t / (t + 2.0f), x);
}

static inline float tg_sigmoid_f32(float x) { return 1.0f / (1.0f + tg_exp_f32(-x)); }

/* The standard normal CDF: 1/2 + x P(x^2) / Q(x^2), relative error of the quotient 4.6e-8. It is 1 from 5.5 on and 0
 * from -5.5 down, exactly: otherwise infinities would leak into gelu. */
static inline float tg_normal_cdf_f32(float x)
{
    const float z = x * x;
    const float P =
        ((((2.28246773e-8f * z + 6.31342618e-6f) * z + 1.66081532e-4f) * z + 4.66059474e-3f) * z + 3.36051732e-2f) * z +
        0.398942262f;
    const float Q =
        ((((1.19680135e-6f * z + 7.2659117e-5f) * z + 1.86914066e-3f) * z + 2.85002664e-2f) * z + 0.250901937f) * z +
        1.0f;
    return 0.5f + (z < 30.25f ? x * P / Q : copysignf(0.5f, x));
}
#endif
