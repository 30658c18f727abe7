/* samples_elementwise.c - rows for operators that work element by element. */
#include "op_samples.h"
#include <math.h>

#define SAMPLES(op) \
    extern op_sample samples_##op[]; \
    op_sample samples_##op[]
#define ROW(name, ...) \
    { \
        name, { __VA_ARGS__ }, NULL, 0, 0 \
    }
#define WITH(name, a, ...) \
    { \
        name, { __VA_ARGS__ }, a, 0, 0 \
    }
#define POLE(name, ...) \
    { \
        name, { __VA_ARGS__ }, NULL, 0, -1 \
    } /* no gradcheck: differences across a pole mean nothing */
#define KINK(name, ...) \
    { \
        name, { __VA_ARGS__ }, NULL, 0, -1 \
    } /* no gradcheck: nor do differences across a kink */
#define WHOLE(low, high, ...) \
    { \
        1, TG_F32, DIMS_(__VA_ARGS__), FILL_CLASSES, low, high \
    } /* -2, -1, 0, 1 .. as f32 */
#define BF(...) \
    { \
        1, TG_BF16, DIMS_(__VA_ARGS__), FILL_UNIFORM, 0, 0 \
    }
#define NUMBER \
    { \
        1, TG_F32, 0, { 0 }, FILL_UNIFORM, 1, 2 \
    } /* rank 0 */

/* ---- two operands ---- */

#define BROADCASTS(second) \
    ROW("one", F(1), second(1)), ROW("vector", F(31), second(31)), ROW("equal", F(2, 3, 17), second(2, 3, 17)), \
        ROW("blocks", F(3, 11000), second(3, 11000)), ROW("trailing", F(2, 3, 3, 16), second(16)), \
        ROW("trailing_first", F(15), second(3, 4, 15)), ROW("trailing_blocks", F(1100, 33), second(33)), \
        ROW("scalar", F(5, 7), second(1)), ROW("scalar_first", F(1, 1), second(5, 7)), ROW("rank0", F(4, 5), NUMBER), \
        ROW("rank0_first", NUMBER, second(4, 5)), ROW("rank0_both", NUMBER, NUMBER), \
        ROW("column", F(16, 17), second(16, 1)), ROW("outer", F(15, 1), second(1, 17)), \
        ROW("channels_of_images", F(2, 3, 5, 4), second(2, 1, 1, 4)), \
        ROW("pixels", F(2, 3, 5, 4), second(2, 3, 5, 1)), ROW("crossed", F(2, 1, 3, 1, 2), second(1, 4, 1, 3, 2)), \
    { \
        "bf16", { BF(4, 5), BF(5) }, NULL, 0, -1 \
    } /* gradcheck wants f32 */

#define AROUND_ONE(...) FR(0.5, 2, __VA_ARGS__)
SAMPLES(sub) = { BROADCASTS(F), { 0 } };
SAMPLES(mul) = { BROADCASTS(F), { 0 } };
SAMPLES(div) = { BROADCASTS(AROUND_ONE), POLE("by_zero", WHOLE(-2, 3, 64), WHOLE(-1, 2, 64)), { 0 } };

/* ---- one operand ---- */

#define SIZES(fill) \
    ROW("one", fill(1)), ROW("15", fill(15)), ROW("16", fill(4, 4)), ROW("17", fill(17, 1)), ROW("33", fill(3, 11)), \
        ROW("blocks", fill(2, 3, 5500)), \
    { \
        "bf16", { BF(3, 5) }, NULL, 0, -1 \
    } /* gradcheck wants f32 */

#define WIDE(...)     FR(-6, 6, __VA_ARGS__)
#define POSITIVE(...) FR(0.2, 4, __VA_ARGS__)

static const tg_affine_attr twice_less_three = { 2, -3 }, constant = { 0, 1.5 };
SAMPLES(affine) = {
    WITH("one", &twice_less_three, F(1)), WITH("17", &twice_less_three, F(17)),        WITH("rank0", &constant, NUMBER),
    WITH("33", &constant, F(3, 11)),      WITH("blocks", &twice_less_three, F(33000)), { 0 }
};
SAMPLES(neg) = { SIZES(F), ROW("rank0", NUMBER), { 0 } };
SAMPLES(exp) = { SIZES(F), ROW("wide", WIDE(100)), POLE("overflow", WHOLE(-200, 200, 999)), { 0 } };
SAMPLES(log) = { SIZES(POSITIVE), POLE("small", FR(1e-38, 1e-3, 99)), POLE("pole", WHOLE(-2, 3, 99)), { 0 } };
SAMPLES(sqrt) = { SIZES(POSITIVE), POLE("pole", WHOLE(-2, 5, 99)), { 0 } };

