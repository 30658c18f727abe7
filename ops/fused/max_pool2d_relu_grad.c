/* max_pool2d_relu_grad.c - the gradient of max_pool2d(relu(x)) in x where windows lie side by side, with the sum that is
 * a bias's gradient: the gradient of relu's result, of which all but a pixel a window is zero, is never stored. */
#include "check.h"
#include "kernels.h"
#include "pool2d.h"

static void infer(tg_scope *s, tg_call *c)
{
    const tg_pool2d_attr *a = c->attr;
    const tg_tensor      *y = c->in[2];
    tg_shape_text         shape;
    tg_max_pool2d_grad_infer(s, c);
    if (!tg_ok(s) || !tg_want_same_dtype(s, c, 0, 2)) return;
    if (!tg_same_shape(y, c->out[0]))
        tg_fail(s, "max_pool2d_relu_grad: y has shape %s, want the image's, %lld x %lld", tg_shape(y, &shape),
                (long long)a->image[0], (long long)a->image[1]);
    else c->out[1] = tg_make(s, TG_F32, 1, TG_DIM(y->dim[3]));
}

static bool fits(const tg_call *const chain[])
{
    return tg_side_by_side(chain[0]->attr) && chain[1]->in[1]->dtype == chain[0]->in[0]->dtype;
}

TG_VECTOR_DECLARE(max_pool2d_relu_grad_vector)
extern const tg_kernel max_pool2d_relu_grad_ref;
const tg_op tg_max_pool2d_relu_grad_op = {
    .name = "max_pool2d_relu_grad", .n_in = 3, .n_out = 2, .attr_size = sizeof(tg_pool2d_attr), .infer = infer,
    .kernels = TG_KERNELS(TG_VECTOR(max_pool2d_relu_grad_vector) &max_pool2d_relu_grad_ref),
};
const tg_rule tg_rule_max_pool2d_relu_grad = {
    .chain = { &tg_max_pool2d_grad_op, &tg_relu_grad_op, &tg_channel_sum_op }, .fused = &tg_max_pool2d_relu_grad_op,
    .emit = { { 1, 0 }, { 2, 0 } }, .n_emit = 2, .attr_of = 0, .fits = fits,
};
