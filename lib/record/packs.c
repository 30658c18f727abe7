/* packs.c - the packed forms cached with a weight, and how packing and updates are divided into tasks.  See op.h. */
#include "core.h"

enum {
    TASK = 16384,  /* elements per packing task, about */
    MAKERS = 16,   /* tasks that compute a tensor by rows: a multiple of this, at least half of it */
    MAX_ROWS = 64, /* rows per such task, about */
};

int64_t tg_rows_of_task(const tg_tensor *w)
{
    if (!w) return TG_LAYOUT_ROWS;
    const int64_t row = w->rank ? tg_count(w) / w->dim[0] : 1, rows = TASK / row / TG_LAYOUT_ROWS * TG_LAYOUT_ROWS;
    return rows > TG_LAYOUT_ROWS ? rows : TG_LAYOUT_ROWS;
}

int64_t tg_rows_to_make(const tg_tensor *t)
{
    if (!t || !t->rank) return 0;
    const int64_t unit = tg_rows_of_task(t), rows = t->dim[0];
    const int64_t tasks = (rows + MAX_ROWS * MAKERS - 1) / (MAX_ROWS * MAKERS) * MAKERS;
    const int64_t each = ((rows + tasks - 1) / tasks + unit - 1) / unit * unit;
    return (rows + each - 1) / each < MAKERS / 2 ? 0 : each;
}

void tg_repack(const tg_tensor *w, int64_t r0, int64_t r1)
{
    for (tg_pack *p = w && w->storage ? w->storage->packs : NULL; p; p = p->next)
        if (p->used) p->layout->pack(w, p->key, r0, r1, p->data);
}

void tg_note_repacked(tg_storage *t)
{
    for (tg_pack *p = t->packs; p; p = p->next) {
        if (!p->used) continue;
        p->filled = true;
        p->version = t->ran;
        p->used = false;
    }
}

void tg_drop_packs(tg_storage *t)
{
    for (tg_pack *p = t->packs; p; p = p->next) {
        tg_memory_poison(p->data, p->bytes);
        tg_memory_give(&t->program->memory, p->data, p->bytes);
    }
    t->packs = NULL;
}
