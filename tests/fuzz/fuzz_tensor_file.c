/* fuzz_tensor_file.c - for libFuzzer: any bytes as a file of tensors.  See fuzz_tensor_file.sh. */
#include "checksum.h"
#include "system.h"
#include "tensor_file.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
int    LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a program does with a file: everything that can be read, forwards and from the middle. */
static void read_tensor(tg_scope *s, tg_tensor_file *f, int i)
{
    static char to[1 << 16];
    const tg_file_tensor *const t = &f->tensor[i];
    tg_name_text name;
    assert(tg_tensor_file_find(f, t->name) == i && strlen(tg_printable(t->name, &name)) < sizeof name);
    if (t->bytes >= 2)
        tg_tensor_file_read(s, f, i, t->bytes / 2, t->bytes - t->bytes / 2 < sizeof to ? t->bytes / 4 : 1, to);
    tg_tensor_file_verify(s, f, i);
    tg_clear(s);
    for (tg_dtype as = TG_F32; as < TG_DTYPES; as++)
        if (tg_tensor_file_can(t, as)) {
            int64_t n = 1;
            for (int k = 0; k < t->rank; k++) n *= t->dim[k];
            tg_tensor_file_numbers(s, f, i, 0, n < 1000 ? n : 1000, as, to);
            tg_clear(s);
        }
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
    tg_scope *const s = tg_push(root);                   /* with an arena of its own */
    const uint64_t chance = tg_checksum_of(data, size);  /* one in eight does not get all of its memory */
    tg_system_fail_at(chance % 8 == 0 ? 1 + (chance >> 32) % 10 : 0);
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    tg_system_fail_at(0);
    assert((f != NULL) == tg_ok(s) && (f || strstr(tg_message(s), path) || strstr(tg_message(s), "memory")));
    for (int i = 0; f && i < f->n; i++) read_tensor(s, f, i);
    for (int i = 0; f && i < f->n_meta; i++) assert(tg_tensor_file_meta(f, f->meta[i].key));
    tg_pop(s);
    tg_clear(root);
    return 0;
}

/* Nobody guesses a checksum: half of the files get the right one. */
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
