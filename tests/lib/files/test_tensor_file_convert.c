/* test_tensor_file_convert.c - reads a file's elements as another dtype. */
#include "tensor_files.h"
#include <math.h>
#include <stdlib.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static tg_tensor_file *file_of(tg_scope *s, const char *dtype, size_t n, const void *bytes, size_t size)
{
    tg_file_tensor tensor = { .name = "t", .dtype = dtype, .rank = 1, .dim = { (int64_t)n } };
    tg_tensor_writer *const w = tg_tensor_file_create(s, data_path("x"), &tensor, 1, NULL, 0);
    tg_tensor_file_write(s, w, bytes, n * size);
    assert_true(tg_tensor_file_commit(s, w));
    return tg_tensor_file_open(s, data_path("x"));
}

static double float_of(const void *at, tg_dtype dtype, size_t i)
{
    return dtype == TG_F32 ? ((const float *)at)[i] : tg_bf16_to_f32(((const uint16_t *)at)[i]);
}

/* All 65536 values of F16, against the definition of sign, exponent and fraction. */
static void every_f16_is_converted(void **state)
{
    enum { ALL = 65536 };
    tg_scope *const s = tg_open();
    uint16_t *const bits = calloc(ALL, sizeof *bits);
    float *const to = calloc(ALL, sizeof *to);
    (void)state;
    for (int i = 0; i < ALL; i++) bits[i] = (uint16_t)i;
    tg_tensor_file *const f = file_of(s, "F16", ALL, bits, sizeof *bits);
    for (tg_dtype as = TG_F32; as <= TG_BF16; as++) {
        assert_true(tg_tensor_file_numbers(s, f, 0, 0, ALL, as, to));
        for (int i = 0; i < ALL; i++) {
            const int exponent = i >> 10 & 31, fraction = i & 1023;
            const double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
            const double exact = i & 0x8000 ? -size : size,
                         want = as == TG_F32 ? exact : tg_bf16_to_f32(tg_f32_to_bf16((float)exact));
            const double got = float_of(to, as, (size_t)i);
            if (exponent == 31 && fraction) assert_true(isnan(got));
            else if (exponent == 31) assert_true(isinf(got) && signbit(got) == (i >> 15));
            else if (got != want || signbit(got) != signbit(want))
                fail_msg("F16 %04x: %.9g, want %.9g", (unsigned)i, got, want);
        }
    }
    free(bits);
    free(to);
    tg_close(s);
}

/* F64 to bf16 is rounded once.  Rounding to F32 first would turn values just above or below a tie into ties. */
static void f64_is_rounded_once(void **state)
{
    const double tiny = ldexp(1, -40);
    const struct {
        double value, f32, bf16;
    } rows[] = {
        { 1, 1, 1 },
        { -0.0, -0.0, -0.0 },
        { 1 + ldexp(1, -8), 1 + ldexp(1, -8), 1 },
        { 1 + ldexp(1, -8) + tiny, 1 + ldexp(1, -8), 1 + ldexp(1, -7) },
        { 1 + ldexp(3, -8) - tiny, 1 + ldexp(3, -8), 1 + ldexp(1, -7) },
        { -1 - ldexp(1, -8) - tiny, -1 - ldexp(1, -8), -1 - ldexp(1, -7) },
        { 1e300, INFINITY, INFINITY },
        { -1e300, -INFINITY, -INFINITY },
        { INFINITY, INFINITY, INFINITY },
        { NAN, NAN, NAN },
        { 1e-300, 0, 0 },
        { ldexp(1, -149), ldexp(1, -149), 0 },
        { ldexp(1, -133), ldexp(1, -133), ldexp(1, -133) },
    };
    double value[COUNT(rows)];
    float to[COUNT(rows)];
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) value[i] = rows[i].value;
    tg_tensor_file *const f = file_of(s, "F64", COUNT(rows), value, sizeof *value);
    for (tg_dtype as = TG_F32; as <= TG_BF16; as++) {
        assert_true(tg_tensor_file_numbers(s, f, 0, 0, COUNT(rows), as, to));
        for (size_t i = 0; i < COUNT(rows); i++) {
            const double got = float_of(to, as, i), want = as == TG_F32 ? rows[i].f32 : rows[i].bf16;
            if (isnan(want) ? !isnan(got) : got != want || signbit(got) != signbit(want))
                fail_msg("%.17g as %s: %.9g, want %.9g", value[i], tg_dtype_name(as), got, want);
        }
    }
    tg_close(s);
}

static void floats_of_the_library(void **state)
{
    const float f32[] = { 1, -2.5f, 1 + 0x1p-8f, 1 + 0x3p-8f, INFINITY, -0.0f, 0x1p-149f };
    const uint16_t bf16[] = { 0x3f80, 0xc020, 0x3f80, 0x3f82, 0x7f80, 0x8000, 0 };
    float as_f32[COUNT(f32)];
    uint16_t as_bf16[COUNT(f32)];
    tg_scope *const s = tg_open();
    (void)state;
    tg_tensor_file *f = file_of(s, "F32", COUNT(f32), f32, sizeof *f32);
    assert_true(tg_tensor_file_numbers(s, f, 0, 0, COUNT(f32), TG_F32, as_f32));
    assert_memory_equal(as_f32, f32, sizeof f32);
    assert_true(tg_tensor_file_numbers(s, f, 0, 0, COUNT(f32), TG_BF16, as_bf16));
    assert_memory_equal(as_bf16, bf16, sizeof bf16);
    f = file_of(s, "BF16", COUNT(bf16), bf16, sizeof *bf16);
    assert_true(tg_tensor_file_numbers(s, f, 0, 0, COUNT(bf16), TG_BF16, as_bf16));
    assert_memory_equal(as_bf16, bf16, sizeof bf16);
    assert_true(tg_tensor_file_numbers(s, f, 0, 1, 2, TG_F32, as_f32));
    assert_true(as_f32[0] == -2.5f && as_f32[1] == 1);
    tg_close(s);
}

