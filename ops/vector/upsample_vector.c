/* upsample_vector.c - upsample and its derivative. A task is one line of the result, whose pixels are vectors of
 * channels. The derivative gathers from the output lines that read its line, so tasks write disjoint lines. */
#include "elementwise.h"
#include "upsample.h"
#include <string.h>

static int64_t upsample_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? c->out[0]->dim[0] * c->out[0]->dim[1] : 0;
}

/* y = (1 - wy) ((1 - wx) a + wx b) + wy ((1 - wx) c + wx d) */
TG_INLINE void upsample_blend(void *y, const void *p, bool is_bf16, int64_t right, int64_t down, float wx, float wy,
                              int64_t n)
{
    const void *b = tg_at(p, is_bf16, right), *c = tg_at(p, is_bf16, down), *d = tg_at(c, is_bf16, right);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        const float above = (1.0f - wx) * tg_load(p, is_bf16, k) + wx * tg_load(b, is_bf16, k);
        const float below = (1.0f - wx) * tg_load(c, is_bf16, k) + wx * tg_load(d, is_bf16, k);
        tg_store(y, is_bf16, k, (1.0f - wy) * above + wy * below);
    }
}

static void upsample_run(const tg_call *c, const tg_task *task)
{
    const tg_upsample_attr *a = c->attr;
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    const int64_t channels = c->in[0]->dim[3], line = a->image[1] * channels, n = task->index / a->out[0];
    const tg_tap ty = tg_upsample_tap(a, 0, task->index % a->out[0]);
    const void *x = tg_at(tg_ptr(c->in[0]), is_bf16, (n * a->image[0] + ty.at) * line);
    const int64_t down = ty.weight > 0 ? line : 0;
    for (int64_t ox = 0; ox < a->out[1]; ox++) {
        const tg_tap tx = tg_upsample_tap(a, 1, ox);
        const void *p = tg_at(x, is_bf16, tx.at * channels);
        void *y = tg_at(tg_ptr(c->out[0]), is_bf16, (task->index * a->out[1] + ox) * channels);
        const int64_t right = tx.weight > 0 ? channels : 0;
        if (!a->bilinear) memcpy(y, p, (is_bf16 ? sizeof(uint16_t) : sizeof(float)) * (size_t)channels);
        else if (is_bf16) upsample_blend(y, p, true, right, down, (float)tx.weight, (float)ty.weight, channels);
        else upsample_blend(y, p, false, right, down, (float)tx.weight, (float)ty.weight, channels);
    }
}
TG_VECTOR_KERNEL(upsample_vector) = { TG_VECTOR_HEAD, .tasks = upsample_tasks, .run = upsample_run };

/* ---- derivative: a line is summed in f32 ---- */

TG_INLINE void add_scaled(float *restrict gx, const void *restrict gy, bool is_bf16, float weight, int64_t n)
{
#pragma omp simd
    for (int64_t k = 0; k < n; k++) gx[k] += weight * tg_load(gy, is_bf16, k);
}

/* gx += weight * the gradient that a line of gy passes to a line of the image. */
TG_INLINE void scatter_line(const tg_upsample_attr *a, float *gx, const void *gy, bool is_bf16, double weight,
                            int64_t channels)
{
    for (int64_t ox = 0; ox < a->out[1]; ox++) {
        const tg_tap t = tg_upsample_tap(a, 1, ox);
        const void *from = tg_at(gy, is_bf16, ox * channels);
        float *at = gx + t.at * channels;
        add_scaled(at, from, is_bf16, (float)(weight * (1 - t.weight)), channels);
        if (t.weight > 0) add_scaled(at + channels, from, is_bf16, (float)(weight * t.weight), channels);
    }
}

TG_INLINE void upsample_sum_line(const tg_call *c, const tg_task *task, bool is_bf16, float *sum)
{
    const tg_upsample_attr *a = c->attr;
    const int64_t channels = c->in[0]->dim[3], width = a->image[1] * channels, n = task->index / a->image[0];
    const int64_t iy = task->index % a->image[0];
    memset(sum, 0, sizeof *sum * (size_t)width);
    for (int64_t oy = 0; oy < a->out[0]; oy++) {
        const tg_tap t = tg_upsample_tap(a, 0, oy);
        const double weight = t.at == iy ? 1 - t.weight : t.at == iy - 1 ? t.weight : 0;
        const void *gy = tg_at(tg_ptr(c->in[0]), is_bf16, (n * a->out[0] + oy) * a->out[1] * channels);
        if (weight > 0) scatter_line(a, sum, gy, is_bf16, weight, channels);
    }
}

static int64_t line_size(const tg_call *c) { return c->out[0]->dim[2] * c->out[0]->dim[3]; }

static void upsample_grad_run(const tg_call *c, const tg_task *task)
{
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    void *gx = tg_at(tg_ptr(c->out[0]), is_bf16, task->index * line_size(c));
    if (!is_bf16) {
        upsample_sum_line(c, task, false, gx);
        return;
    }
    upsample_sum_line(c, task, true, task->scratch);
    tg_narrow(task->scratch, true, line_size(c), gx);
}

static tg_scratch upsample_grad_scratch(const tg_call *c)
{
    return (tg_scratch){ .worker = tg_is_bf16(c->in[0]) ? (size_t)line_size(c) * sizeof(float) : 0 };
}

TG_VECTOR_KERNEL(upsample_grad_vector) = {
    TG_VECTOR_HEAD,
    .tasks = upsample_tasks,
    .scratch = upsample_grad_scratch,
    .run = upsample_grad_run,
};
