/* sgd.c - stochastic gradient descent. */
#include "update.h"
#include <float.h>
#include <math.h>

static void sgd_record(tg_scope *s, const tg_optim *opt, const tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    const tg_sgd_config *c = &opt->config.sgd;
    const tg_sgd_attr attr = {
        .lr = (double)lr,
        .weight_decay = (double)slot->group->weight_decay,
        .clip_value = (double)opt->clip_value,
        .momentum = (double)c->momentum,
        .dampening = (double)c->dampening,
        .nesterov = c->nesterov,
        .first = slot->steps == 0,
    };
    tg_apply(s, &tg_sgd_update_op, (tg_tensor *[]){ slot->param, slot->grad, slot->state[0], factor }, &attr);
}

static void sgd_visit(tg_state *to, tg_optim *opt)
{
    tg_sgd_config *const c = &opt->config.sgd;
    tg_state_float(to, "momentum", &c->momentum, 0, FLT_MAX);
    tg_state_float(to, "dampening", &c->dampening, -FLT_MAX, FLT_MAX);
    tg_state_flag(to, "nesterov", &c->nesterov);
}

static void sgd_check_nesterov(tg_scope *s, const tg_sgd_config *c)
{
    if (tg_ok(s) && c->nesterov && !(c->momentum > 0 && c->dampening == 0))
        tg_fail(s, "sgd: nesterov with momentum %g and dampening %g, want momentum above 0 and no dampening",
                (double)c->momentum, (double)c->dampening);
}

static void sgd_check(tg_scope *s, const tg_optim *opt) { sgd_check_nesterov(s, &opt->config.sgd); }

static const tg_optim_kind plain = { "sgd", { NULL }, sgd_record, sgd_visit, NULL, sgd_check };
static const tg_optim_kind with_momentum = { "sgd", { "momentum_buffer" }, sgd_record, sgd_visit, NULL, sgd_check };

tg_optim *tg_sgd(tg_scope *s, tg_module *m, tg_sgd_config c)
{
    c.momentum = (float)tg_or_default((double)c.momentum, 0);
    c.dampening = (float)tg_or_default((double)c.dampening, 0);
    if (!tg_update_wants_number(s, "sgd", "momentum", (double)c.momentum)) return NULL;
    if (!isfinite(c.dampening)) return tg_fail(s, "sgd: dampening %g, want a finite number", (double)c.dampening), NULL;
    sgd_check_nesterov(s, &c);
    tg_optim *opt = tg_optim_new(s, c.momentum > 0 ? &with_momentum : &plain, m, c.lr, c.weight_decay);
    if (opt) opt->config.sgd = c;
    return opt;
}
