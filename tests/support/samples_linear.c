/* samples_linear.c - rows for matmul, linear, their fused forms and gradients. */
#include "op_samples.h"

/* Which operands are transposed, as in BLAS. */
#define NN \
    &(tg_matmul_config) { .transpose_a = false, .transpose_b = false }
#define NT \
    &(tg_matmul_config) { .transpose_a = false, .transpose_b = true }
#define TN \
    &(tg_matmul_config) { .transpose_a = true, .transpose_b = false }
#define TT \
    &(tg_matmul_config) { .transpose_a = true, .transpose_b = true }

#define BF(...) \
    { \
        1, TG_BF16, DIMS_(__VA_ARGS__), FILL_UNIFORM, 0, 0 \
    }
/* May round to a neighbour of ref's bf16 value, which differs by at most 1/128; not gradchecked: it is a step function.
 */
#define ROUNDED 8e-3, -1

extern op_sample samples_matmul[], samples_linear[], samples_linear_relu[], samples_linear_grad_x[];
extern op_sample samples_linear_grad_w[];

op_sample samples_matmul[] = {
    { "1x1x1", { F(1, 1), F(1, 1) }, NN, 0, 0 },
    { "inner_product", { F(1, 33), F(33, 1) }, NN, 0, 0 },
    { "inner_product_tt", { F(33, 1), F(1, 33) }, TT, 0, 0 },
    { "outer_product", { F(17, 1), F(1, 15) }, NN, 0, 0 },
    { "outer_product_tt", { F(1, 17), F(15, 1) }, TT, 0, 0 },
    { "plain", { F(15, 31), F(31, 17) }, NN, 0, 0 },
    { "ta", { F(31, 15), F(31, 17) }, TN, 0, 0 },
    { "tb", { F(15, 31), F(17, 31) }, NT, 0, 0 },
    { "ta_tb", { F(31, 15), F(17, 31) }, TT, 0, 0 },
    { "tile_edges", { F(13, 16), F(16, 33) }, NN, 0, 0 },
    { "deep", { F(5, 300), F(300, 7) }, NN, 0, 0 },
    { "deep_ta_tb", { F(600, 5), F(7, 600) }, TT, 0, 0 },
    { "many_rows", { F(400, 9), F(9, 70) }, NN, 0, 0 },
    { "many_columns", { F(9, 65), F(65, 520) }, NN, 0, 0 },
    { "many_columns_ta_tb", { F(65, 39), F(520, 65) }, TT, 0, 0 },
    { "row_vector", { F(1, 64), F(64, 100) }, NN, 0, 0 },
    { "stack", { F(3, 7, 16), F(3, 16, 5) }, NN, 0, 0 },
    { "stack_ta_tb", { F(3, 16, 7), F(3, 5, 16) }, TT, 0, 0 },
    { "stack_of_stacks", { F(2, 3, 4, 5), F(2, 3, 5, 6) }, NN, 0, 0 },
    { "one_b_for_all", { F(4, 7, 16), F(16, 5) }, NN, 0, 0 },
    { "one_b_for_all_tb", { F(4, 7, 16), F(1, 5, 16) }, NT, 0, 0 },
    { "one_b_for_all_ta", { F(4, 16, 7), F(16, 5) }, TN, 0, 0 },
    { "one_a_for_all", { F(7, 16), F(4, 16, 5) }, NN, 0, 0 },
    { "broadcast_both", { F(2, 1, 7, 3), F(1, 3, 3, 5) }, NN, 0, 0 },
    { "bf16", { BF(15, 31), BF(31, 17) }, NN, ROUNDED },
    { "bf16_attention", { BF(2, 33, 64), BF(2, 33, 64) }, NT, ROUNDED },
    { "bf16_attention_gradient", { BF(2, 37, 40), BF(2, 37, 69) }, TN, ROUNDED },
    { "bf16_blocks_of_rows", { BF(2, 700, 33), BF(2, 33, 5) }, NN, ROUNDED },
    { "bf16_tb", { BF(15, 31), BF(17, 31) }, NT, ROUNDED },
    { "bf16_ta", { BF(31, 15), BF(31, 17) }, TN, ROUNDED },
    { "bf16_one_b_for_all", { BF(4, 7, 16), BF(16, 5) }, NN, ROUNDED },
    { "bf16_deep", { BF(3, 1700), BF(70, 1700) }, NT, ROUNDED },
    { "bf16_stack", { BF(3, 7, 16), BF(3, 16, 5) }, NN, ROUNDED },
    { "broadcast_in_the_middle", { F(2, 1, 3, 4, 5), F(3, 1, 5, 2) }, NN, 0, 0 },
    { 0 },
};

