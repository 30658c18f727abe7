/* tensor_file_write.c - writes files of tensors, whatever their format.  See tensor_file.h. */
#include "tensor_file_kind.h"
#include "printable.h"
#include "run.h"
#include "system.h"
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((uint64_t)1 << 48)

static const tg_file_writer_kind *choose_kind(const char *path)
{
    const size_t n = strlen(path);
    return n >= 4 && !strcmp(path + n - 4, ".npz") ? &tg_npz_writer : &tg_safetensors_writer;
}

/* ---- checks of the tensors and metadata to be written ---- */

static bool check_tensor(tg_scope *s, const char *path, tg_file_tensor *t)
{
    const char *const trouble = tg_file_name_trouble(t->name, strlen(t->name));
    const tg_file_dtype *const dtype = tg_file_dtype_find(t->dtype);
    tg_name_text name;
    tg_printable(t->name, &name);
    if (trouble) tg_fail(s, "%s: a tensor's name %s: '%s'", path, trouble, name.text);
    else if (!strcmp(t->name, "__metadata__")) tg_fail(s, "%s: no tensor can be named '__metadata__'", path);
    else if (!dtype) tg_fail(s, "%s: tensor '%s': dtype %s is unknown", path, name.text, t->dtype);
    else if (t->rank < 0 || t->rank > TG_MAX_RANK)
        tg_fail(s, "%s: tensor '%s': rank %d, want 0 to %d", path, name.text, t->rank, TG_MAX_RANK);
    else if (!tg_file_shape_bytes(t->rank, t->dim, dtype->bits, &t->bytes))
        tg_fail(s, "%s: tensor '%s': the shape has more than 2^48 bytes, or not a whole number of bytes", path,
                name.text);
    return tg_ok(s);
}

static int compare_widths(const void *a, const void *b)
{
    const tg_file_tensor *const t = a, *const u = b;
    const int wide = tg_file_dtype_find(t->dtype)->bits, other = tg_file_dtype_find(u->dtype)->bits;
    if (wide != other) return wide > other ? -1 : 1;
    return t->place < u->place ? -1 : 1; /* the caller's order */
}

/* For tensors or pairs of metadata: see tg_file_sort_names. */
static bool check_twice(tg_scope *s, const char *path, const void *things, size_t size, int n)
{
    tg_name_text name;
    int *const order = tg_system_alloc((size_t)n * sizeof *order);
    if (!order) tg_fail(s, "%s: no memory to write it", path);
    else tg_file_sort_names(things, size, n, order);
    const char *const twice = order ? tg_file_name_twice(things, size, n, order) : NULL;
    if (twice) tg_fail(s, "%s: '%s' is listed twice", path, tg_printable(twice, &name));
    tg_system_free(order);
    return tg_ok(s);
}

static bool check_tensors(tg_scope *s, const char *path, tg_file_tensor *tensor, int n)
{
    uint64_t bytes = 0;
    if (n > 0 && !tensor) return tg_fail(s, "%s: the list of tensors is NULL", path), false;
    for (int i = 0; i < n; i++) {
        if (!check_tensor(s, path, &tensor[i])) return false;
        tensor[i].place = (uint64_t)i;
    }
    if (n > 1) qsort(tensor, (size_t)n, sizeof *tensor, compare_widths);
    for (int i = 0; i < n && bytes <= MAX_BYTES; i++) {
        tensor[i].place = bytes;
        bytes += tensor[i].bytes;
    }
    if (bytes > MAX_BYTES) tg_fail(s, "%s: the tensors have more than 2^48 bytes", path);
    return tg_ok(s) && check_twice(s, path, tensor, sizeof *tensor, n);
}

static bool is_text(const char *text)
{
    uint32_t unused;
    for (size_t left = strlen(text), step; left > 0; text += step, left -= step)
        if (!(step = tg_utf8(text, left, &unused))) return false;
    return true;
}

