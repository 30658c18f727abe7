/* unary.c - affine, neg, exp, log, sqrt, pow: element by element, derivatives in terms of each other.  See ops.h. */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(affine_vector)
TG_VECTOR_DECLARE(neg_vector)
TG_VECTOR_DECLARE(exp_vector)
TG_VECTOR_DECLARE(log_vector)
TG_VECTOR_DECLARE(sqrt_vector)
TG_VECTOR_DECLARE(pow_vector)
extern const tg_kernel affine_ref, neg_ref, exp_ref, log_ref, sqrt_ref, pow_ref;

/* ---- scale x + shift ---- */

static void affine_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const tg_affine_attr *a = c->attr;
    gin[0] = tg_affine(s, gout[0], a->scale, 0);
}

const tg_op tg_affine_op = {
    .name = "affine",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_affine_attr),
    .infer = tg_infer_map,
    .backward = affine_backward,
    .remade_by = &tg_affine_op,
    .kernels = TG_KERNELS(TG_VECTOR(affine_vector), &affine_ref),
};

tg_tensor *tg_affine(tg_scope *s, tg_tensor *x, double scale, double shift)
{
    return tg_apply(s, &tg_affine_op, &x, &(tg_affine_attr){ scale, shift });
}

/* ---- -x ---- */

static void neg_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)c;
    gin[0] = tg_neg(s, gout[0]);
}

const tg_op tg_neg_op = {
    .name = "neg",
    .n_in = 1,
    .n_out = 1,
    .infer = tg_infer_map,
    .backward = neg_backward,
    .remade_by = &tg_neg_op,
    .kernels = TG_KERNELS(TG_VECTOR(neg_vector), &neg_ref),
};

tg_tensor *tg_neg(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_neg_op, &x, NULL); }

/* ---- e^x: its derivative is itself ---- */

static void exp_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_mul(s, gout[0], c->out[0]);
}

const tg_op tg_exp_op = {
    .name = "exp",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = exp_backward,
    .kernels = TG_KERNELS(TG_VECTOR(exp_vector), &exp_ref),
};

tg_tensor *tg_exp(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_exp_op, &x, NULL); }

/* ---- ln x: 1 / x ---- */

static void log_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_div(s, gout[0], c->in[0]);
}

const tg_op tg_log_op = {
    .name = "log",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = log_backward,
    .kernels = TG_KERNELS(TG_VECTOR(log_vector), &log_ref),
};

tg_tensor *tg_log(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_log_op, &x, NULL); }

/* ---- y = x^(1/2): 1 / (2 y) ---- */

static void sqrt_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_affine(s, tg_div(s, gout[0], c->out[0]), 0.5, 0);
}

const tg_op tg_sqrt_op = {
    .name = "sqrt",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = sqrt_backward,
    .kernels = TG_KERNELS(TG_VECTOR(sqrt_vector), &sqrt_ref),
};

tg_tensor *tg_sqrt(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_sqrt_op, &x, NULL); }

/* ---- x^p: p x^(p - 1), and 0 for p = 0, where that would be 0 times infinity at x = 0 ---- */

static void pow_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const double p = ((const tg_pow_attr *)c->attr)->exponent;
    tg_tensor *slope = p == 0 ? gout[0] : tg_mul(s, gout[0], tg_pow(s, c->in[0], p - 1));
    gin[0] = tg_affine(s, slope, p, 0);
}

const tg_op tg_pow_op = {
    .name = "pow",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .attr_size = sizeof(tg_pow_attr),
    .infer = tg_infer_map,
    .backward = pow_backward,
    .kernels = TG_KERNELS(TG_VECTOR(pow_vector), &pow_ref),
};

tg_tensor *tg_pow(tg_scope *s, tg_tensor *x, double exponent)
{
    return tg_apply(s, &tg_pow_op, &x, &(tg_pow_attr){ exponent });
}
