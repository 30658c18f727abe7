/* test_idx.c - IDX files, plain and gzip, good and bad. */
#include "data_files.h"
#include "system.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static void refused(tg_scope *s, const char *row, const blob *b, int rank, const char *contains)
{
    int64_t dim[4];
    data_put("x", b->at, b->n);
    assert_null(tg_idx_read(s, data_path("x"), rank, dim));
    data_refused(s, row, data_path("x"), contains);
    tg_reset(s);
}

static void reads_idx_of_each_rank(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    for (int rank = 1; rank <= 4; rank++)
        for (int packed = 0; packed < 2; packed++) {
            const size_t n[] = { 0, 9, 9 * 2, 9 * 2 * 3, 9 * 2 * 3 * 4 };
            const int64_t size[4] = { 9, 2, 3, 4 };
            const blob plain = data_idx(rank, D(9, 2, 3, 4), n[rank]), b = packed ? data_gzip(&plain) : plain;
            data_put("x", b.at, b.n);
            int64_t dim[4];
            const uint8_t *const data = tg_idx_read(s, data_path("x"), rank, dim);
            assert_string_equal(tg_message(s), "");
            assert_memory_equal(data, plain.at + 4 + 4 * rank, n[rank]);
            for (int i = 0; i < 4; i++) assert_int_equal(dim[i], i < rank ? size[i] : 0);
        }
    tg_close(s);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const blob plain = data_idx(3, D(3, 4, 5), 60), packed = data_gzip(&plain);
    for (int which = 0; which < 2; which++)
        for (size_t n = 0; n < (which ? packed.n : plain.n); n++) {
            blob cut = which ? packed : plain;
            cut.n = n;
            refused(s, "truncated", &cut, 3, "");
        }
    tg_close(s);
}

/* Some bits of gzip's header have no effect (time, system); all others are noticed. */
static void notices_every_flipped_bit(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const blob plain = data_idx(3, D(3, 4, 5), 60), packed = data_gzip(&plain);
    int refused = 0;
    for (size_t bit = 0; bit < 8 * packed.n; bit++) {
        blob bad = packed;
        bad.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        data_put("x", bad.at, bad.n);
        int64_t dim[4];
        const uint8_t *const data = tg_idx_read(s, data_path("x"), 3, dim);
        if (data) assert_memory_equal(data, plain.at + 16, 60);
        else data_refused(s, "flipped", data_path("x"), "");
        refused += !data;
        tg_reset(s);
    }
    assert_true(refused >= (int)(8 * (packed.n - 10))); /* ten bytes of header */
    tg_close(s);
}

