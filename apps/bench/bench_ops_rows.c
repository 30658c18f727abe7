/* bench_ops_rows.c - the rows of `tilegrad bench --ops`: shapes from the zoo's networks, torchvision's,
 * squeeze-and-excitation, perceptrons and transformers.  apps/bench/torch_ops.py measures the rows of the same names in
 * PyTorch. */
#include "bench_ops.h"

#define X in[0]
#define OP(name, call) \
    static tg_tensor *name(tg_scope *s, tg_tensor *const in[]) { return call; }
#define OVER(...)        ((tg_axes){ .n = sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), .axis = { __VA_ARGS__ } })
#define POOL(k, step, p) ((tg_pool2d_config){ .kernel = { k, k }, .stride = { step, step }, .pad = { p, p } })
#define CONV(step, p, g) ((tg_conv2d_config){ .stride = { step, step }, .pad = { p, p }, .groups = g })

OP(relu, tg_relu(s, X))
OP(leaky_relu, tg_leaky_relu(s, X, 0.01))
OP(sigmoid, tg_sigmoid(s, X))
OP(tanh_, tg_tanh(s, X))
OP(gelu, tg_gelu(s, X))
OP(silu, tg_silu(s, X))
OP(hardswish, tg_hardswish(s, X))
OP(exp_, tg_exp(s, X))
OP(affine, tg_affine(s, X, 2, 1))
OP(square, tg_pow(s, X, 2))
OP(dropout, tg_dropout(s, X, 0.5))
OP(add, tg_add(s, X, in[1]))
OP(sub, tg_sub(s, X, in[1]))
OP(mul, tg_mul(s, X, in[1]))
OP(div_, tg_div(s, X, in[1]))
OP(sum_all, tg_sum(s, X, (tg_axes){ .n = 0 }))
OP(sum_first, tg_sum(s, X, OVER(0)))
OP(mean_last, tg_mean(s, X, OVER(-1)))
OP(mean_pixels, tg_mean(s, X, OVER(1, 2)))
OP(max_last, tg_max(s, X, OVER(-1)))
OP(max_pixels, tg_max(s, X, OVER(1, 2)))
OP(max_all, tg_max(s, X, (tg_axes){ .n = 0 }))
OP(argmax_last, tg_argmax(s, X, -1))
OP(softmax_last, tg_softmax(s, X, -1))
OP(softmax_second, tg_softmax(s, X, 1))
OP(log_softmax_last, tg_log_softmax(s, X, -1))
OP(layer_norm, tg_layer_norm(s, X, in[1], in[2], 0))
OP(batch_norm, tg_batch_norm2d(s, X, in[1], in[2], NULL, NULL, (tg_batch_norm2d_config){ 0 }))
OP(cross_entropy, tg_cross_entropy(s, X, in[1]))
OP(mse, tg_mse(s, X, in[1], TG_MEAN))
OP(l1, tg_l1(s, X, in[1], TG_MEAN))
OP(bce, tg_bce_with_logits(s, X, in[1], TG_MEAN))
OP(max_pool_2, tg_max_pool2d(s, X, POOL(2, 2, 0)))
OP(max_pool_3, tg_max_pool2d(s, X, POOL(3, 2, 1)))
OP(avg_pool_2, tg_avg_pool2d(s, X, POOL(2, 2, 0)))
OP(avg_pool_3, tg_avg_pool2d(s, X, POOL(3, 1, 1)))
OP(global_avg_pool, tg_adaptive_avg_pool2d(s, X, 1, 1))
OP(adaptive_pool_7, tg_adaptive_avg_pool2d(s, X, 7, 7))
OP(upsample_nearest, tg_upsample(s, X, (tg_upsample_config){ .oh = 56, .ow = 56 }))
OP(upsample_bilinear, tg_upsample(s, X, (tg_upsample_config){ .oh = 56, .ow = 56, .bilinear = true }))
OP(channels_first, tg_permute(s, X, (const int[]){ 0, 3, 1, 2 }))
OP(heads, tg_permute(s, X, (const int[]){ 0, 2, 1, 3 }))
OP(flatten, tg_flatten(s, X))
OP(concat_last, tg_concat(s, in, 2, -1))
OP(slice_last, tg_slice(s, X, -1, 0, X->dim[X->rank - 1] / 2))
OP(pad_pixels, tg_pad(s, X, TG_DIM(0, 1, 1, 0), TG_DIM(0, 1, 1, 0), 0))
OP(matmul, tg_matmul(s, X, in[1]))
OP(linear, tg_linear(s, X, in[1], in[2]))
OP(conv_1x1, tg_conv2d(s, X, in[1], NULL, CONV(1, 0, 1)))
OP(conv_3x3, tg_conv2d(s, X, in[1], NULL, CONV(1, 1, 1)))
OP(depthwise_3, tg_conv2d(s, X, in[1], NULL, CONV(1, 1, (int)X->dim[3])))
OP(depthwise_3_s2, tg_conv2d(s, X, in[1], NULL, CONV(2, 1, (int)X->dim[3])))
OP(depthwise_5, tg_conv2d(s, X, in[1], NULL, CONV(1, 2, (int)X->dim[3])))
OP(depthwise_7, tg_conv2d(s, X, in[1], NULL, CONV(1, 3, (int)X->dim[3])))
OP(grouped_3x3, tg_conv2d(s, X, in[1], NULL, CONV(1, 1, 32)))

