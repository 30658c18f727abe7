/* unary_ref.c - the definitions of the operators in elementwise.def. */
#include "attr.h"
#include <math.h>

static const double HALF_SQRT2 = 0.70710678118654752440, INV_SQRT_2PI = 0.39894228040143267794;

static void unary_map(const tg_call *c, double (*f)(double x, const void *attr))
{
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) tg_set(c->out[0], i, f(tg_get(c->in[0], i), c->attr));
}

/* y = f(x) */
#define MAP_REF(op, formula) \
    static double op##_of(double x, const void *attr) { return (void)attr, formula; } \
    static void op##_ref_run(const tg_call *c, const tg_task *task) { (void)task, unary_map(c, op##_of); } \
    const tg_kernel op##_ref = { .name = "ref", .backend = "ref", .run = op##_ref_run, .in_place = true };

#define ATTR(type) ((const tg_##type##_attr *)attr)
static double relu(double x) { return x < 0 ? 0 : x; } /* a NaN stays a NaN */
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double normal_cdf(double x) { return 0.5 * erfc(-x * HALF_SQRT2); }
static double normal_pdf(double x) { return INV_SQRT_2PI * exp(-0.5 * x * x); }
static double hard_sigmoid(double x) { return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6; }

/* affine_ref, neg_ref, exp_ref, log_ref, sqrt_ref, pow_ref, relu_ref */
MAP_REF(affine, ATTR(affine)->scale *x + ATTR(affine)->shift)
MAP_REF(neg, -x)
MAP_REF(exp, exp(x))
MAP_REF(log, log(x))
MAP_REF(sqrt, sqrt(x))
MAP_REF(pow, pow(x, ATTR(pow)->exponent))
MAP_REF(relu, relu(x))

/* gx = gradient(gy, v), v the input or the output */
static void map_grad(const tg_call *c, double (*gradient)(double g, double v, const void *attr))
{
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++)
        tg_set(c->out[0], i, gradient(tg_get(c->in[0], i), tg_get(c->in[1], i), c->attr));
}

#define GRAD_REF(op, v, formula) \
    static double op##_grad_of(double g, double v, const void *attr) { return (void)attr, formula; } \
    static void op##_grad_ref_run(const tg_call *c, const tg_task *task) { (void)task, map_grad(c, op##_grad_of); } \
    const tg_kernel op##_grad_ref = { .name = "ref", .backend = "ref", .run = op##_grad_ref_run, .in_place = true };

/* An operator's parameters become arguments of its formulas. */
#define WITH1(op, p, v, f, gradient) \
    static double op##_f(double x, double p) { return f; } \
    static double op##_gradient(double g, double v, double p) { return gradient; } \
    MAP_REF(op, op##_f(x, ATTR(op)->p)) \
    GRAD_REF(op, v, op##_gradient(g, v, ATTR(op)->p))
#define WITH2(op, p, q, v, f, gradient) \
    static double op##_f(double x, double p, double q) { return f; } \
    static double op##_gradient(double g, double v, double p, double q) { return gradient; } \
    MAP_REF(op, op##_f(x, ATTR(op)->p, ATTR(op)->q)) \
    GRAD_REF(op, v, op##_gradient(g, v, ATTR(op)->p, ATTR(op)->q))

/* X_ref and X_grad_ref for each line TG_MAPn(X, ..) */
#define TG_MAP0(op, v, f, gradient, ...)                 MAP_REF(op, f) GRAD_REF(op, v, gradient)
#define TG_MAP1(op, p, at, v, f, gradient, ...)          WITH1(op, p, v, f, gradient)
#define TG_MAP2(op, p, at, q, at_q, v, f, gradient, ...) WITH2(op, p, q, v, f, gradient)
#include "elementwise.def"
