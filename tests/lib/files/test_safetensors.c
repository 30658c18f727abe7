/* test_safetensors.c - handwritten safetensors files: which are read, and which are refused with which message. */
#include "tensor_files.h"
#include "system.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define A                  "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define M                  "\"__metadata__\":"
#define SHAPED(shape, end) "{\"a\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[0," end "]}}"
#define TYPED(dtype, end)  "{\"a\":{\"dtype\":" dtype ",\"shape\":[2],\"data_offsets\":[0," end "]}}"
#define PLACED(offsets)    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" offsets "}}"
#define NAMED(name)        "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
#define TWO(one, other) \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" one "}," \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" other "}}"
#define X8(text)   text text text text text text text text
#define X64(text)  X8(text) X8(text) X8(text) X8(text) X8(text) X8(text) X8(text) X8(text)
#define X512(text) X64(text) X64(text) X64(text) X64(text) X64(text) X64(text) X64(text) X64(text)

/* ---- files by other writers ---- */

static const struct {
    const char *row, *header;
    size_t data;
    int n, n_meta;
} good[] = {
    { "one tensor", "{" A "}", 8, 1, 0 },
    { "trailing spaces", "{" A "}     ", 8, 1, 0 },
    { "white space everywhere",
      " \t\n\r{ \"a\" : { \"dtype\" : \"F32\" ,\n\"shape\" : [ 2 ] , \"data_offsets\" : [ 0 , 8 ] } } \n", 8, 1, 0 },
    { "no tensors", "{}", 0, 0, 0 },
    { "metadata only", "{" M "{\"format\":\"pt\"}}", 0, 0, 1 },
    { "empty metadata", "{" M "{}," A "}", 8, 1, 0 },
    { "null metadata", "{" M "null," A "}", 8, 1, 0 },
    { "null metadata last", "{" A "," M "null}", 8, 1, 0 },
    { "metadata last", "{" A "," M "{\"a\":\"1\",\"b\":\"\"}}", 8, 1, 2 },
    { "fields in another order", "{\"a\":{\"data_offsets\":[0,8],\"shape\":[2],\"dtype\":\"F32\"}}", 8, 1, 0 },
    { "scalar", SHAPED("", "1"), 1, 1, 0 },
    { "empty", SHAPED("0", "0"), 0, 1, 0 },
    { "empty, with a large side", SHAPED("281474976710656,0", "0"), 0, 1, 0 },
    { "rank 8", SHAPED("1,1,1,1,1,1,1,2", "2"), 2, 1, 0 },
    { "in another order", TWO("[4,8]", "[0,4]"), 8, 2, 0 },
    { "escaped name", "{\"\\u0061\\\\\\\"\\/\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, 1, 0 },
    { "beyond the BMP", NAMED("\\ud83d\\ude00 \xf0\x9f\x98\x80"), 8, 1, 0 },
    { "512 bytes of name", NAMED(X512("n")), 8, 1, 0 },
    { "BF16", TYPED("\"BF16\"", "4"), 4, 1, 0 },
    { "F16", TYPED("\"F16\"", "4"), 4, 1, 0 },
    { "F64", TYPED("\"F64\"", "16"), 16, 1, 0 },
    { "F4", TYPED("\"F4\"", "1"), 1, 1, 0 },
    { "a dtype of tomorrow", TYPED("\"F128\"", "32"), 32, 1, 0 },
    { "a mark in a value", "{" M "{\"a\":\"x\\\"tilegrad.header\\\":\\\"0\"}," A "}", 8, 1, 1 },
    { "a minus in a string", "{" M "{\"a-b\":\"-1\\\"-\"}," A "}", 8, 1, 1 },
};

static void reads_what_others_write(void **state)
{
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        put_safetensors("x", good[i].header, strlen(good[i].header), good[i].data);
        tg_tensor_file *const f = tg_tensor_file_open(s, data_path("x"));
        if (!f) fail_msg("%s: %s", good[i].row, tg_message(s));
        assert_string_equal(f->format, "safetensors");
        assert_int_equal(f->n, good[i].n);
        assert_int_equal(f->n_meta, good[i].n_meta);
        assert_false(f->marked);
        for (int k = 0; k < f->n; k++) {
            uint8_t bytes[64];
            assert_int_equal(tg_tensor_file_find(f, f->tensor[k].name), k);
            assert_true(tg_tensor_file_verify(s, f, k) && tg_tensor_file_read(s, f, k, 0, f->tensor[k].bytes, bytes));
            for (uint64_t b = 0; b < f->tensor[k].bytes; b++)
                assert_int_equal(bytes[b], (uint8_t)((f->tensor[k].place + b) * 7 + 3));
        }
        tg_reset(s);
    }
    tg_close(s);
}

