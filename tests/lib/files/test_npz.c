/* test_npz.c - .npz files: round trips, compressed and damaged members, out of memory.  Refusals: test_zip.c. */
#include "little_endian.h"
#include "system.h"
#include <tilegrad/tensor_file.h>
#include "zip_files.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- round trips ---- */

enum { SAMPLES = 15 };

static const tg_file_tensor samples[SAMPLES] = {
    { .name = "f64", .dtype = "F64", .rank = 1, .dim = { 5 } },
    { .name = "c64", .dtype = "C64", .rank = 1, .dim = { 2 } },
    { .name = "i64", .dtype = "I64", .rank = 0 },
    { .name = "u64", .dtype = "U64", .rank = 2, .dim = { 1, 3 } },
    { .name = "f32", .dtype = "F32", .rank = 2, .dim = { 100, 700 } },
    { .name = "i32", .dtype = "I32", .rank = 1, .dim = { 7 } },
    { .name = "u32", .dtype = "U32", .rank = 1, .dim = { 7 } },
    { .name = "none", .dtype = "F32", .rank = 3, .dim = { 2, 0, 3 } },
    { .name = "f16", .dtype = "F16", .rank = 1, .dim = { 9 } },
    { .name = "i16", .dtype = "I16", .rank = 1, .dim = { 9 } },
    { .name = "u16", .dtype = "U16", .rank = 1, .dim = { 9 } },
    { .name = "bool", .dtype = "BOOL", .rank = 1, .dim = { 3 } },
    { .name = "optim/a.b", .dtype = "U8", .rank = 4, .dim = { 3, 1, 2, 1 } },
    { .name = "\xc3\xbc", .dtype = "I8", .rank = 1, .dim = { 3 } },
    { .name = "empty", .dtype = "U8", .rank = 1, .dim = { 0 } },
};

static uint8_t sample_byte(const tg_file_tensor *t, uint64_t i) { return (uint8_t)(i * 7 + (uint8_t)t->name[0]) & 1; }

static bool write_samples(tg_scope *s, const char *path)
{
    tg_file_tensor t[SAMPLES];
    memcpy(t, samples, sizeof t);
    tg_tensor_writer *const w = tg_tensor_file_create(s, path, t, SAMPLES, NULL, 0);
    for (int i = 0; w && i < SAMPLES; i++) {
        uint8_t *const bytes = calloc(1, t[i].bytes + 1);
        for (uint64_t k = 0; k < t[i].bytes; k++) bytes[k] = sample_byte(&t[i], k);
        bool good = true;
        for (uint64_t at = 0; good && at < t[i].bytes; at += 1000) /* in pieces */
            good = tg_tensor_file_write(s, w, bytes + at, t[i].bytes - at < 1000 ? t[i].bytes - at : 1000);
        free(bytes);
        if (!good) return false;
    }
    return w && tg_tensor_file_commit(s, w);
}

/* All of it, first in consecutive pieces, then two bytes here and there. */
static void read_sample(tg_scope *s, tg_tensor_file *f, const tg_file_tensor *want)
{
    const int i = tg_tensor_file_find(f, want->name);
    assert_true(i >= 0);
    const tg_file_tensor *const t = &f->tensor[i];
    uint8_t piece[777];
    assert_string_equal(t->dtype, want->dtype);
    assert_int_equal(t->rank, want->rank);
    assert_memory_equal(t->dim, want->dim, sizeof t->dim);
    for (uint64_t at = 0; at < t->bytes; at += sizeof piece) {
        const size_t n = t->bytes - at < sizeof piece ? t->bytes - at : sizeof piece;
        assert_true(tg_tensor_file_read(s, f, i, at, n, piece));
        for (size_t k = 0; k < n; k++) assert_int_equal(piece[k], sample_byte(t, at + k));
    }
    for (uint64_t at = t->bytes; at >= 2; at /= 3) {
        assert_true(tg_tensor_file_read(s, f, i, at - 2, 2, piece));
        assert_int_equal(piece[0], sample_byte(t, at - 2));
        assert_int_equal(piece[1], sample_byte(t, at - 1));
    }
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    assert_true(write_samples(s, data_path("all.npz")));
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("all.npz"));
    assert_string_equal(tg_message(s), "");
    assert_string_equal(f->format, "npz");
    assert_int_equal(f->n, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) read_sample(s, f, &samples[i]);
    for (int i = SAMPLES - 1; i >= 0; i--) read_sample(s, f, &samples[i]);
    assert_true(zip_verify(s, f));
    tg_close(s);
}

