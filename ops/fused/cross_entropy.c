/* cross_entropy.c - log_softmax over the last axis and nll_loss in one call; their gradients in another. */
#include "kernels.h"
#include "nll_loss.h"

/* nll_loss's dtype is f32 when used alone, and x's dtype when recorded by cross entropy. */
static bool softmax_of_nll_fits(const tg_call *softmax, const tg_tensor *x, const tg_call *nll)
{
    return ((const tg_softmax_attr *)softmax->attr)->axis == x->rank - 1 &&
           ((const tg_nll_attr *)nll->attr)->dtype == x->dtype;
}

static bool cross_entropy_fits(const tg_call *const chain[])
{
    return chain[0]->out[0]->dtype == TG_F32 && softmax_of_nll_fits(chain[0], chain[0]->in[0], chain[1]);
}

static bool cross_entropy_grad_fits(const tg_call *const chain[])
{
    return softmax_of_nll_fits(chain[1], chain[1]->out[0], chain[0]);
}

static void cross_entropy_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *const x = c->in[0];
    if (!tg_want_dtype(s, c, 0, ((const tg_nll_attr *)c->attr)->dtype)) return;
    tg_nll_loss_infer(s, c);
    c->out[2] = tg_make(s, TG_F32, x->rank, x->dim);
}

TG_VECTOR_DECLARE(cross_entropy_vector)
extern const tg_kernel cross_entropy_ref;
const tg_op tg_cross_entropy_op = {
    .name = "cross_entropy",
    .n_in = 3,
    .n_out = 3,
    .optional_in = TG_BIT(2),
    .optional_out = TG_BIT(2),
    .attr_size = sizeof(tg_nll_attr),
    .infer = cross_entropy_infer,
    .kernels = TG_KERNELS(TG_VECTOR(cross_entropy_vector), &cross_entropy_ref),
};
const tg_rule tg_rule_cross_entropy = {
    .chain = { &tg_log_softmax_op, &tg_nll_loss_op },
    .fused = &tg_cross_entropy_op,
    .emit = { { 1, 0 }, { 1, 1 }, { 0, 0 } },
    .n_emit = 3,
    .attr_of = 1,
    .fits = cross_entropy_fits,
};

static void cross_entropy_grad_infer(tg_scope *s, tg_call *c)
{
    tg_nll_loss_grad_infer(s, c, ((const tg_nll_attr *)c->attr)->dtype);
    if (!tg_ok(s) || !tg_want_dtype(s, c, 4, TG_F32) || tg_same_shape(c->in[4], c->out[0])) return;
    tg_shape_text got, want;
    tg_fail(s, "cross_entropy_grad: the log probabilities have shape %s, want %s", tg_shape(c->in[4], &got),
            tg_shape(c->out[0], &want));
}

TG_VECTOR_DECLARE(cross_entropy_grad_vector)
extern const tg_kernel cross_entropy_grad_ref;
const tg_op tg_cross_entropy_grad_op = {
    .name = "cross_entropy_grad",
    .n_in = 5,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .attr_size = sizeof(tg_nll_attr),
    .infer = cross_entropy_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(cross_entropy_grad_vector), &cross_entropy_grad_ref),
};
const tg_rule tg_rule_cross_entropy_grad = {
    .chain = { &tg_nll_loss_grad_op, &tg_log_softmax_grad_op },
    .fused = &tg_cross_entropy_grad_op,
    .emit = { { 1, 0 } },
    .n_emit = 1,
    .attr_of = 0,
    .fits = cross_entropy_grad_fits,
};
