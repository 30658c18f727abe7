/* cross_entropy.c - log_softmax over the last axis and nll_loss in one call; their gradients in another. */
#include "kernels.h"
#include "nll_loss.h"

static bool last_axis(const tg_call *log_softmax)
{
    return ((const tg_axis_attr *)log_softmax->attr)->axis == log_softmax->in[0]->rank - 1;
}

static bool is_f32(const tg_call *log_softmax) { return log_softmax->in[0]->dtype == TG_F32; }

static void cross_entropy_infer(tg_scope *s, tg_call *c)
{
    tg_nll_loss_infer(s, c);
    c->out[2] = tg_make_like(s, c->in[0]);
}

static bool cross_entropy_fits(const tg_call *const chain[]) { return is_f32(chain[0]) && last_axis(chain[0]); }

TG_VECTOR_DECLARE(cross_entropy_vector)
extern const tg_kernel cross_entropy_ref;
const tg_op tg_cross_entropy_op = {
    .name = "cross_entropy", .n_in = 3, .n_out = 3, .optional_in = TG_BIT(2), .optional_out = TG_BIT(2),
    .attr_size = sizeof(tg_nll_attr), .infer = cross_entropy_infer,
    .kernels = TG_KERNELS(TG_VECTOR(cross_entropy_vector) &cross_entropy_ref),
};
const tg_rule tg_rule_cross_entropy = {
    .chain = { &tg_log_softmax_op, &tg_nll_loss_op }, .fused = &tg_cross_entropy_op,
    .emit = { { 1, 0 }, { 1, 1 }, { 0, 0 } }, .n_emit = 3, .attr_of = 1, .fits = cross_entropy_fits,
};

static void cross_entropy_grad_infer(tg_scope *s, tg_call *c)
{
    tg_nll_loss_grad_infer(s, c);
    if (!tg_ok(s) || !tg_want_dtype(s, c, 4, TG_F32) || tg_same_shape(c->in[4], c->out[0]))
        return;
    tg_shape_text got, want;
    tg_fail(s, "cross_entropy_grad: the log probabilities have shape %s, want %s", tg_shape(c->in[4], &got),
            tg_shape(c->out[0], &want));
}

static bool cross_entropy_grad_fits(const tg_call *const chain[]) { return is_f32(chain[1]) && last_axis(chain[1]); }

TG_VECTOR_DECLARE(cross_entropy_grad_vector)
extern const tg_kernel cross_entropy_grad_ref;
const tg_op tg_cross_entropy_grad_op = {
    .name = "cross_entropy_grad", .n_in = 5, .n_out = 1, .optional_in = TG_BIT(2), .attr_size = sizeof(tg_nll_attr),
    .infer = cross_entropy_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(cross_entropy_grad_vector) &cross_entropy_grad_ref),
};
const tg_rule tg_rule_cross_entropy_grad = {
    .chain = { &tg_nll_loss_grad_op, &tg_log_softmax_grad_op }, .fused = &tg_cross_entropy_grad_op,
    .emit = { { 1, 0 } }, .n_emit = 1, .attr_of = 0, .fits = cross_entropy_grad_fits,
};
