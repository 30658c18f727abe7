/* state_load.c - tg_load_all, tg_load_matching: load a file's tensors and metadata, all of them or none.
 *
 * Everything that can fail comes first: the file is matched with the items (state_match.c), its tensors are read into
 * images of the bytes that storages will have, and missing tensors are created.  Then numbers are swapped in, and
 * swapped back if a thing's check refuses them.  After that nothing can fail. */
#include "parallel.h"
#include "state_match.h"
#include "system.h"
#include <string.h>

enum { PIECE = 1 << 20 }; /* bytes converted at a time: they fit the caches */

/* ---- images ---- */

static bool is_loaded(const tg_state_item *item) { return item->kind == TG_ITEM_TENSOR && item->at >= 0; }

static bool make_fresh(tg_scope *s, tg_state_item *item)
{
    /* `like` has the shape in the file; the last axis in memory is its axis `axis` */
    tg_tensor shape = item->like;
    const int last = shape.rank - 1;
    for (int i = item->axis; i >= 0 && i < last; i++) shape.dim[i] = item->like.dim[i + 1];
    if (item->axis >= 0 && last >= 0) shape.dim[last] = item->like.dim[item->axis];
    tg_tensor *const t = tg_leaf(item->scope, TG_F32, shape.rank, shape.dim);
    if (!tg_ok(item->scope) || !tg_ok(s)) return tg_fail(s, "%s", tg_message(item->scope)), false;
    item->fresh = true;
    item->now = t;
    item->image = t->storage->data;
    return true;
}

static bool take_image(tg_scope *s, tg_state_item *item)
{
    if (!item->now) return make_fresh(s, item);
    const size_t bytes = item->now->storage->bytes;
    item->image = tg_memory_take(&s->program->memory, bytes);
    if (!item->image) return tg_fail(s, "load: out of memory: %zu bytes for %s", bytes, item->name), false;
    tg_memory_unpoison(item->image, bytes);
    return true;
}

static void give_image(tg_scope *s, tg_state_item *item)
{
    if (!item->image || item->fresh) return;
    const size_t bytes = item->now->storage->bytes;
    tg_memory_poison(item->image, bytes);
    tg_memory_give(&s->program->memory, item->image, bytes);
    item->image = NULL;
}

static bool read_image(tg_scope *s, tg_tensor_file *f, tg_state_item *item, void *piece)
{
    const tg_dtype as = item->like.dtype;
    const bool direct = tg_state_is_plain(item->now, item->axis);
    const int64_t size = (int64_t)tg_dtype_size(as), count = tg_count(item->now), most = PIECE / size;
    for (int64_t first = 0; first < count; first += most) {
        const int64_t n = count - first < most ? count - first : most;
        void *const to = direct ? (char *)item->image + first * size : piece;
        if (!tg_tensor_file_numbers(s, f, item->at, first, n, as, to)) return false;
        if (!direct) tg_state_scatter(item->now, item->axis, first, n, piece, item->image);
    }
    return true;
}

/* In the file's order, so that it is read sequentially. */
static bool read_images(tg_state *state, tg_tensor_file *f, const int *item_of)
{
    void *const piece = tg_system_alloc(PIECE);
    if (!piece) return tg_fail(state->s, "load: out of memory: %d bytes", PIECE), false;
    bool good = true;
    for (int i = 0; i < f->n && good; i++) {
        if (item_of[i] < 0) continue;
        tg_state_item *const item = &state->item[item_of[i]];
        good = take_image(state->s, item) && read_image(state->s, f, item, piece);
    }
    tg_system_free(piece);
    return good;
}

/* ---- numbers ---- */

static void swap_numbers(tg_state *state)
{
    for (int i = 0; i < state->n; i++)
        if (state->item[i].kind == TG_ITEM_NUMBER && state->item[i].found) tg_number_swap(&state->item[i]);
}

static bool check_numbers(tg_state *state, const tg_stateful *things, int n)
{
    swap_numbers(state);
    for (int i = 0; i < n && tg_ok(state->s); i++)
        if (things[i].check) things[i].check(state->s, things[i].what);
    if (!tg_ok(state->s)) swap_numbers(state);
    return tg_ok(state->s);
}

/* ---- commit: nothing here can fail ---- */

static void commit_tensor(tg_state_item *item)
{
    if (item->made) *item->made = item->now;
    if (item->fresh) return;
    item->now->storage->version++;
    item->now->storage->ran++;
}

static void copy_image(void *items, int64_t index, int worker)
{
    const tg_state_item *const item = (tg_state_item *)items + index;
    (void)worker;
    if (is_loaded(item) && !item->fresh) memcpy(item->now->storage->data, item->image, item->now->storage->bytes);
}

/* Drops a tensor that need not exist, and is missing in this file. */
static void drop_made(tg_state_item *item)
{
    if (!item->now) return;
    tg_storage_free(item->now->storage);
    item->now->storage = NULL;
    *item->made = NULL;
}

static void commit(tg_state *state, const tg_stateful *things, int n, bool matching)
{
    tg_parallel(state->n, copy_image, state->item);
    for (int i = 0; i < state->n; i++) {
        tg_state_item *const item = &state->item[i];
        if (is_loaded(item)) commit_tensor(item);
        else if (item->made && !matching) drop_made(item);
    }
    for (int i = 0; i < n; i++)
        if (things[i].loaded) things[i].loaded(things[i].what);
}

/* ---- a load ---- */

static void undo_fresh(tg_state_item *item)
{
    if (!item->fresh) return;
    tg_storage_free(item->now->storage);
    item->now->storage = NULL;
}

static void load(tg_state *state, const char *path, const tg_stateful *things, int n, tg_load_report *report)
{
    tg_scope *const s = state->s;
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    const int *const item_of = f ? tg_state_match(state, f, things, n, report) : NULL;
    const bool good = item_of && read_images(state, f, item_of) && check_numbers(state, things, n);
    if (good) commit(state, things, n, report);
    for (int i = 0; i < state->n; i++) {
        if (!good) undo_fresh(&state->item[i]);
        give_image(s, &state->item[i]);
    }
    tg_tensor_file_close(f);
}

/* report NULL: strict. */
static void load_from(tg_scope *s, const char *path, const tg_stateful *things, int n, tg_load_report *report)
{
    if (tg_ok(s) && !path) tg_fail(s, "load: the path is NULL");
    tg_run(s, true);
    if (!tg_ok(s)) return;
    tg_state state = { .s = tg_push(s), .what = "load" };
    if (tg_state_collect(&state, things, n)) load(&state, path, things, n, report);
    tg_state_free(&state);
    tg_pop(state.s);
}

void tg_load_all(tg_scope *s, const char *path, const tg_stateful *things, int n)
{
    load_from(s, path, things, n, NULL);
}

const tg_load_report *tg_load_matching(tg_scope *s, const char *path, const tg_stateful *things, int n)
{
    tg_load_report *const report = tg_alloc(s, sizeof *report);
    if (report) load_from(s, path, things, n, report);
    return tg_ok(s) ? report : NULL;
}
