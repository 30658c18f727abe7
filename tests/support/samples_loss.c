/* samples_loss.c - rows for softmax and the losses. */
#include "op_samples.h"

#define AXIS(a) \
    &(const tg_softmax_attr) { a, TG_F32 }
#define AXIS_BF16(a) \
    &(const tg_softmax_attr) { a, TG_BF16 }
#define BF16(low, high, ...) \
    { \
        1, TG_BF16, DIMS_(__VA_ARGS__), FILL_UNIFORM, low, high \
    }
#define NUMBER(low, high) \
    { \
        1, TG_F32, 0, { 0 }, FILL_UNIFORM, low, high \
    }
#define U8(n, ...) \
    { \
        1, TG_U8, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, n \
    }
#define A_CLASS(n) \
    { \
        1, TG_I64, 0, { 0 }, FILL_CLASSES, 0, n \
    }
#define WHOLE(n, ...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_CLASSES, 0, n \
    } /* f32, some values equal */

/* ---- softmax ---- */

#define SOFTMAX_ROWS(grad) \
    { "last_axis", { FR(-4, 4, 5, 33) }, AXIS(1), 0, grad }, \
        { "ten_classes", { FR(-9, 9, 3, 10) }, AXIS(1), 0, grad }, { "one", { F(3, 1) }, AXIS(1), 0, grad }, \
        { "rank_1", { FR(-4, 4, 17) }, AXIS(0), 0, grad }, { "first_axis", { FR(-4, 4, 15, 31) }, AXIS(0), 0, grad }, \
        { "middle_axis", { FR(-4, 4, 3, 7, 300) }, AXIS(1), 0, grad }, \
        { "many_rows", { FR(-4, 4, 700, 31) }, AXIS(1), 0, grad }, \
        { "long_row", { FR(-4, 4, 2, 20000) }, AXIS(1), 0, grad }, \
        { "far_from_zero", { FR(900, 1100, 4, 33) }, AXIS(1), 1e-4, -1 }, /* f32 is too coarse there */ \
        { "to_bf16", { BF16(-4, 4, 4, 33) }, AXIS_BF16(1), 0, -1 },       /* gradcheck needs f32 */ \
        { "f32_to_bf16", { F(4, 33) }, AXIS_BF16(1), 0, -1 }, \
        { "long_row_to_bf16", { BF16(-4, 4, 2, 20000) }, AXIS_BF16(1), 0, -1 }, \
        { "middle_axis_to_bf16", { BF16(-4, 4, 3, 7, 300) }, AXIS_BF16(1), 0, -1 }, \
    { \
        0 \
    }
extern op_sample samples_softmax[], samples_log_softmax[];
op_sample samples_softmax[] = { SOFTMAX_ROWS(0) };
op_sample samples_log_softmax[] = { SOFTMAX_ROWS(0) };

#define SOFTMAX_GRAD_ROWS(low, high) \
    { "last_axis", { F(5, 33), FR(low, high, 5, 33) }, AXIS(1), 0, 0 }, \
        { "rank_1", { F(17), FR(low, high, 17) }, AXIS(0), 0, 0 }, \
        { "middle_axis", { F(3, 7, 300), FR(low, high, 3, 7, 300) }, AXIS(1), 0, 0 }, \
        { "many_rows", { F(700, 31), FR(low, high, 700, 31) }, AXIS(1), 0, 0 }, \
        { "to_bf16", { BF16(-1, 1, 5, 33), BF16(low, high, 5, 33) }, AXIS_BF16(1), 0, 0 }, \
        { "f32_to_bf16", { F(5, 33), FR(low, high, 5, 33) }, AXIS_BF16(1), 0, 0 }, \
        { "middle_axis_to_bf16", { BF16(-1, 1, 3, 7, 300), BF16(low, high, 3, 7, 300) }, AXIS_BF16(1), 0, 0 }, \
    { \
        0 \
    }
