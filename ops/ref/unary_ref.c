/* unary_ref.c - affine, neg, exp, log, sqrt, pow and the activations: the definitions. */
#include "attr.h"
#include <math.h>

static const double HALF_SQRT2 = 0.70710678118654752440, INV_SQRT_2PI = 0.39894228040143267794;

static void map(const tg_call *c, double (*f)(double x, const void *attr))
{
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) tg_set(c->out[0], i, f(tg_get(c->in[0], i), c->attr));
}

/* y = f(x) */
#define MAP_REF(op, formula) \
    static double op##_of(double x, const void *attr) { return (void)attr, formula; } \
    static void op##_run(const tg_call *c, const tg_task *task) { (void)task, map(c, op##_of); } \
    const tg_kernel op##_ref = { .name = "ref", .backend = "ref", .run = op##_run, .in_place = true };

#define ATTR(type) ((const tg_##type##_attr *)attr)
static double relu(double x) { return x < 0 ? 0 : x; } /* a NaN stays a NaN */
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double normal_cdf(double x) { return 0.5 * erfc(-x * HALF_SQRT2); }
static double normal_pdf(double x) { return INV_SQRT_2PI * exp(-0.5 * x * x); }
static double hard_sigmoid(double x) { return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6; }

MAP_REF(affine, ATTR(affine)->scale *x + ATTR(affine)->shift)
MAP_REF(neg, -x)
MAP_REF(exp, exp(x))
MAP_REF(log, log(x))
MAP_REF(sqrt, sqrt(x))
MAP_REF(pow, pow(x, ATTR(pow)->exponent))
MAP_REF(relu, relu(x))
MAP_REF(leaky_relu, x > 0 ? x : ATTR(leaky_relu)->slope * x)
MAP_REF(sigmoid, sigmoid(x))
MAP_REF(tanh, tanh(x))
MAP_REF(gelu, x *normal_cdf(x))
MAP_REF(silu, x *sigmoid(x))
MAP_REF(hardswish, x *hard_sigmoid(x))

/* gx = gy f'(v), v the input or the output */
static void map_grad(const tg_call *c, double (*slope)(double v, const void *attr))
{
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++)
        tg_set(c->out[0], i, tg_get(c->in[0], i) * slope(tg_get(c->in[1], i), c->attr));
}

#define GRAD_REF(op, v, formula) \
    static double op##_slope(double v, const void *attr) { return (void)attr, formula; } \
    static void op##_grad_run(const tg_call *c, const tg_task *task) { (void)task, map_grad(c, op##_slope); } \
    const tg_kernel op##_grad_ref = { .name = "ref", .backend = "ref", .run = op##_grad_run, .in_place = true };

GRAD_REF(leaky_relu, x, x > 0 ? 1 : ATTR(leaky_relu)->slope)
GRAD_REF(sigmoid, y, y *(1 - y))
GRAD_REF(tanh, y, 1 - y * y)
GRAD_REF(gelu, x, normal_cdf(x) + x * normal_pdf(x))
GRAD_REF(silu, x, sigmoid(x) * (1 + x * (1 - sigmoid(x))))
GRAD_REF(hardswish, x, x <= -3 ? 0 : x < 3 ? (2 * x + 3) / 6 : 1)
