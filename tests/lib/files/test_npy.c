/* test_npy.c - headers of .npy: which are accepted, and which are refused. */
#include "little_endian.h"
#include <tilegrad/tensor_file.h>
#include "zip_files.h"
#include <stdio.h>
#include <string.h>

#define DICT NPY_DICT
#define F4   NPY_F4

static const struct {
    const char *row, *dict;
    size_t data;
    const char *contains;
} headers[] = {
    { "plain", F4("(2, 3)"), 24, NULL },
    { "no comma at the end", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24, NULL },
    { "tight", "{'shape':(2,3,),'descr':'<f4','fortran_order':False}", 24, NULL },
    { "double quotes", "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (6,)}", 24, NULL },
    { "scalar", F4("()"), 4, NULL },
    { "empty", F4("(3, 0)"), 0, NULL },
    { "big-endian", DICT("'>f4'", "False", "(6,)"), 24, NULL },
    { "texts are listed", DICT("'<U3'", "False", "(2,)"), 24, NULL },
    { "texts of another size", DICT("'<U3'", "False", "(3,)"), 24, "want 36 by its shape and dtype <U3" },
    { "columns", DICT("'<f4'", "True", "(2, 3)"), 24, NULL },
    { "structured is listed", DICT("[('x', '<f4'), ('y]', '<i2', (2, 3))]", "False", "(6,)"), 24, NULL },
    { "a sub-array is listed", DICT("('<f4', (2,))", "False", "(3,)"), 24, NULL },
    { "structured, not closed", DICT("[('x', '<f4'", "False", "(6,)"), 24, "a structured type is not terminated" },
    { "structured, in columns", DICT("[('x', '<f4')]", "True", "(2, 3)"), 24, "is in Fortran order" },
    { "objects", DICT("'|O'", "False", "(6,)"), 24, "holds Python objects (|O)" },
    { "Python 2", "{u'descr': u'<f4', u'fortran_order': False, u'shape': (6L,)}", 24, NULL },
    { "lines and tabs", "\t{'descr':\n'<f4',\n 'fortran_order':\tFalse, 'shape': (6,\n),\n}\n\n", 24, NULL },
    { "not a dictionary", "[1, 2]", 24, "not a dictionary" },
    { "nothing", "", 24, "not a dictionary" },
    { "not closed", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)", 24, "a comma is missing" },
    { "no shape", "{'descr': '<f4', 'fortran_order': False}", 24, "is missing" },
    { "empty dictionary", "{}", 24, "is missing" },
    { "another key", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", 24, "unknown key" },
    { "duplicate key", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", 24, "duplicate key" },
    { "code", "__import__('os').system('x')", 24, "not a dictionary" },
    { "code for a shape", F4("open('x')"), 24, "'shape' is not a tuple" },
    { "a number for a shape", F4("6"), 24, "'shape' is not a tuple" },
    { "in parentheses", F4("(6)"), 24, "'shape' is not a tuple" },
    { "a comma alone", F4("(,)"), 24, "not a plain decimal integer" },
    { "no comma between", F4("(2 3)"), 24, "a comma is missing in 'shape'" },
    { "below 0", F4("(-6,)"), 24, "not a plain decimal integer" },
    { "floating", F4("(6.0,)"), 24, "a comma is missing in 'shape'" },
    { "longer", F4("(6LL,)"), 24, "a comma is missing in 'shape'" },
    { "hexadecimal", F4("(0x6,)"), 24, "a comma is missing in 'shape'" },
    { "zero before", F4("(06,)"), 24, "not a plain decimal integer" },
    { "nested tuple", F4("((6,),)"), 24, "not a plain decimal integer" },
    { "too large", F4("(281474976710657,)"), 24, "above 2^48" },
    { "many digits", F4("(99999999999999999999999999,)"), 24, "above 2^48" },
    { "overflow", F4("(16777216, 16777216, 16777216)"), 24, "its shape overflows" },
    { "overflow but for a 0", F4("(16777216, 16777216, 16777216, 0)"), 0, "its shape overflows" },
    { "deep", F4("(1, 1, 1, 1, 1, 1, 1, 1, 6)"), 24, "more axes" },
    { "true", DICT("'<f4'", "true", "(6,)"), 24, "neither True nor False" },
    { "1", DICT("'<f4'", "1", "(6,)"), 24, "neither True nor False" },
    { "no quotes", DICT("f4", "False", "(6,)"), 24, "a short quoted string" },
    { "escape", DICT("'<f\\x34'", "False", "(6,)"), 24, "a short quoted string" },
    { "long type", DICT("'<f444444444444444444444444444444444444444444'", "False", "(6,)"), 24,
      "a short quoted string" },
    { "more after it", F4("(6,)") " x", 24, "trailing bytes after the dictionary" },
    { "too few bytes", F4("(7,)"), 24, "holds 24 bytes of data, want 28 by its shape and dtype F32" },
    { "too many bytes", F4("(5,)"), 24, "holds 24 bytes of data, want 20 by its shape and dtype F32" },
};

static void takes_or_refuses_npy_headers(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const blob b = npy_make(headers[i].dict, headers[i].data);
        zip_expect(s, headers[i].row, &b, headers[i].contains);
    }
    tg_close(s);
}

static void knows_versions_of_npy(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    static const struct {
        const char *row;
        int major, minor, width;
        uint32_t more;
        const char *contains;
    } rows[] = {
        { "1.0", 1, 0, 2, 0, NULL },
        { "2.0", 2, 0, 4, 0, NULL },
        { "3.0", 3, 0, 4, 0, NULL },
        { "1.1", 1, 1, 2, 0, "version 1.1" },
        { "4.0", 4, 0, 4, 0, "version 4.0" },
        { "0.0", 0, 0, 2, 0, "version 0.0" },
        { "goes on", 2, 0, 4, 200, "ends after" },
        { "huge", 2, 0, 4, 0x7fffffff, "a .npy header of 2147483" },
    };
    const blob plain = npy_make(F4("(6,)"), 24);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        blob b = plain;
        const size_t width = (size_t)rows[i].width;
        b.at[6] = (uint8_t)rows[i].major;
        b.at[7] = (uint8_t)rows[i].minor;
        memcpy(b.at + 8 + width, plain.at + 10, plain.n - 10);
        b.n = plain.n - 2 + width;
        tg_put_le(b.at + 8, rows[i].width, plain.n - 10 - 24 + rows[i].more);
        zip_expect(s, rows[i].row, &b, rows[i].contains);
    }
    tg_close(s);
}

