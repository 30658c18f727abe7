/* test_tensor_file.c - files of tensors: round trips, partial reads, damage, refused allocations. */
#include "tensor_files.h"
#include "system.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* ---- round trips ---- */

static const char *const dtypes[] = {
    "F64", "F32",  "F16", "BF16",    "I64",     "I32",         "I16",         "I8",      "U64",     "U32",     "U16",
    "U8",  "BOOL", "C64", "F8_E5M2", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4",
};

static const struct {
    const char *row;
    int rank;
    int64_t dim[TG_MAX_RANK];
} shapes[] = {
    { "scalar", 0, { 0 } },
    { "empty", 1, { 0 } },
    { "empty within", 3, { 4, 0, 5 } },
    { "one", 1, { 1 } },
    { "odd", 3, { 3, 5, 7 } },
    { "a piece and more", 2, { 4096, 67 } },
    { "rank 8", 8, { 1, 2, 1, 3, 1, 2, 1, 5 } },
};

static bool has_whole_bytes(const char *dtype, size_t shape)
{
    const bool small = !strcmp(dtype, "F4") || !strncmp(dtype, "F6_", 3);
    return !small || !strncmp(shapes[shape].row, "empty", 5) || !strcmp(shapes[shape].row, "a piece and more");
}

static void expect_bytes(tg_scope *s, tg_tensor_file *f, int i, uint64_t place)
{
    uint8_t *const got = malloc(f->tensor[i].bytes + 1);
    assert_true(tg_tensor_file_read(s, f, i, 0, f->tensor[i].bytes, got));
    for (uint64_t k = 0; k < f->tensor[i].bytes; k++) assert_int_equal(got[k], (uint8_t)((place + k) * 7 + 3));
    free(got);
}

static void each_dtype_and_shape_comes_back(void **state)
{
    tg_scope *const s = tg_open();
    tg_file_tensor tensor[COUNT(dtypes) * COUNT(shapes)];
    char names[COUNT(tensor)][32];
    int n = 0;
    (void)state;
    for (size_t d = 0; d < COUNT(dtypes); d++)
        for (size_t k = 0; k < COUNT(shapes); k++) {
            if (!has_whole_bytes(dtypes[d], k)) continue;
            tensor[n] = (tg_file_tensor){ .name = names[n], .dtype = dtypes[d], .rank = shapes[k].rank, .tag = n };
            memcpy(tensor[n].dim, shapes[k].dim, sizeof tensor[n].dim);
            snprintf(names[n], sizeof names[n], "%s %s", dtypes[d], shapes[k].row);
            n++;
        }
    write_tensors(s, data_path("x"), tensor, n, NULL, 0);
    assert_string_equal(tg_message(s), "");
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
    assert_int_equal(f->n, n);
    assert_true(f->marked);
    for (int i = 0; i < n; i++) {
        const int k = tg_tensor_file_find(f, tensor[i].name);
        assert_in_range(k, 0, n - 1);
        assert_string_equal(f->tensor[k].dtype, tensor[i].dtype);
        assert_int_equal(f->tensor[k].rank, tensor[i].rank);
        assert_memory_equal(f->tensor[k].dim, tensor[i].dim, sizeof tensor[i].dim);
        assert_int_equal(f->tensor[k].bytes, tensor[i].bytes);
        assert_int_equal(f->tensor[k].place, tensor[i].place);
        expect_bytes(s, f, k, tensor[i].place);
    }
    assert_string_equal(tg_message(s), "");
    tg_close(s);
}

static void wide_types_come_first_and_are_aligned(void **state)
{
    tg_scope *const s = tg_open();
    tg_file_tensor tensor[] = {
        { .name = "b", .dtype = "U8", .rank = 1, .dim = { 3 } },
        { .name = "e", .dtype = "F32", .rank = 1, .dim = { 1 } },
        { .name = "a", .dtype = "U8", .rank = 1, .dim = { 1 } },
        { .name = "d", .dtype = "F32", .rank = 1, .dim = { 1 } },
        { .name = "c", .dtype = "I64", .rank = 1, .dim = { 1 } },
    };
    char order[COUNT(tensor) + 1] = "";
    (void)state;
    assert_true(write_tensors(s, data_path("x"), tensor, COUNT(tensor), NULL, 0));
    for (size_t i = 0; i < COUNT(tensor); i++) order[i] = tensor[i].name[0];
    assert_string_equal(order, "cedba");
    const whole_file whole = read_whole(data_path("x"));
    assert_int_equal(whole.n % 8, (8 + 4 + 4 + 3 + 1) % 8);
    assert_int_equal(whole.at[8], '{');
    free(whole.at);
    tg_close(s);
}