extern op_sample samples_softmax_grad[], samples_log_softmax_grad[];
op_sample samples_softmax_grad[] = { SOFTMAX_GRAD_ROWS(0, 0.1) };
op_sample samples_log_softmax_grad[] = { SOFTMAX_GRAD_ROWS(-6, -0.1) };

/* ---- negative log likelihood; weights have no gradient: rows with them are not gradchecked ---- */

#define NLL(e, ignored, how, n) \
    &(const tg_nll_attr) { e, ignored, how, n, TG_F32 }
#define NLL_BF16(e, ignored, how, n) \
    &(const tg_nll_attr) { e, ignored, how, n, TG_BF16 }
#define LOGP(...) FR(-4, -0.1, __VA_ARGS__)
#define LOSS_ROWS \
    { "mean", { LOGP(5, 10), CLASSES(10, 5), NONE }, NLL(0, -100, TG_MEAN, 10), 0, 0 }, \
        { "sum", { LOGP(5, 10), CLASSES(10, 5), NONE }, NLL(0, -100, TG_SUM, 10), 0, 0 }, \
        { "none", { LOGP(5, 10), CLASSES(10, 5), NONE }, NLL(0, -100, TG_NONE, 10), 0, 0 }, \
        { "rank_1", { LOGP(17), A_CLASS(17), NONE }, NLL(0, -100, TG_MEAN, 17), 0, 0 }, \
        { "rank_5", { LOGP(2, 1, 3, 2, 4), CLASSES(4, 2, 1, 3, 2), NONE }, NLL(0.1f, 2, TG_MEAN, 4), 0, 0 }, \
        { "i32_smoothing", { LOGP(6, 33), I32(33, 6), NONE }, NLL(0.1f, -100, TG_MEAN, 33), 0, 0 }, \
        { "u8_ignored", { LOGP(40, 3), U8(3, 40), NONE }, NLL(0, 1, TG_MEAN, 3), 0, 0 }, \
        { "weights", { LOGP(40, 16), CLASSES(16, 40), FR(0.2, 2, 16) }, NLL(0, 3, TG_MEAN, 16), 0, -1 }, \
        { "weights_smoothing", { LOGP(40, 16), CLASSES(16, 40), FR(0.2, 2, 16) }, NLL(0.2f, 3, TG_MEAN, 16), 0, -1 }, \
        { "weights_none", { LOGP(4, 5, 16), CLASSES(16, 4, 5), FR(0.2, 2, 16) }, NLL(0.2f, 3, TG_NONE, 16), 0, -1 }, \
        { "all_ignored", { LOGP(4, 3), CLASSES(1, 4), NONE }, NLL(0, 0, TG_MEAN, 3), 0, -1 }, /* NaN */ \
        { "many_rows", { LOGP(2000, 31), CLASSES(31, 2000), NONE }, NLL(0.1f, -100, TG_MEAN, 31), 0, 0 }, \
    { \
        0 \
    }
extern op_sample samples_nll_loss[], samples_cross_entropy[];
op_sample samples_nll_loss[] = { LOSS_ROWS };
op_sample samples_cross_entropy[] = {
    { "of_bf16", { BF16(-4, 4, 40, 33), CLASSES(33, 40), NONE }, NLL_BF16(0.1f, -100, TG_MEAN, 33), 0, 0 }, LOSS_ROWS
};

#define TOTAL NUMBER(2, 3)
#define GLOSS NUMBER(0.5, 2)
extern op_sample samples_nll_loss_grad[];
op_sample samples_nll_loss_grad[] = {
    { "mean", { GLOSS, CLASSES(10, 5), NONE, TOTAL }, NLL(0, -100, TG_MEAN, 10), 0, 0 },
    { "sum_smoothing", { GLOSS, CLASSES(10, 5), NONE, TOTAL }, NLL(0.1f, -100, TG_SUM, 10), 0, 0 },
    { "rank_1", { GLOSS, A_CLASS(17), NONE, TOTAL }, NLL(0.1f, -100, TG_MEAN, 17), 0, 0 },
    { "none_weights", { F(4, 5), CLASSES(16, 4, 5), FR(0.2, 2, 16), TOTAL }, NLL(0.2f, 3, TG_NONE, 16), 0, 0 },
    { "many_rows", { GLOSS, U8(31, 2000), FR(0.2, 2, 31), TOTAL }, NLL(0, 7, TG_MEAN, 31), 0, 0 },
    { 0 }
};

