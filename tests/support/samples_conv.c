/* samples_conv.c - rows for the convolutions: one table of geometries, from which come the rows of five operators. */
#include "op_samples.h"

/* name, bias, images, h, w, in, out, kernel, stride, pad, dilation (each h, w), groups */
#define GEOMETRIES(X) \
    X("1x1", 1, 2, 5, 6, 16, 33, 1, 1, 1, 1, 0, 0, 1, 1, 1) \
    X("1x1_one_channel", 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1) \
    X("1x1_stride2", 0, 2, 7, 8, 17, 15, 1, 1, 2, 2, 0, 0, 1, 1, 1) \
    X("1x1_stride2_few_channels", 0, 2, 8, 8, 3, 5, 1, 1, 2, 2, 0, 0, 1, 1, 1) \
    X("1x1_stride3", 1, 1, 8, 9, 15, 17, 1, 1, 3, 3, 0, 0, 1, 1, 1) \
    X("1x1_pad1", 1, 1, 4, 4, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1) \
    X("1x1_deep", 0, 1, 5, 5, 300, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1) \
    X("1x1_512x512", 0, 1, 2, 3, 512, 512, 1, 1, 1, 1, 0, 0, 1, 1, 1) \
    X("2x2", 1, 2, 5, 6, 3, 15, 2, 2, 1, 1, 0, 0, 1, 1, 1) \
    X("2x2_stride2", 1, 1, 6, 8, 17, 3, 2, 2, 2, 2, 0, 0, 1, 1, 1) \
    X("2x2_stride3", 0, 1, 8, 8, 5, 7, 2, 2, 3, 3, 0, 0, 1, 1, 1) \
    X("3x3_pad1", 1, 2, 7, 5, 16, 17, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_no_pad", 0, 2, 5, 6, 33, 16, 3, 3, 1, 1, 0, 0, 1, 1, 1) \
    X("3x3_stride2_pad1", 1, 2, 9, 8, 15, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("3x3_stride2_pad1_even", 0, 1, 8, 8, 32, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("3x3_stride2_64_channels", 1, 2, 7, 9, 64, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("3x3_stride3", 1, 1, 10, 11, 3, 17, 3, 3, 3, 3, 1, 1, 1, 1, 1) \
    X("3x3_dilation2", 1, 1, 9, 9, 17, 15, 3, 3, 1, 1, 2, 2, 2, 2, 1) \
    X("3x3_dilation2_stride2", 0, 1, 11, 10, 3, 16, 3, 3, 2, 2, 2, 2, 2, 2, 1) \
    X("3x3_dilation3_stride2", 1, 1, 12, 13, 5, 6, 3, 3, 2, 2, 3, 3, 3, 3, 1) \
    X("3x3_dilation2_stride3", 0, 1, 12, 13, 5, 6, 3, 3, 3, 3, 1, 1, 2, 2, 1) \
    X("3x3_one_to_many", 1, 1, 6, 6, 1, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_many_to_one", 1, 1, 6, 6, 33, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_larger_than_image", 1, 2, 2, 1, 16, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_deep", 0, 1, 4, 4, 130, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_pad2", 0, 1, 3, 4, 5, 7, 3, 3, 1, 1, 2, 2, 1, 1, 1) \
    X("3x3_winograd", 1, 2, 5, 9, 64, 66, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_winograd_4x4", 1, 5, 4, 4, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_winograd_7x7", 0, 3, 7, 7, 65, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_winograd_8x8_pad2", 1, 1, 8, 8, 64, 130, 3, 3, 1, 1, 2, 2, 1, 1, 1) \
    X("3x3_winograd_8x8_no_pad", 1, 1, 8, 8, 130, 64, 3, 3, 1, 1, 0, 0, 1, 1, 1) \
    X("3x3_winograd_9x5", 0, 1, 9, 5, 65, 80, 3, 3, 1, 1, 0, 1, 1, 1, 1) \
    X("3x3_winograd_many_tiles", 1, 1, 17, 35, 64, 65, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("5x5_pad2_one_channel", 1, 2, 9, 9, 1, 32, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("5x5_stride2", 0, 1, 9, 11, 15, 17, 5, 5, 2, 2, 2, 2, 1, 1, 1) \
    X("5x5_larger_than_image", 0, 1, 3, 3, 17, 16, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("7x7_stem", 0, 1, 17, 15, 3, 17, 7, 7, 2, 2, 3, 3, 1, 1, 1) \
    X("7x7_larger_than_image", 1, 1, 2, 2, 3, 3, 7, 7, 1, 1, 3, 3, 1, 1, 1) \
    X("1x7", 0, 1, 5, 9, 15, 16, 1, 7, 1, 1, 0, 3, 1, 1, 1) \
    X("3x2_oblong", 1, 2, 7, 9, 16, 5, 3, 2, 2, 1, 1, 0, 1, 2, 1) \
    X("whole_image", 1, 3, 4, 5, 15, 17, 4, 5, 1, 1, 0, 0, 1, 1, 1) \
    X("many_pixels", 0, 2, 30, 31, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("groups2", 1, 1, 6, 7, 16, 34, 3, 3, 1, 1, 1, 1, 1, 1, 2) \
    X("groups3_stride2", 0, 2, 7, 7, 15, 51, 3, 3, 2, 2, 1, 1, 1, 1, 3) \
    X("groups3_dilation2", 1, 1, 8, 7, 9, 6, 2, 3, 1, 1, 1, 2, 2, 2, 3) \
    X("groups_1x1", 1, 1, 4, 5, 66, 66, 1, 1, 1, 1, 0, 0, 1, 1, 2) \
    X("groups_5x5", 0, 1, 6, 6, 30, 34, 5, 5, 1, 1, 2, 2, 1, 1, 2) \
    X("groups_of_4", 1, 2, 7, 6, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 8) \
    X("groups_of_3_into_4_5x5_stride2", 0, 2, 9, 8, 24, 32, 5, 5, 2, 2, 2, 2, 1, 1, 8) \
    X("groups_of_2_into_8_dilation2", 1, 1, 9, 9, 16, 64, 3, 3, 1, 1, 2, 2, 2, 2, 8) \
    X("groups_of_6_into_16_stride3", 0, 1, 8, 10, 36, 96, 3, 4, 3, 3, 1, 1, 1, 1, 6) \
    X("groups_of_4_1x7", 1, 1, 3, 9, 16, 16, 1, 7, 1, 1, 0, 3, 1, 1, 4) \
    X("groups_of_4_larger_than_image", 0, 1, 3, 2, 16, 16, 5, 5, 1, 1, 2, 2, 1, 1, 4) \
    X("groups_of_8", 1, 2, 5, 30, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 8) \
    X("groups_of_8_images", 1, 9, 4, 5, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 4) \
    X("groups_of_9_into_16_stride2", 0, 1, 9, 35, 54, 96, 3, 3, 2, 2, 1, 1, 1, 1, 6) \
    X("groups_of_5_into_6", 1, 1, 6, 33, 25, 30, 3, 3, 1, 1, 1, 1, 1, 1, 5) \
    X("groups_of_8_prime", 0, 1, 6, 7, 56, 56, 3, 3, 1, 1, 1, 1, 1, 1, 7) \
    X("groups_of_16_1x1", 1, 2, 5, 9, 64, 64, 1, 1, 1, 1, 0, 0, 1, 1, 4) \
    X("groups_of_4_lines", 1, 1, 5, 29, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 16) \
    X("groups_of_8_lines_stride2", 0, 2, 6, 25, 32, 32, 3, 3, 2, 2, 1, 1, 1, 1, 4) \
    X("groups_of_16_lines", 1, 1, 4, 19, 96, 96, 3, 3, 1, 1, 1, 1, 1, 1, 6) \
    X("groups_of_2_5x3_dilation2", 0, 1, 9, 22, 32, 32, 5, 3, 1, 1, 2, 1, 1, 2, 16) \
    X("groups_of_8_many_channels", 1, 1, 4, 11, 320, 320, 3, 3, 1, 1, 1, 1, 1, 1, 40) \
    X("groups_of_16_dilation2", 0, 1, 7, 20, 32, 32, 3, 3, 1, 1, 2, 2, 2, 2, 2) \
    X("depthwise", 1, 2, 7, 6, 17, 17, 3, 3, 1, 1, 1, 1, 1, 1, 17) \
    X("depthwise_stride2", 0, 1, 9, 8, 33, 33, 3, 3, 2, 2, 1, 1, 1, 1, 33) \
    X("depthwise_stride3_dilation2", 1, 1, 12, 11, 5, 5, 3, 2, 3, 3, 2, 1, 2, 2, 5) \
    X("depthwise_5x5_larger_than_image", 0, 1, 3, 2, 16, 16, 5, 5, 1, 1, 2, 2, 1, 1, 16) \
    X("depthwise_5x5_lines", 1, 1, 6, 21, 70, 70, 5, 5, 1, 1, 2, 2, 1, 1, 70) \
    X("depthwise_7x7_lines", 0, 2, 5, 31, 40, 40, 7, 7, 1, 1, 3, 3, 1, 1, 40) \
    X("depthwise_7x7_wide", 1, 1, 8, 15, 144, 144, 7, 7, 1, 1, 3, 2, 1, 1, 144) \
    X("depthwise_4x3_lines", 0, 1, 5, 19, 80, 80, 4, 3, 1, 1, 1, 1, 1, 1, 80) \
    X("depthwise_3x5_dilation2", 0, 1, 5, 24, 33, 33, 3, 5, 1, 1, 1, 4, 1, 2, 33) \
    X("depthwise_many_channels", 1, 1, 4, 4, 130, 130, 3, 3, 1, 1, 1, 1, 1, 1, 130) \
    X("depthwise_many_lines", 0, 5, 15, 4, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 3) \
    X("multiplier2", 1, 1, 6, 5, 7, 14, 3, 3, 1, 1, 1, 1, 1, 1, 7) \
    X("one_in_a_group_many_out", 0, 1, 5, 5, 2, 34, 3, 3, 1, 1, 1, 1, 1, 1, 2) \
    X("many_in_a_group_one_out", 0, 1, 5, 5, 34, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2) \
    X("images_3x3", 1, 19, 4, 5, 5, 19, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("images_3x3_stride2", 0, 7, 9, 8, 17, 33, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("images_5x5_stride2", 1, 6, 7, 7, 12, 70, 5, 5, 2, 2, 2, 2, 1, 1, 1) \
    X("images_1x1_stride2", 0, 33, 4, 4, 33, 3, 1, 1, 2, 2, 0, 0, 1, 1, 1) \
    X("images_3x3_stride2_dilation2", 0, 8, 9, 9, 3, 70, 3, 3, 2, 2, 2, 2, 2, 2, 1) \
    X("images_groups", 1, 9, 3, 4, 10, 6, 3, 3, 1, 1, 1, 1, 1, 1, 2) \
    X("images_one_pixel", 0, 40, 1, 1, 7, 9, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("images_1x3_beside_pad2", 0, 34, 1, 15, 8, 3, 1, 3, 1, 2, 2, 0, 1, 1, 1) \
    X("images_1x1_pad2", 0, 40, 7, 3, 33, 2, 1, 1, 1, 1, 2, 0, 1, 1, 1) \
    X("3x3_long_lines", 1, 1, 3, 600, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_long_lines_stride2", 0, 2, 3, 601, 2, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("5x5_lines_of_one_channel", 1, 2, 14, 17, 1, 33, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("5x3_lines_stride2_dilation2", 0, 1, 15, 41, 2, 17, 5, 3, 2, 2, 5, 1, 2, 1, 1) \
    X("3x3_lines_of_16_channels", 0, 2, 5, 33, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("3x3_lines_stride2", 1, 2, 7, 35, 33, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("5x5_lines_stride3_dilation2", 0, 1, 9, 50, 17, 70, 5, 5, 3, 3, 4, 3, 1, 2, 1) \
    X("3x3_lines_larger_pad_groups", 1, 1, 3, 18, 34, 36, 3, 3, 1, 1, 1, 4, 1, 2, 2) \
    X("1x3_long_line_16_channels", 0, 1, 1, 1041, 16, 1, 1, 3, 1, 1, 0, 1, 1, 1, 1) \
    X("5x5_lines_of_6_channels", 1, 1, 5, 31, 6, 16, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("1x1_stride2_lines", 0, 3, 5, 56, 16, 40, 1, 1, 2, 2, 0, 0, 1, 1, 1) \
    X("3x3_pairs_of_lines", 1, 2, 7, 14, 40, 34, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("5x5_pairs_of_lines", 0, 1, 6, 13, 33, 17, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("5x5_pairs_of_lines_few_channels", 1, 1, 9, 16, 18, 12, 5, 5, 1, 1, 2, 2, 1, 1, 1) \
    X("3x3_pairs_of_lines_stride2", 0, 1, 14, 27, 33, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("3x3_stacked_stride2", 1, 2, 15, 30, 3, 20, 3, 3, 2, 2, 1, 1, 1, 1, 1) \
    X("4x3_stacked_dilated_lines", 0, 1, 9, 14, 2, 9, 4, 3, 1, 1, 3, 1, 2, 1, 1) \
    X("3x3_very_deep", 0, 1, 2, 3, 600, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("1x1_very_deep", 1, 1, 1, 5, 1700, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1) \
    X("3x3_to_very_many", 0, 1, 2, 3, 3, 600, 3, 3, 1, 1, 1, 1, 1, 1, 1) \
    X("1x1_to_very_many", 0, 1, 1, 5, 3, 1700, 1, 1, 1, 1, 0, 0, 1, 1, 1)

#define OUT(i, k, s, p, d)                            (((i) + 2 * (p) - (d) * ((k)-1) - 1) / (s) + 1)
#define Y(n, h, w, c, kh, kw, sh, sw, ph, pw, dh, dw) F(n, OUT(h, kh, sh, ph, dh), OUT(w, kw, sw, pw, dw), c)
#define ATTR(h, w, kh, kw, sh, sw, ph, pw, dh, dw, g) \
    &(tg_conv2d_attr) \
    { \
        { sh, sw }, { ph, pw }, { dh, dw }, g, { h, w }, { kh, kw } \
    }
#define BIAS_0(c) NONE
#define BIAS_1(c) F(c)

/* Sums of more than 1000 products round by more than 1e-5 in FP32; Winograd by 1e-5 of a sum's usual size. */
#define WINOGRAD(in, out, kh)     ((in) >= 64 && (out) >= 64 && (kh) == 3)
#define ROUNDING(in, out, kh, kw) (WINOGRAD(in, out, kh) ? 2e-4 : (in) * (kh) * (kw) > 1000 ? 5e-5 : 0)
/* Difference quotients of a sum over so many outputs lose digits. */
#define DIFFERENCES(in, out, kh) (WINOGRAD(in, out, kh) ? 5e-2 : 0)
#define FORWARD(name, bias, n, h, w, in, out, kh, kw, sh, sw, ph, pw, dh, dw, g) \
    { name, \
      { F(n, h, w, in), F(out, kh, kw, in / g), BIAS_##bias(out) }, \
      ATTR(h, w, kh, kw, sh, sw, ph, pw, dh, dw, g), \
      ROUNDING(in, out, kh, kw), \
      DIFFERENCES(in, out, kh) },
#define GRAD_X(name, bias, n, h, w, in, out, kh, kw, sh, sw, ph, pw, dh, dw, g) \
    { name, \
      { Y(n, h, w, out, kh, kw, sh, sw, ph, pw, dh, dw), F(out, kh, kw, in / g) }, \
      ATTR(h, w, kh, kw, sh, sw, ph, pw, dh, dw, g), \
      WINOGRAD(in, out, kh) ? 2e-4 : 0, \
      0 },
#define GRAD_W(name, bias, n, h, w, in, out, kh, kw, sh, sw, ph, pw, dh, dw, g) \
    { name, \
      { Y(n, h, w, out, kh, kw, sh, sw, ph, pw, dh, dw), F(n, h, w, in) }, \
      ATTR(h, w, kh, kw, sh, sw, ph, pw, dh, dw, g), \
      WINOGRAD(in, out, kh) ? 2e-4 : 0, \
      0 },
/* The transpose maps y's shape to x's; what conv2d rounds away from the image is its output_pad. */
#define TRANSPOSE(name, bias, n, h, w, in, out, kh, kw, sh, sw, ph, pw, dh, dw, g) \
    { name, \
      { Y(n, h, w, out, kh, kw, sh, sw, ph, pw, dh, dw), F(out, kh, kw, in / g), BIAS_##bias(in) }, \
      ATTR(h, w, kh, kw, sh, sw, ph, pw, dh, dw, g), \
      ROUNDING(out, in, kh, kw), \
      DIFFERENCES(in, out, kh) },

extern const op_sample samples_conv2d[], samples_conv2d_relu[], samples_conv2d_grad_x[], samples_conv2d_grad_w[];
extern const op_sample samples_conv_transpose2d[];

const op_sample samples_conv2d[] = { GEOMETRIES(FORWARD){ 0 } };
const op_sample samples_conv2d_relu[] = { GEOMETRIES(FORWARD){ 0 } };
const op_sample samples_conv2d_grad_x[] = { GEOMETRIES(GRAD_X){ 0 } };
const op_sample samples_conv2d_grad_w[] = { GEOMETRIES(GRAD_W){ 0 } };
const op_sample samples_conv_transpose2d[] = {
    GEOMETRIES(TRANSPOSE)
    /* 4 + 2 (3 - 1) = 8, and 1: an output_pad as large as the stride */
    { "output_pad_of_a_stride", { F(2, 4, 4, 5), F(5, 3, 3, 6), F(6) }, ATTR(9, 9, 3, 3, 1, 1, 0, 0, 2, 2, 1), 0, 0 },
    { "output_pad_of_a_stride_pad1",
      { F(1, 4, 3, 5), F(5, 3, 2, 6), NONE },
      ATTR(7, 4, 3, 2, 1, 1, 1, 1, 2, 2, 1),
      0,
      0 },
    { "output_pad_1x1", { F(3, 4, 9, 16), F(16, 1, 1, 65), F(65) }, ATTR(6, 11, 1, 1, 1, 1, 0, 0, 3, 3, 1), 0, 0 },
    { "output_pad_3x1", { F(1, 4, 19, 32), F(32, 3, 1, 6), NONE }, ATTR(6, 20, 3, 1, 1, 1, 1, 0, 2, 2, 1), 0, 0 },
    { 0 },
};
