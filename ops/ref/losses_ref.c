/* losses_ref.c - the definitions of the pointwise losses, and of their derivatives in x and target. */
#include "attr.h"
#include <math.h>

static double pointwise_loss(tg_pointwise_loss kind, double x, double target)
{
    switch (kind) {
    case TG_SQUARED_ERROR: return (x - target) * (x - target);
    case TG_ABSOLUTE_ERROR: return fabs(x - target);
    default: return (x < 0 ? 0 : x) - x * target + log1p(exp(-fabs(x)));
    }
}

static double pointwise_loss_grad_x(tg_pointwise_loss kind, double x, double target)
{
    switch (kind) {
    case TG_SQUARED_ERROR: return 2 * (x - target);
    case TG_ABSOLUTE_ERROR: return (x > target) - (x < target);
    default: return 1 / (1 + exp(-x)) - target;
    }
}

static double pointwise_loss_grad_target(tg_pointwise_loss kind, double x, double target)
{
    return kind == TG_BCE_WITH_LOGITS ? -x : -pointwise_loss_grad_x(kind, x, target);
}

static void pointwise_loss_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const tg_pointwise_loss kind = ((const tg_pointwise_loss_attr *)c->attr)->kind;
    for (int64_t i = 0; i < tg_count(c->in[0]); i++)
        tg_set(c->out[0], i, pointwise_loss(kind, tg_get(c->in[0], i), tg_get(c->in[1], i)));
}

static void pointwise_loss_grad_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const tg_pointwise_loss kind = ((const tg_pointwise_loss_attr *)c->attr)->kind;
    for (int64_t i = 0; i < tg_count(c->in[1]); i++) {
        const double gy = tg_get(c->in[0], i), x = tg_get(c->in[1], i), target = tg_get(c->in[2], i);
        if (c->out[0]) tg_set(c->out[0], i, gy * pointwise_loss_grad_x(kind, x, target));
        if (c->out[1]) tg_set(c->out[1], i, gy * pointwise_loss_grad_target(kind, x, target));
    }
}

extern const tg_kernel pointwise_loss_ref, pointwise_loss_grad_ref;
const tg_kernel pointwise_loss_ref = { .name = "ref", .backend = "ref", .run = pointwise_loss_ref_run };
const tg_kernel pointwise_loss_grad_ref = { .name = "ref", .backend = "ref", .run = pointwise_loss_grad_ref_run };
