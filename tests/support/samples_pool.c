/* samples_pool.c - rows for pooling. */
#include "op_samples.h"

/* Square windows on an image of h x w; and others. */
#define POOL(k, s, p, h, w) \
    &(tg_pool2d_attr) \
    { \
        { k, k }, { s, s }, { p, p }, false, { h, w } \
    }
#define POOL_INSIDE(k, s, p, h, w) \
    &(tg_pool2d_attr) \
    { \
        { k, k }, { s, s }, { p, p }, true, { h, w } \
    }
#define OBLONG(kh, kw, sh, sw, ph, pw, h, w) \
    &(tg_pool2d_attr) \
    { \
        { kh, kw }, { sh, sw }, { ph, pw }, false, { h, w } \
    }
#define OBLONG_INSIDE(kh, kw, sh, sw, ph, pw, h, w) \
    &(tg_pool2d_attr) \
    { \
        { kh, kw }, { sh, sw }, { ph, pw }, true, { h, w } \
    }
#define TO(h, w, oh, ow) \
    &(tg_adaptive_pool2d_attr) \
    { \
        { h, w }, { oh, ow } \
    }

extern const op_sample samples_max_pool2d[], samples_max_pool2d_grad[], samples_avg_pool2d[], samples_avg_pool2d_grad[];
extern const op_sample samples_max_pool2d_relu_grad[];
extern const op_sample samples_adaptive_avg_pool2d[], samples_adaptive_avg_pool2d_grad[];

const op_sample samples_max_pool2d[] = {
    { "2x2", { FD(2, 8, 6, 16) }, POOL(2, 2, 0, 8, 6), 0, 0 },
    { "2x2_odd_image", { FD(2, 7, 5, 17) }, POOL(2, 2, 0, 7, 5), 0, 0 },
    { "2x2_one_channel", { FD(1, 6, 6, 1) }, POOL(2, 2, 0, 6, 6), 0, 0 },
    { "2x2_stride1", { FD(1, 5, 6, 15) }, POOL(2, 1, 0, 5, 6), 0, 0 },
    { "2x2_pad1", { FD(1, 5, 6, 33) }, POOL(2, 2, 1, 5, 6), 0, 0 },
    { "3x3_stride2_pad1", { FD(2, 9, 8, 33) }, POOL(3, 2, 1, 9, 8), 0, 0 },
    { "3x3_stride2_pad1_even", { FD(1, 8, 8, 64) }, POOL(3, 2, 1, 8, 8), 0, 0 },
    { "3x3_stride1_pad1", { FD(1, 6, 7, 3) }, POOL(3, 1, 1, 6, 7), 0, 0 },
    { "3x3_stride3", { FD(1, 10, 11, 31) }, POOL(3, 3, 0, 10, 11), 0, 0 },
    { "gaps", { FD(1, 9, 9, 17) }, POOL(2, 3, 0, 9, 9), 0, 0 },
    { "1x1_stride2", { FD(1, 5, 5, 16) }, POOL(1, 2, 0, 5, 5), 0, 0 },
    { "5x5_pad2", { FD(1, 7, 7, 5) }, POOL(5, 1, 2, 7, 7), 0, 0 },
    { "16x16", { FD(1, 20, 18, 17) }, POOL(16, 2, 8, 20, 18), 0, 0 },
    { "17x17", { FD(1, 18, 17, 16) }, POOL(17, 1, 0, 18, 17), 0, 0 }, /* too many pixels for a byte */
    { "whole_image", { FD(3, 4, 5, 15) }, OBLONG(4, 5, 1, 1, 0, 0, 4, 5), 0, 0 },
    { "larger_than_image", { FD(1, 2, 2, 16) }, POOL(4, 2, 2, 2, 2), 0, 0 },
    { "oblong", { FD(1, 8, 9, 17) }, OBLONG(1, 3, 2, 1, 0, 1, 8, 9), 0, 0 },
    { "column", { FD(1, 8, 1, 17) }, OBLONG(3, 1, 1, 1, 1, 0, 8, 1), 0, 0 },
    { "lenet", { FD(2, 28, 28, 32) }, POOL(2, 2, 0, 28, 28), 0, 0 },
    { "equal_values", { FR(1, 1, 2, 6, 6, 17) }, POOL(3, 2, 1, 6, 6), 0, -1 }, /* a kink at every point */
    { 0 },
};

/* Any place of the window, and padding too, which nobody gets a gradient for. */
#define PLACES(n, ...) \
    { \
        1, TG_U8, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, n \
    }
