/* pool2d_windows.h - the windows of pooling, one direction at a time: which pixels a window has, and which windows a
 * pixel is in. */
#ifndef TG_POOL2D_WINDOWS_H
#define TG_POOL2D_WINDOWS_H
#include "attr.h"
#include "vector.h"

typedef struct {
    int64_t size, out;           /* pixels, windows */
    int64_t kernel, stride, pad; /* window o begins at o stride - pad; kernel 0: adaptive windows */
} tg_windows;

static inline tg_windows tg_pool_windows(const tg_pool2d_attr *a, int axis)
{
    tg_windows v = { .size = a->image[axis], .kernel = a->kernel[axis] };
    v.stride = a->stride[axis];
    v.pad = a->pad[axis];
    v.out = (v.size + 2 * v.pad - v.kernel) / v.stride + 1;
    return v;
}

static inline tg_windows tg_adaptive_windows(const tg_adaptive_pool2d_attr *a, int axis)
{
    return (tg_windows){ .size = a->image[axis], .out = a->out[axis] };
}

static inline int64_t tg_window_start(const tg_windows *v, int64_t o)
{
    if (!v->kernel) return v->out == 1 ? 0 : o * v->size / v->out; /* the global mean needs no division */
    const int64_t start = o * v->stride - v->pad;
    return start > 0 ? start : 0;
}

static inline int64_t tg_window_end(const tg_windows *v, int64_t o)
{
    if (!v->kernel) return v->out == 1 ? v->size : ((o + 1) * v->size + v->out - 1) / v->out;
    const int64_t end = o * v->stride - v->pad + v->kernel;
    return end < v->size ? end : v->size;
}

/* Windows first .. last contain the last pixel asked for. Their starts and ends both increase, so walking through the
 * pixels walks through them. */
typedef struct {
    int64_t first, last, first_end, next_start;
} tg_holders;
static inline tg_holders tg_holders_begin(const tg_windows *v) { return (tg_holders){ 0, -1, tg_window_end(v, 0), 0 }; }
static inline void tg_holders_move(const tg_windows *v, tg_holders *h, int64_t pixel)
{
    while (h->first < v->out && h->first_end <= pixel) h->first_end = tg_window_end(v, ++h->first);
    while (h->last + 1 < v->out && h->next_start <= pixel) h->next_start = tg_window_start(v, ++h->last + 1);
}

/* Lines of c->out[0], over all images, in one task: about one block's worth of elements of the larger image. */
static inline int64_t tg_pool_lines(const tg_call *c)
{
    const tg_tensor *out = c->out[0];
    const int64_t in = tg_count(c->in[0]), elements = in > tg_count(out) ? in : tg_count(out);
    const int64_t lines = out->dim[0] * out->dim[1], step = TG_VECTOR_BLOCK * lines / elements;
    return step > 0 ? step : 1;
}

/* Number of tasks of that many lines. */
static inline int64_t tg_pool_tasks_of(const tg_call *c, int phase, int64_t step)
{
    const int64_t lines = c->out[0]->dim[0] * c->out[0]->dim[1];
    return phase == 0 ? (lines + step - 1) / step : 0;
}

static inline int64_t tg_pool_tasks(const tg_call *c, int phase)
{
    return tg_pool_tasks_of(c, phase, tg_pool_lines(c));
}
#endif
