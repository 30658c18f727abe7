/* adam.c - Adam and AdamW. */
#include "update.h"
#include <float.h>
#include <math.h>

/* Defaults are exact, not rounded to f32: 1 - beta2 is small. */
static double or_default(float value, double otherwise) { return value > 0 ? (double)value : otherwise; }

static tg_adam_attr attr_of(const tg_optim *opt, const tg_optim_slot *slot, float lr)
{
    const tg_adam_config *c = &opt->config.adam;
    return (tg_adam_attr){
        .lr = (double)lr, .weight_decay = (double)slot->group->weight_decay, .clip_value = (double)opt->clip_value,
        .beta1 = or_default(c->beta1, 0.9), .beta2 = or_default(c->beta2, 0.999), .eps = or_default(c->eps, 1e-8),
        .step = slot->steps + 1,
    };
}

static void record_with(tg_scope *s, const tg_op *op, const tg_optim *opt, const tg_optim_slot *slot, float lr,
                        tg_tensor *factor)
{
    const tg_adam_attr attr = attr_of(opt, slot, lr);
    tg_apply(s, op, (tg_tensor *[]){ slot->param, slot->grad, slot->state[0], slot->state[1], factor }, &attr);
}

static void record_adam(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    record_with(s, &tg_adam_update_op, opt, slot, lr, factor);
}

static void record_adamw(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    record_with(s, &tg_adamw_update_op, opt, slot, lr, factor);
}

static void visit(tg_state *to, tg_optim *opt)
{
    tg_adam_config *const c = &opt->config.adam;
    tg_state_float(to, "beta1", &c->beta1, 0, 1 - FLT_EPSILON / 2);
    tg_state_float(to, "beta2", &c->beta2, 0, 1 - FLT_EPSILON / 2);
    tg_state_float(to, "eps", &c->eps, 0, FLT_MAX);
}

static const tg_optim_kind adam = { "adam", { "exp_avg", "exp_avg_sq" }, record_adam, visit, NULL };
static const tg_optim_kind adamw = { "adamw", { "exp_avg", "exp_avg_sq" }, record_adamw, visit, NULL };

static bool check_beta(tg_scope *s, const char *who, const char *what, float beta)
{
    if (tg_ok(s) && !(beta >= 0 && beta < 1))
        tg_fail(s, "%s: %s %g, want 0 <= %s < 1 (0: the default)", who, what, (double)beta, what);
    return tg_ok(s);
}

static tg_optim *make(tg_scope *s, const tg_optim_kind *kind, const tg_module *m, tg_adam_config c)
{
    if (!check_beta(s, kind->name, "beta1", c.beta1) || !check_beta(s, kind->name, "beta2", c.beta2) ||
        !tg_update_wants_number(s, kind->name, "eps", (double)c.eps))
        return NULL;
    tg_optim *opt = tg_optim_new(s, kind, m, c.lr, c.weight_decay);
    if (opt) opt->config.adam = c;
    return opt;
}

tg_optim *tg_adam(tg_scope *s, tg_module *m, tg_adam_config config) { return make(s, &adam, m, config); }
tg_optim *tg_adamw(tg_scope *s, tg_module *m, tg_adam_config config) { return make(s, &adamw, m, config); }
