/* upsample_vector.c - upsample and its derivative.  A task is one line of the result, whose pixels are vectors of
 * channels; the derivative finds the lines of the output that read its line, so no two tasks write the same place. */
#include "elementwise.h"
#include "upsample.h"
#include <string.h>

static int64_t line_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? c->out[0]->dim[0] * c->out[0]->dim[1] : 0;
}

/* y = (1 - wy) ((1 - wx) a + wx b) + wy ((1 - wx) c + wx d) */
static void blend(float *restrict y, const float *p, int64_t right, int64_t down, float wx, float wy, int64_t n)
{
    const float *a = p, *b = p + right, *c = p + down, *d = p + down + right;
#pragma omp simd
    for (int64_t k = 0; k < n; k++)
        y[k] = (1.0f - wy) * ((1.0f - wx) * a[k] + wx * b[k]) + wy * ((1.0f - wx) * c[k] + wx * d[k]);
}

static void upsample_run(const tg_call *c, const tg_task *task)
{
    const tg_upsample_attr *a = c->attr;
    const int64_t           channels = c->in[0]->dim[3], line = a->image[1] * channels, n = task->index / a->out[0];
    const tg_tap            ty = tg_upsample_tap(a, 0, task->index % a->out[0]);
    const float            *x = (const float *)tg_ptr(c->in[0]) + (n * a->image[0] + ty.at) * line;
    float                  *y = (float *)tg_ptr(c->out[0]) + task->index * a->out[1] * channels;
    for (int64_t ox = 0; ox < a->out[1]; ox++, y += channels) {
        const tg_tap tx = tg_upsample_tap(a, 1, ox);
        const float *p = x + tx.at * channels;
        if (a->bilinear)
            blend(y, p, tx.weight > 0 ? channels : 0, ty.weight > 0 ? line : 0, (float)tx.weight, (float)ty.weight,
                  channels);
        else memcpy(y, p, sizeof *y * (size_t)channels);
    }
}
TG_VECTOR_KERNEL(upsample_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .tasks = line_tasks, .run = upsample_run,
};

/* ---- derivative ---- */

static void add_scaled(float *restrict gx, const float *restrict gy, float weight, int64_t n)
{
#pragma omp simd
    for (int64_t k = 0; k < n; k++) gx[k] += weight * gy[k];
}

/* gx += weight * what a line of gy gives back to a line of the image. */
static void give_line(const tg_upsample_attr *a, float *gx, const float *gy, double weight, int64_t channels)
{
    for (int64_t ox = 0; ox < a->out[1]; ox++, gy += channels) {
        const tg_tap t = tg_upsample_tap(a, 1, ox);
        float       *at = gx + t.at * channels;
        add_scaled(at, gy, (float)(weight * (1 - t.weight)), channels);
        if (t.weight > 0) add_scaled(at + channels, gy, (float)(weight * t.weight), channels);
    }
}

static void upsample_grad_run(const tg_call *c, const tg_task *task)
{
    const tg_upsample_attr *a = c->attr;
    const int64_t           channels = c->in[0]->dim[3], width = a->image[1] * channels, n = task->index / a->image[0];
    const int64_t           iy = task->index % a->image[0];
    float                  *gx = (float *)tg_ptr(c->out[0]) + task->index * width;
    memset(gx, 0, sizeof *gx * (size_t)width);
    for (int64_t oy = 0; oy < a->out[0]; oy++) {
        const tg_tap t = tg_upsample_tap(a, 0, oy);
        const double weight = t.at == iy ? 1 - t.weight : t.at == iy - 1 ? t.weight : 0;
        const float *gy = (const float *)tg_ptr(c->in[0]) + (n * a->out[0] + oy) * a->out[1] * channels;
        if (weight > 0) give_line(a, gx, gy, weight, channels);
    }
}
TG_VECTOR_KERNEL(upsample_grad_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .tasks = line_tasks, .run = upsample_grad_run,
};