static const struct {
    const char *name;
    int rank, want;
    uint32_t dim[4];
    size_t data;
    int byte, value; /* then overwrite one byte of the header */
    const char *contains;
} bad_headers[] = {
    { "no zero", 1, 1, { 9 }, 9, 0, 1, "begins with 0x01000801, want 0x00000801" },
    { "type 10", 1, 1, { 9 }, 9, 2, 10, "begins with 0x00000a01" },
    { "type 15", 1, 1, { 9 }, 9, 2, 15, "begins with 0x00000f01" },
    { "bytes for shorts", 1, 1, { 10 }, 19, 2, 11, "declares 20 bytes of data, but holds at most 19" },
    { "bytes for doubles", 1, 1, { 2 }, 17, 2, 14, "trailing data after its 24 bytes" },
    { "shorts of 778", 1, 1, { 2 }, 4, 2, 11, "element 0 is 778, want integers, 0 to 255" },
    { "negative bytes", 1, 1, { 90 }, 90, 2, 9, "element 18 is -127, want integers" },
    { "floats below 1", 1, 1, { 2 }, 8, 2, 13, "element 0 is " },
    { "labels for images", 1, 3, { 90 }, 90, 3, 1, "begins with 0x00000801, want 0x00000803" },
    { "images for labels", 3, 1, { 2, 2, 2 }, 8, 3, 3, "begins with 0x00000803" },
    { "rank 0", 1, 1, { 9 }, 9, 3, 0, "begins with 0x00000800" },
    { "rank 255", 1, 1, { 9 }, 9, 3, 255, "begins with 0x000008ff" },
    { "no images", 3, 3, { 0, 28, 28 }, 0, 2, 8, "size 1 of 3 is 0" },
    { "no columns", 3, 3, { 3, 28, 0 }, 0, 2, 8, "size 3 of 3 is 0" },
    { "4 TB", 3, 3, { 60000, 8192, 8192 }, 100, 2, 8, "declares 4026531840000 bytes of data, but holds" },
    { "sizes wrap to 0", 4, 4, { 1u << 31, 1u << 31, 4, 1 }, 9, 2, 8, "overflow" },
    { "sizes wrap to 4", 3, 3, { 4194305, 4194305, 0xffff0000u }, 4, 2, 8, "overflow" },
    { "all ones", 4, 4, { ~0u, ~0u, ~0u, ~0u }, 9, 2, 8, "overflow" },
    { "one byte short", 1, 1, { 10 }, 9, 2, 8, "declares 10 bytes of data, but holds at most 9" },
    { "one byte more", 1, 1, { 8 }, 9, 2, 8, "trailing data after its 16 bytes" },
    { "many more", 3, 3, { 1, 1, 1 }, 50000, 2, 8, "trailing data after its 17 bytes" },
};

static void refuses_bad_headers(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        blob b = data_idx(bad_headers[i].rank, bad_headers[i].dim, bad_headers[i].data);
        b.at[bad_headers[i].byte] = (uint8_t)bad_headers[i].value;
        refused(s, bad_headers[i].name, &b, bad_headers[i].want, bad_headers[i].contains);
    }
    tg_close(s);
}

static void refuses_bad_gzip(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const blob plain = data_idx(1, D(100), 100), good = data_gzip(&plain);
    blob b = good;
    b.at[b.n++] = 1;
    refused(s, "trailing byte", &b, 1, "trailing bytes after the gzip data");
    b.at[b.n - 1] = 0;
    b.at[b.n++] = 1;
    refused(s, "behind a zero", &b, 1, "trailing bytes after the gzip data");
    memcpy(b.at + good.n, good.at, good.n);
    b.n = 2 * good.n;
    refused(s, "twice", &b, 1, "trailing data after its 108 bytes");
    b.n = good.n + 5;
    refused(s, "another one, cut", &b, 1, "end early");
    b.n = 2 * good.n;
    b.at[good.n + 1] = 0;
    refused(s, "nearly another one", &b, 1, "the gzip data are damaged: incorrect header check");
    b = good;
    b.at[b.n - 8] ^= 1;
    refused(s, "checksum", &b, 1, "the gzip data are damaged: incorrect data check");
    b = good;
    b.at[b.n - 1] ^= 1;
    refused(s, "length", &b, 1, "the gzip data are damaged: incorrect length check");
    b = good;
    b.at[2] = 7;
    refused(s, "method", &b, 1, "the gzip data are damaged: unknown compression method");
    b = (blob){ .n = 2, .at = { 0x1f, 0x8b } };
    refused(s, "only the magic", &b, 1, "end early");
    const blob less = data_idx(1, D(101), 100), less_packed = data_gzip(&less);
    refused(s, "less than declared", &less_packed, 1, "ends after 108 bytes, want 109");
    const blob more = data_idx(1, D(99), 100), more_packed = data_gzip(&more);
    refused(s, "more than declared", &more_packed, 1, "trailing data after its 107 bytes");
    const blob vast = data_idx(3, D(1000, 1000, 1000), 100), vast_packed = data_gzip(&vast);
    refused(s, "1 GB in 200 bytes", &vast_packed, 3, "declares 1000000000 bytes of data, but holds at most");
    tg_close(s);
}