const op_sample samples_max_pool2d_grad[] = {
    { "2x2", { F(3, 4, 3, 17), PLACES(4, 3, 4, 3, 17), F(3, 4, 3, 17) }, POOL(2, 2, 0, 8, 7), 0, 0 },
    { "2x2_64_channels", { F(1, 3, 3, 64), PLACES(4, 1, 3, 3, 64), F(1, 3, 3, 64) }, POOL(2, 2, 0, 6, 6), 0, 0 },
    { "3x3_stride2_pad1", { F(2, 4, 4, 33), PLACES(9, 2, 4, 4, 33), F(2, 4, 4, 33) }, POOL(3, 2, 1, 8, 8), 0, 0 },
    { "3x3_pad1_on_2x2", { F(2, 2, 2, 33), PLACES(9, 2, 2, 2, 33), F(2, 2, 2, 33) }, POOL(3, 1, 1, 2, 2), 0, 0 },
    { "5x5_pad2_on_3x3", { F(1, 3, 3, 15), PLACES(25, 1, 3, 3, 15), F(1, 3, 3, 15) }, POOL(5, 1, 2, 3, 3), 0, 0 },
    { "5x5_pad2_stride2_on_3x3",
      { F(1, 2, 2, 16), PLACES(25, 1, 2, 2, 16), F(1, 2, 2, 16) },
      POOL(5, 2, 2, 3, 3),
      0,
      0 },
    { "4x4_pad2_on_2x2", { F(1, 2, 2, 1), PLACES(16, 1, 2, 2, 1), F(1, 2, 2, 1) }, POOL(4, 2, 2, 2, 2), 0, 0 },
    { "gaps", { F(1, 3, 3, 17), PLACES(4, 1, 3, 3, 17), F(1, 3, 3, 17) }, POOL(2, 3, 0, 9, 9), 0, 0 },
    { "column", { F(2, 1, 1, 3), PLACES(5, 2, 1, 1, 3), F(2, 1, 1, 3) }, OBLONG(5, 1, 1, 1, 0, 0, 5, 1), 0, 0 },
    { "16x16", { F(1, 1, 2, 5), PLACES(256, 1, 1, 2, 5), F(1, 1, 2, 5) }, POOL(16, 8, 8, 4, 8), 0, 0 },
    { "17x17", { F(1, 4, 3, 5), I32(289, 1, 4, 3, 5), F(1, 4, 3, 5) }, POOL(17, 2, 8, 8, 6), 0, 0 },
    { 0 },
};

const op_sample samples_max_pool2d_relu_grad[] = {
    { "2x2", { F(3, 4, 3, 17), PLACES(4, 3, 4, 3, 17), F(3, 4, 3, 17) }, POOL(2, 2, 0, 8, 7), 0, 0 },
    { "2x2_odd_image", { F(2, 4, 3, 15), PLACES(4, 2, 4, 3, 15), F(2, 4, 3, 15) }, POOL(2, 2, 0, 9, 7), 0, 0 },
    { "2x2_one_channel", { F(1, 3, 3, 1), PLACES(4, 1, 3, 3, 1), F(1, 3, 3, 1) }, POOL(2, 2, 0, 6, 6), 0, 0 },
    { "3x3", { F(1, 3, 3, 33), PLACES(9, 1, 3, 3, 33), F(1, 3, 3, 33) }, POOL(3, 3, 0, 11, 10), 0, 0 },
    { "17x17", { F(1, 2, 1, 5), I32(289, 1, 2, 1, 5), F(1, 2, 1, 5) }, POOL(17, 17, 0, 36, 18), 0, 0 },
    { "oblong", { F(2, 3, 2, 16), PLACES(6, 2, 3, 2, 16), F(2, 3, 2, 16) }, OBLONG(3, 2, 3, 2, 0, 0, 9, 5), 0, 0 },
    { "not_side_by_side", { F(1, 4, 4, 3), PLACES(9, 1, 4, 4, 3), F(1, 4, 4, 3) }, POOL(3, 2, 1, 8, 8), 0, 0 },
    { "lenet", { F(2, 14, 14, 32), PLACES(4, 2, 14, 14, 32), F(2, 14, 14, 32) }, POOL(2, 2, 0, 28, 28), 0, 0 },
    { 0 },
};