static void refuses_to_write_bf16(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    tg_file_tensor t = { .name = "half", .dtype = "BF16", .rank = 1, .dim = { 3 } };
    assert_null(tg_tensor_file_create(s, data_path("x.npz"), &t, 1, NULL, 0));
    data_refused(s, "bf16", data_path("x.npz"), "half is BF16, which NumPy's files cannot hold: convert it to F32");
    tg_close(s);
}

/* Their number needs zip64. */
static void holds_70000_tensors(void **state)
{
    (void)state;
    enum { MANY = 70000 };
    tg_scope *const s = tg_open();
    tg_file_tensor *const t = tg_alloc(s, MANY * sizeof *t);
    char(*const names)[8] = tg_alloc(s, MANY * sizeof *names);
    uint8_t byte;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        t[i] = (tg_file_tensor){ .name = names[i], .dtype = "U8" };
    }
    tg_tensor_writer *const w = tg_tensor_file_create(s, data_path("many.npz"), t, MANY, NULL, 0);
    for (int i = 0; i < MANY; i++) tg_tensor_file_write(s, w, &(uint8_t){ (uint8_t)i }, 1);
    assert_true(tg_tensor_file_commit(s, w));
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("many.npz"));
    assert_string_equal(tg_message(s), "");
    assert_int_equal(f->n, MANY);
    assert_true(tg_tensor_file_read(s, f, tg_tensor_file_find(f, "t69999"), 0, 1, &byte));
    assert_int_equal(byte, 69999 % 256);
    tg_close(s);
}

/* ---- compressed members ---- */

static void reads_compressed_members(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const zip_member m[] = { { "a.npy", .data = 50000, .deflated = true },
                             { "b.npy", .data = 3, .deflated = true, .wide = true } };
    const blob b = zip_make(m, 2, (zip_end){ 0 });
    static const struct {
        int i;
        uint64_t from;
        size_t n;
    } reads[] = {
        { 0, 0, 1000 }, { 0, 1000, 49000 }, { 0, 30000, 5000 }, { 0, 40000, 1 }, { 1, 0, 3 }, { 0, 7, 20000 },
        { 0, 0, 0 },    { 0, 3, 2 },        { 1, 2, 1 },        { 0, 50000, 0 }, { 1, 0, 2 }, { 1, 2, 1 },
    };
    tg_tensor_file *const f = tg_tensor_file_open(s, zip_put("x", &b));
    assert_string_equal(tg_message(s), "");
    uint8_t *const got = calloc(1, 50000);
    for (size_t r = 0; r < sizeof reads / sizeof *reads; r++) {
        assert_true(tg_tensor_file_read(s, f, reads[r].i, reads[r].from, reads[r].n, got));
        for (size_t k = 0; k < reads[r].n; k++) assert_int_equal(got[k], (uint8_t)((reads[r].from + k) * 7 + 3));
    }
    free(got);
    tg_close(s);
}

static void notices_damaged_numbers(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const zip_member stored = { "a.npy", .data = 90 };
    blob b = zip_make(&stored, 1, (zip_end){ 0 });
    b.at[30 + 5 + 128 + 33] ^= 1;
    zip_expect(s, "stored", &b, "a: the checksum (CRC-32) is wrong");
    tg_close(s);
}

