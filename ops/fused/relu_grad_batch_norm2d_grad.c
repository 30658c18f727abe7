/* relu_grad_batch_norm2d_grad.c - the gradient of relu(batch_norm2d(x) (+ other)) in one call.  Where the addition's
 * other side wants the gradient too, relu_grad's result is handed out as well. */
#include "batch_norm2d.h"
#include "kernels.h"

static void relu_grad_batch_norm2d_grad_infer(tg_scope *s, tg_call *c)
{
    tg_batch_norm2d_grad_infer(s, c, 2);
    c->out[3] = c->out[0] ? tg_make_like(s, c->in[2]) : NULL;
}

TG_VECTOR_DECLARE(relu_grad_batch_norm2d_grad_vector)
extern const tg_kernel relu_grad_batch_norm2d_grad_ref;
const tg_op tg_relu_grad_batch_norm2d_grad_op = {
    .name = "relu_grad_batch_norm2d_grad", .n_in = 6, .n_out = 4,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2) | TG_BIT(3),
    .attr_size = sizeof(tg_batch_norm2d_attr), .infer = relu_grad_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(relu_grad_batch_norm2d_grad_vector) &relu_grad_batch_norm2d_grad_ref),
};
const tg_rule tg_rule_relu_grad_batch_norm2d_grad = {
    .chain = { &tg_relu_grad_op, &tg_batch_norm2d_grad_op }, .fused = &tg_relu_grad_batch_norm2d_grad_op,
    .emit = { { 1, 0 }, { 1, 1 }, { 1, 2 }, { 0, 0 } }, .n_emit = 4, .attr_of = 1,
};
