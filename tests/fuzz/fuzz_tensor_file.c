/* fuzz_tensor_file.c - a libFuzzer target: any bytes as a file of tensors.  See fuzz_tensor_file.sh. */
#include "checksum.h"
#include "npy.h"
#include "system.h"
#include "tensor_file_kind.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);

enum { FAILS, IS_INTERRUPTED, ENDS, IS_SHORT, HOWS };
static uint64_t until, how; /* the until'th pread from now on is one of these; 0: none */

ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at)
{
    if (until == 0 || --until > 0) return __real_pread(fd, to, n, at);
    if (how == IS_SHORT) return __real_pread(fd, to, n > 1 ? n / 2 : n, at);
    errno = how == FAILS ? EIO : EINTR;
    return how == ENDS ? 0 : -1;
}

/* A header that NumPy would write for it must read back the same. */
typedef struct {
    char text[TG_NPY_MOST_HEADER];
    size_t at;
} npy_text;

static bool take_text(tg_scope *s, void *from, size_t n, void *to)
{
    npy_text *const t = from;
    assert(tg_ok(s) && n <= sizeof t->text - t->at);
    memcpy(to, t->text + t->at, n);
    t->at += n;
    return true;
}

static void npy_again(tg_scope *s, const tg_file_tensor *t)
{
    npy_text header = { .at = 0 };
    tg_file_tensor got;
    size_t length;
    tg_file_form form;
    if (!tg_file_dtype_find(t->dtype) || !tg_npy_dtype(t->dtype)) return;
    const size_t made = tg_npy_make_header(t, header.text);
    assert(tg_npy_take_header(s, &(tg_npy_source){ "", made + t->bytes, take_text, &header }, &got, &form, &length));
    assert(length == made && got.bytes == t->bytes && !strcmp(got.dtype, t->dtype) && got.rank == t->rank);
    assert(!memcmp(got.dim, t->dim, (size_t)t->rank * sizeof *t->dim));
}

/* Reads everything, sequentially and from the middle, as a program would. */
static void read_tensor(tg_scope *s, tg_tensor_file *f, int i)
{
    static char to[1 << 16];
    const tg_file_tensor *const t = &f->tensor[i];
    tg_name_text name;
    assert(tg_tensor_file_find(f, t->name) == i && strlen(tg_printable(t->name, &name)) < sizeof name);
    npy_again(s, t);
    for (int k = 0; k < 3 && t->bytes >= 2; k++) { /* the second starts a checksum, the third does not continue it */
        const uint64_t from = k == 1 ? 0 : t->bytes / 2;
        tg_tensor_file_read(s, f, i, from, t->bytes - from < sizeof to ? t->bytes / 4 : 1, to);
    }
    tg_clear(s);
    tg_tensor_file_verify(s, f, i);
    tg_clear(s);
    if (!tg_tensor_file_writable(t)) tg_tensor_file_reinterpret(s, f, i, "BF16");
    tg_clear(s);
    for (tg_dtype as = TG_F32; as < TG_DTYPES; as++)
        if (tg_tensor_file_can(t, as)) {
            int64_t n = 1;
            for (int k = 0; k < t->rank; k++) n *= t->dim[k];
            tg_tensor_file_numbers(s, f, i, 0, n < 5000 ? n : 5000, as, to);
            tg_clear(s);
        }
}

static void refused(tg_scope *s, bool good)
{
    assert(!good && !tg_ok(s));
    tg_clear(s);
}

/* NULL for each argument. */
static void missing(tg_scope *s, tg_tensor_file *f)
{
    char to[8];
    assert(tg_tensor_file_find(NULL, "") < 0 && tg_tensor_file_find(f, NULL) < 0);
    assert(!tg_tensor_file_meta(NULL, "") && !tg_tensor_file_meta(f, NULL));
    assert(!tg_tensor_file_can(NULL, TG_F32) && !tg_tensor_file_writable(NULL));
    assert(tg_file_is_mark("tilegrad.format") && tg_file_is_mark("tilegrad.header") &&
           tg_file_is_mark("tilegrad.tensors"));
    refused(s, tg_tensor_file_reinterpret(s, NULL, 0, "BF16"));
    refused(s, tg_tensor_file_read(s, NULL, 0, 0, 1, to));
    for (int i = 0; i < f->n && i < 4; i++) {
        if (f->tensor[i].trouble || !f->tensor[i].bytes) continue;
        refused(s, tg_tensor_file_reinterpret(s, f, i, NULL));
        refused(s, tg_tensor_file_read(s, f, i, 0, 1, NULL));
        tg_tensor_file_read(s, f, i, 0, 0, NULL); /* zero bytes */
        tg_clear(s);
        if (tg_tensor_file_can(&f->tensor[i], TG_F32)) refused(s, tg_tensor_file_numbers(s, f, i, 0, 1, TG_F32, NULL));
    }
}

