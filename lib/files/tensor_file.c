/* tensor_file.c - opens and reads files of tensors, whatever their format.  See tensor_file.h. */
#include "tensor_file_kind.h"
#include "run.h"
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 18 };

/* In order: the first bytes of a ZIP file could also be the length of a safetensors header. */
static const tg_file_kind *const kinds[] = { &tg_npz_kind, &tg_npy_kind, &tg_safetensors_kind };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- opening ---- */

static bool open_regular(tg_scope *s, tg_tensor_file *f)
{
    struct stat about;
    static const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY; /* do not block on a FIFO */
    const int fd = f->reader->fd = TEMP_FAILURE_RETRY(open(f->path, flags));
    if (fd < 0 || TEMP_FAILURE_RETRY(fstat(fd, &about)) < 0)
        tg_fail_system(s, errno, "%s: cannot be opened: %s", f->path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        tg_fail_system(s, S_ISDIR(about.st_mode) ? EISDIR : EINVAL, "%s: not a regular file", f->path);
    else f->reader->size = (uint64_t)about.st_size;
    if (tg_ok(s)) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return tg_ok(s);
}

static bool choose_kind(tg_scope *s, tg_tensor_file *f)
{
    uint8_t first[8];
    const size_t n = f->reader->size < sizeof first ? (size_t)f->reader->size : sizeof first;
    if (!tg_read_at(s, f, 0, n, first)) return false;
    for (int i = 0; i < KINDS && !f->reader->kind; i++)
        if (kinds[i]->recognises(first, n)) f->reader->kind = kinds[i];
    if (!f->reader->kind) {
        tg_fail(s, "%s: neither safetensors nor .npz nor .npy (%llu bytes)", f->path,
                (unsigned long long)f->reader->size);
        return false;
    }
    f->format = f->reader->kind->format;
    return true;
}

static bool index_names(tg_scope *s, tg_tensor_file *f)
{
    tg_name_text text;
    int *const order = f->reader->by_name = tg_alloc(s, (size_t)f->n * sizeof *order);
    int *const keys = f->reader->by_key = tg_alloc(s, (size_t)f->n_meta * sizeof *keys);
    if (!order || !keys) return false;
    tg_file_sort_names(f->tensor, sizeof *f->tensor, f->n, order);
    tg_file_sort_names(f->meta, sizeof *f->meta, f->n_meta, keys);
    const char *const twice = tg_file_name_twice(f->tensor, sizeof *f->tensor, f->n, order);
    if (twice) tg_fail(s, "%s: two tensors are named '%s'", f->path, tg_printable(twice, &text));
    return tg_ok(s);
}

static bool prepare_checksums(tg_scope *s, tg_tensor_file *f)
{
    f->reader->hashing = -1;
    if (f->reader->sums && !(f->reader->hash = tg_checksum_new()))
        tg_fail_system(s, ENOMEM, "%s: no memory to read it", f->path);
    return tg_ok(s);
}

static void close_file(void *file) { tg_tensor_file_close(file); }

tg_tensor_file *tg_tensor_file_open(tg_scope *s, const char *path)
{
    if (!path) tg_fail(s, "tg_tensor_file_open: path is NULL");
    tg_tensor_file *const f = tg_alloc(s, sizeof *f);
    tg_tensor_reader *const r = tg_alloc(s, sizeof *r);
    if (!f || !r) return NULL;
    *r = (tg_tensor_reader){ .scope = s, .fd = -1 };
    f->reader = r;
    if (!tg_defer(s, close_file, f) || !(f->path = tg_strdup(s, path))) return NULL;
    if (open_regular(s, f) && choose_kind(s, f) && r->kind->open(s, f) && index_names(s, f) && prepare_checksums(s, f))
        return f;
    tg_tensor_file_close(f);
    return NULL;
}

void tg_tensor_file_close(tg_tensor_file *f)
{
    tg_tensor_reader *const r = f ? f->reader : NULL;
    if (!r || r->fd < 0) return;
    if (r->kind) r->kind->close(f);
    tg_system_free(r->hash);
    tg_system_free(r->whole);
    r->hash = NULL;
    r->whole = NULL;
    close(r->fd);
    r->fd = -1;
}

/* ---- lookup ---- */

int tg_tensor_file_find(const tg_tensor_file *f, const char *name)
{
    if (!f || !name) return -1;
    return tg_file_name_find(f->tensor, sizeof *f->tensor, f->n, f->reader->by_name, name);
}

const char *tg_tensor_file_meta(const tg_tensor_file *f, const char *key)
{
    if (!f || !key) return NULL;
    const int i = tg_file_name_find(f->meta, sizeof *f->meta, f->n_meta, f->reader->by_key, key);
    return i < 0 ? NULL : f->meta[i].value;
}

/* ---- reading ---- */

bool tg_file_has(tg_scope *s, const tg_tensor_file *f, int i)
{
    if (!tg_wants_home(s, "tensor_file", "file", f ? f->reader->scope : NULL)) return false;
    if (f->reader->fd < 0) tg_fail(s, "%s: it was closed", f->path);
    else if (i < 0 || i >= f->n) tg_fail(s, "%s: tensor %d, want one of its %d", f->path, i, f->n);
    return tg_ok(s);
}

static bool is_readable(tg_scope *s, const tg_tensor_file *f, int i, uint64_t from, uint64_t n)
{
    tg_name_text name;
    if (!tg_ok(s) || !tg_file_has(s, f, i)) return false;
    if (f->tensor[i].trouble)
        tg_fail(s, "%s: %s: %s", f->path, tg_printable(f->tensor[i].name, &name), f->tensor[i].trouble);
    else if (from > f->tensor[i].bytes || n > f->tensor[i].bytes - from)
        tg_fail(s, "%s: tensor '%s': %llu bytes from %llu on, want within its %llu", f->path,
                tg_printable(f->tensor[i].name, &name), (unsigned long long)n, (unsigned long long)from,
                (unsigned long long)f->tensor[i].bytes);
    return tg_ok(s);
}

static bool compare_checksum(tg_scope *s, const tg_tensor_file *f, int i)
{
    tg_name_text name;
    char got[TG_CHECKSUM_DIGITS];
    const char *const want = f->reader->sums + (size_t)i * TG_CHECKSUM_DIGITS;
    tg_checksum_print(tg_checksum_value(f->reader->hash), got);
    if (memcmp(got, want, sizeof got) != 0)
        tg_fail(s, "%s: tensor '%s' is damaged: its checksum is %.16s, want %.16s", f->path,
                tg_printable(f->tensor[i].name, &name), got, want);
    return tg_ok(s);
}

/* Adds the bytes to the checksum if they continue the previous ones; compares it at the tensor's end. */
static bool update_checksum(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, const void *bytes)
{
    tg_tensor_reader *const r = f->reader;
    if (!r->sums) return true;
    if (from == 0) {
        tg_checksum_begin(r->hash);
        r->hashing = i;
        r->hashed = 0;
    }
    if (r->hashing != i || r->hashed != from) return true;
    tg_checksum_add(r->hash, bytes, n);
    r->hashed += n;
    return r->hashed < f->tensor[i].bytes || compare_checksum(s, f, i);
}

static bool read_bytes(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    const tg_file_form *const form = f->reader->form ? &f->reader->form[i] : NULL;
    if (form && (form->swapped || form->columns)) return tg_file_read_formed(s, f, i, from, n, to);
    return f->reader->kind->read(s, f, i, from, n, to);
}

bool tg_tensor_file_read(tg_scope *s, tg_tensor_file *f, int i, uint64_t from, size_t n, void *to)
{
    if (!is_readable(s, f, i, from, n)) return false;
    if (!to && n > 0) return tg_fail(s, "%s: the destination is NULL", f->path), false;
    return read_bytes(s, f, i, from, n, to) && update_checksum(s, f, i, from, n, to);
}

bool tg_tensor_file_writable(const tg_file_tensor *t)
{
    return t && t->dtype && !t->trouble && tg_file_dtype_find(t->dtype);
}

bool tg_tensor_file_reinterpret(tg_scope *s, tg_tensor_file *f, int i, const char *dtype)
{
    tg_name_text name;
    uint64_t bytes = 0;
    if (!f) tg_fail(s, "tg_tensor_file_reinterpret: the file is NULL");
    if (!f || !is_readable(s, f, i, 0, 0)) return false;
    tg_file_tensor *const t = &f->tensor[i];
    const tg_file_dtype *const as = dtype ? tg_file_dtype_find(dtype) : NULL;
    if (as && tg_file_shape_bytes(t->rank, t->dim, as->bits, &bytes) && bytes == t->bytes) t->dtype = as->name;
    else
        tg_fail(s, "%s: tensor '%s': %s cannot be reinterpreted as %s", f->path, tg_printable(t->name, &name), t->dtype,
                dtype ? dtype : "NULL");
    return tg_ok(s);
}

bool tg_tensor_file_verify(tg_scope *s, tg_tensor_file *f, int i)
{
    if (!is_readable(s, f, i, 0, 0)) return false;
    const uint64_t bytes = f->tensor[i].bytes;
    const size_t most = bytes < PIECE ? (size_t)bytes : PIECE;
    void *const piece = tg_system_alloc(most);
    if (!piece) tg_fail_system(s, ENOMEM, "%s: no memory to read it", f->path);
    for (uint64_t at = 0; tg_ok(s) && (at < bytes || at == 0); at += PIECE)
        tg_tensor_file_read(s, f, i, at, bytes - at < most ? (size_t)(bytes - at) : most, piece);
    tg_system_free(piece);
    return tg_ok(s);
}
