/* conv2d_depthwise_vector.c - conv2d and its derivative in x where every channel is a group of its own.
 *
 * No product of matrices is in it: channel by channel, y is the sum of x w over the taps.  Sums stay in registers, of some
 * vectors of channels at a time.  The weights are turned first, from [c, taps] to [taps, c]: phase 0. */
#include "conv2d_shape.h"
#include <string.h>

enum { CHANNELS = 64 };                 /* of a task that turns weights */

static const char *reject(const tg_call *c, tg_conv v)
{
    if (!tg_conv_depthwise(&v)) return "not depthwise: more than one channel in a group";
    return tg_conv_reject(c);
}

static int64_t turns(const tg_conv *v) { return tg_div_up(v->in, CHANNELS); }

static tg_scratch scratch_of(tg_conv v) { return (tg_scratch){ .shared = (size_t)(v.taps * v.in) * sizeof(float) }; }

static void turn_weights(const tg_conv *v, const float *w, const tg_task *t)
{
    float        *to = t->shared;
    const int64_t first = t->index * CHANNELS, end = first + CHANNELS < v->in ? first + CHANNELS : v->in;
    for (int64_t c = first; c < end; c++)
        for (int64_t tap = 0; tap < v->taps; tap++) to[tap * v->in + c] = w[c * v->taps + tap];
}

/* ---- sums of products ---- */

typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
enum { WIDE = 4 * TG_LANES, MOST_PAIRS = 64 };

typedef struct { const float *x, *w; } pair;    /* n channels of each */

static inline void add_wide(const pair *p, int count, int64_t c, float *y)
{
    vec s0 = *(const vec *)(y + c), s1 = *(const vec *)(y + c + TG_LANES);
    vec s2 = *(const vec *)(y + c + 2 * TG_LANES), s3 = *(const vec *)(y + c + 3 * TG_LANES);
    for (int i = 0; i < count; i++) {
        const vec *x = (const vec *)(p[i].x + c), *w = (const vec *)(p[i].w + c);
        s0 += x[0] * w[0];
        s1 += x[1] * w[1];
        s2 += x[2] * w[2];
        s3 += x[3] * w[3];
    }
    *(vec *)(y + c) = s0, *(vec *)(y + c + TG_LANES) = s1;
    *(vec *)(y + c + 2 * TG_LANES) = s2, *(vec *)(y + c + 3 * TG_LANES) = s3;
}

/* y += x w of all pairs */
static inline void add_pairs(const pair *p, int count, int64_t n, float *y)
{
    int64_t c = 0;
    for (; c + WIDE <= n; c += WIDE) add_wide(p, count, c, y);
    for (; c + TG_LANES <= n; c += TG_LANES) {
        vec sum = *(const vec *)(y + c);
        for (int i = 0; i < count; i++) sum += *(const vec *)(p[i].x + c) * *(const vec *)(p[i].w + c);
        *(vec *)(y + c) = sum;
    }
    for (; c < n; c++)
        for (int i = 0; i < count; i++) y[c] += p[i].x[c] * p[i].w[c];
}

/* The pairs of a sum, which are added when there are many, and at the end. */
typedef struct { pair p[MOST_PAIRS]; int count; int64_t n; float *y; } pair_sum;

static inline void flush(pair_sum *s)
{
    add_pairs(s->p, s->count, s->n, s->y);
    s->count = 0;
}

static inline void add(pair_sum *s, const float *x, const float *w)
{
    if (s->count == MOST_PAIRS) flush(s);
    s->p[s->count++] = (pair){ x, w };
}

/* Lines of an image [n, lines, columns] are cut into tasks of about a block of elements. */
static int64_t lines_of_task(const int64_t size[2], int64_t channels)
{
    const int64_t lines = TG_VECTOR_BLOCK / (size[1] * channels);
    return lines > 0 ? lines : 1;
}

static int64_t line_tasks(const tg_conv *v, const int64_t size[2])
{
    return tg_div_up(v->n * size[0], lines_of_task(size, v->in));
}

/* One task: its lines, by the weights that phase 0 has turned. */
static void run_lines(const tg_call *c, const tg_conv *v, const int64_t size[2], const tg_task *t,
                      void (*line)(const tg_call *, const tg_conv *, int64_t, const float *))
{
    const int64_t step = lines_of_task(size, v->in), first = t->index * step, lines = v->n * size[0];
    for (int64_t i = first; i < lines && i < first + step; i++) line(c, v, i, t->shared);
}

/* ---- conv2d ---- */

static tg_conv forward_of(const tg_call *c) { return tg_conv_of(c, c->in[0], c->in[1], c->out[0]); }

/* The taps of one direction that lie inside of the image, from the first on. */
typedef struct { int64_t from, to, at; } span;         /* tap `from` meets line or column `at` */
static span span_of(const tg_conv *v, int axis, int64_t out)
{
    const int64_t at = out * v->stride[axis] - v->pad[axis], step = v->dilation[axis];
    span          s = { at < 0 ? tg_div_up(-at, step) : 0, v->kernel[axis], at };
    if (at + (s.to - 1) * step >= v->image[axis]) s.to = at < v->image[axis] ? (v->image[axis] - 1 - at) / step + 1 : 0;
    s.at += s.from * step;
    return s;
}