const op_sample samples_avg_pool2d[] = {
    { "2x2", { F(2, 8, 6, 16) }, POOL(2, 2, 0, 8, 6), 0, 0 },
    { "2x2_odd_image", { F(2, 7, 5, 17) }, POOL(2, 2, 0, 7, 5), 0, 0 },
    { "2x2_pad1", { F(1, 5, 6, 33) }, POOL(2, 2, 1, 5, 6), 0, 0 },
    { "2x2_pad1_inside", { F(1, 5, 6, 33) }, POOL_INSIDE(2, 2, 1, 5, 6), 0, 0 },
    { "3x3_stride2_pad1", { F(2, 9, 8, 3) }, POOL(3, 2, 1, 9, 8), 0, 0 },
    { "3x3_stride2_pad1_inside", { F(2, 9, 8, 31) }, POOL_INSIDE(3, 2, 1, 9, 8), 0, 0 },
    { "3x3_stride1_pad1", { F(1, 6, 7, 15) }, POOL(3, 1, 1, 6, 7), 0, 0 },
    { "gaps", { F(1, 9, 9, 17) }, POOL(2, 3, 0, 9, 9), 0, 0 },
    { "1x1_stride2", { F(1, 5, 5, 1) }, POOL(1, 2, 0, 5, 5), 0, 0 },
    { "5x5_pad2_inside", { F(1, 7, 7, 5) }, POOL_INSIDE(5, 1, 2, 7, 7), 0, 0 },
    { "whole_image", { F(3, 4, 5, 15) }, OBLONG(4, 5, 1, 1, 0, 0, 4, 5), 0, 0 },
    { "larger_than_image", { F(1, 2, 2, 16) }, POOL_INSIDE(4, 2, 2, 2, 2), 0, 0 },
    { "oblong", { F(1, 8, 9, 17) }, OBLONG(1, 3, 2, 1, 0, 1, 8, 9), 0, 0 },
    { "oblong_inside", { F(1, 8, 9, 17) }, OBLONG_INSIDE(3, 2, 2, 1, 1, 1, 8, 9), 0, 0 },
    { 0 },
};

const op_sample samples_avg_pool2d_grad[] = {
    { "2x2", { F(2, 4, 3, 16) }, POOL(2, 2, 0, 8, 6), 0, 0 },
    { "2x2_odd_image", { F(2, 3, 2, 17) }, POOL(2, 2, 0, 7, 5), 0, 0 },
    { "2x2_pad1_inside", { F(1, 3, 4, 33) }, POOL_INSIDE(2, 2, 1, 5, 6), 0, 0 },
    { "3x3_stride2_pad1", { F(2, 5, 4, 3) }, POOL(3, 2, 1, 9, 8), 0, 0 },
    { "3x3_stride1_pad1_inside", { F(1, 6, 7, 15) }, POOL_INSIDE(3, 1, 1, 6, 7), 0, 0 },
    { "gaps", { F(1, 3, 3, 17) }, POOL(2, 3, 0, 9, 9), 0, 0 },
    { "5x5_pad2", { F(1, 7, 7, 31) }, POOL(5, 1, 2, 7, 7), 0, 0 },
    { "oblong_inside", { F(1, 4, 10, 1) }, OBLONG_INSIDE(3, 2, 2, 1, 1, 1, 8, 9), 0, 0 },
    { 0 },
};

const op_sample samples_adaptive_avg_pool2d[] = {
    { "global", { F(3, 7, 7, 33) }, TO(7, 7, 1, 1), 0, 0 },
    { "global_4x4", { F(2, 4, 4, 128) }, TO(4, 4, 1, 1), 0, 0 },
    { "global_one_channel", { F(2, 5, 3, 1) }, TO(5, 3, 1, 1), 0, 0 },
    { "same", { F(1, 4, 5, 17) }, TO(4, 5, 4, 5), 0, 0 },
    { "divides", { F(2, 8, 6, 15) }, TO(8, 6, 4, 2), 0, 0 },
    { "overlaps", { F(1, 7, 10, 16) }, TO(7, 10, 3, 4), 0, 0 },
    { "enlarges", { F(1, 3, 2, 31) }, TO(3, 2, 5, 7), 0, 0 },
    { "mixed", { F(1, 3, 9, 3) }, TO(3, 9, 7, 2), 0, 0 },
    { 0 },
};

const op_sample samples_adaptive_avg_pool2d_grad[] = {
    { "global", { F(3, 1, 1, 33) }, TO(7, 7, 1, 1), 0, 0 },
    { "same", { F(1, 4, 5, 17) }, TO(4, 5, 4, 5), 0, 0 },
    { "divides", { F(2, 4, 2, 15) }, TO(8, 6, 4, 2), 0, 0 },
    { "overlaps", { F(1, 3, 4, 16) }, TO(7, 10, 3, 4), 0, 0 },
    { "enlarges", { F(1, 5, 7, 1) }, TO(3, 2, 5, 7), 0, 0 },
    { "mixed", { F(1, 7, 2, 3) }, TO(3, 9, 7, 2), 0, 0 },
    { 0 },
};
