/* read.c - reads elements as f32 or i64, whatever the dtype.  See tensor.h.
 *
 * Converted elements are cached in a buffer of the storage, so that reading a weight in every step allocates once. */
#include "core.h"
#include "shown.h"

void tg_drop_shown(tg_storage *t)
{
    if (!t->shown) return;
    tg_memory_poison(t->shown, t->shown_bytes);
    tg_memory_give(&t->program->memory, t->shown, t->shown_bytes);
    t->shown = NULL;
}

/* A buffer for the elements of t, `size` bytes each; NULL: t's scope has failed. */
static void *room_for(const tg_tensor *t, size_t size)
{
    tg_storage *storage = t->storage;
    const size_t bytes = (size_t)tg_count(t) * size;
    if (storage->shown) return storage->shown; /* a storage has one dtype, so the size never differs */
    storage->shown = tg_memory_take(&storage->program->memory, bytes);
    storage->shown_bytes = bytes;
    if (storage->shown) tg_memory_unpoison(storage->shown, bytes);
    else tg_fail(storage->scope, "out of memory: %zu bytes to convert a tensor", bytes);
    return storage->shown;
}

const float *tg_f32(tg_tensor *t)
{
    t = tg_shown_of(t);
    const void *data = t ? tg_data(t) : NULL;
    if (!data || t->dtype == TG_F32) return data;
    if (t->dtype != TG_BF16) {
        tg_fail(t->storage->scope, "f32: the tensor has dtype %s, want f32 or bf16 (tg_i64 reads whole numbers)",
                tg_dtype_name(t->dtype));
        return NULL;
    }
    float *to = room_for(t, sizeof *to);
    const uint16_t *from = data;
    if (to && t->storage->split) tg_copy_split(t, to);
    else
        for (int64_t i = 0, n = tg_count(t); to && i < n; i++) to[i] = tg_bf16_to_f32(from[i]);
    return to;
}

const int64_t *tg_i64(tg_tensor *t)
{
    const void *data = t ? tg_data(t) : NULL;
    if (!data || t->dtype == TG_I64) return data;
    if (t->dtype == TG_F32 || t->dtype == TG_BF16) {
        tg_fail(t->storage->scope, "i64: the tensor has dtype %s, want whole numbers (tg_f32 reads others)",
                tg_dtype_name(t->dtype));
        return NULL;
    }
    int64_t *to = room_for(t, sizeof *to);
    for (int64_t i = 0, n = tg_count(t); to && i < n; i++) to[i] = (int64_t)tg_get(t, i);
    return to;
}
