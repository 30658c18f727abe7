/* softmax.c - softmax and its logarithm along an axis. */
#include "check.h"
#include "kernels.h"
#include "nll_loss.h"

static void softmax_infer(tg_scope *s, tg_call *c)
{
    if (tg_want_float(s, c, 0) && tg_want_axis(s, c, ((const tg_axis_attr *)c->attr)->axis))
        c->out[0] = tg_make_like(s, c->in[0]);
}

static void softmax_grad_infer(tg_scope *s, tg_call *c)
{
    if (tg_want_axis(s, c, ((const tg_axis_attr *)c->attr)->axis))
        tg_infer_zip(s, c);
}

static void softmax_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_softmax_grad_op, (tg_tensor *const[]){ gout[0], c->out[0] }, c->attr);
}

static void log_softmax_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_log_softmax_grad_op, (tg_tensor *const[]){ gout[0], c->out[0] }, c->attr);
}

TG_VECTOR_DECLARE(softmax_vector)
extern const tg_kernel softmax_ref;
const tg_op tg_softmax_op = {
    .name = "softmax", .n_in = 1, .n_out = 1, .saves_out = TG_BIT(0), .attr_size = sizeof(tg_axis_attr),
    .infer = softmax_infer, .backward = softmax_backward,
    .kernels = TG_KERNELS(TG_VECTOR(softmax_vector) &softmax_ref),
};

TG_VECTOR_DECLARE(softmax_grad_vector)
extern const tg_kernel softmax_grad_ref;
const tg_op tg_softmax_grad_op = {
    .name = "softmax_grad", .n_in = 2, .n_out = 1, .attr_size = sizeof(tg_axis_attr), .infer = softmax_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(softmax_grad_vector) &softmax_grad_ref),
};

TG_VECTOR_DECLARE(log_softmax_vector)
extern const tg_kernel log_softmax_ref;
const tg_op tg_log_softmax_op = {
    .name = "log_softmax", .n_in = 1, .n_out = 1, .saves_out = TG_BIT(0), .attr_size = sizeof(tg_axis_attr),
    .infer = softmax_infer, .backward = log_softmax_backward,
    .kernels = TG_KERNELS(TG_VECTOR(log_softmax_vector) &log_softmax_ref), .rules = TG_RULES(&tg_rule_cross_entropy),
};

TG_VECTOR_DECLARE(log_softmax_grad_vector)
extern const tg_kernel log_softmax_grad_ref;
const tg_op tg_log_softmax_grad_op = {
    .name = "log_softmax_grad", .n_in = 2, .n_out = 1, .attr_size = sizeof(tg_axis_attr), .infer = softmax_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(log_softmax_grad_vector) &log_softmax_grad_ref),
};

tg_tensor *tg_softmax(tg_scope *s, tg_tensor *x, int axis)
{
    return tg_apply(s, &tg_softmax_op, &x, &(tg_axis_attr){ tg_resolve_axis(x, axis) });
}

tg_tensor *tg_log_softmax(tg_scope *s, tg_tensor *x, int axis)
{
    return tg_apply(s, &tg_log_softmax_op, &x, &(tg_axis_attr){ tg_resolve_axis(x, axis) });
}
