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
    const float between = (2.0f * x + 3.0f) * (1.0f / 6), above = x >= 3.0f ? 1.0f : between;
    return x <= -3.0f ? 0.0f : above;
}

/* ---- without attributes ---- */

#define MAP(op, formula)                                                                                               \
    static void op##_run(const tg_call *c, const tg_task *task)                                                        \
    {                                                                                                                  \
        const float  *in = tg_ptr(c->in[0]);                                                                           \
        float        *out = tg_ptr(c->out[0]);                                                                         \
        const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));                                            \
        _Pragma("omp simd") for (int64_t i = task->index * TG_VECTOR_BLOCK; i < end; i++)                              \
        {                                                                                                              \
            const float x = in[i];                                                                                     \
            out[i] = formula;                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };

MAP(neg,       -x)
MAP(exp,       tg_exp_f32(x))
MAP(log,       tg_log_f32(x))
MAP(sqrt,      sqrtf(x))
MAP(relu,      x < 0.0f ? 0.0f : x)
MAP(sigmoid,   tg_sigmoid_f32(x))
MAP(tanh,      tg_tanh_f32(x))
MAP(gelu,      x * normal_cdf(x))
MAP(silu,      x * tg_sigmoid_f32(x))
MAP(hardswish, x * hard_sigmoid(x))

/* gx[i] = f(gy[i], v[i]); v is x or y */
#define ZIP(op, v, formula)                                                                                            \
    static void op##_run(const tg_call *c, const tg_task *task)                                                        \
    {                                                                                                                  \
        const float  *gy = tg_ptr(c->in[0]), *values = tg_ptr(c->in[1]);                                               \
        float        *out = tg_ptr(c->out[0]);                                                                         \
        const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));                                            \
        _Pragma("omp simd") for (int64_t i = task->index * TG_VECTOR_BLOCK; i < end; i++)                              \
        {                                                                                                              \
            const float g = gy[i], v = values[i];                                                                      \
            out[i] = formula;                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };

ZIP(relu_grad,      y, y > 0.0f ? g : 0.0f)
ZIP(sigmoid_grad,   y, g * (y * (1.0f - y)))
ZIP(tanh_grad,      y, g * (1.0f - y * y))
ZIP(gelu_grad,      x, g * (normal_cdf(x) + x * normal_pdf(x)))
ZIP(silu_grad,      x, g * silu_slope(x))
ZIP(hardswish_grad, x, g * hardswish_slope(x))

/* ---- with attributes ---- */

static void affine_run(const tg_call *c, const tg_task *task)
{
    const tg_affine_attr *a = c->attr;
    const float           scale = (float)a->scale, shift = (float)a->shift, *x = tg_ptr(c->in[0]);
    float                *y = tg_ptr(c->out[0]);
    const int64_t         end = tg_block_end(task->index, tg_count(c->out[0]));
#pragma omp simd
    for (int64_t i = task->index * TG_VECTOR_BLOCK; i < end; i++) y[i] = scale * x[i] + shift;
}
TG_VECTOR_KERNEL(affine_vector) = { TG_ELEMENTWISE_HEAD, .run = affine_run, .in_place = true };

static void leaky_relu_run(const tg_call *c, const tg_task *task)
{
    const float   slope = (float)((const tg_leaky_relu_attr *)c->attr)->slope, *x = tg_ptr(c->in[0]);
    float        *y = tg_ptr(c->out[0]);
    const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));
#pragma omp simd
    for (int64_t i = task->index * TG_VECTOR_BLOCK; i < end; i++) y[i] = x[i] * (x[i] > 0.0f ? 1.0f : slope);
}
TG_VECTOR_KERNEL(leaky_relu_vector) = { TG_ELEMENTWISE_HEAD, .run = leaky_relu_run, .in_place = true };

static void leaky_relu_grad_run(const tg_call *c, const tg_task *task)
{
    const float   slope = (float)((const tg_leaky_relu_attr *)c->attr)->slope;
    const float  *gy = tg_ptr(c->in[0]), *x = tg_ptr(c->in[1]);
    float        *gx = tg_ptr(c->out[0]);
    const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));
#pragma omp simd
    for (int64_t i = task->index * TG_VECTOR_BLOCK; i < end; i++) gx[i] = gy[i] * (x[i] > 0.0f ? 1.0f : slope);
}
TG_VECTOR_KERNEL(leaky_relu_grad_vector) = { TG_ELEMENTWISE_HEAD, .run = leaky_relu_grad_run, .in_place = true };

/* The usual exponents; the others are not vectorised, but shared out among the workers. */
static void pow_run(const tg_call *c, const tg_task *task)
{
    const float   exponent = (float)((const tg_pow_attr *)c->attr)->exponent, *x = tg_ptr(c->in[0]);
    float        *y = tg_ptr(c->out[0]);
    const int64_t begin = task->index * TG_VECTOR_BLOCK, end = tg_block_end(task->index, tg_count(c->out[0]));
#define EACH(formula) _Pragma("omp simd") for (int64_t i = begin; i < end; i++) y[i] = formula
    if (exponent == 1) EACH(x[i]);
    else if (exponent == 2) EACH(x[i] * x[i]);
    else if (exponent == 3) EACH(x[i] * x[i] * x[i]);
    else for (int64_t i = begin; i < end; i++) y[i] = powf(x[i], exponent);
#undef EACH
}
TG_VECTOR_KERNEL(pow_vector) = { TG_ELEMENTWISE_HEAD, .run = pow_run, .in_place = true };
