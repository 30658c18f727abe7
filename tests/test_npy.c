/* test_npy.c - headers of .npy: what is taken, and what is refused. */
#include "little_endian.h"
#include "tensor_file.h"
#include "zip_files.h"
#include <stdio.h>
#include <string.h>

#define DICT NPY_DICT
#define F4   NPY_F4

static const struct { const char *row, *dict; size_t data; const char *contains; } headers[] = {
    { "plain", F4("(2, 3)"), 24, NULL },
    { "no comma at the end", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24, NULL },
    { "tight", "{'shape':(2,3,),'descr':'<f4','fortran_order':False}", 24, NULL },
    { "double quotes", "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (6,)}", 24, NULL },
    { "scalar", F4("()"), 4, NULL },
    { "empty", F4("(3, 0)"), 0, NULL },
    { "big-endian is listed", DICT("'>f4'", "False", "(6,)"), 24, NULL },
    { "texts are listed", DICT("'<U3'", "False", "(2,)"), 24, NULL },
    { "columns are listed", DICT("'<f4'", "True", "(2, 3)"), 24, NULL },
    { "no dictionary", "[1, 2]", 24, "no dictionary" },
    { "nothing", "", 24, "no dictionary" },
    { "not closed", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)", 24, "a comma is missing" },
    { "no shape", "{'descr': '<f4', 'fortran_order': False}", 24, "is missing" },
    { "empty dictionary", "{}", 24, "is missing" },
    { "another key", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", 24,
      "a key that is none of" },
    { "a key twice", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", 24, "a key twice" },
    { "code", "__import__('os').system('x')", 24, "no dictionary" },
    { "code for a shape", F4("open('x')"), 24, "'shape' is no tuple" },
    { "a number for a shape", F4("6"), 24, "'shape' is no tuple" },
    { "in parentheses", F4("(6)"), 24, "'shape' is no tuple" },
    { "a comma alone", F4("(,)"), 24, "no plain whole number" },
    { "no comma between", F4("(2 3)"), 24, "a comma is missing in 'shape'" },
    { "below 0", F4("(-6,)"), 24, "no plain whole number" },
    { "floating", F4("(6.0,)"), 24, "a comma is missing in 'shape'" },
    { "long", F4("(6L,)"), 24, "a comma is missing in 'shape'" },
    { "hexadecimal", F4("(0x6,)"), 24, "a comma is missing in 'shape'" },
    { "zero before", F4("(06,)"), 24, "no plain whole number" },
    { "nested tuple", F4("((6,),)"), 24, "no plain whole number" },
    { "too large", F4("(281474976710657,)"), 24, "above 2^48" },
    { "many digits", F4("(99999999999999999999999999,)"), 24, "above 2^48" },
    { "overflow", F4("(16777216, 16777216, 16777216)"), 24, "its shape overflows" },
    { "overflow but for a 0", F4("(16777216, 16777216, 16777216, 0)"), 0, "its shape overflows" },
    { "deep", F4("(1, 1, 1, 1, 1, 1, 1, 1, 6)"), 24, "more dimensions" },
    { "true", DICT("'<f4'", "true", "(6,)"), 24, "neither True nor False" },
    { "1", DICT("'<f4'", "1", "(6,)"), 24, "neither True nor False" },
    { "structured", DICT("[('x', '<f4')]", "False", "(6,)"), 24, "a structured type" },
    { "sub-array", DICT("('<f4', (2,))", "False", "(3,)"), 24, "a structured type" },
    { "no quotes", DICT("f4", "False", "(6,)"), 24, "a short text in quotes" },
    { "escape", DICT("'<f\\x34'", "False", "(6,)"), 24, "a short text in quotes" },
    { "long type", DICT("'<f444444444444444444444444444444444444444444'", "False", "(6,)"), 24,
      "a short text in quotes" },
    { "more after it", F4("(6,)") " x", 24, "more follows the dictionary" },
    { "a line more", F4("(6,)") "\n ", 24, "more follows the dictionary" },
    { "too few bytes", F4("(7,)"), 24, "holds 24 bytes of numbers, its shape and dtype F32 say 28" },
    { "too many bytes", F4("(5,)"), 24, "holds 24 bytes of numbers, its shape and dtype F32 say 20" },
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
    static const struct { const char *row; int major, minor, width; uint32_t more; const char *contains; } rows[] = {
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

static void says_what_it_cannot_convert(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    static const struct { const char *descr, *fortran; const char *contains; } rows[] = {
        { "'>f4'", "False", ">f4 cannot be read as f32" },
        { "'<f4'", "True", "<f4 in Fortran order cannot be read as f32" },
        { "'<c8'", "False", "C64 cannot be read as f32" },
        { "'|S4'", "False", "|S4 cannot be read as f32" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char  dict[128];
        float numbers[4];
        snprintf(dict, sizeof dict, "{'descr': %s, 'fortran_order': %s, 'shape': (2, 2), }", rows[i].descr,
                 rows[i].fortran);
        const blob b = npy_make(dict, strcmp(rows[i].descr, "'<c8'") ? 16 : 32);
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
        cmocka_unit_test(takes_or_refuses_npy_headers), cmocka_unit_test(knows_versions_of_npy),
        cmocka_unit_test(says_what_it_cannot_convert),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
