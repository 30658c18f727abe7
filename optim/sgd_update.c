/* sgd_update.c - g += decay w;  v = momentum v + (1 - dampening) g, the first time v = g;
 * g = nesterov ? g + momentum v : v;  w -= lr g */
#include "kernels.h"
#include "update.h"
#include <math.h>

enum { W, G, V, FACTOR };

static void sgd_update_infer(tg_scope *s, tg_call *c)
{
    const tg_sgd_attr *a = c->attr;
    if (!tg_update_wants(s, c, FACTOR)) return;
    if (!tg_update_wants_number(s, "sgd_update", "lr", a->lr) ||
        !tg_update_wants_number(s, "sgd_update", "weight_decay", a->weight_decay) ||
        !tg_update_wants_number(s, "sgd_update", "clip_value", a->clip_value) ||
        !tg_update_wants_number(s, "sgd_update", "momentum", a->momentum))
        return;
    if (!isfinite(a->dampening)) tg_fail(s, "sgd_update: dampening %g, want a finite number", a->dampening);
    if (a->momentum > 0 && !c->in[V]) tg_fail(s, "sgd_update: momentum %g without a buffer for it", a->momentum);
}

static void sgd_update_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_sgd_attr *a = c->attr;
    const double factor = c->in[FACTOR] ? tg_get(c->in[FACTOR], 0) : 1, limit = (double)tg_update_limit(a->clip_value);
    (void)task;
    for (int64_t i = 0, n = tg_count(c->in[W]); i < n; i++) {
        double w = tg_weight_get(c->in[W], i), g = tg_get(c->in[G], i) * factor;
        g = (g > limit ? limit : g < -limit ? -limit : g) + a->weight_decay * w;
        if (c->in[V]) {
            const double v = a->first ? g : a->momentum * tg_get(c->in[V], i) + (1 - a->dampening) * g;
            tg_set(c->in[V], i, v);
            g = a->nesterov ? g + a->momentum * v : v;
        }
        tg_weight_set(c->in[W], i, w - a->lr * g);
    }
}

TG_VECTOR_DECLARE(sgd_update_vector)
static const tg_kernel ref = { .name = "ref", .backend = "ref", .run = sgd_update_ref_run };

static double sgd_update_flops(const tg_call *c) { return 6 * (double)tg_count(c->in[W]); }

const tg_op tg_sgd_update_op = {
    .name = "sgd_update",
    .n_in = 4,
    .optional_in = TG_BIT(V) | TG_BIT(FACTOR),
    .writes = TG_BIT(W) | TG_BIT(V),
    .attr_size = sizeof(tg_sgd_attr),
    .infer = sgd_update_infer,
    .kernels = TG_KERNELS(TG_VECTOR(sgd_update_vector), &ref),
    .flops = sgd_update_flops,
};