static const tg_pow_attr square = { 2 }, cube = { 3 }, root = { 0.5 }, inverse = { -1 }, none = { 0 }, odd = { 2.7 };
SAMPLES(pow) = { WITH("square", &square, F(33)),
                 WITH("cube", &cube, F(2, 17)),
                 WITH("root", &root, POSITIVE(16)),
                 WITH("inverse", &inverse, FR(0.5, 2, 15)),
                 WITH("zero", &none, F(17)),
                 WITH("odd", &odd, POSITIVE(3, 11)),
                 WITH("blocks", &odd, POSITIVE(33000)),
                 { "root_of_negative", { F(31) }, &root, 0, -1 },              /* not a number */
                 { "inverse_of_zero", { WHOLE(-2, 3, 31) }, &inverse, 0, -1 }, /* a pole */
                 { 0 } };

/* ---- activations: x, and (gy, what backward saves) ---- */

#define PAIRS(fill) \
    ROW("one", F(1), fill(1)), ROW("15", F(15), fill(15)), ROW("17", F(17), fill(17)), \
        ROW("33", F(3, 11), fill(3, 11)), ROW("blocks", F(2, 16500), fill(2, 16500))

static const tg_leaky_relu_attr usual = { 0.01 }, steep = { 1.5 }, falling = { -0.5 };
SAMPLES(leaky_relu) = { WITH("one", &usual, FD(1)),
                        WITH("17", &usual, FD(17)),
                        WITH("steep", &steep, FD(3, 11)),
                        WITH("falling", &falling, FD(33)),
                        WITH("blocks", &usual, FD(33000)),
                        { "kink", { WHOLE(-1, 2, 64) }, &usual, 0, -1 }, /* see KINK */
                        { 0 } };
SAMPLES(leaky_relu_grad) = { WITH("one", &usual, F(1), F(1)),
                             WITH("33", &steep, F(33), F(33)),
                             WITH("kink", &falling, F(64), WHOLE(-1, 2, 64)),
                             WITH("blocks", &usual, F(33000), F(33000)),
                             { 0 } };

SAMPLES(relu) = { SIZES(FD), KINK("kink", WHOLE(-1, 2, 64)), { 0 } };
SAMPLES(relu_grad) = { PAIRS(F), KINK("kink", F(64), WHOLE(-1, 2, 64)), { 0 } };
SAMPLES(sigmoid) = { SIZES(WIDE), POLE("far", WHOLE(-200, 200, 999)), { 0 } };
SAMPLES(sigmoid_grad) = { PAIRS(F), { 0 } };
SAMPLES(tanh) = { SIZES(WIDE), ROW("small", FR(-1e-3, 1e-3, 99)), POLE("far", WHOLE(-99, 99, 999)), { 0 } };
SAMPLES(tanh_grad) = { PAIRS(F), { 0 } };
SAMPLES(gelu) = { SIZES(WIDE), POLE("far", WHOLE(-99, 99, 999)), { 0 } };
SAMPLES(gelu_grad) = { PAIRS(WIDE), POLE("far", F(999), WHOLE(-99, 99, 999)), { 0 } };
SAMPLES(silu) = { SIZES(WIDE), POLE("far", WHOLE(-99, 99, 999)), { 0 } };
SAMPLES(silu_grad) = { PAIRS(WIDE), POLE("far", F(999), WHOLE(-99, 99, 999)), { 0 } };
SAMPLES(hardswish) = { SIZES(FD), ROW("within", FR(-2.9, 2.9, 33)), KINK("kinks", WHOLE(-4, 5, 64)), { 0 } };
SAMPLES(hardswish_grad) = { PAIRS(WIDE), KINK("kinks", F(64), WHOLE(-4, 5, 64)), { 0 } };

