/* relu.c - relu, its derivative, and that fused with the bias gradient's sum. See ops.h, attr.h. */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(relu_vector)
TG_VECTOR_DECLARE(relu_grad_vector)
TG_VECTOR_DECLARE(channel_sum_vector)
TG_VECTOR_DECLARE(relu_grad_channel_sum_vector)
extern const tg_kernel relu_ref, relu_grad_ref, channel_sum_ref, relu_grad_channel_sum_ref;
extern const tg_rule tg_rule_batch_norm2d_relu_grad, tg_rule_relu_grad_batch_norm2d_grad; /* in fused/ */

/* ---- max(x, 0). Backward reads y, which the next layer mostly keeps anyway ---- */

static void relu_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_relu_grad_op, (tg_tensor *const[]){ gout[0], c->out[0] }, NULL);
}

const tg_op tg_relu_op = {
    .name = "relu",
    .n_in = 1,
    .n_out = 1,
    .saves_out = TG_BIT(0),
    .infer = tg_infer_map,
    .backward = relu_backward,
    .remade_by = &tg_relu_op,
    .kernels = TG_KERNELS(TG_VECTOR(relu_vector), &relu_ref),
};

tg_tensor *tg_relu(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_relu_op, &x, NULL); }

/* ---- channel_sum: over all axes but the last ---- */

static void channel_sum_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *x = c->in[0];
    if (tg_ok(s) && x->rank < 1) tg_fail(s, "channel_sum: x has rank 0, want [.., channels]");
    if (tg_want_float(s, c, 0)) c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(x->dim[x->rank - 1]));
}

const tg_op tg_channel_sum_op = {
    .name = "channel_sum",
    .n_in = 1,
    .n_out = 1,
    .infer = channel_sum_infer,
    .kernels = TG_KERNELS(TG_VECTOR(channel_sum_vector), &channel_sum_ref),
};

/* ---- relu_grad(gy, y) -> y <= 0 ? 0 : gy, so NaN passes, as in PyTorch; also fused with channel_sum ---- */

static const tg_rule relu_grad_then_channel_sum = {
    .chain = { &tg_relu_grad_op, &tg_channel_sum_op },
    .fused = &tg_relu_grad_channel_sum_op,
    .emit = { { 0, 0 }, { 1, 0 } },
    .n_emit = 2,
};

const tg_op tg_relu_grad_op = {
    .name = "relu_grad",
    .n_in = 2,
    .n_out = 1,
    .infer = tg_infer_zip,
    .kernels = TG_KERNELS(TG_VECTOR(relu_grad_vector), &relu_grad_ref),
    .rules =
        TG_RULES(&tg_rule_batch_norm2d_relu_grad, &tg_rule_relu_grad_batch_norm2d_grad, &relu_grad_then_channel_sum),
};

static void relu_grad_channel_sum_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *y = c->in[1];
    tg_infer_zip(s, c);
    if (tg_ok(s) && y->rank < 1) tg_fail(s, "relu_grad_channel_sum: y has rank 0, want [.., channels]");
    if (tg_ok(s)) c->out[1] = tg_make(s, TG_F32, 1, TG_DIM(y->dim[y->rank - 1]));
}

const tg_op tg_relu_grad_channel_sum_op = {
    .name = "relu_grad_channel_sum",
    .n_in = 2,
    .n_out = 2,
    .infer = relu_grad_channel_sum_infer,
    .kernels = TG_KERNELS(TG_VECTOR(relu_grad_channel_sum_vector), &relu_grad_channel_sum_ref),
};
