/* module_state.c - a module's parameters and buffers as a state. */
#include "layer.h"
#include "state_items.h"

/* num_batches_tracked, which other frameworks' files lack or store in another form. */
static bool is_counter(const tg_slot *slot)
{
    return slot->buffer && slot->tensor && slot->tensor->dtype == TG_I64 && slot->tensor->rank == 0;
}

static void name_slot(void *to, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)owner;
    if (is_counter(slot)) tg_state_counter(to, name, slot->tensor);
    else tg_state_tensor(to, name, slot->tensor, slot->file_axis);
}

static void module_visit(tg_state *to, void *what)
{
    if (!what) tg_state_missing(to, "the module");
    else if (tg_slots_sound(to->s, what)) tg_each_param(what, name_slot, to);
}

tg_stateful tg_module_state(tg_module *m) { return (tg_stateful){ .prefix = "", .what = m, .visit = module_visit }; }