/* Every spelling of NumPy's, with its dtype here, the bytes of an element, and the order in which they are read. */
typedef struct {
    const char *descr, *dtype;
    int size;
    const char *order;
} spelling;
static const spelling spellings[] = {
    { "<f8", "F64", 8, "01234567" },
    { ">f8", "F64", 8, "76543210" },
    { "float64", "F64", 8, "01234567" },
    { "d", "F64", 8, "01234567" },
    { ">d", "F64", 8, "76543210" },
    { "=f4", "F32", 4, "0123" },
    { "f4", "F32", 4, "0123" },
    { ">f4", "F32", 4, "3210" },
    { "single", "F32", 4, "0123" },
    { ">f2", "F16", 2, "10" },
    { "e", "F16", 2, "01" },
    { ">c8", "C64", 8, "32107654" },
    { ">i8", "I64", 8, "76543210" },
    { "int", "I64", 8, "01234567" },
    { "<l", "I64", 8, "01234567" },
    { ">i4", "I32", 4, "3210" },
    { "i", "I32", 4, "0123" },
    { ">i2", "I16", 2, "10" },
    { "short", "I16", 2, "01" },
    { ">i1", "I8", 1, "0" },
    { "b", "I8", 1, "0" },
    { ">u8", "U64", 8, "76543210" },
    { ">u4", "U32", 4, "3210" },
    { "|u2", "U16", 2, "01" },
    { ">u2", "U16", 2, "10" },
    { "=u1", "U8", 1, "0" },
    { "B", "U8", 1, "0" },
    { "?", "BOOL", 1, "0" },
    { "bool", "BOOL", 1, "0" },
    { "|b1", "BOOL", 1, "0" },
    { "<V2", "<V2", 2, "01" },
    { "|V2", "|V2", 2, "01" },
    { ">c16", ">c16", 16, "76543210fedcba98" },
    { "|S3", "|S3", 3, "012" },
    { ">U1", ">U1", 4, "3210" },
    { "<M8[ns]", "<M8[ns]", 8, "01234567" },
    { ">m8[D]", ">m8[D]", 8, "76543210" },
};