extern op_sample samples_cross_entropy_grad[];
op_sample samples_cross_entropy_grad[] = {
    { "in_bf16", { GLOSS, CLASSES(33, 40), NONE, TOTAL, LOGP(40, 33) }, NLL_BF16(0.1f, 5, TG_MEAN, 33), 0, 0 },
    { "mean", { GLOSS, CLASSES(10, 5), NONE, TOTAL, LOGP(5, 10) }, NLL(0, -100, TG_MEAN, 10), 0, 0 },
    { "sum_smoothing", { GLOSS, CLASSES(10, 5), NONE, TOTAL, LOGP(5, 10) }, NLL(0.1f, -100, TG_SUM, 10), 0, 0 },
    { "rank_1", { GLOSS, A_CLASS(17), NONE, TOTAL, LOGP(17) }, NLL(0.1f, -100, TG_MEAN, 17), 0, 0 },
    { "none_weights",
      { F(4, 5), CLASSES(16, 4, 5), FR(0.2, 2, 16), TOTAL, LOGP(4, 5, 16) },
      NLL(0.2f, 3, TG_NONE, 16),
      0,
      0 },
    { "many_rows", { GLOSS, U8(31, 2000), FR(0.2, 2, 31), TOTAL, LOGP(2000, 31) }, NLL(0, 7, TG_MEAN, 31), 0, 0 },
    { 0 }
};

/* ---- element-wise losses ---- */

#define SQUARED \
    &(const tg_pointwise_loss_attr) { TG_SQUARED_ERROR }
#define ABSOLUTE \
    &(const tg_pointwise_loss_attr) { TG_ABSOLUTE_ERROR }
#define BCE \
    &(const tg_pointwise_loss_attr) { TG_BCE_WITH_LOGITS }
extern op_sample samples_pointwise_loss[];
op_sample samples_pointwise_loss[] = {
    { "squared", { F(3, 33), F(3, 33) }, SQUARED, 0, 0 },
    { "absolute", { FD(3, 33), FR(-0.02, 0.02, 3, 33) }, ABSOLUTE, 0, 0 },
    { "bce", { FR(-6, 6, 3, 33), FR(0, 1, 3, 33) }, BCE, 0, 0 },
    { "bce_far", { FR(-200, 200, 65), FR(0, 1, 65) }, BCE, 0, -1 }, /* differences of large numbers */
    { "two_blocks", { FR(-6, 6, 16385), FR(0, 1, 16385) }, BCE, 0, 0 },
    { 0 }
};

extern op_sample samples_pointwise_loss_grad[];
op_sample samples_pointwise_loss_grad[] = {
    { "squared", { F(3, 33), F(3, 33), F(3, 33) }, SQUARED, 0, 0 },
    { "absolute", { F(3, 33), FD(3, 33), FR(-0.02, 0.02, 3, 33) }, ABSOLUTE, 0, 0 },
    { "absolute_equal", { F(40), WHOLE(2, 40), WHOLE(2, 40) }, ABSOLUTE, 0, 0 },
    { "bce", { F(3, 33), FR(-6, 6, 3, 33), FR(0, 1, 3, 33) }, BCE, 0, 0 },
    { "bce_far", { F(65), FR(-200, 200, 65), FR(0, 1, 65) }, BCE, 0, 0 },
    { "two_blocks", { F(16385), FR(-6, 6, 16385), FR(0, 1, 16385) }, BCE, 0, 0 },
    { 0 }
};
