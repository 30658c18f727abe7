/* samples_norm.c - rows for the normalisations and dropout: channels around a vector's width, more rows than a block.
 */
#include "op_samples.h"

#define ATTR \
    &(const tg_batch_norm2d_attr) { .eps = 1e-5f, .momentum = 0.1f }
#define BF16(...) \
    { \
        1, TG_BF16, DIMS_(__VA_ARGS__), FILL_UNIFORM, 0, 0 \
    } /* uniform in -1 .. 1 */
#define SCALE(c)                          FR(0.5, 1.5, c)
#define X1                                1, 3, 1, 1
#define X3                                2, 75, 75, 3
#define X16                               3, 32, 23, 16
#define X17                               2, 5, 3, 17
#define X64                               3, 7, 31, 64
#define X600                              3, 5, 9, 600
#define TOO_COARSE                        -1 /* f32 near 1000, and bf16, for difference quotients */
#define STATISTICS_ARE_NOT_DIFFERENTIATED -1 /* test_norm checks the gradients in x, gamma and beta */

/* ---- batch normalisation in training ---- */

extern op_sample samples_batch_norm2d[];
op_sample samples_batch_norm2d[] = {
    { "one_channel", { F(X1), SCALE(1), F(1) }, ATTR, 0, 0 },
    { "two_values", { FD(1, 1, 2, 5), SCALE(5), F(5) }, ATTR, 0, 0.05 },
    { "three_channels_two_blocks", { F(X3), SCALE(3), F(3) }, ATTR, 0, 0 },
    { "16", { F(X16), SCALE(16), F(16) }, ATTR, 0, 0 },
    { "17", { F(X17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { "64", { F(X64), SCALE(64), F(64) }, ATTR, 0, 0 },
    { "600_three_blocks", { F(X600), SCALE(600), F(600) }, ATTR, 0, 0 },
    { "33_momentum_eps", { F(2, 4, 4, 33), SCALE(33), F(33) }, &(const tg_batch_norm2d_attr){ 1e-2f, 0.5f }, 0, 0 },
    { "far_from_zero", { FR(1000, 1001, 2, 75, 75, 3), SCALE(3), F(3) }, ATTR, 1e-3, TOO_COARSE },
    { "bf16", { BF16(X17), SCALE(17), F(17) }, ATTR, 0, TOO_COARSE },
    { 0 }
};

extern op_sample samples_batch_norm2d_relu[];
op_sample samples_batch_norm2d_relu[] = { { "three_channels_two_blocks", { F(X3), SCALE(3), F(3) }, ATTR, 0, 0 },
                                          { "17", { F(X17), SCALE(17), F(17) }, ATTR, 0, 0 },
                                          { "64", { F(X64), SCALE(64), F(64) }, ATTR, 0, 0 },
                                          { "600_three_blocks", { F(X600), SCALE(600), F(600) }, ATTR, 0, 0 },
                                          { 0 } };

extern op_sample samples_batch_norm2d_add_relu[];
op_sample samples_batch_norm2d_add_relu[] = {
    { "three_channels_two_blocks", { F(X3), SCALE(3), F(3), F(X3) }, ATTR, 0, 0 },
    { "17", { F(X17), SCALE(17), F(17), F(X17) }, ATTR, 0, 0 },
    { "64", { F(X64), SCALE(64), F(64), F(X64) }, ATTR, 0, 0 },
    { "600_three_blocks", { F(X600), SCALE(600), F(600), F(X600) }, ATTR, 0, 0 },
    { 0 }
};

#define FOUND(c) F(2, c), FR(0.5, 2, c) /* mean and its rest, rstd */
extern op_sample samples_batch_norm2d_again[];
op_sample samples_batch_norm2d_again[] = {
    { "three_channels_two_blocks", { F(X3), SCALE(3), F(3), FOUND(3) }, ATTR, 0, 0 },
    { "17", { F(X17), SCALE(17), F(17), FOUND(17) }, ATTR, 0, 0 },
    { "600_three_blocks", { F(X600), SCALE(600), F(600), FOUND(600) }, ATTR, 0, 0 },
    { "bf16", { BF16(X17), SCALE(17), F(17), FOUND(17) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_relu_again[];
op_sample samples_batch_norm2d_relu_again[] = {
    { "three_channels_two_blocks", { F(X3), SCALE(3), F(3), FOUND(3) }, ATTR, 0, 0 },
    { "17", { F(X17), SCALE(17), F(17), FOUND(17) }, ATTR, 0, 0 },
    { "64", { F(X64), SCALE(64), F(64), FOUND(64) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_add_relu_again[];
op_sample samples_batch_norm2d_add_relu_again[] = {
    { "three_channels_two_blocks", { F(X3), SCALE(3), F(3), F(X3), FOUND(3) }, ATTR, 0, 0 },
    { "17", { F(X17), SCALE(17), F(17), F(X17), FOUND(17) }, ATTR, 0, 0 },
    { "64", { F(X64), SCALE(64), F(64), F(X64), FOUND(64) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_grad[];
op_sample samples_batch_norm2d_grad[] = {
    { "one_channel", { F(X1), F(X1), SCALE(1), F(2, 1), SCALE(1), F(1) }, ATTR, 0, 0 },
    { "three_channels_two_blocks", { F(X3), F(X3), SCALE(3), F(2, 3), SCALE(3), F(3) }, ATTR, 2e-5, 0 },
    { "16", { F(X16), F(X16), SCALE(16), F(2, 16), SCALE(16), F(16) }, ATTR, 2e-5, 0 },
    { "17", { F(X17), F(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { "600_three_blocks", { F(X600), F(X600), SCALE(600), F(2, 600), SCALE(600), F(600) }, ATTR, 2e-5, 0 },
    { "bf16", { BF16(X17), BF16(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_relu_grad[];
op_sample samples_batch_norm2d_relu_grad[] = {
    { "one_channel", { F(X1), F(X1), SCALE(1), F(2, 1), SCALE(1), F(1) }, ATTR, 0, 0 },
    { "three_channels_two_blocks", { F(X3), F(X3), SCALE(3), F(2, 3), SCALE(3), F(3) }, ATTR, 2e-5, 0 },
    { "16", { F(X16), F(X16), SCALE(16), F(2, 16), SCALE(16), F(16) }, ATTR, 2e-5, 0 },
    { "17", { F(X17), F(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { "64", { F(X64), F(X64), SCALE(64), F(2, 64), SCALE(64), F(64) }, ATTR, 2e-5, 0 },
    { "600_three_blocks", { F(X600), F(X600), SCALE(600), F(2, 600), SCALE(600), F(600) }, ATTR, 2e-5, 0 },
    { "bf16", { BF16(X17), BF16(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_relu_grad_batch_norm2d_grad[];
op_sample samples_relu_grad_batch_norm2d_grad[] = {
    { "three_channels_two_blocks", { F(X3), F(X3), F(X3), SCALE(3), F(2, 3), SCALE(3), F(3) }, ATTR, 2e-5, 0 },
    { "16", { F(X16), F(X16), F(X16), SCALE(16), F(2, 16), SCALE(16), F(16) }, ATTR, 2e-5, 0 },
    { "17", { F(X17), F(X17), F(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { "64", { F(X64), F(X64), F(X64), SCALE(64), F(2, 64), SCALE(64), F(64) }, ATTR, 2e-5, 0 },
    { "600_three_blocks", { F(X600), F(X600), F(X600), SCALE(600), F(2, 600), SCALE(600), F(600) }, ATTR, 2e-5, 0 },
    { 0 }
};

extern op_sample samples_add_relu_grad_batch_norm2d_grad[];
op_sample samples_add_relu_grad_batch_norm2d_grad[] = {
    { "three_channels_two_blocks", { F(X3), F(X3), F(X3), F(X3), SCALE(3), F(2, 3), SCALE(3), F(3) }, ATTR, 2e-5, 0 },
    { "17", { F(X17), F(X17), F(X17), F(X17), SCALE(17), F(2, 17), SCALE(17), F(17) }, ATTR, 0, 0 },
    { "64", { F(X64), F(X64), F(X64), F(X64), SCALE(64), F(2, 64), SCALE(64), F(64) }, ATTR, 2e-5, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_track[];
op_sample samples_batch_norm2d_track[] = {
    { "17", { F(17), FR(0.5, 2, 17), F(2, 17), FR(0.5, 2, 17) }, ATTR, 0, 0 },
    { "600_momentum", { F(600), F(600), F(2, 600), F(600) }, &(const tg_batch_norm2d_attr){ 1e-5f, 0.7f }, 0, 0 },
    { 0 }
};

/* ---- in evaluation ---- */

#define EVALUATION(c) SCALE(c), F(c), F(c), FR(0.5, 2, c)
extern op_sample samples_batch_norm2d_eval[];
op_sample samples_batch_norm2d_eval[] = {
    { "one_value", { F(1, 1, 1, 5), EVALUATION(5) }, ATTR, 0, STATISTICS_ARE_NOT_DIFFERENTIATED },
    { "three_channels_two_blocks", { F(X3), EVALUATION(3) }, ATTR, 0, STATISTICS_ARE_NOT_DIFFERENTIATED },
    { "17", { F(X17), EVALUATION(17) }, ATTR, 0, STATISTICS_ARE_NOT_DIFFERENTIATED },
    { "600_three_blocks", { F(X600), EVALUATION(600) }, ATTR, 0, STATISTICS_ARE_NOT_DIFFERENTIATED },
    { "bf16", { BF16(X17), EVALUATION(17) }, ATTR, 0, STATISTICS_ARE_NOT_DIFFERENTIATED },
    { 0 }
};

extern op_sample samples_batch_norm2d_eval_relu[];
op_sample samples_batch_norm2d_eval_relu[] = { { "three_channels_two_blocks", { F(X3), EVALUATION(3) }, ATTR, 0, 0 },
                                               { "17", { F(X17), EVALUATION(17) }, ATTR, 0, 0 },
                                               { 0 } };

extern op_sample samples_batch_norm2d_eval_add_relu[];
op_sample samples_batch_norm2d_eval_add_relu[] = {
    { "three_channels_two_blocks", { F(X3), EVALUATION(3), F(X3) }, ATTR, 0, 0 },
    { "17", { F(X17), EVALUATION(17), F(X17) }, ATTR, 0, 0 },
    { 0 }
};

extern op_sample samples_batch_norm2d_eval_grad[];
op_sample samples_batch_norm2d_eval_grad[] = {
    { "one_value", { F(1, 1, 1, 5), F(1, 1, 1, 5), SCALE(5), F(5), FR(0.5, 2, 5) }, ATTR, 0, 0 },
    { "three_channels_two_blocks", { F(X3), F(X3), SCALE(3), F(3), FR(0.5, 2, 3) }, ATTR, 2e-5, 0 },
    { "17", { F(X17), F(X17), SCALE(17), F(17), FR(0.5, 2, 17) }, ATTR, 0, 0 },
    { 0 }
};

/* ---- layer normalisation ---- */

#define LAST(axes) \
    &(const tg_layer_norm_attr) { 1e-5f, axes }
extern op_sample samples_layer_norm[];
op_sample samples_layer_norm[] = {
    { "last_axis", { F(5, 33), SCALE(33), F(33) }, LAST(1), 0, 0 },
    { "plain", { F(4, 3, 16), NONE, NONE }, LAST(1), 0, 0 },
    { "gamma_alone", { F(4, 3, 17), SCALE(17), NONE }, LAST(1), 0, 0 },
    { "beta_alone", { F(4, 3, 15), NONE, F(15) }, LAST(1), 0, 0 },
    { "two_axes", { F(3, 5, 7), FR(0.5, 1.5, 5, 7), F(5, 7) }, LAST(2), 0, 0 },
    { "all_axes", { F(3, 31), FR(0.5, 1.5, 3, 31), F(3, 31) }, LAST(2), 0, 0 },
    { "long_rows", { F(3, 9000), SCALE(9000), F(9000) }, LAST(1), 0, 0 },
    { "many_rows", { F(700, 64), SCALE(64), F(64) }, LAST(1), 0, 0 },
    { "far_from_zero", { FR(1000, 1001, 4, 65), SCALE(65), F(65) }, LAST(1), 1e-3, TOO_COARSE },
    { "bf16", { BF16(5, 33), SCALE(33), F(33) }, LAST(1), 0, TOO_COARSE },
    { 0 }
};

extern op_sample samples_layer_norm_grad[];
op_sample samples_layer_norm_grad[] = {
    { "last_axis", { F(5, 33), F(5, 33), SCALE(33), F(5), SCALE(5) }, LAST(1), 0, 0 },
    { "plain", { F(4, 3, 16), F(4, 3, 16), NONE, F(4, 3), FR(0.5, 1.5, 4, 3) }, LAST(1), 0, 0 },
    { "two_axes", { F(3, 5, 7), F(3, 5, 7), FR(0.5, 1.5, 5, 7), F(3), SCALE(3) }, LAST(2), 0, 0 },
    { "long_rows", { F(3, 9000), F(3, 9000), SCALE(9000), F(3), SCALE(3) }, LAST(1), 5e-5, 0 },
    { "many_rows", { F(700, 64), F(700, 64), SCALE(64), F(700), SCALE(700) }, LAST(1), 2e-5, 0 },
    { 0 }
};

/* ---- dropout ---- */

extern op_sample samples_dropout[];
op_sample samples_dropout[] = {
    { "half", { F(33, 31) }, &(const tg_dropout_attr){ 0.5f, { 3, 7 } }, 0, 0 },
    { "two_blocks", { F(16385) }, &(const tg_dropout_attr){ 0.1f, { 1ull << 40, 1ull << 33 } }, 0, 0 },
    { "nothing", { F(17) }, &(const tg_dropout_attr){ 0, { 0, 0 } }, 0, 0 },
    { "bf16", { BF16(33) }, &(const tg_dropout_attr){ 0.25f, { 5, 5 } }, 0, TOO_COARSE },
    { 0 }
};
