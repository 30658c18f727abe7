/* losses_vector.c - pointwise losses, and their derivatives in x and target. */
#include "attr.h"
#include "elementwise.h"
#include "vector_math.h"

/* ln(1 + u) for 0 <= u <= 1, corrected for the rounding of 1 + u. */
static inline float log1p_f32(float u)
{
    const float v = 1 + u, lost = u - (v - 1);
    return tg_log_finite(v) + lost / v;
}

static inline float loss_of(tg_pointwise_loss kind, float x, float target)
{
    if (kind == TG_SQUARED_ERROR) return (x - target) * (x - target);
    if (kind == TG_ABSOLUTE_ERROR) return fabsf(x - target);
    return (x < 0 ? 0 : x) - x * target + log1p_f32(tg_exp_f32(-fabsf(x)));
}

static inline float slope_x(tg_pointwise_loss kind, float x, float target)
{
    if (kind == TG_SQUARED_ERROR) return 2 * (x - target);
    if (kind == TG_BCE_WITH_LOGITS) return tg_sigmoid_f32(x) - target;
    const float d = x - target, below = d < 0 ? -1.0f : 0.0f;
    return d > 0 ? 1.0f : below; /* 0 where d is 0 or, as in PyTorch, NaN */
}

static inline float slope_target(tg_pointwise_loss kind, float x, float target)
{
    return kind == TG_BCE_WITH_LOGITS ? -x : -slope_x(kind, x, target);
}

/* Inlined with a constant kind, so that the loops have no branches. */
static inline void each_loss(tg_pointwise_loss kind, const float *x, const float *target, int64_t n, float *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = loss_of(kind, x[i], target[i]);
}

static inline void each_grad(tg_pointwise_loss kind, const float *gy, const float *x, const float *target, int64_t n,
                             float *gx, float *gtarget)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float g = gy[i], a = x[i], b = target[i];
        if (gtarget) gtarget[i] = g * slope_target(kind, a, b);
        if (gx) gx[i] = g * slope_x(kind, a, b);
    }
}

static inline void grad_of(tg_pointwise_loss kind, const float *gy, const float *x, const float *target, int64_t n,
                           float *gx, float *gtarget)
{
    if (gx && gtarget) each_grad(kind, gy, x, target, n, gx, gtarget);
    else if (gx) each_grad(kind, gy, x, target, n, gx, NULL);
    else if (gtarget) each_grad(kind, gy, x, target, n, NULL, gtarget);
}

static void pointwise_loss_run(const tg_call *c, const tg_task *t)
{
    const int64_t at = t->index * TG_VECTOR_BLOCK, n = tg_block_end(t->index, tg_count(c->in[0])) - at;
    const float *const x = (const float *)tg_ptr(c->in[0]) + at, *const target = (const float *)tg_ptr(c->in[1]) + at;
    float *const y = (float *)tg_ptr(c->out[0]) + at;
    switch (((const tg_pointwise_loss_attr *)c->attr)->kind) {
    case TG_SQUARED_ERROR: each_loss(TG_SQUARED_ERROR, x, target, n, y); break;
    case TG_ABSOLUTE_ERROR: each_loss(TG_ABSOLUTE_ERROR, x, target, n, y); break;
    default: each_loss(TG_BCE_WITH_LOGITS, x, target, n, y); break;
    }
}

static void pointwise_loss_grad_run(const tg_call *c, const tg_task *t)
{
    const int64_t at = t->index * TG_VECTOR_BLOCK, n = tg_block_end(t->index, tg_count(c->in[1])) - at;
    const float *const gy = (const float *)tg_ptr(c->in[0]) + at, *const x = (const float *)tg_ptr(c->in[1]) + at;
    const float *const target = (const float *)tg_ptr(c->in[2]) + at;
    float *const gx = c->out[0] ? (float *)tg_ptr(c->out[0]) + at : NULL;
    float *const gtarget = c->out[1] ? (float *)tg_ptr(c->out[1]) + at : NULL;
    switch (((const tg_pointwise_loss_attr *)c->attr)->kind) {
    case TG_SQUARED_ERROR: grad_of(TG_SQUARED_ERROR, gy, x, target, n, gx, gtarget); break;
    case TG_ABSOLUTE_ERROR: grad_of(TG_ABSOLUTE_ERROR, gy, x, target, n, gx, gtarget); break;
    default: grad_of(TG_BCE_WITH_LOGITS, gy, x, target, n, gx, gtarget); break;
    }
}

static int64_t pointwise_loss_grad_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? tg_blocks(tg_count(c->in[1])) : 0;
}

TG_VECTOR_KERNEL(pointwise_loss_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .tasks = tg_element_tasks, .run = pointwise_loss_run, .in_place = true,
};
TG_VECTOR_KERNEL(pointwise_loss_grad_vector) = {
    TG_VECTOR_HEAD,   .reject = tg_reject_not_f32, .tasks = pointwise_loss_grad_tasks, .run = pointwise_loss_grad_run,
    .in_place = true,
};
