/* conv2d_relu.c - relu(conv2d(x, w, b)) in one call: relu is applied as the convolution stores y. */
#include "conv2d.h"
#include "kernels.h"

TG_VECTOR_DECLARE(conv2d_relu_vector)
TG_VECTOR_DECLARE(conv2d_relu_depthwise_vector)
TG_VECTOR_DECLARE(conv2d_relu_grouped_vector)
TG_BRGEMM_DECLARE(conv2d_relu_brgemm)
extern const tg_kernel conv2d_relu_brgemm_winograd_avx512;
extern const tg_kernel conv2d_relu_grouped_onednn, conv2d_relu_winograd_onednn, conv2d_relu_onednn, conv2d_relu_ref;

static double conv2d_relu_flops(const tg_call *c) { return tg_conv2d_flops(c) + (double)tg_count(c->out[0]); }

const tg_op tg_conv2d_relu_op = {
    .name = "conv2d_relu",
    .n_in = 3,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .attr_size = sizeof(tg_conv2d_attr),
    .infer = tg_conv2d_infer,
    .flops = conv2d_relu_flops,
    .kernels = TG_KERNELS(TG_ONEDNN(conv2d_relu_grouped_onednn), TG_VECTOR(conv2d_relu_depthwise_vector),
                          TG_BRGEMM_BF16(conv2d_relu_brgemm), &conv2d_relu_brgemm_winograd_avx512,
                          TG_VECTOR(conv2d_relu_grouped_vector), TG_BRGEMM_F32(conv2d_relu_brgemm),
                          TG_ONEDNN(conv2d_relu_winograd_onednn), TG_ONEDNN(conv2d_relu_onednn),
                          TG_VECTOR(conv2d_relu_vector), &conv2d_relu_ref),
};

const tg_rule tg_conv2d_relu_rule = {
    .chain = { &tg_conv2d_op, &tg_relu_op },
    .fused = &tg_conv2d_relu_op,
    .emit = { { 1, 0 } },
    .n_emit = 1,
    .attr_of = 0,
};