static void append(blob *to, const void *bytes, size_t n)
{
    assert_true(to->n + n <= BLOB_ROOM);
    memcpy(to->at + to->n, bytes, n);
    to->n += n;
}

/* A gzip file is one or more members (RFC 1952), with optional zeros between and after them. */
static void reads_gzip_of_many_members(void **state)
{
    static const struct {
        const char *name;
        int members;
        size_t cut[4], zeros;
    } rows[] = {
        { "one, and zeros", 1, { 108 }, 40000 },
        { "two", 2, { 3, 105 }, 0 },
        { "an empty one first", 2, { 0, 108 }, 0 },
        { "an empty one last", 2, { 108, 0 }, 0 },
        { "three", 3, { 8, 50, 50 }, 0 },
        { "four, and zeros", 4, { 1, 1, 100, 6 }, 1 },
        { "over two buffers", 2, { 50, 58 }, 30000 },
    };
    static const uint8_t zeros[40000];
    const blob plain = data_idx(1, D(100), 100);
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blob all = { 0 };
        int64_t dim[4];
        size_t at = 0;
        for (int k = 0; k < rows[i].members; at += rows[i].cut[k++]) {
            blob part = { .n = rows[i].cut[k] };
            memcpy(part.at, plain.at + at, part.n);
            const blob packed = data_gzip(&part);
            append(&all, packed.at, packed.n);
            append(&all, zeros, rows[i].zeros);
        }
        assert_int_equal(at, 108);
        data_put("x", all.at, all.n);
        const uint8_t *const data = tg_idx_read(s, data_path("x"), 1, dim);
        if (!data) fail_msg("%s: %s", rows[i].name, tg_message(s));
        assert_memory_equal(data, plain.at + 8, 100);
        tg_reset(s);
    }
    tg_close(s);
}

/* 0, 1, 127 in each type; and values that do not fit a byte. */
static const struct {
    const char *name;
    int code;
    size_t size;
    uint8_t data[4 * 8];
    const char *refused;
} other_types[] = {
    { "byte", 9, 1, { 0, 1, 127, 0 }, NULL },
    { "byte -128", 9, 1, { 0, 1, 128, 0 }, "element 2 is -128" },
    { "short", 11, 2, { 0, 0, 0, 1, 0, 127, 0, 0 }, NULL },
    { "short 256", 11, 2, { 0, 0, 0, 1, 0, 127, 1, 0 }, "element 3 is 256" },
    { "int", 12, 4, { [7] = 1, [11] = 127 }, NULL },
    { "int -2^31", 12, 4, { [7] = 1, [8] = 128 }, "element 2 is -2.14748365e+09" },
    { "float", 13, 4, { [4] = 0x3f, 0x80, 0, 0, 0x42, 0xfe, 0, 0, 0x80 }, NULL },
    { "float 0.5", 13, 4, { [4] = 0x3f }, "element 1 is 0.5" },
    { "float NaN", 13, 4, { [8] = 0x7f, 0xc0 }, "element 2 is nan" },
    { "double", 14, 8, { [8] = 0x3f, 0xf0, [16] = 0x40, 0x5f, 0xc0 }, NULL },
    { "double 256", 14, 8, { [24] = 0x40, 0x70 }, "element 3 is 256" },
};

static void converts_other_types(void **state)
{
    static const uint8_t want[4] = { 0, 1, 127, 0 };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof other_types / sizeof *other_types; i++) {
        blob b = data_idx(1, D(4), 4 * other_types[i].size);
        int64_t dim[4];
        b.at[2] = (uint8_t)other_types[i].code;
        memcpy(b.at + 8, other_types[i].data, 4 * other_types[i].size);
        if (other_types[i].refused) {
            refused(s, other_types[i].name, &b, 1, other_types[i].refused);
            continue;
        }
        data_put("x", b.at, b.n);
        const uint8_t *const data = tg_idx_read(s, data_path("x"), 1, dim);
        if (!data) fail_msg("%s: %s", other_types[i].name, tg_message(s));
        assert_memory_equal(data, want, 4);
        tg_reset(s);
    }
    tg_close(s);
}

