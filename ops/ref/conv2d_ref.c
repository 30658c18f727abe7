/* conv2d_ref.c - the definitions of conv2d, its gradients and its transpose.
 *
 * All are sums over the pairs that a kernel tap (a, b) connects: pixel (oh, ow) of y with pixel ih = oh stride - pad +
 * a dilation of x, and iw likewise; channel o of y with the channels of its group in x. */
#include "attr.h"

typedef struct { /* x, w, y of conv2d, whichever of them is computed */
    const tg_conv2d_attr *a;
    const tg_tensor *x, *w, *y;
    int64_t in, out; /* channels of a group */
} conv;

static conv conv_of(const tg_call *c, const tg_tensor *x, const tg_tensor *w, const tg_tensor *y)
{
    const tg_conv2d_attr *a = c->attr;
    return (conv){ a, x, w, y, x->dim[3] / a->groups, y->dim[3] / a->groups };
}

static int64_t pixel_offset(const tg_tensor *t, int64_t n, int64_t i, int64_t j)
{
    return (n * t->dim[1] + i) * t->dim[2] + j;
}

/* The line or column of x that an output line or column meets through a tap; -1: padding. */
static int64_t x_position(const conv *v, int axis, int64_t out, int64_t tap)
{
    int64_t i = out * v->a->stride[axis] - v->a->pad[axis] + tap * v->a->dilation[axis];
    return i >= 0 && i < v->x->dim[1 + axis] ? i : -1;
}

/* The output line or column that meets line or column i of x through a tap; -1: none. */
static int64_t y_position(const conv *v, int axis, int64_t i, int64_t tap)
{
    int64_t from = i + v->a->pad[axis] - tap * v->a->dilation[axis];
    int64_t out = from / v->a->stride[axis];
    return from >= 0 && from % v->a->stride[axis] == 0 && out < v->y->dim[1 + axis] ? out : -1;
}

/* w[o, a, b, .] times the channels of pixel p of x in o's group */
static double dot_x(const conv *v, int64_t p, int64_t o, int64_t a, int64_t b)
{
    double sum = 0;
    int64_t at = p * v->x->dim[3] + o / v->out * v->in, weight = pixel_offset(v->w, o, a, b) * v->in;
    for (int64_t k = 0; k < v->in; k++) sum += tg_get(v->x, at + k) * tg_get(v->w, weight + k);
    return sum;
}

static double conv2d_y(const conv *v, int64_t n, int64_t oh, int64_t ow, int64_t o)
{
    double sum = 0;
    for (int64_t a = 0; a < v->w->dim[1]; a++)
        for (int64_t b = 0; b < v->w->dim[2]; b++) {
            int64_t ih = x_position(v, 0, oh, a), iw = x_position(v, 1, ow, b);
            if (ih >= 0 && iw >= 0) sum += dot_x(v, pixel_offset(v->x, n, ih, iw), o, a, b);
        }
    return sum;
}

/* w[., a, b, k] times the channels of pixel p of y in k's group; k is a channel of x */
static double dot_y(const conv *v, int64_t p, int64_t k, int64_t a, int64_t b)
{
    double sum = 0;
    int64_t first = k / v->in * v->out;
    for (int64_t o = first; o < first + v->out; o++)
        sum += tg_get(v->y, p * v->y->dim[3] + o) * tg_get(v->w, pixel_offset(v->w, o, a, b) * v->in + k % v->in);
    return sum;
}

static double conv2d_x(const conv *v, int64_t n, int64_t ih, int64_t iw, int64_t k)
{
    double sum = 0;
    for (int64_t a = 0; a < v->w->dim[1]; a++)
        for (int64_t b = 0; b < v->w->dim[2]; b++) {
            int64_t oh = y_position(v, 0, ih, a), ow = y_position(v, 1, iw, b);
            if (oh >= 0 && ow >= 0) sum += dot_y(v, pixel_offset(v->y, n, oh, ow), k, a, b);
        }
    return sum;
}

static double conv2d_w(const conv *v, int64_t o, int64_t a, int64_t b, int64_t k)
{
    double sum = 0;
    int64_t channel = o / v->out * v->in + k;
    for (int64_t n = 0; n < v->y->dim[0]; n++)
        for (int64_t oh = 0; oh < v->y->dim[1]; oh++)
            for (int64_t ow = 0; ow < v->y->dim[2]; ow++) {
                int64_t ih = x_position(v, 0, oh, a), iw = x_position(v, 1, ow, b);
                if (ih < 0 || iw < 0) continue;
                sum += tg_get(v->y, pixel_offset(v->y, n, oh, ow) * v->y->dim[3] + o) *
                       tg_get(v->x, pixel_offset(v->x, n, ih, iw) * v->x->dim[3] + channel);
            }
    return sum;
}

/* Sets every element of t, of rank 4, to value(v, its four indices), plus an optional bias, then an optional relu. */
static void fill_elements(const conv *v, const tg_tensor *t,
                          double (*value)(const conv *, int64_t, int64_t, int64_t, int64_t), const tg_tensor *bias,
                          bool relu)
{
    const int64_t *d = t->dim;
    for (int64_t i = 0; i < tg_count(t); i++) {
        double y = value(v, i / d[3] / d[2] / d[1], i / d[3] / d[2] % d[1], i / d[3] % d[2], i % d[3]);
        if (bias) y += tg_get(bias, i % d[3]);
        tg_set(t, i, relu && y < 0 ? 0 : y);
    }
}

static void conv2d_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    conv v = conv_of(c, c->in[0], c->in[1], c->out[0]);
    fill_elements(&v, c->out[0], conv2d_y, c->in[2], c->op == &tg_conv2d_relu_op);
}

static void conv2d_grad_x_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    conv v = conv_of(c, c->out[0], c->in[1], c->in[0]);
    fill_elements(&v, c->out[0], conv2d_x, c->op->n_in > 2 ? c->in[2] : NULL, false);
}

static void conv2d_grad_w_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    conv v = conv_of(c, c->in[1], c->out[0], c->in[0]);
    fill_elements(&v, c->out[0], conv2d_w, NULL, false);
}

extern const tg_kernel conv2d_ref, conv2d_relu_ref, conv2d_grad_x_ref, conv_transpose2d_ref, conv2d_grad_w_ref;
const tg_kernel conv2d_ref = { .name = "ref", .backend = "ref", .run = conv2d_ref_run };
const tg_kernel conv2d_relu_ref = { .name = "ref", .backend = "ref", .run = conv2d_ref_run };
const tg_kernel conv2d_grad_x_ref = { .name = "ref", .backend = "ref", .run = conv2d_grad_x_ref_run };
const tg_kernel conv_transpose2d_ref = { .name = "ref", .backend = "ref", .run = conv2d_grad_x_ref_run };
const tg_kernel conv2d_grad_w_ref = { .name = "ref", .backend = "ref", .run = conv2d_grad_w_ref_run };