static const tg_clamp_attr half = { -0.47, 0.52 }, above = { 0, INFINITY }, crossed = { 0.52, -0.47 }, unit = { 0, 1 };
SAMPLES(clamp) = { WITH("one", &half, FD(1)),
                   WITH("17", &half, FD(17)),
                   WITH("above", &above, FD(3, 11)),
                   WITH("crossed", &crossed, FD(33)),
                   WITH("blocks", &half, FD(33000)),
                   { "bf16", { BF(3, 5) }, &half, 0, -1 },          /* gradcheck wants f32 */
                   { "kinks", { WHOLE(-1, 3, 64) }, &unit, 0, -1 }, /* see KINK */
                   { 0 } };
SAMPLES(clamp_grad) = { WITH("one", &half, F(1), F(1)),
                        WITH("33", &half, F(33), F(33)),
                        WITH("crossed", &crossed, F(17), F(17)),
                        WITH("kinks", &unit, F(64), WHOLE(-1, 3, 64)),
                        WITH("blocks", &half, F(33000), F(33000)),
                        { 0 } };
SAMPLES(relu6) = { SIZES(FD), ROW("wide", FR(-2, 9, 33)), KINK("kinks", WHOLE(-1, 9, 64)), { 0 } };
SAMPLES(relu6_grad) = { PAIRS(F), KINK("kinks", F(64), WHOLE(-1, 9, 64)), { 0 } };

/* ---- at -infinity, -1, 0, 1, infinity, NaN ---- */

const double edges_affine[] = { -INFINITY, -1, 1, 3, INFINITY, NAN };
const double edges_neg[] = { INFINITY, 1, -0.0, -1, -INFINITY, NAN };
const double edges_exp[] = { 0, 0.36787944117144232, 1, 2.7182818284590452, INFINITY, NAN };
const double edges_log[] = { NAN, NAN, -INFINITY, 0, INFINITY, NAN };
const double edges_sqrt[] = { NAN, NAN, 0, 1, INFINITY, NAN };
const double edges_pow[] = { -INFINITY, -1, 0, 1, INFINITY, NAN };
const double edges_relu[] = { 0, 0, 0, 1, INFINITY, NAN };
const double edges_leaky_relu[] = { -INFINITY, -0.01, 0, 1, INFINITY, NAN };
const double edges_sigmoid[] = { 0, 0.26894142136999512, 0.5, 0.73105857863000488, 1, NAN };
const double edges_tanh[] = { -1, -0.76159415595576489, 0, 0.76159415595576489, 1, NAN };
const double edges_gelu[] = { NAN, -0.15865525393145707, 0, 0.84134474606854293, INFINITY, NAN };
const double edges_silu[] = { NAN, -0.26894142136999512, 0, 0.73105857863000488, INFINITY, NAN };
const double edges_clamp[] = { -0.5, -0.5, 0, 0.5, 0.5, NAN };
const double edges_relu6[] = { 0, 0, 0, 1, 6, NAN };
const double edges_hardswish[] = { NAN, -1. / 3, 0, 2. / 3, INFINITY, NAN };

/* ---- sums that belong to relu_grad ---- */

SAMPLES(channel_sum) = { ROW("one", F(1)),
                         ROW("vector", F(17)),
                         ROW("rows", F(5, 16)),
                         ROW("image", F(2, 3, 3, 15)),
                         ROW("three_channels", F(2, 40, 41, 3)),
                         ROW("pieces", F(2, 30, 30, 33)),
                         ROW("one_channel", F(40000, 1)),
                         ROW("columns", F(70, 1100)),
                         { "bf16", { BF(7, 5) }, NULL, 0, 0 },
                         { 0 } };
SAMPLES(relu_grad_channel_sum) = { ROW("one", F(1), F(1)),
                                   ROW("vector", F(17), F(17)),
                                   ROW("image", F(2, 3, 3, 15), F(2, 3, 3, 15)),
                                   ROW("three_channels", F(2, 40, 41, 3), F(2, 40, 41, 3)),
                                   ROW("pieces", F(2, 30, 30, 33), F(2, 30, 30, 33)),
                                   ROW("one_channel", F(40000, 1), F(40000, 1)),
                                   ROW("columns", F(70, 1100), F(70, 1100)),
                                   KINK("kink", F(9, 16), WHOLE(-1, 2, 9, 16)),
                                   { 0 } };