/* ---- refused files ---- */

typedef struct {
    const char *row, *header;
    size_t data;
    const char *contains;
} refusal;

static const refusal bad_json[] = {
    { "no header", "", 0, "the header is not JSON" },
    { "spaces", "   ", 0, "the header is not JSON" },
    { "cut", "{" A, 8, "the header is not JSON" },
    { "cut in a string", "{\"a", 8, "the header is not JSON" },
    { "cut in an escape", "{\"a\\", 8, "the header is not JSON" },
    { "list", "[]", 0, "the header is not a JSON object" },
    { "string", "\"a\"", 0, "the header is not JSON" },
    { "comma at the end", "{" A ",}", 8, "the header is not JSON" },
    { "comment", "{/**/" A "}", 8, "the header is not JSON" },
    { "something follows", "{" A "}{}", 8, "the header is not JSON: end of file expected" },
    { "BOM", "\xef\xbb\xbf{" A "}", 8, "the header is not JSON" },
    { "form feed", "{" A "}\f", 8, "the header is not JSON" },
    { "bad UTF-8", NAMED("\xff"), 8, "the header is not JSON: unable to decode byte 0xff" },
    { "overlong UTF-8", NAMED("\xc0\xaf"), 8, "the header is not JSON: unable to decode byte" },
    { "surrogate in UTF-8", NAMED("\xed\xa0\x80"), 8, "the header is not JSON: unable to decode byte" },
    { "lone surrogate", NAMED("\\ud800"), 8, "the header is not JSON: invalid Unicode" },
    { "NUL in a name", NAMED("a\\u0000b"), 8, "the header is not JSON: NUL byte in object key" },
    { "NUL in metadata", "{" M "{\"a\":\"\\u0000\"}}", 0, "the header is not JSON: \\\\u0000 is not allowed" },
    { "line in a string", NAMED("a\nb"), 8, "the header is not JSON: unexpected newline" },
    { "NaN", SHAPED("NaN", "2"), 2, "the header is not JSON" },
    { "duplicate", "{" A "," A "}", 8, "the header is not JSON: duplicate object key" },
    { "duplicate, escaped", "{" A ",\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8,
      "duplicate object key" },
    { "duplicate field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
      "duplicate object key" },
    { "duplicate metadata", "{" M "{\"a\":\"1\",\"a\":\"2\"}}", 0, "duplicate object key" },
    { "two metadata", "{" M "{}," M "{}}", 0, "duplicate object key" },
    { "nested", "{\"a\":" X8("[") X8("]") "}", 0, "the header is nested deeper than 3 at byte 7" },
    { "nested more", "{\"a\":" X512("["), 0, "the header is nested deeper than 3 at byte 7" },
    { "objects", "{" X512("\"a\":{},") "\"b\":1}", 0, "the header has 513 objects in 3591 bytes" },
    { "a terminal's escape", "{\"a\":\x1b[31m}", 0, "\\u001b" },
};

