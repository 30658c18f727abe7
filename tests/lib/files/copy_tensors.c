/* copy_tensors.c - copies a file of tensors piece by piece with the library: copy_tensors FROM TO. */
#include <tilegrad/tensor_file.h>
#include <stdio.h>
#include <string.h>

static void copy(tg_scope *s, tg_tensor_file *f, tg_tensor_writer *w, int i)
{
    static char piece[1 << 20];
    for (uint64_t at = 0, n; tg_ok(s) && at < f->tensor[i].bytes; at += n) {
        n = f->tensor[i].bytes - at < sizeof piece ? f->tensor[i].bytes - at : sizeof piece;
        if (tg_tensor_file_read(s, f, i, at, (size_t)n, piece)) tg_tensor_file_write(s, w, piece, (size_t)n);
    }
}

/* The writer sorts its tensors; `tag` is the index in the source file. */
static void copy_all(tg_scope *s, const char *from, const char *to)
{
    tg_tensor_file *const f = tg_tensor_file_open(s, from);
    if (!f) return;
    tg_file_tensor *const tensor = tg_alloc(s, (size_t)f->n * sizeof *tensor);
    for (int i = 0; tensor && i < f->n; i++) {
        tensor[i] = f->tensor[i];
        tensor[i].tag = i;
    }
    tg_tensor_writer *const w = tg_tensor_file_create(s, to, tensor, f->n, f->meta, f->n_meta);
    for (int i = 0; tg_ok(s) && i < f->n; i++) copy(s, f, w, tensor[i].tag);
    tg_tensor_file_commit(s, w);
}

int main(int argc, char **argv)
{
    if (argc != 3) return fprintf(stderr, "usage: copy_tensors FROM TO\n"), 2;
    tg_scope *const s = tg_open();
    copy_all(s, argv[1], argv[2]);
    const bool copied = tg_ok(s);
    if (!copied) fprintf(stderr, "%s\n", tg_message(s));
    tg_close(s);
    return copied ? 0 : 1;
}
