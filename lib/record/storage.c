/* storage.c - tensors' storages and their owners, the scopes. */
#include "core.h"

enum { SLAB = 64 };

static bool new_slab(tg_program *p)
{
    tg_storage *slab = tg_arena_take(&p->slabs, SLAB * sizeof *slab);
    for (int i = 0; slab && i < SLAB; i++) {
        slab[i].next = p->free_storages;
        p->free_storages = slab + i;
    }
    return slab;
}

static void link_to(tg_storage *t, tg_scope *s)
{
    t->scope = s;
    t->prev = NULL;
    t->next = s->storages;
    if (t->next) t->next->prev = t;
    s->storages = t;
}

static void unlink_from(tg_storage *t)
{
    if (t->next) t->next->prev = t->prev;
    if (t->prev) t->prev->next = t->next;
    else t->scope->storages = t->next;
}

tg_storage *tg_storage_new(tg_scope *s, size_t bytes)
{
    tg_program *p = s->program;
    if (!p->free_storages && !new_slab(p)) {
        tg_fail(s, "out of memory: a tensor's description");
        return NULL;
    }
    tg_storage *t = p->free_storages;
    p->free_storages = t->next;
    *t = (tg_storage){ .bytes = bytes, .program = p };
    link_to(t, s);
    return t;
}

bool tg_storage_fill(tg_storage *t)
{
    if (!t->data) t->data = tg_memory_take(&t->program->memory, t->bytes);
    if (t->data) tg_memory_unpoison(t->data, t->bytes);
    return t->data;
}

void tg_storage_drop(tg_storage *t)
{
    if (!t->data || t->borrowed) return;
    tg_memory_poison(t->data, t->bytes);
    tg_memory_give(&t->program->memory, t->data, t->bytes);
    t->data = NULL;
}

void tg_storage_free(tg_storage *t)
{
    tg_program *p = t->program;
    tg_settle_edit(t);
    tg_drop_shown(t);
    tg_drop_packs(t);
    tg_storage_drop(t);
    if (t->release) t->release(t->owner);
    unlink_from(t);
    t->next = p->free_storages;
    p->free_storages = t;
}

void tg_storage_move(tg_storage *t, tg_scope *to)
{
    unlink_from(t);
    link_to(t, to);
}
