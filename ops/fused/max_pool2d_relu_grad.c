/* max_pool2d_relu_grad.c - the gradient of max_pool2d(relu(x)) in x for windows that do not overlap, fused with the
 * bias gradient's sum. The gradient of relu's result, which is zero except for one pixel per window, is never stored.
 * max_pool2d's result shows whether relu passed a window's maximum, so relu's result is not read. */
#include "kernels.h"
#include "pool2d.h"

static void max_pool2d_relu_grad_infer(tg_scope *s, tg_call *c)
{
    tg_max_pool2d_grad_infer(s, c);
    if (tg_ok(s)) c->out[1] = tg_make(s, TG_F32, 1, TG_DIM(c->in[0]->dim[3]));
}

/* The pooled tensor is relu's result. */
static bool max_pool2d_relu_grad_fits(const tg_call *const chain[])
{
    const tg_call *const pool = tg_made_by(chain[0]->in[2]);
    return tg_side_by_side(chain[0]->attr) && pool && pool->op == &tg_max_pool2d_op && pool->in[0] == chain[1]->in[1];
}

TG_VECTOR_DECLARE(max_pool2d_relu_grad_vector)
extern const tg_kernel max_pool2d_relu_grad_ref;
const tg_op tg_max_pool2d_relu_grad_op = {
    .name = "max_pool2d_relu_grad",
    .n_in = 3,
    .n_out = 2,
    .attr_size = sizeof(tg_pool2d_attr),
    .infer = max_pool2d_relu_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(max_pool2d_relu_grad_vector), &max_pool2d_relu_grad_ref),
};
const tg_rule tg_rule_max_pool2d_relu_grad = {
    .chain = { &tg_max_pool2d_grad_op, &tg_relu_grad_op, &tg_channel_sum_op },
    .fused = &tg_max_pool2d_relu_grad_op,
    .drops = TG_BIT(3),
    .emit = { { 1, 0 }, { 2, 0 } },
    .n_emit = 2,
    .attr_of = 0,
    .fits = max_pool2d_relu_grad_fits,
};
