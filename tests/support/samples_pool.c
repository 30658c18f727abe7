/* samples_pool.c - rows for pooling, derived from shapes as shape_text.h describes them. */
#include "shape_text.h"
#include "op_samples.h"

static const char *const max_shapes[] = {
    "n2 c16 8x6 k2 s2",
    "n2 c17 7x5 k2 s2",
    "n1 c1 6x6 k2 s2",
    "n1 c15 5x6 k2",
    "n1 c33 5x6 k2 s2 p1",
    "n2 c33 9x8 k3 s2 p1",
    "n1 c64 8x8 k3 s2 p1",
    "n1 c3 6x7 k3 p1",
    "n1 c31 10x11 k3 s3",
    "n1 c17 9x9 k2 s3: gaps between windows",
    "n1 c16 5x5 k1 s2",
    "n1 c5 7x7 k5 p2",
    "n1 c17 20x18 k16 s2 p8",
    "n1 c16 18x17 k17: too many pixels for a byte",
    "n3 c15 4x5 k4x5: the whole image",
    "n1 c16 2x2 k4 s2 p2: larger than the image",
    "n1 c17 8x9 k1x3 s2x1 p0x1",
    "n1 c17 8x1 k3x1 p1x0: one column",
    "n2 c32 28x28 k2 s2: LeNet",
    "n2 c17 6x6 k3 s2 p1: equal values",
};

static const char *const max_grad_shapes[] = {
    "n3 c17 8x7 k2 s2",
    "n1 c64 6x6 k2 s2",
    "n2 c33 8x8 k3 s2 p1",
    "n2 c33 2x2 k3 p1",
    "n1 c15 3x3 k5 p2",
    "n1 c16 3x3 k5 s2 p2",
    "n1 c1 2x2 k4 s2 p2",
    "n1 c17 9x9 k2 s3: gaps between windows",
    "n2 c3 5x1 k5x1: one column",
    "n1 c5 4x8 k16 s8 p8",
    "n1 c5 8x6 k17 s2 p8: too many pixels for a byte",
};

static const char *const max_relu_grad_shapes[] = {
    "n3 c17 8x7 k2 s2",
    "n2 c15 9x7 k2 s2",
    "n1 c1 6x6 k2 s2",
    "n1 c33 11x10 k3 s3",
    "n1 c5 36x18 k17 s17: too many pixels for a byte",
    "n2 c16 9x5 k3x2 s3x2",
    "n1 c3 8x8 k3 s2 p1: windows overlap",
    "n2 c32 28x28 k2 s2: LeNet",
};

static const char *const avg_shapes[] = {
    "n2 c16 8x6 k2 s2",
    "n2 c17 7x5 k2 s2",
    "n1 c33 5x6 k2 s2 p1",
    "n1 c33 5x6 k2 s2 p1 exclude_pad",
    "n2 c3 9x8 k3 s2 p1",
    "n2 c31 9x8 k3 s2 p1 exclude_pad",
    "n1 c15 6x7 k3 p1",
    "n1 c17 9x9 k2 s3: gaps between windows",
    "n1 c1 5x5 k1 s2",
    "n1 c5 7x7 k5 p2 exclude_pad",
    "n3 c15 4x5 k4x5: the whole image",
    "n1 c16 2x2 k4 s2 p2 exclude_pad: larger than the image",
    "n1 c17 8x9 k1x3 s2x1 p0x1",
    "n1 c17 8x9 k3x2 s2x1 p1 exclude_pad",
};

static const char *const avg_grad_shapes[] = {
    "n2 c16 8x6 k2 s2",
    "n2 c17 7x5 k2 s2",
    "n1 c33 5x6 k2 s2 p1 exclude_pad",
    "n2 c3 9x8 k3 s2 p1",
    "n1 c15 6x7 k3 p1 exclude_pad",
    "n1 c17 9x9 k2 s3: gaps between windows",
    "n1 c31 7x7 k5 p2",
    "n1 c1 8x9 k3x2 s2x1 p1 exclude_pad",
};

static const char *const adaptive_shapes[] = {
    "n3 c33 7x7 y1x1",
    "n2 c128 4x4 y1x1",
    "n2 c1 5x3 y1x1",
    "n1 c17 4x5 y4x5: y is as large as x",
    "n2 c15 8x6 y4x2",
    "n1 c16 7x10 y3x4: windows overlap",
    "n1 c31 3x2 y5x7: y is larger than x",
    "n1 c3 3x9 y7x2: higher and narrower",
};

static const char *const adaptive_grad_shapes[] = {
    "n3 c33 7x7 y1x1",
    "n1 c17 4x5 y4x5: y is as large as x",
    "n2 c15 8x6 y4x2",
    "n1 c16 7x10 y3x4: windows overlap",
    "n1 c1 3x2 y5x7: y is larger than x",
    "n1 c3 3x9 y7x2: higher and narrower",
};

#define COUNT(list) (int)(sizeof(list) / sizeof *(list))
#define ROWS(list)  (COUNT(list) + 1)

