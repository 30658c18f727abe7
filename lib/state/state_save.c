/* state_save.c - tg_save_all: writes items as a file's tensors and metadata. */
#include "parallel.h"
#include "state_items.h"
#include "system.h"
#include <string.h>

enum { PIECE = 1 << 20 }; /* bytes converted at a time: they fit the caches */

typedef struct {
    tg_file_tensor *tensor;
    tg_file_meta *meta;
    int n, n_meta;
} contents;

static const char *const dtype_in_file[TG_DTYPES] = {
    [TG_F32] = "F32", [TG_BF16] = "BF16", [TG_U8] = "U8", [TG_I8] = "I8", [TG_I32] = "I32", [TG_I64] = "I64",
};

/* Adds a pair of metadata.  (transformers requires "format" in every file.) */
static bool add_text(tg_state *state, contents *c, const char *key, const char *value)
{
    const char *const own = tg_strdup(state->s, value);
    if (own) c->meta[c->n_meta++] = (tg_file_meta){ key, own };
    return own;
}

static bool add_item(tg_state *state, contents *c, int i)
{
    const tg_state_item *const item = &state->item[i];
    char text[TG_NUMBER_TEXT];
    if (item->kind == TG_ITEM_NUMBER) {
        tg_number_write(item, text);
        return add_text(state, c, item->name, text);
    }
    if (item->kind != TG_ITEM_TENSOR) return add_text(state, c, item->name, item->text);
    if (!item->now) return true;
    tg_file_tensor t = { .name = item->name, .dtype = dtype_in_file[item->like.dtype], .rank = item->like.rank };
    t.tag = i;
    memcpy(t.dim, item->like.dim, sizeof t.dim);
    c->tensor[c->n++] = t;
    return true;
}

static bool list_contents(tg_state *state, contents *c)
{
    const size_t n = (size_t)state->n;
    c->tensor = tg_alloc(state->s, (n + 1) * sizeof *c->tensor);
    c->meta = tg_alloc(state->s, (n + 1) * sizeof *c->meta);
    bool all = c->tensor && c->meta && add_text(state, c, "format", "pt");
    for (int i = 0; i < state->n && all; i++) all = add_item(state, c, i);
    return all;
}

static bool write_tensor(tg_scope *s, tg_tensor_writer *w, const tg_state_item *item, void *piece)
{
    const int64_t size = (int64_t)tg_dtype_size(item->like.dtype), count = tg_count(item->now), most = PIECE / size;
    for (int64_t first = 0; first < count; first += most) {
        const int64_t n = count - first < most ? count - first : most;
        tg_state_gather(item->now, item->axis, first, n, piece);
        if (!tg_tensor_file_write(s, w, piece, (size_t)(n * size))) return false;
    }
    return true;
}

static void write_file(tg_state *state, const char *path)
{
    contents c = { 0 };
    if (!list_contents(state, &c)) return;
    tg_scope *const s = state->s;
    void *const piece = tg_system_alloc(PIECE);
    if (!piece) {
        tg_fail(s, "save: out of memory: %d bytes", PIECE);
        return;
    }
    tg_tensor_writer *const w = tg_tensor_file_create(s, path, c.tensor, c.n, c.meta, c.n_meta);
    bool good = w;
    for (int i = 0; i < c.n && good; i++) good = write_tensor(s, w, &state->item[c.tensor[i].tag], piece);
    if (good) tg_tensor_file_commit(s, w);
    else tg_tensor_file_abandon(w);
    tg_system_free(piece);
}

void tg_save_all(tg_scope *s, const char *path, const tg_stateful *things, int n)
{
    if (tg_ok(s) && !path) tg_fail(s, "save: the path is NULL");
    tg_run(s, true);
    if (!tg_ok(s)) return;
    tg_state state = { .s = tg_push(s), .what = "save" };
    if (tg_state_collect(&state, things, n)) write_file(&state, path);
    tg_state_free(&state);
    tg_pop(state.s);
}