static bool check_meta(tg_scope *s, const char *path, const tg_file_meta *meta, int n)
{
    if (n > 0 && !meta) return tg_fail(s, "%s: the list of metadata is NULL", path), false;
    for (int i = 0; i < n; i++) {
        tg_name_text key;
        tg_printable(meta[i].key, &key);
        if (!is_text(meta[i].key) || !is_text(meta[i].value)) tg_fail(s, "%s: '%s' is not valid UTF-8", path, key.text);
        else if (tg_file_is_mark(meta[i].key)) tg_fail(s, "%s: '%s' is tilegrad's own", path, key.text);
    }
    return tg_ok(s) && check_twice(s, path, meta, sizeof *meta, n);
}

/* ---- writing ---- */

static void close_writer(void *writer) { tg_tensor_file_abandon(writer); }

/* The kind's write is called for empty tensors, too, as soon as their turn comes. */
static bool pass_empty(tg_scope *s, tg_tensor_writer *w)
{
    for (; w->now < w->n && w->tensor[w->now].bytes == 0; w->now++)
        if (!w->kind->write(s, w, NULL, 0)) return false;
    return true;
}

tg_tensor_writer *tg_tensor_file_create(tg_scope *s, const char *path, tg_file_tensor *tensor, int n,
                                        const tg_file_meta *meta, int n_meta)
{
    if (!path) tg_fail(s, "tg_tensor_file_create: path is NULL");
    tg_tensor_writer *const w = tg_alloc(s, sizeof *w);
    if (!w || !check_tensors(s, path, tensor, n) || !check_meta(s, path, meta, n_meta)) return NULL;
    *w = (tg_tensor_writer){
        .scope = s,
        .kind = choose_kind(path),
        .out = { .fd = -1 },
        .path = tg_strdup(s, path),
        .tensor = tensor,
        .n = n,
        .meta = meta,
        .n_meta = n_meta,
    };
    if (!tg_defer(s, close_writer, w) || !tg_out_begin(s, &w->out, w->path)) return NULL;
    if (w->kind->begin(s, w) && pass_empty(s, w)) return w;
    tg_tensor_file_abandon(w);
    return NULL;
}

bool tg_tensor_file_write(tg_scope *s, tg_tensor_writer *w, const void *bytes, size_t n)
{
    if (!tg_wants_home(s, "tensor_file_write", "writer", w ? w->scope : NULL)) return false;
    if (!bytes && n > 0) return tg_fail(s, "%s: the bytes are NULL", w->path), false;
    if (!w->kind) tg_fail(s, "%s: the writer is closed", w->path);
    for (const char *from = bytes; tg_ok(s) && n > 0;) {
        if (w->now == w->n) {
            tg_fail(s, "%s: %zu bytes more than its tensors have", w->path, n);
            break;
        }
        const uint64_t rest = w->tensor[w->now].bytes - w->done;
        const size_t some = n < rest ? n : (size_t)rest;
        if (!w->kind->write(s, w, from, some)) break;
        from += some;
        n -= some;
        w->done += some;
        if (some < rest) continue;
        w->now++;
        w->done = 0;
        if (!pass_empty(s, w)) break;
    }
    if (!tg_ok(s)) tg_tensor_file_abandon(w);
    return tg_ok(s);
}

bool tg_tensor_file_commit(tg_scope *s, tg_tensor_writer *w)
{
    tg_name_text name;
    tg_wants_home(s, "tensor_file_commit", "writer", w ? w->scope : NULL);
    if (!w) return false;
    if (!w->kind) tg_fail(s, "%s: the writer is closed", w->path);
    else if (w->now < w->n)
        tg_fail(s, "%s: tensor '%s' was given %llu of its %llu bytes", w->path,
                tg_printable(w->tensor[w->now].name, &name), (unsigned long long)w->done,
                (unsigned long long)w->tensor[w->now].bytes);
    const bool lasts = tg_ok(s) && w->kind->finish(s, w) && tg_out_commit(s, &w->out);
    tg_tensor_file_abandon(w);
    return lasts;
}

void tg_tensor_file_abandon(tg_tensor_writer *w)
{
    if (!w || !w->kind) return;
    w->kind->close(w);
    w->kind = NULL;
    tg_out_abandon(&w->out);
}
