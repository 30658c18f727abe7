/* module_grad.c - the gradients of one module's parameters: see module.h. */
#include "autograd.h"
#include "layer.h"
#include "run.h"

typedef struct {
    tg_tensor **leaf;
    int n;
} parameter_list;

static void count_parameter(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)name, (void)owner;
    ((parameter_list *)context)->n += !slot->buffer && tg_needs_grad(slot->tensor);
}

static void add_parameter(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    parameter_list *all = context;
    (void)name, (void)owner;
    if (!slot->buffer && tg_needs_grad(slot->tensor)) all->leaf[all->n++] = slot->tensor;
}

void tg_backward_for(tg_scope *s, tg_tensor *loss, tg_module *m)
{
    parameter_list all = { 0 };
    if (!tg_wants_home(s, "backward", "module", m ? m->scope : NULL) || !tg_slots_sound(s, m)) return;
    tg_each_param(m, count_parameter, &all);
    if (!all.n) tg_fail(s, "backward: %s has no parameter that wants a gradient", m->kind);
    all.leaf = tg_alloc(s, sizeof(tg_tensor *) * (size_t)(all.n + 1));
    if (!all.leaf) return;
    all.n = 0;
    tg_each_param(m, add_parameter, &all);
    tg_backward_to(s, loss, all.leaf, all.n);
}

static void clear_gradient(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)context, (void)name, (void)owner;
    tg_clear_grad(slot->tensor);
}

void tg_clear_grads(tg_scope *s, tg_module *m)
{
    if (tg_wants_home(s, "clear_grads", "module", m ? m->scope : NULL) && tg_slots_sound(s, m))
        tg_each_param(m, clear_gradient, NULL);
}
