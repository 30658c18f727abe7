/* losses.c - pointwise losses. The formulas are in ops.h. */
#include "check.h"
#include "kernels.h"
#include "run.h"

static void pointwise_loss_infer(tg_scope *s, tg_call *c)
{
    if (tg_want_dtype(s, c, 0, TG_F32) && tg_want_dtype(s, c, 1, TG_F32) && tg_want_same_shape(s, c, 0, 1))
        c->out[0] = tg_make_like(s, c->in[0]);
}

static void pointwise_loss_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_pointwise_loss_grad_op, (tg_tensor *const[]){ gout[0], c->in[0], c->in[1] }, c->attr);
    gin[1] = tg_output(gin[0], 1);
}

TG_VECTOR_DECLARE(pointwise_loss_vector)
extern const tg_kernel pointwise_loss_ref;
const tg_op tg_pointwise_loss_op = {
    .name = "pointwise_loss",
    .n_in = 2,
    .n_out = 1,
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .casts = TG_BIT(0) | TG_BIT(1),
    .cast_to = TG_CAST_F32,
    .attr_size = sizeof(tg_pointwise_loss_attr),
    .infer = pointwise_loss_infer,
    .backward = pointwise_loss_backward,
    .kernels = TG_KERNELS(TG_VECTOR(pointwise_loss_vector), &pointwise_loss_ref),
};

static void pointwise_loss_grad_infer(tg_scope *s, tg_call *c)
{
    for (int k = 0; k < 3; k++)
        if (!tg_want_dtype(s, c, k, TG_F32) || !tg_want_same_shape(s, c, k, 1)) return;
    c->out[0] = tg_make_like(s, c->in[1]);
    c->out[1] = tg_make_like(s, c->in[1]);
}

TG_VECTOR_DECLARE(pointwise_loss_grad_vector)
extern const tg_kernel pointwise_loss_grad_ref;
const tg_op tg_pointwise_loss_grad_op = {
    .name = "pointwise_loss_grad",
    .n_in = 3,
    .n_out = 2,
    .optional_out = TG_BIT(0) | TG_BIT(1),
    .attr_size = sizeof(tg_pointwise_loss_attr),
    .infer = pointwise_loss_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(pointwise_loss_grad_vector), &pointwise_loss_grad_ref),
};

/* `name` is the public function that was called; messages begin with it. */
static tg_tensor *pointwise_loss(tg_scope *s, const char *name, tg_pointwise_loss kind, tg_tensor *x, tg_tensor *target,
                                 tg_reduction reduction)
{
    tg_shape_text got, want;
    const char *const was = tg_call_as(s, name);
    if (tg_ok(s) && x && target && !tg_same_shape(x, target))
        tg_fail(s, "%s: target has shape %s, x %s; want the same", name, tg_shape(target, &got), tg_shape(x, &want));
    if (reduction != TG_MEAN && reduction != TG_SUM && reduction != TG_NONE)
        tg_fail(s, "%s: reduction is %d, want TG_MEAN, TG_SUM or TG_NONE", name, (int)reduction);
    tg_tensor *const in[] = { tg_as_f32(s, x), tg_as_f32(s, target) };
    tg_tensor *const each = tg_apply(s, &tg_pointwise_loss_op, in, &(tg_pointwise_loss_attr){ kind });
    const tg_axes all = { .n = 0 };
    tg_tensor *const y = reduction == TG_NONE   ? each
                         : reduction == TG_MEAN ? tg_mean(s, each, all)
                                                : tg_sum(s, each, all);
    return tg_called_as(s, was, y);
}

tg_tensor *tg_mse(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction)
{
    return pointwise_loss(s, "mse", TG_SQUARED_ERROR, x, target, reduction);
}

tg_tensor *tg_l1(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction)
{
    return pointwise_loss(s, "l1", TG_ABSOLUTE_ERROR, x, target, reduction);
}

tg_tensor *tg_bce_with_logits(tg_scope *s, tg_tensor *x, tg_tensor *target, tg_reduction reduction)
{
    return pointwise_loss(s, "bce_with_logits", TG_BCE_WITH_LOGITS, x, target, reduction);
}
