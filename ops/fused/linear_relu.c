/* linear_relu.c - relu(linear(x, w, b)) in one call: relu is applied as the product stores y. */
#include "kernels.h"
#include "linear.h"

TG_VECTOR_DECLARE(linear_relu_vector)
TG_BRGEMM_DECLARE(linear_relu_brgemm)
extern const tg_kernel linear_relu_openblas, linear_relu_ref;

static double linear_relu_flops(const tg_call *c) { return tg_linear_flops(c) + (double)tg_count(c->out[0]); }

const tg_op tg_linear_relu_op = {
    .name = "linear_relu",
    .n_in = 3,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .infer = tg_linear_infer,
    .flops = linear_relu_flops,
    .kernels = TG_KERNELS(TG_BRGEMM_BF16(linear_relu_brgemm), TG_VECTOR(linear_relu_vector),
                          TG_BRGEMM_F32(linear_relu_brgemm), TG_OPENBLAS(linear_relu_openblas), &linear_relu_ref),
};

const tg_rule tg_linear_relu_rule = {
    .chain = { &tg_linear_op, &tg_relu_op },
    .fused = &tg_linear_relu_op,
    .emit = { { 1, 0 } },
    .n_emit = 1,
    .attr_of = 0,
};