static void forward_pixel(const tg_conv *v, const float *image, span lines, span columns, const float *w, float *y)
{
    pair_sum s = { .n = v->in, .y = y };
    for (int64_t a = lines.from; a < lines.to; a++, lines.at += v->dilation[0]) {
        const float *x = image + (lines.at * v->image[1] + columns.at) * v->in;
        for (int64_t b = columns.from; b < columns.to; b++, x += v->dilation[1] * v->in)
            add(&s, x, w + (a * v->kernel[1] + b) * v->in);
    }
    flush(&s);
}

static void relu(float *y, int64_t n)
{
#pragma omp simd
    for (int64_t c = 0; c < n; c++) y[c] = y[c] < 0 ? 0 : y[c];
}

static void forward_line(const tg_call *c, const tg_conv *v, int64_t line, const float *w)
{
    const float *bias = tg_ptr(c->in[2]), *x = tg_ptr(c->in[0]);
    const span   lines = span_of(v, 0, line % v->out[0]);
    float       *y = (float *)tg_ptr(c->out[0]) + line * v->out[1] * v->in;
    x += line / v->out[0] * v->image[0] * v->image[1] * v->in;
    for (int64_t j = 0; j < v->out[1]; j++, y += v->in) {
        if (bias) memcpy(y, bias, sizeof *y * (size_t)v->in);
        else memset(y, 0, sizeof *y * (size_t)v->in);
        forward_pixel(v, x, lines, span_of(v, 1, j), w, y);
        if (c->op == &tg_conv2d_relu_op) relu(y, v->in);
    }
}

static const char *forward_reject(const tg_call *c) { return reject(c, forward_of(c)); }
static tg_scratch  forward_scratch(const tg_call *c) { return scratch_of(forward_of(c)); }

static int64_t forward_tasks(const tg_call *c, int phase)
{
    const tg_conv v = forward_of(c);
    return phase == 0 ? turns(&v) : phase == 1 ? line_tasks(&v, v.out) : 0;
}

static void forward_run(const tg_call *c, const tg_task *t)
{
    const tg_conv v = forward_of(c);
    if (t->phase == 0) turn_weights(&v, tg_ptr(c->in[1]), t);
    else run_lines(c, &v, v.out, t, forward_line);
}

/* ---- its derivative in x: every pixel of x gathers ---- */

static tg_conv grad_x_of(const tg_call *c) { return tg_conv_of(c, c->out[0], c->in[1], c->in[0]); }

/* The line or column of y that meets i of x through a tap; -1: none. */
static int64_t meets(const tg_conv *v, int axis, int64_t i, int64_t tap)
{
    const int64_t from = i + v->pad[axis] - tap * v->dilation[axis], s = v->stride[axis], at = s == 1 ? from : from / s;
    return from >= 0 && at * s == from && at < v->out[axis] ? at : -1;
}

static void grad_x_pixel(const tg_conv *v, const float *gy, int64_t line, int64_t column, const float *w, float *gx)
{
    pair_sum s = { .n = v->in, .y = gx };
    for (int64_t a = 0; a < v->kernel[0]; a++) {
        const int64_t i = meets(v, 0, line, a);
        for (int64_t b = 0; i >= 0 && b < v->kernel[1]; b++) {
            const int64_t j = meets(v, 1, column, b);
            if (j >= 0) add(&s, gy + (i * v->out[1] + j) * v->in, w + (a * v->kernel[1] + b) * v->in);
        }
    }
    flush(&s);
}

static void grad_x_line(const tg_call *c, const tg_conv *v, int64_t line, const float *w)
{
    const float *gy = (const float *)tg_ptr(c->in[0]) + line / v->image[0] * v->out[0] * v->out[1] * v->in;
    float       *gx = (float *)tg_ptr(c->out[0]) + line * v->image[1] * v->in;
    memset(gx, 0, sizeof *gx * (size_t)(v->image[1] * v->in));
    for (int64_t column = 0; column < v->image[1]; column++, gx += v->in)
        grad_x_pixel(v, gy, line % v->image[0], column, w, gx);
}

static const char *grad_x_reject(const tg_call *c) { return reject(c, grad_x_of(c)); }
static tg_scratch  grad_x_scratch(const tg_call *c) { return scratch_of(grad_x_of(c)); }

static int64_t grad_x_tasks(const tg_call *c, int phase)
{
    const tg_conv v = grad_x_of(c);
    return phase == 0 ? turns(&v) : phase == 1 ? line_tasks(&v, v.image) : 0;
}

static void grad_x_run(const tg_call *c, const tg_task *t)
{
    const tg_conv v = grad_x_of(c);
    if (t->phase == 0) turn_weights(&v, tg_ptr(c->in[1]), t);
    else run_lines(c, &v, v.image, t, grad_x_line);
}

#define DEPTHWISE_HEAD .name = "vector_depthwise_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA
TG_VECTOR_KERNEL(conv2d_depthwise_vector) = { DEPTHWISE_HEAD, .reject = forward_reject, .scratch = forward_scratch,
                                              .tasks = forward_tasks, .run = forward_run };
TG_VECTOR_KERNEL(conv2d_relu_depthwise_vector) = { DEPTHWISE_HEAD, .reject = forward_reject, .scratch = forward_scratch,
                                                   .tasks = forward_tasks, .run = forward_run };
TG_VECTOR_KERNEL(conv2d_grad_x_depthwise_vector) = { DEPTHWISE_HEAD, .reject = grad_x_reject, .scratch = grad_x_scratch,
                                                     .tasks = grad_x_tasks, .run = grad_x_run };
