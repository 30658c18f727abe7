/* ckpt_write.c - writes a file of tensors from other files, in pieces. */
#include "ckpt.h"
#include "output.h"
#include <string.h>

static bool write_tensor(ckpt *c, const ckpt_output *o, tg_tensor_writer *w, const tg_file_tensor *t, void *piece)
{
    for (uint64_t at = 0; at < t->bytes; at += CKPT_BYTES) {
        const uint64_t left = t->bytes - at;
        const size_t n = left < CKPT_BYTES ? (size_t)left : CKPT_BYTES;
        if (!o->produce(c, o->context, t, at, n, piece) || !tg_tensor_file_write(c->root, w, piece, n)) return false;
        if (!ckpt_step(c, 0)) return false;
    }
    return true;
}

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

static void warn_lost_metadata(const ckpt *c, const ckpt_output *o)
{
    output_text path;
    if (o->n_meta > 0 && ends_in(o->path, ".npz"))
        fprintf(stderr, "%s: %s: .npz holds no metadata; %d entries are left out\n", c->name,
                output_name(o->path, &path), o->n_meta);
}

bool ckpt_write(ckpt *c, const ckpt_output *o)
{
    void *const piece = tg_alloc(c->root, CKPT_BYTES);
    if (ends_in(o->path, ".npy"))
        tg_fail(c->root, "%s: .npy holds one array; want a name in .npz or .safetensors", o->path);
    tg_tensor_writer *const w = tg_tensor_file_create(c->root, o->path, o->tensor, o->n, o->meta, o->n_meta);
    if (!w) return false;
    for (int k = 0; k < o->n; k++)
        if (!write_tensor(c, o, w, &o->tensor[k], piece)) {
            tg_tensor_file_abandon(w);
            return false;
        }
    if (!tg_tensor_file_commit(c->root, w)) return false;
    warn_lost_metadata(c, o);
    return true;
}

bool ckpt_produce_copy(ckpt *c, void *context, const tg_file_tensor *t, uint64_t from, size_t n, void *to)
{
    return tg_tensor_file_read(c->root, context, t->tag, from, n, to) && ckpt_step(c, n);
}

static bool is_void(const tg_file_tensor *t) { return strspn(t->dtype, "<>=|") == 1 && !strcmp(t->dtype + 1, "V2"); }

/* "x.npz: names: dtype <U7 can't be written to any file" */
static void leave_out(ckpt *c, const tg_tensor_file *f, const tg_file_tensor *t)
{
    tg_name_text name, dtype;
    char why[700];
    if (t->trouble) snprintf(why, sizeof why, "%.600s", t->trouble);
    else
        snprintf(why, sizeof why, "dtype %s can't be written to any file%s", tg_printable(t->dtype, &dtype),
                 is_void(t) ? " (convert --v2 bf16 reads it as bfloat16)" : "");
    status_clear(&c->line);
    fprintf(stderr, "%s: left out: %s: %s: %s\n", c->name, f->path, tg_printable(t->name, &name), why);
    c->left_out++;
}

tg_file_tensor *ckpt_select(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *name), int *n)
{
    tg_file_tensor *const all = tg_alloc(c->root, sizeof *all * ((size_t)f->n + 1));
    *n = 0;
    for (int i = 0; all && i < f->n; i++) {
        if (keep && !keep(f->tensor[i].name)) continue;
        if (!tg_tensor_file_writable(&f->tensor[i])) {
            leave_out(c, f, &f->tensor[i]);
            continue;
        }
        all[*n] = f->tensor[i];
        all[*n].tag = i;
        c->total += f->tensor[i].bytes;
        ++*n;
    }
    if (c->left_out && *n == 0) tg_fail(c->root, "%s: none of its tensors can be written", f->path);
    return tg_ok(c->root) ? all : NULL;
}

tg_file_meta *ckpt_select_meta(ckpt *c, const tg_tensor_file *f, bool (*keep)(const char *key), int *n)
{
    tg_file_meta *const all = tg_alloc(c->root, sizeof *all * ((size_t)f->n_meta + 2));
    *n = 0;
    for (int i = 0; all && i < f->n_meta; i++)
        if (!keep || keep(f->meta[i].key)) all[(*n)++] = f->meta[i];
    return all;
}

bool ckpt_of_model(const char *name) { return !strchr(name, '/'); }
bool ckpt_meta_of_model(const char *key) { return ckpt_of_model(key) || !strncmp(key, "made/", 5); }
