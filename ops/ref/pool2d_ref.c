/* pool2d_ref.c - the definitions of the pooling operators. */
#include "attr.h"
#include "ints.h"
#include <math.h>
#include <string.h>

/* Pixels of the image, without padding; and the index of the first, counting padding. */
typedef struct {
    int64_t h0, h1, w0, w1, top, left;
} pool_window;

static pool_window window_of(const tg_pool2d_attr *a, int64_t oh, int64_t ow)
{
    int64_t h = oh * a->stride[0] - a->pad[0], w = ow * a->stride[1] - a->pad[1];
    return (pool_window){ imax(h, 0), imin(h + a->kernel[0], a->image[0]),
                          imax(w, 0), imin(w + a->kernel[1], a->image[1]),
                          h,          w };
}

static pool_window adaptive_window(const tg_adaptive_pool2d_attr *a, int64_t oh, int64_t ow)
{
    const int64_t *h = a->image, *o = a->out;
    return (pool_window){ .h0 = oh * h[0] / o[0],
                          .h1 = ((oh + 1) * h[0] + o[0] - 1) / o[0],
                          .w0 = ow * h[1] / o[1],
                          .w1 = ((ow + 1) * h[1] + o[1] - 1) / o[1] };
}

static int64_t place_of(const tg_tensor *t, int64_t n, int64_t i, int64_t j, int64_t c)
{
    return ((n * t->dim[1] + i) * t->dim[2] + j) * t->dim[3] + c;
}

/* Element i of t belongs to this image, line, column, channel. */
typedef struct {
    int64_t n, line, column, channel;
} pool_element;
static pool_element element_of(const tg_tensor *t, int64_t i)
{
    const int64_t *d = t->dim;
    return (pool_element){ i / d[3] / d[2] / d[1], i / d[3] / d[2] % d[1], i / d[3] % d[2], i % d[3] };
}

/* ---- max ---- */

static void max_pool2d_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    const tg_tensor *x = c->in[0], *y = c->out[0];
    const tg_pool2d_attr *a = c->attr;
    for (int64_t i = 0; i < tg_count(y); i++) {
        pool_element e = element_of(y, i);
        pool_window v = window_of(a, e.line, e.column);
        double best = -INFINITY;
        int64_t index = (v.h0 - v.top) * a->kernel[1] + v.w0 - v.left;
        for (int64_t h = v.h0; h < v.h1; h++)
            for (int64_t w = v.w0; w < v.w1; w++) {
                double value = tg_get(x, place_of(x, e.n, h, w, e.channel));
                if (!(value > best) && !isnan(value)) continue;
                best = value;
                index = (h - v.top) * a->kernel[1] + w - v.left;
            }
        tg_set(y, i, best);
        if (c->out[1]) tg_set(c->out[1], i, (double)index);
    }
}

/* Gradients are summed in scratch, in double, and rounded once. */
static tg_scratch pool2d_sums_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)tg_count(c->out[0]) * sizeof(double) };
}

static double *clear_sums(const tg_call *c, const tg_task *task)
{
    return memset(task->shared, 0, pool2d_sums_scratch(c).shared);
}

static void store_sums(const tg_tensor *t, const double *sum)
{
    for (int64_t i = 0; i < tg_count(t); i++) tg_set(t, i, sum[i]);
}

/* After a relu, a window of zeros has no gradient. */
static double passed(const tg_call *c, int64_t i)
{
    const bool relu = c->op == &tg_max_pool2d_relu_grad_op;
    return relu && tg_get(c->in[2], i) <= 0 ? 0 : tg_get(c->in[0], i);
}

/* An index in the padding, or outside its window, is ignored. */
static void max_pool2d_grad_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_tensor *gy = c->in[0], *gx = c->out[0];
    double *sum = clear_sums(c, task);
    const int64_t kw = ((const tg_pool2d_attr *)c->attr)->kernel[1];
    for (int64_t i = 0; i < tg_count(gy); i++) {
        pool_element e = element_of(gy, i);
        pool_window v = window_of(c->attr, e.line, e.column);
        int64_t index = (int64_t)tg_get(c->in[1], i), h = v.top + index / kw, w = v.left + index % kw;
        if (index >= 0 && h >= v.h0 && h < v.h1 && w >= v.w0 && w < v.w1)
            sum[place_of(gx, e.n, h, w, e.channel)] += passed(c, i);
    }
    store_sums(gx, sum);
}

