/* unary_vector.c - affine, neg, exp, log, sqrt, pow, the activations, and derivatives: y[i] = f(x[i]). */
#include "attr.h"
#include "elementwise.h"
#include "vector_math.h"

static const float HALF_SQRT2 = 0.707106781f, INV_SQRT_2PI = 0.398942280f;

static inline float normal_cdf(float x)   { return 0.5f + 0.5f * tg_erf_f32(x * HALF_SQRT2); }
static inline float normal_pdf(float x)   { return INV_SQRT_2PI * tg_exp_f32(-0.5f * x * x); }
static inline float hard_sigmoid(float x) { return tg_clamp(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f); }
static inline float silu_slope(float x)
{
    const float f = tg_sigmoid_f32(x);
    return f + f * (x - x * f);
}
static inline float hardswish_slope(float x)
{
    const float between = (2.0f * x + 3.0f) * (1.0f / 6), above = x < 3.0f ? between : 1.0f;      /* NaN: 1, as PyTorch */
    return x <= -3.0f ? 0.0f : above;
}

/* y[i] = f(x[i]), or gx[i] = f(gy[i], v[i]) with v = x or y; `setup` reads attributes into constants. */
#define EACH(op, store, setup, values, formula)                                                                        \
    TG_INLINE void op##_each(const void *attr, tg_span s, bool half)                                                   \
    {                                                                                                                  \
        (void)attr;                                                                                                    \
        setup;                                                                                                         \
        _Pragma("omp simd") for (int64_t i = 0; i < s.n; i++)                                                          \
        {                                                                                                              \
            values;                                                                                                    \
            store(s.y, half, i, formula);                                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static void op##_run(const tg_call *c, const tg_task *task)                                                        \
    {                                                                                                                  \
        const tg_span s = tg_span_of(c, task);                                                                         \
        if (s.half) op##_each(c->attr, s, true);                                                                       \
        else op##_each(c->attr, s, false);                                                                             \
    }                                                                                                                  \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };
#define ATTR(type)               ((const tg_##type##_attr *)attr)
#define X                        const float x = tg_load(s.a, half, i)
#define G_AND(v)                 const float g = tg_load(s.a, half, i); const float v = tg_load(s.b, half, i)
#define MAP(op, formula)         EACH(op, tg_store, , X, formula)
#define MAP_WITH(op, setup, ...) EACH(op, tg_store, setup, X, __VA_ARGS__)
#define ZIP(op, v, formula)      EACH(op, tg_store, , G_AND(v), formula)

/* ---- without attributes ---- */

MAP(neg,       -x)
MAP(exp,       tg_exp_f32(x))
MAP(log,       tg_log_f32(x))
MAP(sqrt,      sqrtf(x))
MAP(sigmoid,   tg_sigmoid_f32(x))
MAP(tanh,      tg_tanh_f32(x))
MAP(gelu,      x * normal_cdf(x))
MAP(silu,      x * tg_sigmoid_f32(x))
MAP(hardswish, x * hard_sigmoid(x))
EACH(relu,      tg_store_exact, , X, x < 0.0f ? 0.0f : x)
EACH(relu_grad, tg_store_exact, , , tg_relu_grad(s.a, s.b, half, i))

ZIP(sigmoid_grad,   y, g * (y * (1.0f - y)))
ZIP(tanh_grad,      y, g * (1.0f - y * y))
ZIP(gelu_grad,      x, g * (normal_cdf(x) + x * normal_pdf(x)))
ZIP(silu_grad,      x, g * silu_slope(x))
ZIP(hardswish_grad, x, g * hardswish_slope(x))

/* ---- with attributes ---- */

MAP_WITH(affine, const float scale = (float)ATTR(affine)->scale; const float shift = (float)ATTR(affine)->shift,
         scale * x + shift)
MAP_WITH(leaky_relu, const float slope = (float)ATTR(leaky_relu)->slope, x * (x > 0.0f ? 1.0f : slope))
EACH(leaky_relu_grad, tg_store, const float slope = (float)ATTR(leaky_relu)->slope, G_AND(x),
     g * (x > 0.0f ? 1.0f : slope))

/* The usual exponents; the others are not vectorised, but shared out among the workers. */
TG_INLINE void pow_each(tg_span s, float exponent, bool half)
{
#define POWER(formula)                                                                                                 \
    _Pragma("omp simd") for (int64_t i = 0; i < s.n; i++)                                                              \
    {                                                                                                                  \
        const float x = tg_load(s.a, half, i);                                                                         \
        tg_store(s.y, half, i, formula);                                                                               \
    }
    if (exponent == 1) POWER(x)
    else if (exponent == 2) POWER(x * x)
    else if (exponent == 3) POWER(x * x * x)
    else for (int64_t i = 0; i < s.n; i++) tg_store(s.y, half, i, powf(tg_load(s.a, half, i), exponent));
#undef POWER
}

static void pow_run(const tg_call *c, const tg_task *task)
{
    const float   exponent = (float)((const tg_pow_attr *)c->attr)->exponent;
    const tg_span s = tg_span_of(c, task);
    if (s.half) pow_each(s, exponent, true);
    else pow_each(s, exponent, false);
}
TG_VECTOR_KERNEL(pow_vector) = { TG_ELEMENTWISE_HEAD, .run = pow_run, .in_place = true };