static const refusal bad_metadata[] = {
    { "list", "{" M "[]}", 0, "__metadata__ is not an object" },
    { "text", "{" M "\"\"}", 0, "__metadata__ is not an object" },
    { "false", "{" M "false}", 0, "__metadata__ is not an object" },
    { "number", "{" M "{\"a\":1}}", 0, "__metadata__: 'a' is not a string" },
    { "object", "{" M "{\"a\":{}}}", 0, "__metadata__: 'a' is not a string" },
    { "null value", "{" M "{\"a\":null}}", 0, "__metadata__: 'a' is not a string" },
};

static const refusal bad_tensors[] = {
    { "empty name", NAMED(""), 8, "a tensor's name is empty" },
    { "513 bytes of name", NAMED(X512("n") "n"), 8, "a tensor's name is longer than 512 bytes" },
    { "escape in a name", NAMED("a\\u001b[31mb"), 8, "a tensor's name contains a control character: 'a\\u001b[31mb'" },
    { "DEL in a name", NAMED("\x7f"), 8, "a tensor's name contains a control character: '\\u007f'" },
    { "C1 in a name", NAMED("\xc2\x9b"), 8, "a tensor's name contains a control character: '\\u009b'" },
    { "no object", "{\"a\":[0,8]}", 8, "tensor 'a': is not an object" },
    { "null", "{\"a\":null}", 8, "tensor 'a': is not an object" },
    { "no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor 'a': dtype is missing" },
    { "dtype 1", TYPED("1", "8"), 8, "tensor 'a': dtype is missing or not a string" },
    { "small letters", TYPED("\"f32\"", "8"), 8, "tensor 'a': the dtype is not 1 to 16 capitals" },
    { "no letters", TYPED("\"\"", "8"), 8, "tensor 'a': the dtype is not 1 to 16" },
    { "many letters", TYPED("\"F3333333333333332\"", "8"), 8, "tensor 'a': the dtype is not 1 to 16" },
    { "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "tensor 'a': shape is missing" },
    { "shape 2", "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
      "tensor 'a': shape is missing or not a list" },
    { "rank 9", SHAPED("1,1,1,1,1,1,1,1,2", "2"), 2, "the header has a list of more than 8 at byte" },
    { "size below 0", SHAPED("-2", "2"), 2, "the header has a number below 0 at byte 28" },
    { "size -0", SHAPED("-0", "0"), 0, "the header has a number below 0 at byte 28" },
    { "size 2.0", SHAPED("2.0", "2"), 2, "tensor 'a': the shape has a size that is not an integer, want 0 to 2^48" },
    { "size 2e0", SHAPED("2e0", "2"), 2, "tensor 'a': the shape has a size that is not an integer" },
    { "size 02", SHAPED("02", "2"), 2, "the header is not JSON" },
    { "size +2", SHAPED("+2", "2"), 2, "the header is not JSON" },
    { "size true", SHAPED("true", "1"), 1, "tensor 'a': the shape has a size that is not an integer" },
    { "size \"2\"", SHAPED("\"2\"", "2"), 2, "tensor 'a': the shape has a size that is not an integer" },
    { "size 2^48 + 1", SHAPED("281474976710657,0", "0"), 0, "tensor 'a': the shape has a size that is not an integer" },
    { "size 2^64", SHAPED("18446744073709551616", "0"), 0, "the header is not JSON: too big integer" },
    { "sizes wrap to 4", SHAPED("4194305,4194305,211106198978564", "4"), 4,
      "tensor 'a': the shape has more than 2^48 bytes" },
    { "sizes wrap to 0", SHAPED("65536,65536,65536,65536", "0"), 0, "tensor 'a': the shape has more than 2^48 bytes" },
    { "empty, but too large", SHAPED("0,281474976710656,2", "0"), 0, "tensor 'a': the shape has more than 2^48 bytes" },
    { "bits overflow", "{\"a\":{\"dtype\":\"F64\",\"shape\":[140737488355328],\"data_offsets\":[0,8]}}", 8,
      "tensor 'a': the shape has more than 2^48 bytes" },
    { "half a byte", "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
      "or not a whole number of bytes" },
    { "too short", SHAPED("3", "2"), 2, "tensor 'a': has 2 bytes, want 3 by its shape and dtype" },
    { "too long", SHAPED("0", "2"), 2, "tensor 'a': has 2 bytes, want 0 by its shape and dtype" },
    { "no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "tensor 'a': data_offsets is missing" },
    { "one offset", PLACED("[8]"), 8, "tensor 'a': data_offsets is missing or not a list of two numbers" },
    { "three offsets", PLACED("[0,8,8]"), 8, "tensor 'a': data_offsets is missing or not a list of two numbers" },
    { "offset null", PLACED("[0,null]"), 8, "tensor 'a': data_offsets are not integers" },
    { "offset 8.0", PLACED("[0,8.0]"), 8, "tensor 'a': data_offsets are not integers" },
    { "offset 2^60", PLACED("[0,1152921504606846976]"), 8, "tensor 'a': data_offsets are not integers" },
    { "backwards", PLACED("[8,0]"), 8, "tensor 'a': ends before it begins" },
    { "unknown field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
      "tensor 'a': has an unknown field" },
};

static const refusal bad_places[] = {
    { "overlap", TWO("[0,4]", "[2,6]"), 6, "tensor 'b': begins at byte 2 of the data, want 4" },
    { "the same place", TWO("[0,4]", "[0,4]"), 4, "tensor 'b': begins at byte 0 of the data, want 4" },
    { "hole", TWO("[0,4]", "[5,9]"), 9, "tensor 'b': begins at byte 5 of the data, want 4" },
    { "hole at the beginning", TWO("[4,8]", "[8,12]"), 12, "tensor 'a': begins at byte 4 of the data, want 0" },
    { "data missing", TWO("[0,4]", "[4,8]"), 7, "the tensors have 8 bytes, the file has 7 for them" },
    { "data follow", TWO("[0,4]", "[4,8]"), 9, "the tensors have 8 bytes, the file has 9 for them" },
    { "data without tensors", "{}", 1, "the tensors have 0 bytes, the file has 1 for them" },
    { "beyond the file", SHAPED("281474976710656", "281474976710656"), 4, "the tensors have 281474976710656 bytes" },
};

/* Variants of a file with marks, all of them wrong in some way. */
#define MARKED(format, header, tensors) "{" M "{" format header tensors "\"a\":\"\"}}"
#define FORMAT                          "\"tilegrad.format\":\"1\","
#define HEADER                          "\"tilegrad.header\":\"0123456789abcdef\","
#define TENSORS                         "\"tilegrad.tensors\":\"\","
static const refusal bad_marks[] = {
    { "format only", MARKED(FORMAT, "", ""), 0, "__metadata__ lacks tilegrad.header" },
    { "header only", MARKED("", HEADER, ""), 0, "__metadata__ lacks tilegrad.format" },
    { "tensors only", MARKED("", "", TENSORS), 0, "__metadata__ lacks tilegrad.format" },
    { "no format", MARKED("", HEADER, TENSORS), 0, "__metadata__ lacks tilegrad.format" },
    { "no header", MARKED(FORMAT, "", TENSORS), 0, "__metadata__ lacks tilegrad.header" },
    { "no tensors", MARKED(FORMAT, HEADER, ""), 0, "__metadata__ lacks tilegrad.tensors" },
    { "format 2", MARKED("\"tilegrad.format\":\"2\",", HEADER, TENSORS), 0, "tilegrad.format is '2', want '1'" },
    { "wrong", MARKED(FORMAT, HEADER, TENSORS), 0, "the header is damaged: its checksum is " },
    { "short", MARKED(FORMAT, "\"tilegrad.header\":\"0123\",", TENSORS), 0, "tilegrad.header is not 16 lower-case" },
    { "capitals", MARKED(FORMAT, "\"tilegrad.header\":\"0123456789ABCDEF\",", TENSORS), 0,
      "tilegrad.header is not 16 lower-case" },
    { "no digits", MARKED(FORMAT, "\"tilegrad.header\":\"0123456789abcdeg\",", TENSORS), 0,
      "tilegrad.header is not 16 lower-case" },
    { "escaped key", MARKED(FORMAT, "\"tilegrad\\u002eheader\":\"0123456789abcdef\",", TENSORS), 0,
      "tilegrad.header is not 16 lower-case" },
    { "escaped digits", MARKED(FORMAT, "\"tilegrad.header\":\"0123456789abcde\\u0066\",", TENSORS), 0,
      "tilegrad.header is not 16 lower-case" },
    { "in a string",
      MARKED(FORMAT, "\"tilegrad\\u002eheader\":\"0123456789abcdef\",\"x\\\"tilegrad.header\":\"0123456789abcdef\",",
             TENSORS),
      0, "tilegrad.header is not 16 lower-case" },
};

static void refuse(tg_scope *s, const char *row, const char *contains)
{
    assert_null(tg_tensor_file_open(s, data_path("x")));
    data_refused(s, row, data_path("x"), contains);
    tg_reset(s);
}

static void refuse_all(const refusal *rows, size_t n)
{
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < n; i++) {
        put_safetensors("x", rows[i].header, strlen(rows[i].header), rows[i].data);
        refuse(s, rows[i].row, rows[i].contains);
    }
    tg_close(s);
}
#define REFUSES(rows) \
    static void refuses_##rows(void **state) { (void)state, refuse_all(rows, sizeof rows / sizeof *rows); }
REFUSES(bad_json)
REFUSES(bad_metadata)
REFUSES(bad_tensors)
REFUSES(bad_places)
REFUSES(bad_marks)

static void refuses_bad_lengths(void **state)
{
    const struct {
        const char *row;
        uint8_t bytes[12];
        size_t n;
        const char *contains;
    } rows[] = {
        { "empty file", { 0 }, 0, "neither safetensors nor" },
        { "7 bytes", { 2 }, 7, "neither safetensors nor" },
        { "header missing", { 2 }, 8, "declares a header of 2 bytes, but only 0 follow" },
        { "one byte missing", { 3, [8] = '{', '}' }, 10, "declares a header of 3 bytes, but only 2 follow" },
        { "16 MiB and 1",
          { 1, 0, 0, 1, [8] = '{', '}' },
          10,
          "declares a header of 16777217 bytes, want at most 16777216" },
        { "1 TiB", { 0, 0, 0, 0, 255, [8] = '{', '}' }, 10, "declares a header of 1095216660480 bytes, want at most" },
        { "all ones", { 255, 255, 255, 255, 255, 255, 255, 255, '{', '}' }, 10, "neither safetensors nor" },
        { "NUL behind the JSON", { 3, [8] = '{', '}' }, 11, "the header has a NUL at byte 2" },
    };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        data_put("x", rows[i].bytes, rows[i].n);
        refuse(s, rows[i].row, rows[i].contains);
    }
    tg_close(s);
}

