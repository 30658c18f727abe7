/* samples_conv.c - rows for the convolutions: one table of shapes, from which the rows of five operators derive. */
#include "shape_text.h"
#include "op_samples.h"

/* See shape_text.h for how to read them. */
static const char *const shapes[] = {
    /* 1x1 */
    "n2 c16-33 5x6 k1 bias",
    "n1 c1-1 3x3 k1 bias",
    "n2 c17-15 7x8 k1 s2",
    "n2 c3-5 8x8 k1 s2",
    "n1 c15-17 8x9 k1 s3 bias",
    "n1 c3-16 4x4 k1 p1 bias",
    "n1 c300-10 5x5 k1",
    "n1 c512-512 2x3 k1",
    /* 2x2 and 3x3 */
    "n2 c3-15 5x6 k2 bias",
    "n1 c17-3 6x8 k2 s2 bias",
    "n1 c5-7 8x8 k2 s3",
    "n2 c16-17 7x5 k3 p1 bias",
    "n2 c33-16 5x6 k3",
    "n2 c15-33 9x8 k3 s2 p1 bias",
    "n1 c32-64 8x8 k3 s2 p1",
    "n2 c64-33 7x9 k3 s2 p1 bias",
    "n1 c3-17 10x11 k3 s3 p1 bias",
    "n1 c17-15 9x9 k3 p2 d2 bias",
    "n1 c3-16 11x10 k3 s2 p2 d2",
    "n1 c5-6 12x13 k3 s2 p3 d3 bias",
    "n1 c5-6 12x13 k3 s3 p1 d2",
    "n1 c1-33 6x6 k3 p1 bias",
    "n1 c33-1 6x6 k3 p1 bias",
    "n2 c16-5 2x1 k3 p1 bias: larger than the image",
    "n1 c130-40 4x4 k3 p1",
    "n1 c5-7 3x4 k3 p2",
    /* 3x3 by Winograd: at least 64 channels on both sides; the last has many tiles */
    "n2 c64-66 5x9 k3 p1 bias",
    "n5 c64-64 4x4 k3 p1 bias",
    "n3 c65-80 7x7 k3 p1",
    "n1 c64-130 8x8 k3 p2 bias",
    "n1 c130-64 8x8 k3 bias",
    "n1 c65-80 9x5 k3 p0x1",
    "n1 c64-65 17x35 k3 p1 bias",
    /* larger and oblong kernels */
    "n2 c1-32 9x9 k5 p2 bias",
    "n1 c15-17 9x11 k5 s2 p2",
    "n1 c17-16 3x3 k5 p2: larger than the image",
    "n1 c3-17 17x15 k7 s2 p3: the stem of ResNet",
    "n1 c3-3 2x2 k7 p3 bias: larger than the image",
    "n1 c15-16 5x9 k1x7 p0x3",
    "n2 c16-5 7x9 k3x2 s2x1 p1x0 d1x2 bias",
    "n3 c15-17 4x5 k4x5 bias: the whole image",
    "n2 c3-5 30x31 k3 p1",
    /* groups */
    "n1 c16-34 6x7 k3 p1 g2 bias",
    "n2 c15-51 7x7 k3 s2 p1 g3",
    "n1 c9-6 8x7 k2x3 p1x2 d2 g3 bias",
    "n1 c66-66 4x5 k1 g2 bias",
    "n1 c30-34 6x6 k5 p2 g2",
    "n2 c32-32 7x6 k3 p1 g8 bias",
    "n2 c24-32 9x8 k5 s2 p2 g8",
    "n1 c16-64 9x9 k3 p2 d2 g8 bias",
    "n1 c36-96 8x10 k3x4 s3 p1 g6",
    "n1 c16-16 3x9 k1x7 p0x3 g4 bias",
    "n1 c16-16 3x2 k5 p2 g4: larger than the image",
    "n2 c64-64 5x30 k3 p1 g8 bias",
    "n9 c32-32 4x5 k3 p1 g4 bias",
    "n1 c54-96 9x35 k3 s2 p1 g6",
    "n1 c25-30 6x33 k3 p1 g5 bias",
    "n1 c56-56 6x7 k3 p1 g7: a prime number of groups",
    "n2 c64-64 5x9 k1 g4 bias",
    "n1 c64-64 5x29 k3 p1 g16 bias",
    "n2 c32-32 6x25 k3 s2 p1 g4",
    "n1 c96-96 4x19 k3 p1 g6 bias",
    "n1 c32-32 9x22 k5x3 p2x1 d1x2 g16",
    "n1 c320-320 4x11 k3 p1 g40 bias",
    "n1 c32-32 7x20 k3 p2 d2 g2",
    /* depthwise */
    "n2 c17-17 7x6 k3 p1 g17 bias",
    "n1 c33-33 9x8 k3 s2 p1 g33",
    "n1 c5-5 12x11 k3x2 s3 p2x1 d2 g5 bias",
    "n1 c16-16 3x2 k5 p2 g16: larger than the image",
    "n1 c70-70 6x21 k5 p2 g70 bias",
    "n2 c40-40 5x31 k7 p3 g40",
    "n1 c144-144 8x15 k7 p3x2 g144 bias",
    "n1 c80-80 5x19 k4x3 p1 g80",
    "n1 c33-33 5x24 k3x5 p1x4 d1x2 g33",
    "n1 c130-130 4x4 k3 p1 g130 bias",
    "n5 c3-3 15x4 k3 p1 g3",
    /* one channel in or out of a group */
    "n1 c7-14 6x5 k3 p1 g7 bias",
    "n1 c2-34 5x5 k3 p1 g2",
    "n1 c34-2 5x5 k3 p1 g2",
    /* backward-weights by images */
    "n19 c5-19 4x5 k3 p1 bias",
    "n7 c17-33 9x8 k3 s2 p1",
    "n6 c12-70 7x7 k5 s2 p2 bias",
    "n33 c33-3 4x4 k1 s2",
    "n8 c3-70 9x9 k3 s2 p2 d2",
    "n9 c10-6 3x4 k3 p1 g2 bias",
    "n40 c7-9 1x1 k3 p1",
    "n34 c8-3 1x15 k1x3 s1x2 p2x0: rows of padding only",
    "n40 c33-2 7x3 k1 p2x0",
    /* backward-weights by lines */
    "n1 c3-5 3x600 k3 p1 bias",
    "n2 c2-3 3x601 k3 s2 p1",
    "n2 c1-33 14x17 k5 p2 bias",
    "n1 c2-17 15x41 k5x3 s2 p5x1 d2x1",
    "n2 c16-16 5x33 k3 p1",
    "n2 c33-20 7x35 k3 s2 p1 bias",
    "n1 c17-70 9x50 k5 s3 p4x3 d1x2",
    "n1 c34-36 3x18 k3 p1x4 d1x2 g2 bias: more padding than the kernel needs",
    "n1 c16-1 1x1041 k1x3 p0x1",
    "n1 c6-16 5x31 k5 p2 bias",
    "n3 c16-40 5x56 k1 s2",
    /* pairs of lines */
    "n2 c40-34 7x14 k3 p1 bias",
    "n1 c33-17 6x13 k5 p2",
    "n1 c18-12 9x16 k5 p2 bias",
    "n1 c33-20 14x27 k3 s2 p1",
    /* stacked lines, and many channels */
    "n2 c3-20 15x30 k3 s2 p1 bias: stacked lines",
    "n1 c2-9 9x14 k4x3 p3x1 d2x1: stacked lines, dilated",
    "n1 c600-3 2x3 k3 p1",
    "n1 c1700-3 1x5 k1 bias",
    "n1 c3-600 2x3 k3 p1",
    "n1 c3-1700 1x5 k1",
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The transpose: y of conv2d is its x; what conv2d leaves over at the edges of its image is its output_pad. */
static const char *const output_pads[] = {
    /* as large as the stride: 4 + 2 (3 - 1) = 8, and 1 */
    "n2 c6-5 9x9 k3 d2 y4x4 bias",
    "n1 c6-5 7x4 k3x2 p1 d2 y4x3",
    "n3 c65-16 6x11 k1 d3 y4x9 bias",
    "n1 c6-32 6x20 k3x1 p1x0 d2 y4x19",
};
enum { OUTPUT_PADS = sizeof output_pads / sizeof *output_pads };

extern op_sample samples_conv2d[], samples_conv2d_relu[], samples_conv2d_grad_x[], samples_conv2d_grad_w[];
extern op_sample samples_conv_transpose2d[];

op_sample samples_conv2d[SHAPES + 1], samples_conv2d_relu[SHAPES + 1], samples_conv2d_grad_x[SHAPES + 1];
op_sample samples_conv2d_grad_w[SHAPES + 1], samples_conv_transpose2d[SHAPES + OUTPUT_PADS + 1];

/* Whether Winograd's algorithm may compute it: forward and backward-data from 64 channels, backward-weights from fewer.
 */
static bool winograd(const conv_shape *s, int64_t channels)
{
    return s->in >= channels && s->out >= channels && s->kernel[0] == 3;
}

/* Winograd rounds by 1e-5 of a sum's usual size; in FP32 sums of more than 1000 products round by more than 1e-5, too.
 */
static double tolerance(bool by_winograd, int64_t products)
{
    if (by_winograd) return 2e-4;
    return products > 1000 ? 5e-5 : 0;
}

static double data_tolerance(const conv_shape *s, int64_t channels)
{
    return tolerance(winograd(s, 64), channels / s->groups * s->kernel[0] * s->kernel[1]);
}

static double weights_tolerance(const conv_shape *s)
{
    return tolerance(winograd(s, 32), s->n * s->out_image[0] * s->out_image[1]);
}

/* Difference quotients of a sum over many outputs lose digits. */
static double difference_tolerance(const conv_shape *s) { return winograd(s, 64) ? 5e-2 : 0; }

static sample_in x_of(const conv_shape *s) { return (sample_in)F(s->n, s->image[0], s->image[1], s->in); }
static sample_in y_of(const conv_shape *s) { return (sample_in)F(s->n, s->out_image[0], s->out_image[1], s->out); }

static sample_in w_of(const conv_shape *s)
{
    return (sample_in)F(s->out, s->kernel[0], s->kernel[1], s->in / s->groups);
}

static sample_in bias_of(const conv_shape *s, int64_t channels)
{
    return s->bias ? (sample_in)F(channels) : (sample_in)NONE;
}

static op_sample forward(const char *text, const conv_shape *s, const tg_conv2d_attr *attr)
{
    return (op_sample){ .name = text,
                        .in = { x_of(s), w_of(s), bias_of(s, s->out) },
                        .attr = attr,
                        .tolerance = data_tolerance(s, s->in),
                        .grad_tolerance = difference_tolerance(s) };
}

static op_sample grad_x(const char *text, const conv_shape *s, const tg_conv2d_attr *attr)
{
    return (
        op_sample){ .name = text, .in = { y_of(s), w_of(s) }, .attr = attr, .tolerance = data_tolerance(s, s->out) };
}

static op_sample grad_w(const char *text, const conv_shape *s, const tg_conv2d_attr *attr)
{
    return (op_sample){ .name = text, .in = { y_of(s), x_of(s) }, .attr = attr, .tolerance = weights_tolerance(s) };
}

static op_sample transpose(const char *text, const conv_shape *s, const tg_conv2d_attr *attr)
{
    return (op_sample){ .name = text,
                        .in = { y_of(s), w_of(s), bias_of(s, s->in) },
                        .attr = attr,
                        .tolerance = data_tolerance(s, s->out),
                        .grad_tolerance = difference_tolerance(s) };
}

/* Before main: the tables are constant afterwards. */
__attribute__((constructor)) static void fill_tables(void)
{
    static tg_conv2d_attr attrs[SHAPES + OUTPUT_PADS];
    for (int i = 0; i < SHAPES; i++) {
        const conv_shape s = parse_shape(shapes[i]);
        attrs[i] = conv2d_attr_of(&s);
        samples_conv2d[i] = samples_conv2d_relu[i] = forward(shapes[i], &s, &attrs[i]);
        samples_conv2d_grad_x[i] = grad_x(shapes[i], &s, &attrs[i]);
        samples_conv2d_grad_w[i] = grad_w(shapes[i], &s, &attrs[i]);
        samples_conv_transpose2d[i] = transpose(shapes[i], &s, &attrs[i]);
    }
    for (int i = 0; i < OUTPUT_PADS; i++) {
        const conv_shape s = parse_shape(output_pads[i]);
        attrs[SHAPES + i] = conv2d_attr_of(&s);
        samples_conv_transpose2d[SHAPES + i] = transpose(output_pads[i], &s, &attrs[SHAPES + i]);
    }
}
