/* optim_state.c - an optimizer as a state: its hyperparameters, its schedule, each parameter's states. */
#include "run.h"
#include "update.h"
#include <float.h>
#include <stdio.h>

enum { FORMAT = 2 }; /* of this file's state: see update_format */

static void visit_groups(tg_state *to, tg_optim *opt)
{
    char name[64];
    snprintf(name, sizeof name, "%d", opt->n_groups);
    tg_state_same(to, "groups", name);
    tg_group *group = &opt->group;
    for (int i = 0; group; group = group->next, i++) {
        snprintf(name, sizeof name, "group/%d/lr_scale", i);
        tg_state_float(to, name, &group->lr_scale, 0, FLT_MAX);
        snprintf(name, sizeof name, "group/%d/weight_decay", i);
        tg_state_float(to, name, &group->weight_decay, 0, FLT_MAX);
    }
}

static void visit_schedule(tg_state *to, tg_schedule_values *c)
{
    static const char *const kinds[] = { "constant", "step", "cosine", "one-cycle", NULL };
    tg_state_choice(to, "schedule/kind", (int *)&c->kind, kinds);
    tg_state_int(to, "schedule/total", &c->total, 0, INT64_MAX / 2);
    tg_state_int(to, "schedule/warmup", &c->warmup, 0, INT64_MAX / 2);
    tg_state_int(to, "schedule/every", &c->every, 0, INT64_MAX / 2);
    const struct {
        const char *name;
        double *value;
    } number[] = {
        { "schedule/warmup_from", &c->warmup_from }, { "schedule/gamma", &c->gamma },
        { "schedule/lr_end", &c->lr_end },           { "schedule/pct_start", &c->pct_start },
        { "schedule/div_factor", &c->div_factor },   { "schedule/final_div_factor", &c->final_div_factor },
    };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        tg_state_double(to, number[i].name, number[i].value, 0, FLT_MAX);
}

/* With several groups, the parameter's group: it must match the file's. */
static void visit_group_of(tg_state *to, const tg_optim *opt, const tg_optim_slot *slot, char *name, size_t size)
{
    char number[16];
    int i = 0;
    if (opt->n_groups == 1) return;
    for (const tg_group *group = &opt->group; group != slot->group; group = group->next) i++;
    snprintf(number, sizeof number, "%d", i);
    snprintf(name, size, "group_of/%s", slot->name);
    tg_state_same(to, name, number);
}

static void visit_slot(tg_state *to, const tg_optim *opt, tg_optim_slot *slot)
{
    char name[512 + 64]; /* paths of modules are shorter */
    visit_group_of(to, opt, slot, name, sizeof name);
    snprintf(name, sizeof name, "steps/%s", slot->name);
    tg_state_int(to, name, &slot->steps, 0, INT64_MAX / 2);
    for (int k = 0; k < TG_MAX_STATES && opt->kind->state_name[k]; k++) {
        snprintf(name, sizeof name, "%s/%s", opt->kind->state_name[k], slot->name);
        tg_state_made(to, name, &slot->state[k], opt->scope, slot->param, slot->file_axis);
    }
}

static void optim_visit(tg_state *to, void *what)
{
    tg_optim *const opt = what;
    if (!opt) {
        tg_state_missing(to, "the optimizer");
        return;
    }
    tg_state_home(to, "optimizer", opt->scope);
    tg_state_same(to, "kind", opt->kind->name);
    tg_state_version(to, "format", &opt->format, FORMAT);
    tg_state_float(to, "lr", &opt->lr, 0, FLT_MAX);
    tg_state_float(to, "clip_norm", &opt->clip_norm, 0, FLT_MAX);
    tg_state_float(to, "clip_value", &opt->clip_value, 0, FLT_MAX);
    opt->kind->visit(to, opt);
    visit_groups(to, opt);
    visit_schedule(to, &opt->schedule);
    tg_state_int(to, "steps", &opt->steps, 0, INT64_MAX / 2);
    for (int i = 0; i < opt->n_slots; i++) visit_slot(to, opt, &opt->slots[i]);
}

/* Format 1 stored the config's fields: f32, and 0 for the default. */
static void optim_update_format(tg_optim *opt)
{
    tg_schedule_values *const v = &opt->schedule;
    double *const number[] = { &v->warmup_from, &v->gamma,      &v->lr_end,
                               &v->pct_start,   &v->div_factor, &v->final_div_factor };
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) *number[i] = (double)(float)*number[i];
    v->pct_start = tg_or_default(v->pct_start, 0.3);
    v->div_factor = tg_or_default(v->div_factor, 25);
    v->final_div_factor = tg_or_default(v->final_div_factor, 1e4);
    if (opt->kind->update_format) opt->kind->update_format(opt);
    opt->format = FORMAT;
}

/* Checks that depend on several values. */
static void optim_check(tg_scope *s, void *what)
{
    tg_optim *const opt = what;
    if (opt->format < FORMAT) optim_update_format(opt);
    tg_schedule_check(s, &opt->schedule);
    if (opt->kind->check) opt->kind->check(s, opt);
}

tg_stateful tg_optim_state(tg_optim *opt)
{
    return (tg_stateful){ .prefix = "optim/", .what = opt, .visit = optim_visit, .check = optim_check };
}