/* Tensors and ranges that no file has; reads of a closed file. */
static void misuse(tg_scope *s, tg_tensor_file *f)
{
    char to[8];
    tg_name_text name;
    missing(s, f);
    assert(!*tg_printable(NULL, &name));
    assert(tg_tensor_file_find(f, "\xff") < 0 && !tg_tensor_file_meta(f, "\xff"));
    refused(s, tg_tensor_file_open(s, NULL));
    refused(s, tg_tensor_file_open(s, "/"));
    refused(s, tg_tensor_file_open(s, "\xff"));
    refused(s, tg_tensor_file_verify(s, f, -1));
    tg_tensor_file_close(NULL);
    refused(s, tg_tensor_file_numbers(s, f, f->n, 0, 0, TG_F32, to));
    for (int i = 0; i < f->n && i < 4; i++) {
        const uint64_t bytes = f->tensor[i].bytes;
        const bool is_f32 = tg_tensor_file_can(&f->tensor[i], TG_F32);
        refused(s, tg_tensor_file_read(s, f, i, bytes + 1, 0, to));
        refused(s, tg_tensor_file_read(s, f, i, bytes, 1, to));
        for (int k = 0; k < 4; k++) /* another dtype, in front of the first, a negative count, past the last */
            refused(s, tg_tensor_file_numbers(s, f, i,
                                              k == 1   ? -1
                                              : k == 3 ? INT64_MAX
                                                       : 0,
                                              k == 2 ? -1 : INT64_MAX, is_f32 && k ? TG_F32 : TG_DTYPES, to));
    }
    tg_tensor_file_close(f);
    tg_tensor_file_close(f);
    refused(s, tg_tensor_file_numbers(s, f, 0, 0, 0, TG_F32, to));
}

/* Reads everything once; the request number `memory`, or the read number `bytes`, fails (0: none). */
static void open_and_read(tg_scope *root, const char *path, uint64_t memory, uint64_t bytes)
{
    tg_scope *const s = tg_push(root); /* with its own arena */
    tg_system_fail_at(memory);
    until = bytes;
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    tg_system_fail_at(0);
    assert((f != NULL) == tg_ok(s) && (f || strstr(tg_message(s), path) || strstr(tg_message(s), "memory")));
    for (int i = 0; f && i < f->n; i++) read_tensor(s, f, i);
    for (int i = 0; f && i < f->n_meta; i++)
        assert(tg_tensor_file_meta(f, f->meta[i].key) && !tg_file_is_mark(f->meta[i].key));
    until = 0;
    if (f) misuse(s, f);
    tg_pop(s);
    tg_clear(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_scope *root;
    static char path[64];
    static int fd;
    if (!root) {
        root = tg_open();
        fd = memfd_create("fuzz_tensor_file", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, (off_t)size) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    const uint64_t chance = tg_checksum_of(data, size);
    open_and_read(root, path, 0, 0);
    how = (chance >> 8) % HOWS;
    if (chance % 8 == 0) open_and_read(root, path, 1 + (chance >> 32) % 10, 0);
    if (chance % 8 == 1) open_and_read(root, path, 0, 1 + (chance >> 32) % 12);
    return 0;
}

/* Checksums cannot be guessed, so half of the files get the correct one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static const char key[] = "\"tilegrad.header\":\"";
    size = LLVMFuzzerMutate(data, size, most);
    uint64_t n = 0;
    for (int i = 0; i < 8 && size >= 8; i++) n |= (uint64_t)data[i] << 8 * i;
    char *const at = size >= 8 && n <= size - 8 ? memmem(data + 8, (size_t)n, key, sizeof key - 1) : NULL;
    if (!at || seed % 2 || at + sizeof key - 1 + TG_CHECKSUM_DIGITS > (char *)data + 8 + n) return size;
    memset(at + sizeof key - 1, '0', TG_CHECKSUM_DIGITS);
    tg_checksum_print(tg_checksum_of(data, 8 + (size_t)n), at + sizeof key - 1);
    return size;
}