static void names_and_metadata_come_back(void **state)
{
    static char longest[513];
    memset(longest, 'n', 512);
    const char *const texts[] = {
        "a", longest, "quote \" backslash \\ slash /", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "tilegrad", "\\u0041"
    };
    tg_file_tensor tensor[COUNT(texts)];
    tg_file_meta meta[COUNT(texts) + 1] = { [COUNT(texts)] = { "", "\n\t\x01\x7f lines" } };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        tensor[i] = (tg_file_tensor){ .name = texts[i], .dtype = "U8" };
        meta[i] = (tg_file_meta){ texts[i], texts[COUNT(texts) - 1 - i] };
    }
    assert_true(write_tensors(s, data_path("x"), tensor, COUNT(tensor), meta, COUNT(meta)));
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
    assert_int_equal(f->n_meta, COUNT(meta));
    for (size_t i = 0; i < COUNT(texts); i++) assert_int_not_equal(tg_tensor_file_find(f, texts[i]), -1);
    for (size_t i = 0; i < COUNT(meta); i++) {
        assert_string_equal(f->meta[i].key, meta[i].key);
        assert_string_equal(tg_tensor_file_meta(f, meta[i].key), meta[i].value);
    }
    assert_int_equal(tg_tensor_file_find(f, "nobody"), -1);
    assert_null(tg_tensor_file_meta(f, "tilegrad.format"));
    tg_close(s);
}

static void many_tensors_and_none(void **state)
{
    enum { MANY = 20000 };
    tg_scope *const s = tg_open();
    tg_file_tensor *const tensor = calloc(MANY, sizeof *tensor);
    char(*const names)[16] = calloc(MANY, sizeof *names);
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i * 7919 % MANY);
        tensor[i] = (tg_file_tensor){ .name = names[i], .dtype = i % 2 ? "F32" : "U8", .rank = 1, .dim = { i % 3 } };
    }
    assert_true(write_tensors(s, data_path("x"), tensor, MANY, NULL, 0));
    tg_tensor_file *f = tg_tensor_file_open(s, data_path("x"));
    assert_int_equal(f->n, MANY);
    for (int i = 0; i < MANY; i++) assert_string_equal(f->tensor[tg_tensor_file_find(f, names[i])].name, names[i]);
    assert_true(verify_file(s, data_path("x")));
    assert_true(write_tensors(s, data_path("x"), NULL, 0, NULL, 0));
    assert_true((f = tg_tensor_file_open(s, data_path("x"))) && f->n == 0 && f->marked);
    free(tensor);
    free(names);
    tg_close(s);
}

/* ---- reading ---- */

static void reads_any_piece_in_any_order(void **state)
{
    tg_scope *const s = tg_open();
    uint8_t got[16];
    (void)state;
    assert_true(write_sample(s, data_path("x")));
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
    const int i = tg_tensor_file_find(f, "mask");
    const uint64_t place = f->tensor[i].place, bytes = f->tensor[i].bytes;
    for (uint64_t from = bytes + 1; from-- > 0;) {
        const size_t n = bytes - from < sizeof got ? (size_t)(bytes - from) : sizeof got;
        assert_true(tg_tensor_file_read(s, f, i, from, n, got));
        for (size_t k = 0; k < n; k++) assert_int_equal(got[k], (uint8_t)((place + from + k) * 7 + 3));
    }
    const struct {
        int i;
        uint64_t from;
        size_t n;
        const char *contains;
    } rows[] = {
        { i, 0, bytes + 1, "tensor 'mask': 106 bytes from 0 on, want within its 105" },
        { i, bytes, 1, "tensor 'mask': 1 bytes from 105 on" },
        { i, UINT64_MAX, 1, "1 bytes from 18446744073709551615 on" },
        { i, 1, SIZE_MAX, "18446744073709551615 bytes from 1 on" },
        { -1, 0, 0, "tensor -1, want one of its 7" },
        { f->n, 0, 0, "tensor 7, want one of its 7" },
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        assert_false(tg_tensor_file_read(s, f, rows[k].i, rows[k].from, rows[k].n, got));
        data_refused(s, "read", data_path("x"), rows[k].contains);
    }
    tg_tensor_file_close(f);
    assert_false(tg_tensor_file_read(s, f, i, 0, 1, got));
    data_refused(s, "closed", data_path("x"), "it was closed");
    tg_close(s);
}