/* An array [2, 3] of these elements, whose bytes in the file are 3, 10, 17, ... */
static tg_tensor_file *spelled(tg_scope *s, const spelling *row, bool columns)
{
    char dict[128];
    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3), }", row->descr,
             columns ? "True" : "False");
    const blob b = npy_make(dict, (size_t)(6 * row->size));
    tg_tensor_file *const f = tg_tensor_file_open(s, zip_put("x.npy", &b));
    if (!f) fail_msg("%s: %s", row->descr, tg_message(s));
    assert_string_equal(f->tensor->dtype, row->dtype);
    return f;
}

static void check_order(const spelling *row, bool columns, const uint8_t *got)
{
    for (int e = 0; e < 6; e++) {
        const int there = columns ? e / 3 + 2 * (e % 3) : e; /* its index in the file */
        for (int k = 0; k < row->size; k++) {
            const char *const digits = "0123456789abcdef";
            const int from = there * row->size + (int)(strchr(digits, row->order[k]) - digits);
            if (got[e * row->size + k] != (uint8_t)(from * 7 + 3)) fail_msg("%s, element %d", row->descr, e);
        }
    }
}

static void check_spelling(tg_scope *s, const spelling *row, bool columns)
{
    const int bytes = 6 * row->size;
    uint8_t got[6 * 16];
    tg_tensor_file *const f = spelled(s, row, columns);
    assert_true(tg_tensor_file_read(s, f, 0, 0, (size_t)bytes, got));
    check_order(row, columns, got);
    for (int from = 0; from < bytes; from += 5) { /* and in pieces */
        uint8_t part[7] = { 0 };
        const size_t n = (size_t)(bytes - from < 7 ? bytes - from : 7);
        assert_true(tg_tensor_file_read(s, f, 0, (uint64_t)from, n, part));
        assert_memory_equal(part, got + from, n);
    }
    tg_reset(s);
}

static void knows_spellings(void **state)
{
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < 2 * sizeof spellings / sizeof *spellings; i++) check_spelling(s, &spellings[i / 2], i % 2);
    tg_close(s);
}

/* Names of safetensors' dtypes are not NumPy's. */
static void knows_no_dtype_of_ours(void **state)
{
    static const char *const names[] = { "I64", "F32", "BF16", "F8_E4M3" };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char dict[128], to[8];
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': True, 'shape': (2, 1), }", names[i]);
        const blob b = npy_make(dict, 8);
        tg_tensor_file *const f = tg_tensor_file_open(s, zip_put("x.npy", &b));
        if (!f) fail_msg("%s: %s", names[i], tg_message(s));
        assert_string_equal(f->tensor->dtype, "unknown");
        assert_false(tg_tensor_file_read(s, f, 0, 0, 1, to));
        assert_non_null(strstr(tg_message(s), "NumPy"));
        tg_clear(s);
        tg_reset(s);
    }
    tg_close(s);
}

