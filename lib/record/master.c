/* master.c - split weights.  See master.h.  A split weight's block holds the n values of hi, then those of lo. */
#include "master.h"
#include "core.h"
#include "system.h"
#include <string.h>

bool tg_is_split(const tg_tensor *t) { return t && t->storage && t->storage->split; }
int16_t *tg_lo(const tg_tensor *t) { return tg_is_split(t) ? (int16_t *)t->storage->data + tg_count(t) : NULL; }

void tg_keep_packs(tg_tensor *t)
{
    if (t && t->storage && t->storage->leaf) t->storage->keeps_packs = true;
}

/* ---- splitting ---- */

static bool can_split(tg_scope *s, const tg_tensor *t)
{
    const tg_storage *storage = t ? t->storage : NULL;
    if (!tg_wants_tensor(s, "split_masters", t)) return false;
    if (t->dtype != TG_F32 || t->node->made || !storage->leaf || storage->borrowed)
        tg_fail(s, "split_masters: a tensor of dtype %s%s, want an f32 leaf", tg_dtype_name(t->dtype),
                storage->borrowed                 ? " over borrowed memory"
                : storage->leaf && !t->node->made ? ""
                                                  : ", the result of a call");
    return tg_ok(s);
}

/* In ascending order hi[i] overwrites only bits that were read already; lo is buffered in `room`. */
static void split_in_place(tg_tensor *t, int16_t *room)
{
    tg_storage *storage = t->storage;
    const size_t n = (size_t)tg_count(t);
    uint32_t *bits = storage->data;
    uint16_t *hi = storage->data;
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, bits + i, sizeof u);
        const uint16_t upper = tg_split_hi(u);
        room[i] = tg_split_lo(u);
        memcpy(hi + i, &upper, sizeof upper);
    }
    memcpy(hi + n, room, n * sizeof *room);
    tg_drop_shown(storage);
    storage->split = true;
    storage->version++;
    storage->ran++;
    t->dtype = TG_BF16;
}

/* Aliases of split weights (tg_reshape, tg_detach) become bf16, too. */
static void retype_aliases(const tg_program *p)
{
    for (size_t i = 0; i < p->n; i++) {
        tg_tensor *out = p->record[i]->op->alias ? p->record[i]->out[0] : NULL;
        if (out && out->storage->split) out->dtype = TG_BF16;
    }
}

void tg_split_masters(tg_scope *s, tg_tensor *const t[], int n)
{
    int64_t most = 0;
    if (tg_ok(s) && n > 0 && !t) tg_fail(s, "split_masters: the list is NULL");
    for (int i = 0; i < n && tg_ok(s); i++)
        if (can_split(s, t[i]) && tg_count(t[i]) > most) most = tg_count(t[i]);
    tg_run(s, true);
    if (!tg_ok(s) || !n) return;
    int16_t *room = tg_system_alloc(sizeof *room * (size_t)most);
    if (!room) {
        tg_fail(s, "out of memory: %lld bytes to split weights", (long long)most * 2);
        return;
    }
    for (int i = 0; i < n; i++)
        if (!t[i]->storage->split) split_in_place(t[i], room); /* a tensor may be listed twice */
    retype_aliases(s->program);
    tg_system_free(room);
}

/* ---- FP32 values ---- */

void tg_copy_split(const tg_tensor *t, float *to)
{
    const uint16_t *hi = t->storage->data;
    const int16_t *lo = tg_lo(t);
    for (int64_t i = 0, n = tg_count(t); i < n; i++) {
        const uint32_t bits = tg_join_bits(hi[i], lo[i]);
        memcpy(to + i, &bits, sizeof bits);
    }
}

void *tg_edit_split(tg_scope *s, tg_tensor *t)
{
    tg_storage *storage = t->storage;
    const size_t bytes = storage->bytes;
    if (storage->edited) return storage->edited;
    float *edited = tg_memory_take(&storage->program->memory, bytes);
    if (!edited) return tg_fail(s, "out of memory: the FP32 values of a weight, %zu bytes", bytes), NULL;
    tg_memory_unpoison(edited, bytes);
    tg_copy_split(t, edited);
    return storage->edited = edited;
}

void tg_settle_edit(tg_storage *t)
{
    if (!t->edited) return;
    const size_t n = t->bytes / sizeof(float);
    uint16_t *hi = t->data;
    int16_t *lo = (int16_t *)t->data + n;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, t->edited + i, sizeof bits);
        hi[i] = tg_split_hi(bits);
        lo[i] = tg_split_lo(bits);
    }
    tg_memory_poison(t->edited, t->bytes);
    tg_memory_give(&t->program->memory, t->edited, t->bytes);
    t->edited = NULL;
}