/* Reading pieces in order notices damage with the last byte; reading in another order checks nothing. */
static void damage_is_noticed_when_read_in_order(void **state)
{
    tg_scope *const s = tg_open();
    uint8_t got[100];
    (void)state;
    assert_true(write_sample(s, data_path("x")));
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
    const int i = tg_tensor_file_find(f, "mask"), weight = tg_tensor_file_find(f, "fc.weight");
    const whole_file whole = read_whole(data_path("x"));
    const int fd = open(data_path("x"), O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, (off_t)(whole.n - 50)), 1);
    close(fd);
    free(whole.at);
    assert_true(tg_tensor_file_read(s, f, i, 5, 100, got) && tg_tensor_file_read(s, f, i, 0, 5, got));
    assert_true(tg_tensor_file_read(s, f, i, 5, 60, got));
    assert_true(tg_tensor_file_read(s, f, weight, 0, 60, got)); /* another tensor: the first checksum is dropped */
    assert_true(tg_tensor_file_read(s, f, i, 65, 40, got));
    assert_true(tg_tensor_file_read(s, f, i, 0, 100, got));
    assert_false(tg_tensor_file_read(s, f, i, 100, 5, got));
    data_refused(s, "in order", data_path("x"), "tensor 'mask' is damaged: its checksum is ");
    assert_false(tg_tensor_file_verify(s, f, i));
    data_refused(s, "verified", data_path("x"), "tensor 'mask' is damaged: its checksum is ");
    for (int k = 0; k < f->n; k++) assert_true(k == i || tg_tensor_file_verify(s, f, k));
    assert_int_equal(truncate(data_path("x"), 2000), 0);
    assert_false(tg_tensor_file_verify(s, f, i));
    data_refused(s, "cut", data_path("x"), "it was truncated after it was opened");
    tg_close(s);
}

/* Refuses each request in turn until everything succeeds; returns how many there were. */
static int count_refusals(bool (*what)(tg_scope *s, const char *path), bool whole)
{
    for (int n = 1; n < 1000; n++) {
        tg_scope *const s = tg_open();
        const char *const path = data_path("x");
        tg_system_fail_at((uint64_t)n);
        const bool done = what(s, path);
        tg_system_fail_at(0);
        assert_int_equal(done, tg_ok(s));
        if (!done) assert_non_null(strstr(tg_message(s), "memory"));
        tg_close(s);
        assert_int_equal(access(data_path("x.part"), F_OK), -1);
        if (whole) {
            tg_scope *const again = tg_open();
            assert_true(verify_file(again, path)); /* the old file, or the new one */
            tg_close(again);
        }
        if (done) return n - 1;
    }
    return -1;
}

static bool open_only(tg_scope *s, const char *path) { return tg_tensor_file_open(s, path) != NULL; }

/* A table of contents that needs many blocks of the scope's arena. */
static void refuses_every_block_once(void **state)
{
    enum { MANY = 1500 };
    tg_scope *const s = tg_open();
    tg_file_tensor *const tensor = calloc(MANY, sizeof *tensor);
    tg_file_meta *const meta = calloc(MANY, sizeof *meta);
    char(*const names)[300] = calloc(MANY, sizeof *names);
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%0290d", i);
        tensor[i] = (tg_file_tensor){ .name = names[i], .dtype = "U8" };
        meta[i] = (tg_file_meta){ names[i], names[i] };
    }
    assert_true(write_tensors(s, data_path("x"), tensor, MANY, meta, MANY));
    assert_in_range(count_refusals(open_only, false), 20, 100);
    free(tensor);
    free(meta);
    free(names);
    tg_close(s);
}

static void refuses_every_allocation_once(void **state)
{
    tg_scope *const s = tg_open();
    (void)state;
    assert_true(write_sample(s, data_path("x")));
    tg_close(s);
    assert_in_range(count_refusals(write_sample, true), 4, 100);
    assert_in_range(count_refusals(verify_file, false), 4, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dtype_and_shape_comes_back), cmocka_unit_test(wide_types_come_first_and_are_aligned),
        cmocka_unit_test(names_and_metadata_come_back),    cmocka_unit_test(many_tensors_and_none),
        cmocka_unit_test(reads_any_piece_in_any_order),    cmocka_unit_test(damage_is_noticed_when_read_in_order),
        cmocka_unit_test(refuses_every_allocation_once),   cmocka_unit_test(refuses_every_block_once),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
