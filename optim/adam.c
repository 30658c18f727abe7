/* adam.c - Adam and AdamW. */
#include "update.h"
#include <float.h>
#include <math.h>

static tg_adam_attr adam_attr(const tg_optim *opt, const tg_optim_slot *slot, float lr)
{
    const tg_adam_values *v = &opt->config.adam;
    return (tg_adam_attr){
        .lr = (double)lr,
        .weight_decay = (double)slot->group->weight_decay,
        .clip_value = (double)opt->clip_value,
        .beta1 = v->beta1,
        .beta2 = v->beta2,
        .eps = v->eps,
        .step = slot->steps + 1,
    };
}

static void adam_record_with(tg_scope *s, const tg_op *op, const tg_optim *opt, const tg_optim_slot *slot, float lr,
                             tg_tensor *factor)
{
    const tg_adam_attr attr = adam_attr(opt, slot, lr);
    tg_apply(s, op, (tg_tensor *[]){ slot->param, slot->grad, slot->state[0], slot->state[1], factor }, &attr);
}

static void adam_record(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    adam_record_with(s, &tg_adam_update_op, opt, slot, lr, factor);
}

static void adamw_record(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    adam_record_with(s, &tg_adamw_update_op, opt, slot, lr, factor);
}

static void adam_visit(tg_state *to, tg_optim *opt)
{
    tg_adam_values *const v = &opt->config.adam;
    tg_state_double(to, "beta1", &v->beta1, 0, 1 - DBL_EPSILON / 2);
    tg_state_double(to, "beta2", &v->beta2, 0, 1 - DBL_EPSILON / 2);
    tg_state_double(to, "eps", &v->eps, 0, FLT_MAX);
}

/* Format 1 stored the config's fields: f32, and 0 for the default. */
static void adam_update_format(tg_optim *opt)
{
    tg_adam_values *const v = &opt->config.adam;
    v->beta1 = tg_or_default((double)(float)v->beta1, 0.9);
    v->beta2 = tg_or_default((double)(float)v->beta2, 0.999);
    v->eps = tg_or_default((double)(float)v->eps, 1e-8);
}

static const tg_optim_kind adam = { "adam",     { "exp_avg", "exp_avg_sq" }, adam_record,
                                    adam_visit, adam_update_format,          NULL };
static const tg_optim_kind adamw = { "adamw",    { "exp_avg", "exp_avg_sq" }, adamw_record,
                                     adam_visit, adam_update_format,          NULL };

static bool adam_check_beta(tg_scope *s, const char *who, const char *what, double beta)
{
    if (tg_ok(s) && !(beta >= 0 && beta < 1))
        tg_fail(s, "%s: %s %g, want 0 <= %s < 1 (0: the default)", who, what, beta, what);
    return tg_ok(s);
}

static tg_optim *new_adam(tg_scope *s, const tg_optim_kind *kind, const tg_module *m, tg_adam_config c)
{
    const tg_adam_values v = { .beta1 = tg_or_default((double)c.beta1, 0.9),
                               .beta2 = tg_or_default((double)c.beta2, 0.999),
                               .eps = tg_or_default((double)c.eps, 1e-8) };
    if (!adam_check_beta(s, kind->name, "beta1", v.beta1) || !adam_check_beta(s, kind->name, "beta2", v.beta2) ||
        !tg_update_wants_number(s, kind->name, "eps", v.eps))
        return NULL;
    tg_optim *opt = tg_optim_new(s, kind, m, c.lr, c.weight_decay);
    if (opt) opt->config.adam = v;
    return opt;
}

tg_optim *tg_adam(tg_scope *s, tg_module *m, tg_adam_config config) { return new_adam(s, &adam, m, config); }
tg_optim *tg_adamw(tg_scope *s, tg_module *m, tg_adam_config config) { return new_adam(s, &adamw, m, config); }