op_sample samples_linear[] = {
    { "1x1", { F(1, 1), F(1, 1), F(1) }, NULL, 0, 0 },
    { "vector", { F(17), F(5, 17), F(5) }, NULL, 0, 0 },
    { "no_bias", { F(4, 15), F(33, 15), NONE }, NULL, 0, 0 },
    { "bias", { F(31, 33), F(17, 33), F(17) }, NULL, 0, 0 },
    { "one_row", { F(1, 100), F(64, 100), F(64) }, NULL, 0, 0 },
    { "ten_classes", { F(128, 64), F(10, 64), F(10) }, NULL, 0, 0 },
    { "deep", { F(13, 530), F(31, 530), F(31) }, NULL, 0, 0 },
    { "wide", { F(40, 65), F(513, 65), F(513) }, NULL, 0, 0 },
    { "three_axes", { F(2, 5, 16), F(7, 16), F(7) }, NULL, 0, 0 },
    { "four_axes", { F(2, 3, 5, 4), F(6, 4), NONE }, NULL, 0, 0 },
    { "many_rows", { F(500, 8), F(3, 8), F(3) }, NULL, 0, 0 },
    { "very_deep", { F(5, 1700), F(3, 1700), F(3) }, NULL, 5e-5, 0 },
    { "panels_and_depths", { F(70, 403), F(99, 403), F(99) }, NULL, 2e-5, 0 },
    { "bf16_panels_and_depths", { BF(70, 403), BF(99, 403), F(99) }, NULL, ROUNDED },
    { "bf16", { BF(31, 33), BF(17, 33), F(17) }, NULL, ROUNDED },
    { "bf16_more_outputs", { BF(50, 96), BF(203, 96), F(203) }, NULL, ROUNDED },
    { "bf16_as_many_outputs", { BF(17, 64), BF(17, 64), NONE }, NULL, ROUNDED },
    { "bf16_more_outputs_deep", { BF(20, 6430), BF(40, 6430), F(40) }, NULL, ROUNDED },
    { "bf16_vector", { BF(17), BF(5, 17), NONE }, NULL, ROUNDED },
    { "bf16_three_axes", { BF(2, 5, 16), BF(7, 16), F(7) }, NULL, ROUNDED },
    { "bf16_wide", { BF(40, 65), BF(513, 65), F(513) }, NULL, ROUNDED },
    { "bf16_many_rows", { BF(900, 9), BF(3, 9), F(3) }, NULL, ROUNDED },
    { "bf16_very_deep", { BF(5, 1701), BF(3, 1701), F(3) }, NULL, ROUNDED },
    { 0 },
};

op_sample samples_linear_relu[] = {
    { "no_bias", { F(4, 15), F(33, 15), NONE }, NULL, 0, 0 },
    { "bf16", { BF(31, 33), BF(17, 33), F(17) }, NULL, ROUNDED },
    { "bias", { F(31, 33), F(17, 33), F(17) }, NULL, 0, 0 },
    { "vector", { F(17), F(5, 17), F(5) }, NULL, 0, 0 },
    { "deep", { F(13, 530), F(31, 530), F(31) }, NULL, 0, 0 },
    { "wide", { F(40, 65), F(513, 65), F(513) }, NULL, 0, 0 },
    { "bf16_panels_and_depths", { BF(70, 403), BF(99, 403), F(99) }, NULL, ROUNDED },
    { "bf16_more_outputs", { BF(33, 64), BF(131, 64), F(131) }, NULL, ROUNDED },
    { "three_axes", { F(2, 5, 16), F(7, 16), F(7) }, NULL, 0, 0 },
    { 0 },
};

op_sample samples_linear_grad_x[] = {
    { "1x1", { F(1, 1), F(1, 1) }, NULL, 0, 0 },
    { "vector", { F(5), F(5, 17) }, NULL, 0, 0 },
    { "odd", { F(31, 17), F(17, 33) }, NULL, 0, 0 },
    { "deep", { F(12, 520), F(520, 31) }, NULL, 0, 0 },
    { "bf16", { BF(31, 17), BF(17, 33) }, NULL, ROUNDED },
    { "bf16_vector", { BF(5), BF(5, 17) }, NULL, ROUNDED },
    { "bf16_blocks", { BF(205, 37), BF(37, 99) }, NULL, ROUNDED },
    { "bf16_very_deep", { BF(12, 1701), BF(1701, 70) }, NULL, ROUNDED },
    { "wide", { F(12, 33), F(33, 520) }, NULL, 0, 0 },
    { "three_axes", { F(2, 5, 7), F(7, 16) }, NULL, 0, 0 },
    { 0 },
};

op_sample samples_linear_grad_w[] = {
    { "1x1", { F(1, 1), F(1, 1) }, NULL, 0, 0 },
    { "vector", { F(5), F(17) }, NULL, 0, 0 },
    { "odd", { F(31, 17), F(31, 33) }, NULL, 0, 0 },
    { "many_rows", { F(530, 9), F(530, 15) }, NULL, 0, 0 },
    { "parts_of_rows", { F(1100, 9), F(1100, 15) }, NULL, 0, 0 },
    { "blocks", { F(5, 270), F(5, 330) }, NULL, 0, 0 },
    { "bf16", { BF(31, 17), BF(31, 33) }, NULL, 0, -1 },
    { "bf16_parts_of_rows", { BF(1101, 70), BF(1101, 15) }, NULL, 0, -1 },
    { "bf16_blocks", { BF(35, 270), BF(35, 330) }, NULL, 0, -1 },
    { "bf16_vector", { BF(5), BF(17) }, NULL, 0, -1 },
    { "bf16_many_rows", { BF(530, 70), BF(530, 15) }, NULL, 0, -1 },
    { "wide", { F(12, 33), F(12, 520) }, NULL, 0, 0 },
    { "tall", { F(12, 520), F(12, 33) }, NULL, 0, 0 },
    { "rows", { F(35, 300), F(35, 1030) }, NULL, 0, 0 },
    { "bf16_rows", { BF(35, 300), BF(35, 1030) }, NULL, 0, -1 },
    { "rows_of_many", { F(300, 130), F(300, 1100) }, NULL, 0, -1 },
    { "bf16_low_rows", { BF(70, 130), BF(70, 1100) }, NULL, 0, -1 },
    { "bf16_rows_of_many", { BF(640, 130), BF(640, 1100) }, NULL, 0, -1 },
    { "one_row", { F(1, 20), F(1, 40) }, NULL, 0, 0 },
    { "three_axes", { F(2, 5, 7), F(2, 5, 16) }, NULL, 0, 0 },
    { 0 },
};