/* ---- damage everywhere ---- */

static const zip_member small[] = {
    { "a.npy", .dict = NPY_F4("(2, 3)"), .data = 24 },
    { "b.npy", .dict = NPY_F4("(25,)"), .data = 100, .deflated = true },
    { "c.npy", .dict = NPY_F4("(0,)"), .deflated = true, .wide = true },
    { "d.npy", .data = 8, .descriptor = true, .streamed = true },
};
enum { SMALL = sizeof small / sizeof *small };

/* Whether the file opens; if it does, its values must be correct. */
static bool reads_small(tg_scope *s)
{
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("small"));
    if (!zip_verify(s, f)) return false;
    assert_int_equal(f->n, SMALL);
    for (int i = 0; i < f->n; i++) {
        uint8_t bytes[100];
        assert_int_equal(f->tensor[i].bytes, small[i].data);
        assert_true(tg_tensor_file_read(s, f, i, 0, small[i].data, bytes));
        for (size_t k = 0; k < small[i].data; k++) assert_int_equal(bytes[k], (uint8_t)(k * 7 + 3));
    }
    return true;
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const blob b = zip_make(small, SMALL, (zip_end){ .wide = true });
    zip_put("small", &b);
    assert_true(reads_small(s));
    for (size_t n = b.n; n-- > 0;) {
        assert_int_equal(truncate(data_path("small"), (off_t)n), 0);
        assert_false(reads_small(s));
        data_refused(s, "truncated", data_path("small"), "");
        tg_reset(s);
    }
    tg_close(s);
}

/* Nothing in a ZIP protects versions, dates and attributes (20 bytes a member), the versions in zip64's end record (4
 * bytes), and the unused bits of deflate's last byte.  Flipping them changes no value; all others are noticed. */
static void notices_every_flipped_bit(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const blob b = zip_make(small, SMALL, (zip_end){ .wide = true });
    const int file = open(zip_put("small", &b), O_WRONLY);
    int unnoticed = 0;
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        const uint8_t good = b.at[bit / 8], bad = good ^ (uint8_t)(1 << bit % 8);
        assert_int_equal(pwrite(file, &bad, 1, (off_t)(bit / 8)), 1);
        unnoticed += reads_small(s);
        assert_int_equal(pwrite(file, &good, 1, (off_t)(bit / 8)), 1);
        if (!tg_ok(s)) data_refused(s, "flipped", data_path("small"), "");
        tg_reset(s);
    }
    close(file);
    assert_in_range(unnoticed, 8 * (20 * SMALL + 4), 8 * (20 * SMALL + 4) + 2 * 7);
    tg_close(s);
}

/* ---- out of memory ---- */

static bool read_once(tg_scope *s)
{
    const blob b = zip_make(small, SMALL, (zip_end){ 0 });
    zip_put("small", &b);
    return reads_small(s);
}

static bool write_once(tg_scope *s) { return write_samples(s, data_path("w.npz")); }

static void survives_each_refused_allocation(void **state)
{
    (void)state;
    bool (*const jobs[])(tg_scope *) = { read_once, write_once };
    for (int j = 0; j < 2; j++) {
        bool done = false;
        uint64_t n = 1;
        for (; !done && n < 1000; n++) {
            tg_scope *const s = tg_open();
            tg_system_fail_at(n);
            done = jobs[j](s);
            tg_system_fail_at(0);
            if (!done && !strstr(tg_message(s), "memory")) fail_msg("request %d: \"%s\"", (int)n, tg_message(s));
            tg_close(s);
        }
        assert_in_range(n, 5, 999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes),      cmocka_unit_test(refuses_to_write_bf16),
        cmocka_unit_test(holds_70000_tensors),       cmocka_unit_test(reads_compressed_members),
        cmocka_unit_test(notices_damaged_numbers),   cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(notices_every_flipped_bit), cmocka_unit_test(survives_each_refused_allocation),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