/* jansson misses it after a number. */
static void refuses_nul_anywhere(void **state)
{
    static const char header[] = "{" A "," M "{\"b\":\"c\"}}";
    char text[sizeof header], contains[64];
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t at = 0; at < sizeof header; at++) {
        memcpy(text, header, at);
        text[at] = 0;
        memcpy(text + at + 1, header + at, sizeof header - 1 - at);
        put_safetensors("x", text, sizeof header, 8);
        snprintf(contains, sizeof contains, "the header has a NUL at byte %zu", at);
        refuse(s, "NUL", contains);
    }
    tg_close(s);
}

static void refuses_what_is_no_file(void **state)
{
    tg_scope *const s = tg_open();
    (void)state;
    assert_int_equal(mkfifo(data_path("fifo"), 0600), 0);
    const struct {
        const char *path, *contains;
    } rows[] = {
        { data_path("absent"), "cannot be opened: No such file or directory" },
        { data_folder, "not a regular file" },
        { data_path("fifo"), "not a regular file" },
        { "/dev/zero", "not a regular file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(tg_tensor_file_open(s, rows[i].path));
        data_refused(s, rows[i].path, rows[i].path, rows[i].contains);
    }
    assert_null(tg_tensor_file_open(s, NULL));
    data_refused(s, "NULL", "tg_tensor_file_open: path is NULL", "");
    tg_close(s);
}

/* Headers of 16 MiB that need as much memory as possible: refused after few requests, or read. */
static void survives_large_headers(void **state)
{
    static const struct {
        const char *row, *piece;
    } rows[] = {
        { "one list", "0," },  { "lists", "[]," }, { "objects", "{}," },
        { "quotes", "\"\"," }, { "open", "[" },    { "spaces", " " },
    };
    tg_scope *const s = tg_open();
    char *const header = malloc(TG_MOST_HEADER);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t n = strlen(rows[i].piece);
        memcpy(header, "{\"a\":[", 6);
        for (size_t at = 6; at + n <= TG_MOST_HEADER; at += n) memcpy(header + at, rows[i].piece, n);
        put_safetensors("x", header, TG_MOST_HEADER, 0);
        const uint64_t before = tg_system_requests();
        refuse(s, rows[i].row, "the header ");
        assert_true(tg_system_requests() - before < 10);
    }
    free(header);
    tg_close(s);
}