/* Larger than any buffer, in every order. */
static void reads_large_columns(void **state)
{
    enum { A = 37, B = 11, C = 101, N = A * B * C };
    static uint8_t file[128 + 2 * N];
    static uint16_t got[N];
    tg_scope *const s = tg_open();
    (void)state;
    const blob head = npy_make(DICT("'>u2'", "True", "(37, 11, 101)"), 0);
    memcpy(file, head.at, head.n);
    for (int i = 0; i < N; i++)
        file[head.n + 2 * (size_t)i] = (uint8_t)(i >> 8), file[head.n + 2 * (size_t)i + 1] = (uint8_t)i;
    data_put("x.npy", file, head.n + 2 * N);
    tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x.npy"));
    assert_string_equal(tg_message(s), "");
    assert_true(tg_tensor_file_read(s, f, 0, 0, sizeof got, got));
    for (int a = 0, i = 0; a < A; a++)
        for (int b = 0; b < B; b++)
            for (int c = 0; c < C; c++, i++) assert_int_equal(got[i], a + A * (b + B * c));
    int64_t wide[5];
    assert_true(tg_tensor_file_numbers(s, f, 0, N - 5, 5, TG_I64, wide) && wide[4] == N - 1);
    tg_close(s);
}

/* NumPy writes bfloat16 as V2: it can be reinterpreted as BF16, and as no type of another size. */
static void takes_v2_for_bf16(void **state)
{
    tg_scope *const s = tg_open();
    float one[6];
    (void)state;
    const blob b = npy_make(DICT("'<V2'", "True", "(2, 3)"), 12);
    tg_tensor_file *const f = tg_tensor_file_open(s, zip_put("x.npy", &b));
    assert_false(tg_tensor_file_can(f->tensor, TG_F32) || tg_tensor_file_writable(f->tensor));
    static const char *const wrong[] = { "F32", "U8", "nothing", NULL };
    for (int i = 0; i < 4; i++) {
        assert_false(tg_tensor_file_reinterpret(s, f, 0, wrong[i]));
        data_refused(s, "wrong", data_path("x.npy"), "<V2 cannot be reinterpreted as ");
    }
    assert_true(tg_tensor_file_reinterpret(s, f, 0, "BF16") && tg_tensor_file_writable(f->tensor));
    assert_true(tg_tensor_file_numbers(s, f, 0, 0, 6, TG_F32, one));
    assert_true(one[1] == tg_bf16_to_f32((uint16_t)(b.at[b.n - 8] | b.at[b.n - 7] << 8)));
    tg_close(s);
}

static void says_what_it_cannot_convert(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    static const struct {
        const char *descr, *fortran;
        const char *contains;
    } rows[] = {
        { "'<f16'", "False", "<f16 cannot be read as f32" },
        { "'<V4'", "True", "<V4 cannot be read as f32" },
        { "'<c8'", "False", "C64 cannot be read as f32" },
        { "'|S4'", "False", "|S4 cannot be read as f32" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char dict[128];
        float numbers[4];
        snprintf(dict, sizeof dict, "{'descr': %s, 'fortran_order': %s, 'shape': (2, 2), }", rows[i].descr,
                 rows[i].fortran);
        const blob b = npy_make(dict, !strcmp(rows[i].descr, "'<c8'")    ? 32
                                      : !strcmp(rows[i].descr, "'<f16'") ? 64
                                                                         : 16);
        tg_tensor_file *const f = tg_tensor_file_open(s, zip_put("x.npy", &b));
        assert_non_null(f);
        assert_false(tg_tensor_file_can(f->tensor, TG_F32));
        assert_false(tg_tensor_file_numbers(s, f, 0, 0, 4, TG_F32, numbers));
        data_refused(s, rows[i].descr, data_path("x.npy"), rows[i].contains);
        tg_reset(s);
    }
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses_npy_headers),
        cmocka_unit_test(knows_versions_of_npy),
        cmocka_unit_test(says_what_it_cannot_convert),
        cmocka_unit_test(knows_spellings),
        cmocka_unit_test(knows_no_dtype_of_ours),
        cmocka_unit_test(reads_large_columns),
        cmocka_unit_test(takes_v2_for_bf16),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
