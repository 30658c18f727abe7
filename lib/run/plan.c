/* plan.c - memory planning: a dry run of the allocator gives every output and every scratch its address before anything
 * runs, and reuses the blocks of values that have died.  If memory runs out, all of it is undone. */
#include "steps.h"
#include "parallel.h"

void tg_find_last_uses(const tg_list *l)
{
    for (int i = 0; i < l->n; i++) {
        TG_EACH_IN(l->at[i], k) l->at[i]->in[k]->storage->value->last_use = i;
        TG_EACH_OUT(l->at[i], k) l->at[i]->out[k]->storage->value->last_use = i;
    }
}

static bool dies_at(const tg_list *l, const tg_value *v, int i) { return v->last_use == i && tg_dies(l, v->storage); }

/* out[0] takes over the block of an input that dies here, if the kernel can work in place. */
static void move_in(const tg_list *l, const tg_call *c, int i)
{
    tg_storage *const out = c->out[0] ? c->out[0]->storage : NULL;
    if (!c->kernel->in_place || !out || out->data) return;
    TG_EACH_IN(c, k) {
        const tg_storage *const in = c->in[k]->storage;
        tg_value *const v = in->value;
        if (in->bytes != out->bytes || v->moved || in->borrowed || !dies_at(l, v, i)) continue;
        out->data = in->data;
        v->moved = true;
        return;
    }
}

/* Outputs of an epilogue are allocated with the call that it belongs to; what it takes from that call never exists as
 * a whole. */
static bool take_outputs(tg_list *l, tg_call *c, int i)
{
    if (c->epilogue) return take_outputs(l, c->epilogue, i + 1);
    move_in(l, c, i);
    TG_EACH_OUT(c, k) {
        tg_storage *t = c->out[k]->storage;
        if (!t->data) t->data = tg_memory_take(&l->program->memory, t->bytes);
        if (!t->data) return false;
    }
    return true;
}

size_t tg_scratch_bytes(const tg_call *c, size_t *worker)
{
    tg_scratch need = c->kernel->scratch ? c->kernel->scratch(c) : (tg_scratch){ 0 };
    size_t shared = tg_packing_bytes(c) + (need.shared + 63) / 64 * 64;
    *worker = (need.worker + 63) / 64 * 64 + tg_epilogue_bytes(c);
    return shared + *worker * (size_t)tg_threads();
}

/* Freed at once: the next call may use the same block. */
static bool take_scratch(tg_memory *m, tg_call *c)
{
    size_t worker, bytes = tg_scratch_bytes(c, &worker);
    if (!bytes) return true;
    c->scratch = tg_memory_take(m, bytes);
    return c->scratch && tg_memory_give(m, c->scratch, bytes);
}

static bool give(tg_list *l, tg_value *v, int i)
{
    const tg_storage *const t = v->storage;
    if (!dies_at(l, v, i) || v->freed || !t->data) return true;
    v->freed = true;
    return v->moved || tg_memory_give(&l->program->memory, t->data, t->bytes);
}

static bool plan_call(tg_list *l, int i)
{
    tg_call *c = l->at[i];
    if (!take_outputs(l, c, i) || !take_scratch(&l->program->memory, c)) return false;
    TG_EACH_IN(c, k)
        if (!give(l, c->in[k]->storage->value, i)) return false;
    TG_EACH_OUT(c, k)
        if (!give(l, c->out[k]->storage->value, i)) return false;
    return true;
}

static void undo(tg_list *l)
{
    tg_memory_undo(&l->program->memory);
    for (int i = 0; i < l->n; i++)
        TG_EACH_OUT(l->at[i], k) l->at[i]->out[k]->storage->data = NULL;
}

bool tg_plan(tg_list *l)
{
    tg_find_last_uses(l);
    tg_memory_begin(&l->program->memory);
    for (int i = 0; i < l->n; i++) {
        if (plan_call(l, i)) continue;
        undo(l);
        return false;
    }
    tg_memory_commit(&l->program->memory);
    return true;
}
