/* npy_read.c - a .npy as a file of one tensor, "arr_0": NumPy's default name for an unnamed array. */
#include "npy.h"
#include "tensor_file_kind.h"
#include <string.h>

static bool recognises(const uint8_t *first, size_t n) { return n >= 6 && !memcmp(first, "\x93NUMPY", 6); }

typedef struct {
    const tg_tensor_file *file;
    uint64_t at;
} position;

static bool take(tg_scope *s, void *from, size_t n, void *to)
{
    position *const p = from;
    if (!tg_read_at(s, p->file, p->at, n, to)) return false;
    p->at += n;
    return true;
}

static bool open_npy(tg_scope *s, tg_tensor_file *f)
{
    position p = { .file = f };
    const tg_npy_source from = { f->path, f->reader->size, take, &p };
    size_t length = 0;
    f->tensor = tg_alloc(s, sizeof *f->tensor);
    f->reader->form = tg_alloc(s, sizeof *f->reader->form);
    if (!tg_ok(s) || !tg_npy_take_header(s, &from, f->tensor, f->reader->form, &length)) return false;
    f->tensor->name = "arr_0";
    f->reader->data = length;
    f->n = 1;
    return true;
}

static bool read_npy(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    return tg_read_at(s, f, f->reader->data + f->tensor[i].place + from, n, to);
}

static void close_npy(tg_tensor_file *f) { (void)f; }

const tg_file_kind tg_npy_kind = { "npy", recognises, open_npy, read_npy, close_npy };
