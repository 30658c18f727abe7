/* tensor_files.c - writes and verifies files of tensors.  See tensor_files.h. */
#include "tensor_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 7 + 3); }

void put_safetensors(const char *name, const char *header, size_t n, size_t data)
{
    uint8_t *const file = malloc(8 + n + data);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < data; i++) file[8 + n + i] = byte_at(i);
    data_put(name, file, 8 + n + data);
    free(file);
}

bool write_tensors(tg_scope *s, const char *path, tg_file_tensor *tensor, int n, const tg_file_meta *meta, int n_meta)
{
    uint8_t piece[1000]; /* which tensors' ends do not meet */
    uint64_t at = 0, all = 0;
    tg_tensor_writer *const w = tg_tensor_file_create(s, path, tensor, n, meta, n_meta);
    for (int i = 0; w && i < n; i++) all += tensor[i].bytes;
    while (tg_ok(s) && at < all) {
        const size_t some = all - at < sizeof piece ? (size_t)(all - at) : sizeof piece;
        for (size_t k = 0; k < some; k++) piece[k] = byte_at(at + k);
        tg_tensor_file_write(s, w, piece, some);
        at += some;
    }
    return tg_tensor_file_commit(s, w);
}

bool write_sample(tg_scope *s, const char *path)
{
    tg_file_tensor tensor[] = {
        { .name = "conv1.weight", .dtype = "F32", .rank = 4, .dim = { 6, 1, 5, 5 } },
        { .name = "conv1.bias", .dtype = "F32", .rank = 1, .dim = { 6 } },
        { .name = "bn.num_batches_tracked", .dtype = "I64" },
        { .name = "fc.weight", .dtype = "BF16", .rank = 2, .dim = { 31, 33 } },
        { .name = "nothing", .dtype = "F64", .rank = 2, .dim = { 0, 3 } },
        { .name = "mask", .dtype = "U8", .rank = 3, .dim = { 3, 5, 7 } },
        { .name = "no more", .dtype = "I8", .rank = 1, .dim = { 0 } },
    };
    const tg_file_meta meta[] = { { "format", "pt" }, { "note \"1\"", "two\nlines, a \\ and \xc3\xa9" } };
    return write_tensors(s, path, tensor, sizeof tensor / sizeof *tensor, meta, 2);
}

bool verify_file(tg_scope *s, const char *path)
{
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    for (int i = 0; f && i < f->n; i++) tg_tensor_file_verify(s, f, i);
    tg_tensor_file_close(f);
    return f && tg_ok(s);
}

whole_file read_whole(const char *path)
{
    FILE *const from = fopen(path, "rb");
    whole_file all = { 0 };
    assert_non_null(from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    all.n = (size_t)ftell(from);
    all.at = malloc(all.n + 1);
    rewind(from);
    assert_int_equal(fread(all.at, 1, all.n, from), all.n);
    fclose(from);
    return all;
}