extern op_sample samples_max_pool2d[], samples_max_pool2d_grad[], samples_max_pool2d_relu_grad[];
extern op_sample samples_avg_pool2d[], samples_avg_pool2d_grad[];
extern op_sample samples_adaptive_avg_pool2d[], samples_adaptive_avg_pool2d_grad[];

op_sample samples_max_pool2d[ROWS(max_shapes)];
op_sample samples_max_pool2d_grad[ROWS(max_grad_shapes)];
op_sample samples_max_pool2d_relu_grad[ROWS(max_relu_grad_shapes)];
op_sample samples_avg_pool2d[ROWS(avg_shapes)];
op_sample samples_avg_pool2d_grad[ROWS(avg_grad_shapes)];
op_sample samples_adaptive_avg_pool2d[ROWS(adaptive_shapes)];
op_sample samples_adaptive_avg_pool2d_grad[ROWS(adaptive_grad_shapes)];

/* ---- inputs ---- */

static sample_in x_of(const conv_shape *s) { return (sample_in)F(s->n, s->image[0], s->image[1], s->in); }
static sample_in gy_of(const conv_shape *s) { return (sample_in)F(s->n, s->out_image[0], s->out_image[1], s->in); }

/* Positions in the window, padding included, which receives no gradient; as max_pool2d stores them. */
static sample_in index_of(const conv_shape *s)
{
    const int64_t pixels = s->kernel[0] * s->kernel[1];
    sample_in in = gy_of(s);
    in.dtype = pixels <= 256 ? TG_U8 : TG_I32;
    in.fill = FILL_CLASSES;
    in.high = (double)pixels;
    return in;
}

/* ---- rows ---- */

static void max_row(op_sample *row, const conv_shape *s)
{
    row->in[0] = x_of(s);
    row->in[0].fill = FILL_DISTINCT;
}

static void max_grad_row(op_sample *row, const conv_shape *s)
{
    row->in[0] = row->in[2] = gy_of(s);
    row->in[1] = index_of(s);
}

static void forward_row(op_sample *row, const conv_shape *s) { row->in[0] = x_of(s); }
static void grad_row(op_sample *row, const conv_shape *s) { row->in[0] = gy_of(s); }

static void fill_pool(op_sample *rows, const char *const *shapes, int n, tg_pool2d_attr *attr,
                      void (*fill)(op_sample *row, const conv_shape *s))
{
    for (int i = 0; i < n; i++) {
        const conv_shape s = parse_shape(shapes[i]);
        attr[i] = pool2d_attr_of(&s);
        rows[i] = (op_sample){ .name = shapes[i], .attr = &attr[i] };
        fill(&rows[i], &s);
    }
}

static void fill_adaptive(op_sample *rows, const char *const *shapes, int n, tg_adaptive_pool2d_attr *attr,
                          void (*fill)(op_sample *row, const conv_shape *s))
{
    for (int i = 0; i < n; i++) {
        const conv_shape s = parse_shape(shapes[i]);
        attr[i] = (tg_adaptive_pool2d_attr){ { s.image[0], s.image[1] }, { s.out_image[0], s.out_image[1] } };
        rows[i] = (op_sample){ .name = shapes[i], .attr = &attr[i] };
        fill(&rows[i], &s);
    }
}

/* Every element is 1, so that the maximum has a kink at every point: no gradcheck. */
static void make_equal(op_sample *row)
{
    row->in[0] = (sample_in)FR(1, 1, row->in[0].dim[0], row->in[0].dim[1], row->in[0].dim[2], row->in[0].dim[3]);
    row->grad_tolerance = -1;
}

#define FILL_POOL(op, list, row) \
    do { \
        static tg_pool2d_attr attr[COUNT(list)]; \
        fill_pool(samples_##op, list, COUNT(list), attr, row); \
    } while (0)
#define FILL_ADAPTIVE(op, list, row) \
    do { \
        static tg_adaptive_pool2d_attr attr[COUNT(list)]; \
        fill_adaptive(samples_##op, list, COUNT(list), attr, row); \
    } while (0)

/* Before main: the tables are constant afterwards. */
__attribute__((constructor)) static void fill_tables(void)
{
    FILL_POOL(max_pool2d, max_shapes, max_row);
    make_equal(&samples_max_pool2d[COUNT(max_shapes) - 1]);
    FILL_POOL(max_pool2d_grad, max_grad_shapes, max_grad_row);
    FILL_POOL(max_pool2d_relu_grad, max_relu_grad_shapes, max_grad_row);
    FILL_POOL(avg_pool2d, avg_shapes, forward_row);
    FILL_POOL(avg_pool2d_grad, avg_grad_shapes, grad_row);
    FILL_ADAPTIVE(adaptive_avg_pool2d, adaptive_shapes, forward_row);
    FILL_ADAPTIVE(adaptive_avg_pool2d_grad, adaptive_grad_shapes, grad_row);
}
