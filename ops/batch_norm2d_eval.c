/* batch_norm2d_eval.c - batch normalisation with the running statistics: an affine map by channel. */
#include "batch_norm2d.h"
#include "check.h"
#include "kernels.h"

void tg_batch_norm2d_eval_infer(tg_scope *s, tg_call *c)
{
    if (!tg_batch_norm2d_check(s, c, 0, 4)) return;
    if (c->op->n_in > 5 && !(tg_want_same_shape(s, c, 0, 5) && tg_want_same_dtype(s, c, 0, 5))) return;
    c->out[0] = tg_make_like(s, c->in[0]);
}

static void batch_norm2d_eval_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_batch_norm2d_eval_grad_op,
                      (tg_tensor *const[]){ gout[0], c->in[0], c->in[1], c->in[3], c->in[4] }, c->attr);
    gin[1] = tg_output(gin[0], 1);
    gin[2] = tg_output(gin[0], 2);
}

TG_VECTOR_DECLARE(batch_norm2d_eval_vector)
extern const tg_kernel batch_norm2d_eval_ref;
const tg_op tg_batch_norm2d_eval_op = {
    .name = "batch_norm2d_eval",
    .n_in = 5,
    .n_out = 1,
    .saves_in = TG_BIT(0) | TG_BIT(1) | TG_BIT(3) | TG_BIT(4),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_eval_infer,
    .backward = batch_norm2d_eval_backward,
    .remade_by = &tg_batch_norm2d_eval_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_eval_vector), &batch_norm2d_eval_ref),
    .rules = TG_RULES(&tg_rule_batch_norm2d_eval_add_relu, &tg_rule_batch_norm2d_eval_relu),
};

TG_VECTOR_DECLARE(batch_norm2d_eval_grad_vector)
extern const tg_kernel batch_norm2d_eval_grad_ref;
const tg_op tg_batch_norm2d_eval_grad_op = {
    .name = "batch_norm2d_eval_grad",
    .n_in = 5,
    .n_out = 3,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_eval_grad_vector), &batch_norm2d_eval_grad_ref),
};