/* 16 MB of zeros in 16 KB: undeclared bytes are not unpacked, and a declared size that cannot be there is refused. */
static void defuses_a_bomb(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    const size_t zeros = (size_t)16 << 20;
    const struct {
        uint32_t images;
        const char *contains;
    } rows[] = {
        { 1, "trailing data after its 800 bytes" },
        { 21000, "trailing data after its 16464016 bytes" },
        { 21400, "ends after 16777232 bytes, want 16777616" },
        { 2000000, "declares 1568000000 bytes of data, but holds at most" },
    };
    uint8_t *const block = calloc(1, zeros);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const blob head = data_idx(3, D(rows[i].images, 28, 28), 0);
        gzFile file = gzopen(data_path("bomb"), "wb6");
        assert_int_equal(gzwrite(file, head.at, (unsigned)head.n), head.n);
        assert_int_equal(gzwrite(file, block, (unsigned)zeros), zeros);
        assert_int_equal(gzclose(file), Z_OK);
        int64_t dim[4];
        const uint64_t before = tg_system_requests();
        assert_null(tg_idx_read(s, data_path("bomb"), 3, dim));
        assert_true(tg_system_requests() - before < 20);
        data_refused(s, "bomb", data_path("bomb"), rows[i].contains);
        tg_reset(s);
    }
    free(block);
    tg_close(s);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    assert_int_equal(mkfifo(data_path("fifo"), 0600), 0);
    const struct {
        const char *path;
        const char *contains;
    } rows[] = {
        { data_path("absent"), "cannot be opened: No such file or directory" },
        { data_path("absent/either"), "cannot be opened: No such file or directory" },
        { data_folder, "not a regular file" },
        { data_path("fifo"), "not a regular file" },
        { "/dev/zero", "not a regular file" },
    };
    int64_t dim[4];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(tg_idx_read(s, rows[i].path, 1, dim));
        data_refused(s, rows[i].path, rows[i].path, rows[i].contains);
    }
    assert_null(tg_idx_read(s, NULL, 1, dim));
    data_refused(s, "NULL", "tg_idx_read: path is NULL", "");
    assert_null(tg_idx_read(s, "x", 5, dim));
    data_refused(s, "rank", "tg_idx_read: rank 5, want 1 to 4", "");
    tg_close(s);
}

static int count_refusals(tg_split split)
{
    int failures = 0;
    for (uint64_t n = 1; n < 1000; n++) {
        tg_scope *const s = tg_open();
        tg_system_fail_at(n);
        const tg_dataset *const d = tg_dataset_open(s, data_folder, split);
        tg_system_fail_at(0);
        const bool fine = tg_ok(s);
        assert_int_equal(d != NULL, fine);
        tg_close(s);
        if (fine) break;
        failures++;
    }
    return failures;
}

static void refuses_every_allocation_once(void **state)
{
    (void)state;
    const blob images = data_idx(3, D(3, 4, 5), 60), packed = data_gzip(&images), labels = data_idx(1, D(3), 3);
    data_folder_empty();
    data_put("train-images-idx3-ubyte.gz", packed.at, packed.n);
    data_put("train-labels-idx1-ubyte", labels.at, labels.n);
    data_put("t10k-images-idx3-ubyte", images.at, images.n);
    data_put("t10k-labels-idx1-ubyte", labels.at, labels.n);
    assert_in_range(count_refusals(TG_TRAIN), 5, 100);
    assert_in_range(count_refusals(TG_TEST), 8, 100); /* reads the training images too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_idx_of_each_rank),     cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(notices_every_flipped_bit),  cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_bad_gzip),           cmocka_unit_test(defuses_a_bomb),
        cmocka_unit_test(refuses_what_is_no_file),    cmocka_unit_test(refuses_every_allocation_once),
        cmocka_unit_test(reads_gzip_of_many_members), cmocka_unit_test(converts_other_types),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