#define S(...) \
    { \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), { __VA_ARGS__ } \
    }
#define IMAGES S(16, 56, 56, 64)
#define TOKENS S(16, 197, 384)
const bench_op bench_op_rows[] = {
    { "relu", relu, { IMAGES }, 0 },
    { "leaky_relu", leaky_relu, { IMAGES }, 0 },
    { "sigmoid", sigmoid, { IMAGES }, 0 },
    { "tanh", tanh_, { IMAGES }, 0 },
    { "gelu", gelu, { TOKENS }, 0 },
    { "silu", silu, { IMAGES }, 0 },
    { "hardswish", hardswish, { IMAGES }, 0 },
    { "exp", exp_, { TOKENS }, 0 },
    { "affine", affine, { IMAGES }, 0 },
    { "square", square, { TOKENS }, 0 },
    { "dropout", dropout, { TOKENS }, 0 },
    { "dropout", dropout, { S(128, 4096) }, 0 },
    { "add", add, { IMAGES, IMAGES }, 0 },
    { "add", add, { IMAGES, S(1, 1, 1, 64) }, 0 },
    { "add", add, { TOKENS, S(1, 197, 384) }, 0 },
    { "sub", sub, { IMAGES, S(16, 1, 1, 64) }, 0 },
    { "mul", mul, { IMAGES, IMAGES }, 0 },
    { "mul", mul, { IMAGES, S(16, 1, 1, 64) }, 0 },
    { "mul", mul, { IMAGES, S(16, 56, 56, 1) }, 0 },
    { "mul", mul, { IMAGES, S(1, 1, 1, 64) }, 0 },
    { "mul", mul, { IMAGES, S(1, 56, 56, 1) }, 0 },
    { "div", div_, { TOKENS, S(16, 197, 1) }, 0 },
    { "sum_all", sum_all, { IMAGES }, 0 },
    { "sum_first", sum_first, { S(128, 4096) }, 0 },
    { "mean_last", mean_last, { IMAGES }, 0 },
    { "mean_last", mean_last, { TOKENS }, 0 },
    { "mean_pixels", mean_pixels, { IMAGES }, 0 },
    { "mean_pixels", mean_pixels, { S(16, 7, 7, 2048) }, 0 },
    { "max_last", max_last, { IMAGES }, 0 },
    { "max_pixels", max_pixels, { IMAGES }, 0 },
    { "max_all", max_all, { IMAGES }, 0 },
    { "argmax_last", argmax_last, { S(4096, 1000) }, 0 },
    { "softmax_last", softmax_last, { S(96, 197, 197) }, 0 },
    { "softmax_last", softmax_last, { S(128, 1000) }, 0 },
    { "softmax_second", softmax_second, { S(16, 21, 56, 56) }, 0 },
    { "log_softmax_last", log_softmax_last, { S(4096, 1000) }, 0 },
    { "layer_norm", layer_norm, { TOKENS, S(384), S(384) }, 0 },
    { "layer_norm", layer_norm, { S(16, 56, 56, 96), S(96), S(96) }, 0 },
    { "layer_norm", layer_norm, { S(2048, 4096), S(4096), S(4096) }, 0 },
    { "batch_norm", batch_norm, { IMAGES, S(64), S(64) }, 0 },
    { "batch_norm", batch_norm, { S(16, 14, 14, 1024), S(1024), S(1024) }, 0 },
    { "cross_entropy", cross_entropy, { S(4096, 1000) }, 1000 },
    { "cross_entropy", cross_entropy, { S(128, 10) }, 10 },
    { "mse", mse, { IMAGES, IMAGES }, 0 },
    { "l1", l1, { IMAGES, IMAGES }, 0 },
    { "bce", bce, { IMAGES, IMAGES }, 0 },
    { "max_pool_2", max_pool_2, { IMAGES }, 0 },
    { "max_pool_3", max_pool_3, { S(16, 112, 112, 64) }, 0 },
    { "avg_pool_2", avg_pool_2, { IMAGES }, 0 },
    { "avg_pool_3", avg_pool_3, { S(16, 28, 28, 192) }, 0 },
    { "global_avg_pool", global_avg_pool, { S(16, 7, 7, 2048) }, 0 },
    { "adaptive_pool_7", adaptive_pool_7, { S(16, 13, 13, 256) }, 0 },
    { "upsample_nearest", upsample_nearest, { S(16, 28, 28, 64) }, 0 },
    { "upsample_bilinear", upsample_bilinear, { S(16, 28, 28, 64) }, 0 },
    { "channels_first", channels_first, { IMAGES }, 0 },
    { "heads", heads, { S(16, 197, 6, 64) }, 0 },
    { "flatten", flatten, { S(64, 7, 7, 512) }, 0 },
    { "concat_last", concat_last, { IMAGES, IMAGES }, 0 },
    { "slice_last", slice_last, { IMAGES }, 0 },
    { "pad_pixels", pad_pixels, { IMAGES }, 0 },
    { "matmul", matmul, { S(96, 197, 64), S(96, 64, 197) }, 0 },
    { "linear", linear, { TOKENS, S(1536, 384), S(1536) }, 0 },
    { "conv_1x1", conv_1x1, { S(16, 28, 28, 128), S(512, 1, 1, 128) }, 0 },
    { "conv_3x3", conv_3x3, { S(16, 28, 28, 128), S(128, 3, 3, 128) }, 0 },
    { "depthwise_3", depthwise_3, { S(16, 28, 28, 192), S(192, 3, 3, 1) }, 0 },
    { "depthwise_3_s2", depthwise_3_s2, { S(16, 56, 56, 144), S(144, 3, 3, 1) }, 0 },
    { "depthwise_5", depthwise_5, { S(16, 28, 28, 240), S(240, 5, 5, 1) }, 0 },
    { "depthwise_7", depthwise_7, { S(16, 28, 28, 192), S(192, 7, 7, 1) }, 0 },
    { "grouped_3x3", grouped_3x3, { S(16, 28, 28, 256), S(256, 3, 3, 8) }, 0 },
    { "grouped_3x3_of_16", grouped_3x3, { S(16, 14, 14, 512), S(512, 3, 3, 16) }, 0 },
    { "grouped_3x3_of_24", grouped_3x3, { S(16, 14, 14, 768), S(768, 3, 3, 24) }, 0 },
    { "grouped_3x3_of_32", grouped_3x3, { S(16, 7, 7, 1024), S(1024, 3, 3, 32) }, 0 },
    { "grouped_3x3_of_4", grouped_3x3, { S(8, 56, 56, 128), S(128, 3, 3, 4) }, 0 },
    { NULL, NULL, { { 0, { 0 } } }, 0 },
};