/* Then the sum by channel. */
static void max_pool2d_relu_grad_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_tensor *g = c->out[0], *sums = c->out[1];
    max_pool2d_grad_ref_run(c, task);
    for (int64_t j = 0; j < tg_count(sums); j++) {
        double sum = 0;
        for (int64_t i = j; i < tg_count(g); i += tg_count(sums)) sum += tg_get(g, i);
        tg_set(sums, j, sum);
    }
}

/* ---- average ---- */

static double window_mean(const tg_tensor *x, pool_element e, pool_window v, double size)
{
    double sum = 0;
    for (int64_t h = v.h0; h < v.h1; h++)
        for (int64_t w = v.w0; w < v.w1; w++) sum += tg_get(x, place_of(x, e.n, h, w, e.channel));
    return sum / size;
}

static void spread_gradient(const tg_tensor *gx, double *sum, pool_element e, pool_window v, double share)
{
    for (int64_t h = v.h0; h < v.h1; h++)
        for (int64_t w = v.w0; w < v.w1; w++) sum[place_of(gx, e.n, h, w, e.channel)] += share;
}

static double inside(pool_window v) { return (double)((v.h1 - v.h0) * (v.w1 - v.w0)); }

static double size_of(const tg_pool2d_attr *a, pool_window v)
{
    return a->exclude_pad ? inside(v) : (double)a->kernel[0] * (double)a->kernel[1];
}

static void avg_pool2d_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0; i < tg_count(c->out[0]); i++) {
        pool_element e = element_of(c->out[0], i);
        pool_window v = window_of(c->attr, e.line, e.column);
        tg_set(c->out[0], i, window_mean(c->in[0], e, v, size_of(c->attr, v)));
    }
}

static void avg_pool2d_grad_ref_run(const tg_call *c, const tg_task *task)
{
    double *sum = clear_sums(c, task);
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) {
        pool_element e = element_of(c->in[0], i);
        pool_window v = window_of(c->attr, e.line, e.column);
        spread_gradient(c->out[0], sum, e, v, tg_get(c->in[0], i) / size_of(c->attr, v));
    }
    store_sums(c->out[0], sum);
}

static void adaptive_avg_pool2d_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0; i < tg_count(c->out[0]); i++) {
        pool_element e = element_of(c->out[0], i);
        pool_window v = adaptive_window(c->attr, e.line, e.column);
        tg_set(c->out[0], i, window_mean(c->in[0], e, v, inside(v)));
    }
}

static void adaptive_avg_pool2d_grad_ref_run(const tg_call *c, const tg_task *task)
{
    double *sum = clear_sums(c, task);
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) {
        pool_element e = element_of(c->in[0], i);
        pool_window v = adaptive_window(c->attr, e.line, e.column);
        spread_gradient(c->out[0], sum, e, v, tg_get(c->in[0], i) / inside(v));
    }
    store_sums(c->out[0], sum);
}

extern const tg_kernel max_pool2d_ref, max_pool2d_grad_ref, max_pool2d_relu_grad_ref, avg_pool2d_ref,
    avg_pool2d_grad_ref;
extern const tg_kernel adaptive_avg_pool2d_ref, adaptive_avg_pool2d_grad_ref;
#define SUMS .name = "ref", .backend = "ref", .scratch = pool2d_sums_scratch
const tg_kernel max_pool2d_ref = { .name = "ref", .backend = "ref", .run = max_pool2d_ref_run };
const tg_kernel max_pool2d_grad_ref = { SUMS, .run = max_pool2d_grad_ref_run };
const tg_kernel max_pool2d_relu_grad_ref = { SUMS, .run = max_pool2d_relu_grad_ref_run };
const tg_kernel avg_pool2d_ref = { .name = "ref", .backend = "ref", .run = avg_pool2d_ref_run };
const tg_kernel avg_pool2d_grad_ref = { SUMS, .run = avg_pool2d_grad_ref_run };
const tg_kernel adaptive_avg_pool2d_ref = { .name = "ref", .backend = "ref", .run = adaptive_avg_pool2d_ref_run };
const tg_kernel adaptive_avg_pool2d_grad_ref = { SUMS, .run = adaptive_avg_pool2d_grad_ref_run };
