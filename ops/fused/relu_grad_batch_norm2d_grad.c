/* relu_grad_batch_norm2d_grad.c - the gradient of relu(batch_norm2d(x) (+ other)) in one call. Without an addition, x
 * determines where relu passed, and relu's result is not read. If the addition's other operand needs the gradient too,
 * relu_grad's result is a further output. If relu's result had two readers, their gradients are added here. */
#include "batch_norm2d.h"
#include "kernels.h"

static bool reads_the_same(const tg_call *a, int i, const tg_call *b, int k)
{
    return a->in[i] == b->in[k] && a->in_version[i] == b->in_version[k];
}

/* Whether relu's result was computed from this x, with the same statistics, gamma and beta. */
static bool is_of_x(const tg_call *const chain[])
{
    const tg_call *const relu = tg_made_by(chain[0]->in[1]), *const grad = chain[1];
    const tg_call *const norm = relu && relu->op == &tg_relu_op ? tg_made_by(relu->in[0]) : NULL;
    return norm && norm->op == &tg_batch_norm2d_op && norm->out[1] == grad->in[3] && reads_the_same(norm, 0, grad, 1) &&
           reads_the_same(norm, 1, grad, 2) && reads_the_same(norm, 2, grad, 5);
}

TG_VECTOR_DECLARE(batch_norm2d_relu_grad_vector)
extern const tg_kernel batch_norm2d_relu_grad_ref;
const tg_op tg_batch_norm2d_relu_grad_op = {
    .name = "batch_norm2d_relu_grad",
    .n_in = 6,
    .n_out = 3,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_relu_grad_vector), &batch_norm2d_relu_grad_ref),
};
const tg_rule tg_rule_batch_norm2d_relu_grad = {
    .chain = { &tg_relu_grad_op, &tg_batch_norm2d_grad_op },
    .fused = &tg_batch_norm2d_relu_grad_op,
    .drops = TG_BIT(1),
    .emit = { { 1, 0 }, { 1, 1 }, { 1, 2 } },
    .n_emit = 3,
    .attr_of = 1,
    .fits = is_of_x,
};

static void relu_grad_batch_norm2d_grad_infer(tg_scope *s, tg_call *c)
{
    tg_batch_norm2d_grad_infer_at(s, c, 2);
    c->out[3] = c->out[0] ? tg_make_like(s, c->in[2]) : NULL;
}

TG_VECTOR_DECLARE(relu_grad_batch_norm2d_grad_vector)
extern const tg_kernel relu_grad_batch_norm2d_grad_ref;
const tg_op tg_relu_grad_batch_norm2d_grad_op = {
    .name = "relu_grad_batch_norm2d_grad",
    .n_in = 7,
    .n_out = 4,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2) | TG_BIT(3),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = relu_grad_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(relu_grad_batch_norm2d_grad_vector), &relu_grad_batch_norm2d_grad_ref),
};
const tg_rule tg_rule_relu_grad_batch_norm2d_grad = {
    .chain = { &tg_relu_grad_op, &tg_batch_norm2d_grad_op },
    .fused = &tg_relu_grad_batch_norm2d_grad_op,
    .emit = { { 1, 0 }, { 1, 1 }, { 1, 2 }, { 0, 0 } },
    .n_emit = 4,
    .attr_of = 1,
};

static void add_relu_grad_batch_norm2d_grad_infer(tg_scope *s, tg_call *c)
{
    tg_batch_norm2d_grad_infer_at(s, c, 3);
    c->out[3] = c->out[0] ? tg_make_like(s, c->in[3]) : NULL;
}

static bool relu_grad_batch_norm2d_grad_fits(const tg_call *const chain[])
{
    const tg_call *const add = chain[0];
    return tg_same_shape(add->in[0], add->in[1]) && add->in[0]->dtype == add->in[1]->dtype;
}

TG_VECTOR_DECLARE(add_relu_grad_batch_norm2d_grad_vector)
extern const tg_kernel add_relu_grad_batch_norm2d_grad_ref;
const tg_op tg_add_relu_grad_batch_norm2d_grad_op = {
    .name = "add_relu_grad_batch_norm2d_grad",
    .n_in = 8,
    .n_out = 4,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2) | TG_BIT(3),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = add_relu_grad_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(add_relu_grad_batch_norm2d_grad_vector), &add_relu_grad_batch_norm2d_grad_ref),
};
const tg_rule tg_rule_add_relu_grad_batch_norm2d_grad = {
    .chain = { &tg_add_op, &tg_relu_grad_op, &tg_batch_norm2d_grad_op },
    .fused = &tg_add_relu_grad_batch_norm2d_grad_op,
    .emit = { { 2, 0 }, { 2, 1 }, { 2, 2 }, { 1, 0 } },
    .n_emit = 4,
    .attr_of = 2,
    .fits = relu_grad_batch_norm2d_grad_fits,
};
