/* optim.c - an optimizer's slots and groups, and the update. See optim.h. */
#include "layer.h"
#include "run.h"
#include "update.h"
#include <math.h>

/* ---- creation ---- */

/* A rate of 0 must be explicit: a zeroed config means that it was forgotten. */
static void lr_is_given(tg_scope *s, const char *who, float lr)
{
    if (tg_ok(s) && lr == 0) tg_fail(s, "%s: lr 0, want a finite number above 0 (or TG_ZERO)", who);
}

static void count_slot(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)name, (void)owner;
    *(int *)context += !slot->buffer;
}

static void add_slot(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    tg_optim *opt = context;
    (void)owner;
    if (slot->buffer) return;
    opt->slots[opt->n_slots++] = (tg_optim_slot){
        .name = tg_strdup(opt->scope, name),
        .param = slot->tensor,
        .file_axis = slot->file_axis,
        .group = &opt->group,
        .decays = slot->decays,
    };
}

tg_optim *tg_optim_new(tg_scope *s, const tg_optim_kind *kind, const tg_module *m, float lr, float weight_decay)
{
    if (!tg_wants_home(s, kind->name, "module", m ? m->scope : NULL) || !tg_slots_sound(s, m)) return NULL;
    lr_is_given(s, kind->name, lr);
    lr = (float)tg_or_default((double)lr, 0);
    weight_decay = (float)tg_or_default((double)weight_decay, 0);
    if (!tg_update_wants_number(s, kind->name, "lr", (double)lr) ||
        !tg_update_wants_number(s, kind->name, "weight_decay", (double)weight_decay))
        return NULL;
    int count = 0;
    tg_each_param(m, count_slot, &count);
    if (!count) return tg_fail(s, "%s: %s has no parameters", kind->name, m->kind), NULL;
    tg_optim *opt = tg_alloc(s, sizeof *opt);
    if (!opt) return NULL;
    *opt = (tg_optim){
        .kind = kind,
        .scope = s,
        .n_groups = 1,
        .group = { 1, weight_decay, NULL },
        .lr = lr,
        .grad_norm = (double)NAN,
        .schedule = tg_schedule_values_of(&(tg_schedule_config){ .kind = TG_CONSTANT }),
        .slots = tg_alloc(s, sizeof *opt->slots * (size_t)count),
    };
    if (opt->slots) tg_each_param(m, add_slot, opt);
    return tg_ok(s) ? opt : NULL;
}

/* Whether s has not failed and opt is not NULL. */
static bool ready(tg_scope *s, const char *who, const tg_optim *opt)
{
    return tg_wants_home(s, who, "optimizer", opt ? opt->scope : NULL);
}

/* ---- groups ---- */

/* A new group without members; NULL: s has failed. */
static tg_group *new_group(tg_scope *s, tg_optim *opt, tg_group_config config)
{
    config.lr_scale = (float)tg_or_default((double)config.lr_scale, 1);
    config.weight_decay = (float)tg_or_default((double)config.weight_decay, 0);
    if (!ready(s, "add_group", opt) || !tg_update_wants_number(s, "add_group", "lr_scale", (double)config.lr_scale) ||
        !tg_update_wants_number(s, "add_group", "weight_decay", (double)config.weight_decay))
        return NULL;
    tg_group *group = tg_alloc(opt->scope, sizeof *group), *last = &opt->group;
    if (!group) return NULL;
    *group = (tg_group){ config.lr_scale, config.weight_decay, NULL };
    while (last->next) last = last->next;
    last->next = group;
    opt->n_groups++;
    return group;
}

int tg_add_group(tg_scope *s, tg_optim *opt, tg_group_config config,
                 bool (*belongs)(const char *name, const tg_tensor *t, void *context), void *context)
{
    if (tg_ok(s) && !belongs) tg_fail(s, "add_group: belongs is NULL");
    const tg_group *group = new_group(s, opt, config);
    for (int i = 0; group && i < opt->n_slots; i++)
        if (belongs(opt->slots[i].name, opt->slots[i].param, context)) opt->slots[i].group = group;
    return group ? opt->n_groups - 1 : -1;
}

int tg_no_decay_on_bias_and_norm(tg_scope *s, tg_optim *opt)
{
    const tg_group *group = new_group(s, opt, (tg_group_config){ 0 });
    for (int i = 0; group && i < opt->n_slots; i++)
        if (!opt->slots[i].decays) opt->slots[i].group = group;
    return group ? opt->n_groups - 1 : -1;
}

/* ---- clipping, learning rate ---- */

void tg_clip_norm(tg_scope *s, tg_optim *opt, float max_norm)
{
    if (!ready(s, "clip_norm", opt)) return;
    if (max_norm == INFINITY || tg_update_wants_number(s, "clip_norm", "max_norm", (double)max_norm))
        opt->clip_norm = max_norm;
}

void tg_clip_value(tg_scope *s, tg_optim *opt, float max_value)
{
    if (ready(s, "clip_value", opt) && tg_update_wants_number(s, "clip_value", "max_value", (double)max_value))
        opt->clip_value = max_value;
}

float tg_lr(const tg_optim *opt)
{
    return opt ? (float)tg_schedule_rate(&opt->schedule, (double)opt->lr, opt->steps) : NAN;
}

void tg_set_lr(tg_scope *s, tg_optim *opt, float lr)
{
    lr = (float)tg_or_default((double)lr, 0);
    if (ready(s, "set_lr", opt) && tg_update_wants_number(s, opt->kind->name, "lr", (double)lr)) opt->lr = lr;
}

double tg_grad_norm(const tg_optim *opt) { return opt ? opt->grad_norm : (double)NAN; }

int64_t tg_steps(const tg_optim *opt) { return opt ? opt->steps : 0; }

/* ---- the update ---- */

static tg_tensor *new_state(tg_scope *s, const tg_tensor *w)
{
    tg_tensor *state = tg_zeros(s, TG_F32, w->rank, w->dim);
    return tg_ok(s) ? state : NULL;
}

/* Records the update of a slot that has a gradient, creating its states on first use. */
static void record_update(tg_scope *s, const tg_optim *opt, tg_optim_slot *slot, float lr, tg_tensor *factor)
{
    const tg_tensor *w = slot->param;
    for (int k = 0; slot->grad && k < TG_MAX_STATES && opt->kind->state_name[k]; k++)
        if (!slot->state[k]) slot->state[k] = new_state(opt->scope, w);
    if (slot->grad) opt->kind->record(s, opt, slot, lr * slot->group->lr_scale, factor);
}

void tg_update(tg_scope *s, tg_optim *opt)
{
    if (!ready(s, "update", opt)) return;
    const float lr = tg_lr(opt);
    for (int i = 0; i < opt->n_slots; i++) {
        tg_optim_slot *slot = &opt->slots[i];
        slot->grad = tg_needs_grad(slot->param) ? tg_take_grad(s, slot->param) : NULL;
    }
    tg_tensor *norm = tg_optim_norm(s, opt), *factor = tg_optim_factor(s, opt, norm);
    if (norm) tg_hold(norm);
    for (int i = 0; i < opt->n_slots; i++) record_update(s, opt, &opt->slots[i], lr, factor);
    tg_run(s, false);
    for (int i = 0; i < opt->n_slots; i++) {
        if (opt->slots[i].grad && tg_ok(s)) opt->slots[i].steps++;
        opt->slots[i].grad = NULL;
    }
    if (!tg_ok(s)) return;
    opt->steps++;
    opt->grad_norm = norm ? tg_item(norm) : (double)NAN;
}
