/* softmax.c - softmax and its logarithm along an axis. */
#include "check.h"
#include "kernels.h"
#include "nll_loss.h"

/* Inputs are floats of one shape. The result may have another dtype. */
static void softmax_infer(tg_scope *s, tg_call *c)
{
    const tg_softmax_attr *const a = c->attr;
    if (!tg_want_float(s, c, 0) || !tg_want_axis(s, c, a->axis)) return;
    for (int k = 1; k < c->op->n_in; k++)
        if (!tg_want_same_dtype(s, c, 0, k) || !tg_want_same_shape(s, c, 0, k)) return;
    if (a->dtype != TG_F32 && a->dtype != TG_BF16)
        tg_fail(s, "%s: a result of %s, want f32 or bf16", c->op->name, tg_dtype_name(a->dtype));
    else c->out[0] = tg_make(s, a->dtype, c->in[0]->rank, c->in[0]->dim);
}

static tg_tensor *softmax_gradient(tg_scope *s, const tg_op *op, const tg_call *c, tg_tensor *gy)
{
    const tg_softmax_attr attr = { ((const tg_softmax_attr *)c->attr)->axis, c->in[0]->dtype };
    return tg_apply(s, op, (tg_tensor *const[]){ gy, c->out[0] }, &attr);
}

static void softmax_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = softmax_gradient(s, &tg_softmax_grad_op, c, gout[0]);
}

static void log_softmax_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = softmax_gradient(s, &tg_log_softmax_grad_op, c, gout[0]);
}

TG_VECTOR_DECLARE(softmax_vector)
extern const tg_kernel softmax_ref;
const tg_op tg_softmax_op = {
    .name = "softmax",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .attr_size = sizeof(tg_softmax_attr),
    .infer = softmax_infer,
    .backward = softmax_backward,
    .kernels = TG_KERNELS(TG_VECTOR(softmax_vector), &softmax_ref),
};

TG_VECTOR_DECLARE(softmax_grad_vector)
extern const tg_kernel softmax_grad_ref;
const tg_op tg_softmax_grad_op = {
    .name = "softmax_grad",
    .n_in = 2,
    .n_out = 1,
    .attr_size = sizeof(tg_softmax_attr),
    .infer = softmax_infer,
    .kernels = TG_KERNELS(TG_VECTOR(softmax_grad_vector), &softmax_grad_ref),
};

TG_VECTOR_DECLARE(log_softmax_vector)
extern const tg_kernel log_softmax_ref;
const tg_op tg_log_softmax_op = {
    .name = "log_softmax",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .attr_size = sizeof(tg_softmax_attr),
    .infer = softmax_infer,
    .backward = log_softmax_backward,
    .kernels = TG_KERNELS(TG_VECTOR(log_softmax_vector), &log_softmax_ref),
    .rules = TG_RULES(&tg_rule_cross_entropy),
};

TG_VECTOR_DECLARE(log_softmax_grad_vector)
extern const tg_kernel log_softmax_grad_ref;
const tg_op tg_log_softmax_grad_op = {
    .name = "log_softmax_grad",
    .n_in = 2,
    .n_out = 1,
    .attr_size = sizeof(tg_softmax_attr),
    .infer = softmax_infer,
    .kernels = TG_KERNELS(TG_VECTOR(log_softmax_grad_vector), &log_softmax_grad_ref),
};

static tg_softmax_attr softmax_attr(const tg_tensor *x, int axis)
{
    return (tg_softmax_attr){ tg_resolve_axis(x, axis), x ? x->dtype : TG_F32 };
}

tg_tensor *tg_softmax(tg_scope *s, tg_tensor *x, int axis)
{
    const tg_softmax_attr attr = softmax_attr(x, axis);
    return tg_apply(s, &tg_softmax_op, &x, &attr);
}

tg_tensor *tg_log_softmax(tg_scope *s, tg_tensor *x, int axis)
{
    const tg_softmax_attr attr = softmax_attr(x, axis);
    return tg_apply(s, &tg_log_softmax_op, &x, &attr);
}
