/* test_read.c - tg_f32 and tg_i64 for each dtype, and reading tensors from a file by name. */
#include "tensor_files.h"
#include "core.h"
#include "expect.h"
#include <string.h>

/* ---- dtypes ---- */

static const float f32[] = { 1, -2.5f };
static const uint16_t bf16[] = { 0x3f80, 0xc020 };
static const uint8_t u8[] = { 1, 255 };
static const int8_t i8[] = { 1, -128 };
static const int32_t i32[] = { 1, INT32_MIN };
static const int64_t i64[] = { 1, INT64_MIN };

static const struct {
    tg_dtype dtype;
    const void *data;
    int64_t second;
} dtypes[] = {
    { TG_F32, f32, 0 },  { TG_BF16, bf16, 0 },       { TG_U8, u8, 255 },
    { TG_I8, i8, -128 }, { TG_I32, i32, INT32_MIN }, { TG_I64, i64, INT64_MIN },
};

static void each_dtype_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        tg_scope *s = tg_open();
        tg_tensor *t = tg_from(s, dtypes[i].dtype, 1, TG_DIM(2), dtypes[i].data);
        const bool is_float = dtypes[i].dtype == TG_F32 || dtypes[i].dtype == TG_BF16;
        const float *f = is_float ? tg_f32(t) : NULL;
        const int64_t *n = is_float ? NULL : tg_i64(t);
        assert_true(is_float ? f && f[0] == 1 && f[1] == -2.5f : n && n[0] == 1 && n[1] == dtypes[i].second);
        expect_ok(s);
        assert_null(is_float ? (const void *)tg_i64(t) : (const void *)tg_f32(t));
        char message[100];
        const char *const form = is_float
                                     ? "i64: the tensor has dtype %s, want whole numbers (tg_f32 reads others)"
                                     : "f32: the tensor has dtype %s, want f32 or bf16 (tg_i64 reads whole numbers)";
        snprintf(message, sizeof message, form, tg_dtype_name(dtypes[i].dtype));
        expect_message(s, message);
        tg_close(s);
    }
    assert_true(!tg_f32(NULL) && !tg_i64(NULL));
}

/* The elements are converted at the call; reading again allocates no more memory. */
static void reads_again_what_was_written(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *w = tg_from(s, TG_F32, 1, TG_DIM(2), f32), *flat = tg_reshape(s, w, 2, TG_DIM(1, 2));
    tg_split_masters(s, &w, 1);
    const float *first = tg_f32(w);
    const uint64_t bytes = tg_statistics(s).bytes;
    for (int i = 0; i < 10; i++) {
        const float x = 0.1f * (float)i; /* bf16 cannot represent it, so the master was read */
        ((float *)tg_edit(s, w))[1] = x;
        assert_ptr_equal(tg_f32(w), first);
        assert_true(first[0] == 1 && first[1] == x && tg_f32(flat)[1] == x);
        assert_true(tg_statistics(s).bytes == bytes);
    }
    expect_ok(s);
    tg_close(s);
}

static void results_are_read_in_a_step(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    for (int i = 0; i < 3; i++) {
        tg_scope *s = tg_push(root);
        tg_tensor *y = tg_affine(s, tg_cast(s, tg_from(s, TG_F32, 1, TG_DIM(2), f32), TG_BF16), 2, 0);
        const float *f = tg_f32(y);
        assert_true(y->dtype == TG_BF16 && f && f[0] == 2 && f[1] == -5);
        tg_pop(s);
        assert_true(tg_statistics(root).bytes == 0);
    }
    tg_close(root);
}

/* ---- one tensor of a file ---- */

static const struct {
    const char *dtype;
    tg_dtype want;
    size_t size;
} kinds[] = {
    { "F32", TG_F32, 4 }, { "BF16", TG_BF16, 2 }, { "F16", TG_F32, 2 }, { "F64", TG_F32, 8 }, { "I64", TG_I64, 8 },
    { "I32", TG_I32, 4 }, { "I16", TG_I64, 2 },   { "U8", TG_U8, 1 },   { "I8", TG_I8, 1 },
};

static void one_tensor_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tg_scope *s = tg_open();
        tg_file_tensor list[] = { { .name = "other", .dtype = "F32", .rank = 1, .dim = { 5 } },
                                  { .name = "a.b", .dtype = kinds[i].dtype, .rank = 2, .dim = { 3, 2 } } };
        assert_true(write_tensors(s, data_path("one.safetensors"), list, 2, NULL, 0));
        tg_tensor *t = tg_read_tensor(s, data_path("one.safetensors"), "a.b");
        expect_ok(s);
        assert_true(t->dtype == kinds[i].want && t->rank == 2 && t->dim[0] == 3 && t->dim[1] == 2);
        tg_tensor_file *f = tg_tensor_file_open(s, data_path("one.safetensors"));
        char whole[48], bytes[48] = { 0 };
        tg_tensor_file_numbers(s, f, tg_tensor_file_find(f, "a.b"), 0, 6, t->dtype, whole);
        memcpy(bytes, tg_data(t), 6 * tg_dtype_size(t->dtype));
        assert_memory_equal(whole, bytes, 6 * tg_dtype_size(t->dtype));
        tg_close(s);
    }
}

static void says_what_cannot_be_read(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    char path[256], message[400];
    tg_file_tensor list[] = { { .name = "complex", .dtype = "C64", .rank = 1, .dim = { 1 } },
                              { .name = "empty", .dtype = "F32", .rank = 1, .dim = { 0 } } };
    snprintf(path, sizeof path, "%s", data_path("odd.safetensors"));
    assert_true(write_tensors(s, path, list, 2, NULL, 0));
    const struct {
        const char *name, *message;
    } rows[] = {
        { "nobody", "%s: there is no tensor 'nobody'" },
        { "complex", "%s: tensor 'complex' is C64, which cannot be converted" },
        { "empty", "%s: tensor 'empty' has no elements" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tg_count(tg_read_tensor(s, path, rows[i].name)), 0);
        snprintf(message, sizeof message, rows[i].message, path);
        expect_message(s, message);
        tg_clear(s);
    }
    tg_read_tensor(s, path, NULL);
    expect_message(s, "read_tensor: the name is NULL");
    tg_clear(s);
    assert_int_equal(tg_count(tg_read_tensor(s, "nowhere.safetensors", "a")), 0);
    assert_false(tg_ok(s));
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dtype_is_read_or_refused), cmocka_unit_test(reads_again_what_was_written),
        cmocka_unit_test(results_are_read_in_a_step),    cmocka_unit_test(one_tensor_by_its_name),
        cmocka_unit_test(says_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
