/* binary.c - sub, mul, div, with broadcasting. See ops.h. */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(sub_vector)
TG_VECTOR_DECLARE(mul_vector)
TG_VECTOR_DECLARE(div_vector)
extern const tg_kernel sub_ref, mul_ref, div_ref;

static tg_tensor *apply_binary(tg_scope *s, const tg_op *op, tg_tensor *a, tg_tensor *b)
{
    tg_tensor *in[] = { a, b };
    tg_promote(s, in, 2);
    return tg_apply(s, op, in, NULL);
}

/* ---- a - b ---- */

static void sub_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = gout[0];
    if (tg_needs_grad(c->in[1])) gin[1] = tg_neg(s, gout[0]);
}

const tg_op tg_sub_op = {
    .name = "sub",
    .n_in = 2,
    .n_out = 1,
    .infer = tg_infer_pair,
    .backward = sub_backward,
    .remade_by = &tg_sub_op,
    .kernels = TG_KERNELS(TG_VECTOR(sub_vector), &sub_ref),
};

tg_tensor *tg_sub(tg_scope *s, tg_tensor *a, tg_tensor *b) { return apply_binary(s, &tg_sub_op, a, b); }

/* ---- a b ---- */

static void mul_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    if (tg_needs_grad(c->in[0])) gin[0] = tg_mul(s, gout[0], c->in[1]);
    if (tg_needs_grad(c->in[1])) gin[1] = tg_mul(s, gout[0], c->in[0]);
}

const tg_op tg_mul_op = {
    .name = "mul",
    .n_in = 2,
    .n_out = 1,
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .commutes = true,
    .infer = tg_infer_pair,
    .backward = mul_backward,
    .remade_by = &tg_mul_op,
    .kernels = TG_KERNELS(TG_VECTOR(mul_vector), &mul_ref),
};

tg_tensor *tg_mul(tg_scope *s, tg_tensor *a, tg_tensor *b) { return apply_binary(s, &tg_mul_op, a, b); }

/* ---- a / b: its derivatives are 1 / b and -(a / b) / b ---- */

static void div_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_div(s, gout[0], c->in[1]);
    if (tg_needs_grad(c->in[1])) gin[1] = tg_neg(s, tg_mul(s, gin[0], c->out[0]));
}

const tg_op tg_div_op = {
    .name = "div",
    .n_in = 2,
    .n_out = 1,
    .saves_in = TG_BIT(1),
    .saves_out = TG_BIT(0),
    .infer = tg_infer_pair,
    .backward = div_backward,
    .kernels = TG_KERNELS(TG_VECTOR(div_vector), &div_ref),
};

tg_tensor *tg_div(tg_scope *s, tg_tensor *a, tg_tensor *b) { return apply_binary(s, &tg_div_op, a, b); }
