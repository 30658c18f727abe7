/* plan.c - a dry pass of the allocator: every output and scratch gets its address before anything runs, and what dies
 * gives its block to those that come later.  If there is not enough, everything is undone. */
#include "steps.h"
#include "parallel.h"

void tg_find_last_uses(const tg_list *l)
{
    for (int i = 0; i < l->n; i++) {
        TG_EACH_IN(l->at[i], k) l->at[i]->in[k]->storage->last_use = i;
        TG_EACH_OUT(l->at[i], k) l->at[i]->out[k]->storage->last_use = i;
    }
}

static bool dies_at(const tg_list *l, const tg_storage *t, int i) { return t->last_use == i && tg_dies(l, t); }

/* out[0] moves into the block of an input that dies here, if the kernel can work in place. */
static bool move_in(const tg_list *l, tg_call *c, int i)
{
    tg_storage *out = c->out[0] ? c->out[0]->storage : NULL;
    if (!c->kernel->in_place || !out || out->data) return false;
    TG_EACH_IN(c, k) {
        tg_storage *in = c->in[k]->storage;
        if (in->bytes != out->bytes || in->moved || in->borrowed || !dies_at(l, in, i)) continue;
        out->data = in->data;
        in->moved = true;
        return true;
    }
    return false;
}

/* What an epilogue makes is made here; what it takes never has memory as a whole. */
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

/* Scratch is free again for the next call. */
static bool take_scratch(tg_memory *m, tg_call *c)
{
    size_t worker, bytes = tg_scratch_bytes(c, &worker);
    if (!bytes) return true;
    c->scratch = tg_memory_take(m, bytes);
    return c->scratch && tg_memory_give(m, c->scratch, bytes);
}

static bool give(tg_list *l, tg_storage *t, int i)
{
    if (!dies_at(l, t, i) || t->given || !t->data) return true;
    t->given = true;
    return t->moved || tg_memory_give(&l->program->memory, t->data, t->bytes);
}

static bool plan_call(tg_list *l, int i)
{
    tg_call *c = l->at[i];
    if (!take_outputs(l, c, i) || !take_scratch(&l->program->memory, c)) return false;
    TG_EACH_IN(c, k)
        if (!give(l, c->in[k]->storage, i)) return false;
    TG_EACH_OUT(c, k)
        if (!give(l, c->out[k]->storage, i)) return false;
    return true;
}

static void clear_marks(tg_list *l)
{
    for (int i = 0; i < l->n; i++) {
        TG_EACH_IN(l->at[i], k) l->at[i]->in[k]->storage->moved = l->at[i]->in[k]->storage->given = false;
        TG_EACH_OUT(l->at[i], k) l->at[i]->out[k]->storage->moved = l->at[i]->out[k]->storage->given = false;
    }
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
    clear_marks(l);
    tg_memory_begin(&l->program->memory);
    for (int i = 0; i < l->n; i++) {
        if (plan_call(l, i)) continue;
        undo(l);
        return false;
    }
    tg_memory_commit(&l->program->memory);
    return true;
}
