/* unary_vector.c - the operators in elementwise.def, and derivatives: y[i] = f(x[i]). */
#include "attr.h"
#include "elementwise.h"
#include "vector_math.h"

static const float INV_SQRT_2PI = 0.398942280f;

static inline float normal_pdf(float x) { return INV_SQRT_2PI * tg_exp_f32(-0.5f * x * x); }
static inline float hard_sigmoid(float x) { return tg_clamp_f32(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f); }
static inline float silu_slope(float x)
{
    const float f = tg_sigmoid_f32(x);
    return f + f * (x - x * f);
}
static inline float hardswish_slope(float x)
{
    const float between = (2.0f * x + 3.0f) * (1.0f / 6), above = x < 3.0f ? between : 1.0f; /* NaN: 1, as PyTorch */
    return x <= -3.0f ? 0.0f : above;
}

/* y[i] = f(x[i]), or gx[i] = f(gy[i], v[i]) with v = x or y; `setup` reads attributes into constants. bf16 elements are
 * loaded in pairs. */
#define EACH(op, setup, values, formula) \
    TG_INLINE void op##_each(const void *attr, tg_span s, bool is_bf16) \
    { \
        const int64_t pairs = is_bf16 ? s.n / 2 : s.n; \
        (void)attr; \
        setup; \
        _Pragma("omp simd") for (int64_t i = 0; i < pairs; i++) \
        { \
            tg_pair y_ = { 0, 0 }; \
            DO(values(FIRST), y_.a = formula); \
            if (is_bf16) DO(values(SECOND), y_.b = formula); \
            tg_store_pair(s.y, is_bf16, i, y_); \
        } \
        for (int64_t i = 2 * pairs; is_bf16 && i < s.n; i++) DO(values(SINGLE), tg_store(s.y, true, i, formula)); \
    } \
    RUN(op)
#define RUN(op) \
    static void op##_run(const tg_call *c, const tg_task *task) \
    { \
        const tg_span s = tg_span_of(c, task); \
        if (s.is_bf16) op##_each(c->attr, s, true); \
        else op##_each(c->attr, s, false); \
    } \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };
#define DO(values, what) \
    do { \
        values; \
        what; \
    } while (0)
#define FIRST(p)                 tg_load_pair(p, is_bf16, i).a
#define SECOND(p)                tg_load_pair(p, is_bf16, i).b
#define SINGLE(p)                tg_load(p, true, i)
#define ATTR(type)               ((const tg_##type##_attr *)attr)
#define X(load)                  const float x = load(s.a)
#define G_x(load)                const float g = load(s.a), x = load(s.b)
#define G_y(load)                const float g = load(s.a), y = load(s.b)
#define MAP(op, formula)         EACH(op, , X, formula)
#define MAP_WITH(op, setup, ...) EACH(op, setup, X, __VA_ARGS__)

/* ---- without attributes: neg_vector, exp_vector, log_vector, sqrt_vector, relu_vector, relu_grad_vector ---- */

MAP(neg, -x)
MAP(exp, tg_exp_f32(x))
MAP(log, tg_log_f32(x))
MAP(sqrt, sqrtf(x))

/* relu's results are exact: no rounding needed. */
TG_INLINE void relu_each(const void *attr, tg_span s, bool is_bf16)
{
    (void)attr;
#pragma omp simd
    for (int64_t i = 0; i < s.n; i++) {
        const float x = tg_load(s.a, is_bf16, i);
        tg_store_exact(s.y, is_bf16, i, x < 0.0f ? 0.0f : x);
    }
}
RUN(relu)

TG_INLINE void relu_grad_each(const void *attr, tg_span s, bool is_bf16)
{
    (void)attr;
    tg_relu_grad_line(s.a, s.b, is_bf16, s.n, s.y);
}
RUN(relu_grad)

/* ---- affine_vector ---- */

MAP_WITH(affine, const float scale = tg_plain((float)ATTR(affine)->scale);
         const float shift = tg_plain((float)ATTR(affine)->shift), scale *x + shift)

/* ---- X_vector and X_grad_vector for each line TG_MAPn(X, ..) of elementwise.def ---- */

#define PARAMETER(op, p)                                 const float p = tg_plain((float)ATTR(op)->p)
#define TG_MAP0(op, v, f, gradient, fast, fast_gradient) MAP(op, fast) EACH(op##_grad, , G_##v, fast_gradient)
#define TG_MAP1(op, p, at, v, f, gradient, fast, fast_gradient) \
    EACH(op, PARAMETER(op, p), X, fast) \
    EACH(op##_grad, PARAMETER(op, p), G_##v, fast_gradient)
#define TG_MAP2(op, p, at, q, at_q, v, f, gradient, fast, fast_gradient) \
    EACH(op, PARAMETER(op, p); PARAMETER(op, q), X, fast) \
    EACH(op##_grad, PARAMETER(op, p); PARAMETER(op, q), G_##v, fast_gradient)
#include "elementwise.def"

/* ---- pow_vector ---- */

/* The usual exponents. Others are not vectorised, but still split between the workers. */
TG_INLINE void pow_each(const void *attr, tg_span s, bool is_bf16)
{
    const float exponent = (float)ATTR(pow)->exponent;
#define POWER(formula) \
    _Pragma("omp simd") for (int64_t i = 0; i < s.n; i++) \
    { \
        const float x = tg_load(s.a, is_bf16, i); \
        tg_store(s.y, is_bf16, i, formula); \
    }
    if (exponent == 1) POWER(x)
    else if (exponent == 2) POWER(x * x)
    else if (exponent == 3) POWER(x * x * x)
    else
        for (int64_t i = 0; i < s.n; i++) tg_store(s.y, is_bf16, i, powf(tg_load(s.a, is_bf16, i), exponent));
#undef POWER
}
RUN(pow)