static const struct {
    const char *dtype;
    size_t size;
    int64_t i64, i32;
    const char *contains;
} whole_numbers[] = {
    { "I64", 8, -2, -2, NULL },
    { "I32", 4, -2, -2, NULL },
    { "I16", 2, -2, -2, NULL },
    { "I8", 1, -2, -2, NULL },
    { "U8", 1, 254, 254, NULL },
    { "U16", 2, 65534, 65534, NULL },
    { "BOOL", 1, 1, 1, NULL },
    { "U32", 4, 4294967294, 0, "tensor 't': element 0 of U32 does not fit i32" },
    { "U64", 8, 0, 0, "tensor 't': element 0 of U64 does not fit i" },
};

static void whole_numbers_fit_or_are_refused(void **state)
{
    static const uint8_t bits[8] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < COUNT(whole_numbers); i++) {
        tg_tensor_file *const f = file_of(s, whole_numbers[i].dtype, 1, bits, whole_numbers[i].size);
        int64_t i64 = 0;
        int32_t i32 = 0;
        assert_int_equal(tg_tensor_file_numbers(s, f, 0, 0, 1, TG_I64, &i64),
                         !whole_numbers[i].contains || whole_numbers[i].i64);
        assert_true(i64 == whole_numbers[i].i64);
        tg_clear(s);
        assert_int_equal(tg_tensor_file_numbers(s, f, 0, 0, 1, TG_I32, &i32), !whole_numbers[i].contains);
        assert_true(i32 == whole_numbers[i].i32);
        if (whole_numbers[i].contains)
            data_refused(s, whole_numbers[i].dtype, data_path("x"), whole_numbers[i].contains);
        tg_reset(s);
    }
    int64_t far[5000] = { [4999] = (int64_t)1 << 31 };
    int32_t to[5000];
    tg_tensor_file *const f = file_of(s, "I64", 5000, far, sizeof *far);
    assert_true(tg_tensor_file_numbers(s, f, 0, 0, 4999, TG_I32, to));
    assert_false(tg_tensor_file_numbers(s, f, 0, 100, 4900, TG_I32, to));
    data_refused(s, "the last", data_path("x"), "element 4999 of I64 does not fit i32");
    tg_close(s);
}

static void no_such_conversion(void **state)
{
    static const struct {
        const char *dtype, *can;
    } rows[] = {
        /* f32 bf16 u8 i8 i32 i64 */
        { "F64", "yy...." },  { "F32", "yy...." }, { "F16", "yy...." },     { "BF16", "yy...." },
        { "I64", "....yy" },  { "I32", "....yy" }, { "I16", "....yy" },     { "I8", "...yyy" },
        { "U64", "....yy" },  { "U32", "....yy" }, { "U16", "....yy" },     { "U8", "..y.yy" },
        { "BOOL", "....yy" }, { "C64", "......" }, { "F8_E5M2", "yy...." }, { "F8_E4M3", "yy...." },
        { "F4", "......" },
    };
    tg_scope *const s = tg_open();
    uint64_t bits[8] = { 0 }, to[8];
    (void)state;
    for (size_t d = 0; d < COUNT(rows); d++) {
        tg_file_tensor t = { .name = "t", .dtype = rows[d].dtype, .rank = 1, .dim = { 8 } };
        write_tensors(s, data_path("x"), &t, 1, NULL, 0);
        tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
        for (tg_dtype as = TG_F32; as <= TG_DTYPES; as++) {
            const bool want = as < TG_DTYPES && rows[d].can[as] == 'y';
            assert_int_equal(tg_tensor_file_can(&f->tensor[0], as), want);
            if (want || as == TG_DTYPES) continue;
            assert_false(tg_tensor_file_numbers(s, f, 0, 0, 1, as, to));
            data_refused(s, rows[d].dtype, data_path("x"), " cannot be read as ");
        }
    }
    const struct {
        int64_t first, n;
    } outside[] = {
        { -1, 1 }, { 0, -1 }, { 9, 0 }, { 0, 9 }, { INT64_MAX, 1 }, { 1, INT64_MAX },
    };
    tg_tensor_file *const f = file_of(s, "F32", 8, bits, 4);
    for (size_t i = 0; i < COUNT(outside); i++) {
        assert_false(tg_tensor_file_numbers(s, f, 0, outside[i].first, outside[i].n, TG_BF16, to));
        data_refused(s, "outside", data_path("x"), ", want within its 8");
    }
    assert_true(tg_tensor_file_numbers(s, f, 0, 8, 0, TG_BF16, to));
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_is_converted), cmocka_unit_test(f64_is_rounded_once),
        cmocka_unit_test(floats_of_the_library),  cmocka_unit_test(whole_numbers_fit_or_are_refused),
        cmocka_unit_test(no_such_conversion),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