/* ---- damage ---- */

/* A sample in memory, of which a part gets damaged; stays open until the process ends. */
static char in_memory[64];
static int memory_file(whole_file *whole)
{
    tg_scope *const s = tg_open();
    const int fd = memfd_create("test_safetensors", MFD_CLOEXEC);
    assert_true(write_sample(s, data_path("x")));
    *whole = read_whole(data_path("x"));
    snprintf(in_memory, sizeof in_memory, "/proc/self/fd/%d", fd);
    assert_int_equal(pwrite(fd, whole->at, whole->n, 0), whole->n);
    assert_true(verify_file(s, in_memory));
    assert_in_range(whole->n, 3500, 5000);
    tg_close(s);
    return fd;
}

static void must_notice(tg_scope *s, const char *what, size_t at)
{
    if (verify_file(s, in_memory)) fail_msg("%s %zu: not noticed", what, at);
    data_refused(s, what, in_memory, "");
    tg_reset(s);
}

static void notices_every_flipped_bit(void **state)
{
    whole_file whole;
    const int fd = memory_file(&whole);
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        const uint8_t flipped = (uint8_t)(whole.at[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)bit / 8), 1);
        must_notice(s, "bit", bit);
        assert_int_equal(pwrite(fd, &whole.at[bit / 8], 1, (off_t)bit / 8), 1);
    }
    assert_true(verify_file(s, in_memory));
    free(whole.at);
    tg_close(s);
}

static void notices_every_truncation(void **state)
{
    whole_file whole;
    const int fd = memory_file(&whole);
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t n = whole.n; n-- > 0;) {
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        must_notice(s, "length", n);
    }
    free(whole.at);
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_others_write),   cmocka_unit_test(refuses_bad_json),
        cmocka_unit_test(refuses_bad_metadata),      cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(refuses_bad_places),        cmocka_unit_test(refuses_bad_marks),
        cmocka_unit_test(refuses_bad_lengths),       cmocka_unit_test(refuses_nul_anywhere),
        cmocka_unit_test(refuses_what_is_no_file),   cmocka_unit_test(survives_large_headers),
        cmocka_unit_test(notices_every_flipped_bit), cmocka_unit_test(notices_every_truncation),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
