/* adam_update.c - Kingma & Ba 2015, and with decoupled weight decay (Loshchilov & Hutter 2019):
 *     adam: g += decay w                              adamw: w -= lr decay w
 *     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *     w -= lr / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps) */
#include "kernels.h"
#include "update.h"
#include <math.h>

enum { W, G, M, V, FACTOR };

static void adam_update_infer(tg_scope *s, tg_call *c)
{
    const tg_adam_attr *a = c->attr;
    if (!tg_update_wants(s, c, FACTOR)) return;
    const struct {
        const char *name;
        double value;
    } number[] = {
        { "lr", a->lr },
        { "weight_decay", a->weight_decay },
        { "clip_value", a->clip_value },
        { "beta1", a->beta1 },
        { "beta2", a->beta2 },
        { "eps", a->eps },
    };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (!tg_update_wants_number(s, c->op->name, number[i].name, number[i].value)) return;
    if (a->beta1 >= 1 || a->beta2 >= 1) tg_fail(s, "%s: betas %g, %g, want below 1", c->op->name, a->beta1, a->beta2);
    if (a->step < 1) tg_fail(s, "%s: step %lld, want at least 1", c->op->name, (long long)a->step);
}

tg_adam_terms tg_adam_terms_of(const tg_call *c)
{
    const tg_adam_attr *a = c->attr;
    const bool decoupled = c->op == &tg_adamw_update_op;
    return (tg_adam_terms){
        .size = a->lr / (1 - pow(a->beta1, (double)a->step)),
        .root = sqrt(1 - pow(a->beta2, (double)a->step)),
        .added = decoupled ? 0 : a->weight_decay,
        .shrink = decoupled ? 1 - a->lr * a->weight_decay : 1,
    };
}

static void adam_update_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_adam_attr *a = c->attr;
    const tg_adam_terms t = tg_adam_terms_of(c);
    const double factor = c->in[FACTOR] ? tg_get(c->in[FACTOR], 0) : 1, limit = (double)tg_update_limit(a->clip_value);
    (void)task;
    for (int64_t i = 0, n = tg_count(c->in[W]); i < n; i++) {
        const double w = tg_weight_get(c->in[W], i), raw = tg_get(c->in[G], i) * factor;
        const double g = (raw > limit ? limit : raw < -limit ? -limit : raw) + t.added * w;
        const double m = a->beta1 * tg_get(c->in[M], i) + (1 - a->beta1) * g;
        const double v = a->beta2 * tg_get(c->in[V], i) + (1 - a->beta2) * g * g;
        tg_set(c->in[M], i, m);
        tg_set(c->in[V], i, v);
        tg_weight_set(c->in[W], i, t.shrink * w - t.size * m / (sqrt(v) / t.root + a->eps));
    }
}

TG_VECTOR_DECLARE(adam_update_vector)
static const tg_kernel ref = { .name = "ref", .backend = "ref", .run = adam_update_ref_run };

static double adam_update_flops(const tg_call *c) { return 14 * (double)tg_count(c->in[W]); }

#define ADAM_OP(text) \
    { \
        .name = text, .n_in = 5, .optional_in = TG_BIT(FACTOR), .writes = TG_BIT(W) | TG_BIT(M) | TG_BIT(V), \
        .attr_size = sizeof(tg_adam_attr), .infer = adam_update_infer, \
        .kernels = TG_KERNELS(TG_VECTOR(adam_update_vector), &ref), .flops = adam_update_flops, \
    }

const tg_op tg_adam_update_op = ADAM_OP("adam_update");
const tg_op tg_adamw_update_op = ADAM_OP("adamw_update");
