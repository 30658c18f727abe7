/* batch_norm2d_relu.c - relu(batch_norm2d(x)) and relu(batch_norm2d(x) + other) in one call, in training and
 * evaluation. */
#include "batch_norm2d.h"
#include "kernels.h"

bool tg_batch_norm2d_add_fits(const tg_call *const chain[])
{
    const tg_call *const add = chain[1];
    return tg_same_shape(add->in[0], add->in[1]) && add->in[0]->dtype == add->in[1]->dtype;
}

TG_VECTOR_DECLARE(batch_norm2d_relu_vector)
extern const tg_kernel batch_norm2d_relu_ref;
const tg_op tg_batch_norm2d_relu_op = {
    .name = "batch_norm2d_relu",
    .n_in = 3,
    .n_out = 4,
    .optional_out = TG_BIT(3),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_infer,
    .remade_by = &tg_batch_norm2d_relu_again_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_relu_vector), &batch_norm2d_relu_ref),
};
const tg_rule tg_rule_batch_norm2d_relu = {
    .chain = { &tg_batch_norm2d_op, &tg_relu_op },
    .fused = &tg_batch_norm2d_relu_op,
    .emit = { { 1, 0 }, { 0, 1 }, { 0, 2 }, { 0, 3 } },
    .n_emit = 4,
    .attr_of = 0,
};

TG_VECTOR_DECLARE(batch_norm2d_add_relu_vector)
extern const tg_kernel batch_norm2d_add_relu_ref;
const tg_op tg_batch_norm2d_add_relu_op = {
    .name = "batch_norm2d_add_relu",
    .n_in = 4,
    .n_out = 4,
    .optional_out = TG_BIT(3),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_infer,
    .remade_by = &tg_batch_norm2d_add_relu_again_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_add_relu_vector), &batch_norm2d_add_relu_ref),
};
const tg_rule tg_rule_batch_norm2d_add_relu = {
    .chain = { &tg_batch_norm2d_op, &tg_add_op, &tg_relu_op },
    .fused = &tg_batch_norm2d_add_relu_op,
    .emit = { { 2, 0 }, { 0, 1 }, { 0, 2 }, { 0, 3 } },
    .n_emit = 4,
    .attr_of = 0,
    .fits = tg_batch_norm2d_add_fits,
};

TG_VECTOR_DECLARE(batch_norm2d_eval_relu_vector)
extern const tg_kernel batch_norm2d_eval_relu_ref;
const tg_op tg_batch_norm2d_eval_relu_op = {
    .name = "batch_norm2d_eval_relu",
    .n_in = 5,
    .n_out = 1,
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_eval_infer,
    .remade_by = &tg_batch_norm2d_eval_relu_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_eval_relu_vector), &batch_norm2d_eval_relu_ref),
};
const tg_rule tg_rule_batch_norm2d_eval_relu = {
    .chain = { &tg_batch_norm2d_eval_op, &tg_relu_op },
    .fused = &tg_batch_norm2d_eval_relu_op,
    .emit = { { 1, 0 } },
    .n_emit = 1,
    .attr_of = 0,
};

TG_VECTOR_DECLARE(batch_norm2d_eval_add_relu_vector)
extern const tg_kernel batch_norm2d_eval_add_relu_ref;
const tg_op tg_batch_norm2d_eval_add_relu_op = {
    .name = "batch_norm2d_eval_add_relu",
    .n_in = 6,
    .n_out = 1,
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_eval_infer,
    .remade_by = &tg_batch_norm2d_eval_add_relu_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_eval_add_relu_vector), &batch_norm2d_eval_add_relu_ref),
};
const tg_rule tg_rule_batch_norm2d_eval_add_relu = {
    .chain = { &tg_batch_norm2d_eval_op, &tg_add_op, &tg_relu_op },
    .fused = &tg_batch_norm2d_eval_add_relu_op,
    .emit = { { 2, 0 } },
    .n_emit = 1,
    .attr_of = 0,
    .fits = tg_batch_norm2d_add_fits,
};
