/* test_state.c - saves and loads user-defined objects: every kind of tensor and number, layouts, refusals. */
#include <float.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "data_files.h"
#include "expect.h"
#include "state_items.h"
#include <tilegrad/tilegrad.h>

/* ---- an object with one item of each kind ---- */

typedef struct {
    tg_tensor *f32, *split, *bf16, *i64, *i32, *u8, *i8, *scalar, *maybe;
    tg_scope *scope;
    int64_t whole;
    uint64_t bits;
    float single;
    double real;
    bool flag;
    int choice;
    int loads;
    bool refuse;
} thing;

static const char *const colours[] = { "red", "green", "blue", NULL };

static void visit(tg_state *to, void *what)
{
    thing *const t = what;
    tg_state_tensor(to, "f32", t->f32, 1);
    tg_state_tensor(to, "split", t->split, 1);
    tg_state_tensor(to, "bf16", t->bf16, -1);
    tg_state_tensor(to, "i64", t->i64, 0);
    tg_state_tensor(to, "i32", t->i32, -1);
    tg_state_tensor(to, "u8", t->u8, 0);
    tg_state_tensor(to, "i8", t->i8, -1);
    tg_state_tensor(to, "scalar", t->scalar, -1);
    tg_state_made(to, "maybe", &t->maybe, t->scope, t->f32, 1);
    tg_state_int(to, "whole", &t->whole, INT64_MIN, INT64_MAX);
    tg_state_u64(to, "bits", &t->bits);
    tg_state_float(to, "single", &t->single, -FLT_MAX, FLT_MAX);
    tg_state_double(to, "real", &t->real, 0, 1);
    tg_state_flag(to, "flag", &t->flag);
    tg_state_choice(to, "colour", &t->choice, colours);
    tg_state_same(to, "kind", "thing");
    tg_state_note(to, "note", "a \"note\"\n\xc3\xa9");
}

static void check(tg_scope *s, void *what)
{
    const thing *const t = what;
    if (t->refuse && t->whole == INT64_MIN) tg_fail(s, "thing: whole and flag do not go together");
}

static void loaded(void *what) { ((thing *)what)->loads++; }

static tg_stateful state_of(thing *t)
{
    return (tg_stateful){ .prefix = "mine/", .what = t, .visit = visit, .check = check, .loaded = loaded };
}

static tg_tensor *counting(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, int first)
{
    tg_tensor *t = tg_zeros(s, dtype, rank, dim);
    tg_edit(s, t);
    for (int64_t i = 0, n = tg_count(t); i < n; i++) tg_set(t, i, (double)((i * 7 + first) % 100));
    return t;
}

/* Two of these differ in everything. */
static thing make(tg_scope *s, int first)
{
    tg_seed(s, (uint64_t)first);
    thing t = {
        .f32 = counting(s, TG_F32, 4, TG_DIM(3, 2, 2, 5), first),
        .split = tg_randn(s, first, 1, 4, TG_DIM(4, 3, 1, 7)),
        .bf16 = counting(s, TG_BF16, 2, TG_DIM(3, 5), first),
        .i64 = counting(s, TG_I64, 2, TG_DIM(3, 4), first),
        .i32 = counting(s, TG_I32, 1, TG_DIM(3), first),
        .u8 = counting(s, TG_U8, 3, TG_DIM(2, 3, 5), first),
        .i8 = counting(s, TG_I8, 1, TG_DIM(7), first),
        .scalar = counting(s, TG_I64, 0, NULL, first),
        .scope = s,
        .whole = first ? INT64_MIN : 12,
        .bits = first ? UINT64_MAX : 3,
        .single = first ? FLT_MIN / 3 : 1,
        .real = first ? 1.0 / 3 : 0.5,
        .flag = first != 0,
        .choice = first ? 2 : 0,
    };
    tg_split_masters(s, &t.split, 1);
    if (first) t.maybe = counting(s, TG_F32, 4, TG_DIM(3, 2, 2, 5), 50);
    expect_ok(s);
    return t;
}

static bool same_tensor(tg_scope *s, tg_tensor *a, tg_tensor *b)
{
    if (!a || !b) return a == b;
    const tg_tensor *x = tg_copy(s, a), *y = tg_copy(s, b); /* the masters of split weights */
    return x->dtype == y->dtype && tg_count(x) == tg_count(y) &&
           !memcmp(tg_ptr(x), tg_ptr(y), (size_t)tg_count(x) * tg_dtype_size(x->dtype));
}

static bool same(tg_scope *s, const thing *a, const thing *b)
{
    return same_tensor(s, a->f32, b->f32) && same_tensor(s, a->split, b->split) && same_tensor(s, a->bf16, b->bf16) &&
           same_tensor(s, a->i64, b->i64) && same_tensor(s, a->i32, b->i32) && same_tensor(s, a->u8, b->u8) &&
           same_tensor(s, a->i8, b->i8) && same_tensor(s, a->scalar, b->scalar) && same_tensor(s, a->maybe, b->maybe) &&
           a->whole == b->whole && a->bits == b->bits && !memcmp(&a->single, &b->single, sizeof a->single) &&
           !memcmp(&a->real, &b->real, sizeof a->real) && a->flag == b->flag && a->choice == b->choice;
}

static void save(tg_scope *s, const char *path, thing *t)
{
    const tg_stateful one = state_of(t);
    tg_save_all(s, path, &one, 1);
}

static void load(tg_scope *s, const char *path, thing *t)
{
    const tg_stateful one = state_of(t);
    tg_load_all(s, path, &one, 1);
}

static void everything_comes_back(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    const char *path = data_path("thing.safetensors");
    thing from = make(s, 1), to = make(s, 0), empty = make(s, 0);
    setlocale(LC_ALL, "de_DE.UTF-8"); /* a comma in numbers, where it is installed */
    save(s, path, &from);
    load(s, path, &to);
    expect_ok(s);
    assert_true(same(s, &from, &to) && to.loads == 1);
    save(s, path, &empty); /* without `maybe`, which loading removes */
    load(s, path, &to);
    expect_ok(s);
    assert_true(same(s, &empty, &to) && !to.maybe);
    setlocale(LC_ALL, "C");
    tg_close(s);
}

/* ---- the layout on disk ---- */

static void files_have_pytorchs_order(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    const char *path = data_path("order.safetensors");
    thing t = make(s, 1);
    float got[60];
    const float *have = tg_data(t.f32);
    save(s, path, &t);
    tg_tensor_file *f = tg_tensor_file_open(s, path);
    expect_ok(s);
    const int i = tg_tensor_file_find(f, "mine/f32");
    assert_true(i >= 0 && f->tensor[i].rank == 4 && !strcmp(f->tensor[i].dtype, "F32"));
    assert_memory_equal(f->tensor[i].dim, TG_DIM(3, 5, 2, 2), 4 * sizeof(int64_t));
    assert_true(tg_tensor_file_numbers(s, f, i, 0, 60, TG_F32, got));
    for (int n = 0; n < 3; n++)
        for (int c = 0; c < 5; c++)
            for (int p = 0; p < 4; p++) assert_true(got[(n * 5 + c) * 4 + p] == have[(n * 4 + p) * 5 + c]);
    assert_string_equal(f->tensor[tg_tensor_file_find(f, "mine/split")].dtype, "F32");
    assert_string_equal(tg_tensor_file_meta(f, "mine/note"), "a \"note\"\n\xc3\xa9");
    assert_string_equal(tg_tensor_file_meta(f, "mine/whole"), "-9223372036854775808");
    assert_string_equal(tg_tensor_file_meta(f, "format"), "pt");
    assert_int_equal(f->tensor[tg_tensor_file_find(f, "mine/scalar")].rank, 0);
    tg_close(s);
}

/* The index in memory of a file's element i, for a tensor [outer, middle, last] whose last axis is at position 1. */
static int64_t in_memory(int64_t i, int64_t middle, int64_t last)
{
    const int64_t outer = i / (middle * last), k = i / middle % last, m = i % middle;
    return (outer * middle + m) * last + k;
}

/* Gathers and scatters all of t in pieces of n elements. */
static void expect_pieces(tg_scope *s, const tg_tensor *t, int64_t n)
{
    enum { MOST = 3000 };
    const int64_t count = tg_count(t), last = t->dim[t->rank - 1], middle = count / t->dim[0] / last;
    const size_t size = tg_dtype_size(tg_state_dtype(t)), bytes = t->storage->bytes;
    const char *memory = tg_ptr(tg_copy(s, (tg_tensor *)t)); /* joined, if it is split */
    char file[8 * MOST], image[8 * MOST];
    assert_true(count <= MOST && bytes <= sizeof image);
    memset(image, 0xee, bytes);
    for (int64_t first = 0; first < count; first += n) {
        const int64_t some = count - first < n ? count - first : n;
        tg_state_gather(t, 1, first, some, file);
        for (int64_t i = 0; i < some; i++) {
            const char *const want = memory + size * (size_t)in_memory(first + i, middle, last);
            assert_memory_equal(file + size * (size_t)i, want, size);
        }
        tg_state_scatter(t, 1, first, some, file, image);
    }
    assert_memory_equal(image, t->storage->data, bytes);
}

/* Files are written in pieces with arbitrary boundaries. */
static void any_piece_has_pytorchs_order(void **state)
{
    static const int64_t shapes[][3] = {
        { 2, 9, 150 }, { 3, 49, 3 }, { 70, 4, 1 }, { 5, 1, 64 }, { 1, 2, 257 }, { 1, 7, 7 },
    };
    static const int64_t pieces[] = { 1, 2, 5, 9, 10, 64, 577, 1350, 3000 };
    static const tg_dtype dtypes[] = { TG_F32, TG_BF16, TG_I64, TG_I8, TG_F32 };
    tg_scope *s = tg_open();
    (void)state;
    for (int d = 0; d < 5; d++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            tg_tensor *t = counting(s, dtypes[d], 3, shapes[i], (int)i);
            if (d == 4) {
                t = tg_randn(s, 0, 1, 3, shapes[i]);
                tg_split_masters(s, &t, 1);
            }
            tg_settle_edit(t->storage);
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) expect_pieces(s, t, pieces[p]);
        }
    expect_ok(s);
    tg_close(s);
}

/* ---- files by other programs: any float dtype ---- */

static void visit_one(tg_state *to, void *what) { tg_state_tensor(to, "x", what, -1); }

static void write_one(tg_scope *s, const char *path, const char *dtype, const void *bytes, size_t n)
{
    tg_file_tensor t = { .name = "mine/x", .dtype = dtype, .rank = 2, .dim = { 1, 3 } };
    tg_tensor_writer *w = tg_tensor_file_create(s, path, &t, 1, NULL, 0);
    assert_true(tg_tensor_file_write(s, w, bytes, n) && tg_tensor_file_commit(s, w));
}

/* 1.5, -2 and 0.25 in four types, into an f32, a bf16 and a split leaf. */
static void other_float_types_load(void **state)
{
    static const uint16_t f16[] = { 0x3e00, 0xc000, 0x3400 }, bf16[] = { 0x3fc0, 0xc000, 0x3e80 };
    static const float f32[] = { 1.5f, -2, 0.25f };
    static const double f64[] = { 1.5, -2, 0.25 };
    static const struct {
        const char *dtype;
        const void *bytes;
        size_t n;
    } row[] = {
        { "F16", f16, sizeof f16 },
        { "BF16", bf16, sizeof bf16 },
        { "F32", f32, sizeof f32 },
        { "F64", f64, sizeof f64 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        tg_scope *s = tg_open();
        tg_tensor *to[] = { tg_zeros(s, TG_F32, 2, TG_DIM(1, 3)), tg_zeros(s, TG_BF16, 2, TG_DIM(1, 3)),
                            tg_zeros(s, TG_F32, 2, TG_DIM(1, 3)) };
        tg_split_masters(s, &to[2], 1);
        write_one(s, data_path("one.safetensors"), row[i].dtype, row[i].bytes, row[i].n);
        for (int k = 0; k < 3; k++) {
            tg_load_all(s, data_path("one.safetensors"), &(tg_stateful){ "mine/", to[k], visit_one, NULL, NULL }, 1);
            expect_ok(s);
            for (int e = 0; e < 3; e++) assert_true(tg_get(tg_copy(s, to[k]), e) == f64[e]);
        }
        tg_tensor *whole = tg_zeros(s, TG_I64, 2, TG_DIM(1, 3));
        tg_load_all(s, data_path("one.safetensors"), &(tg_stateful){ "mine/", whole, visit_one, NULL, NULL }, 1);
        assert_non_null(strstr(tg_message(s), "mine/x: "));
        tg_close(s);
    }
}

/* ---- refusals ---- */

static void write_with(tg_scope *s, const char *path, thing *t, const char *key, const char *value)
{
    save(s, path, t);
    tg_tensor_file *f = tg_tensor_file_open(s, path);
    expect_ok(s);
    for (int i = 0; i < f->n_meta; i++)
        if (!strcmp(f->meta[i].key, key)) f->meta[i].value = value;
    tg_tensor_writer *w = tg_tensor_file_create(s, path, f->tensor, f->n, f->meta, f->n_meta);
    for (int i = 0; i < f->n; i++) {
        char bytes[4096];
        assert_true(f->tensor[i].bytes <= sizeof bytes);
        assert_true(tg_tensor_file_read(s, f, i, 0, f->tensor[i].bytes, bytes));
        assert_true(tg_tensor_file_write(s, w, bytes, f->tensor[i].bytes));
    }
    assert_true(tg_tensor_file_commit(s, w));
    tg_tensor_file_close(f);
}

static const struct {
    const char *key, *value, *message;
} bad[] = {
    { "mine/whole", "12.5", "mine/whole: \"12.5\" in the file, want a whole number from -9223372036854775808" },
    { "mine/whole", "", "want a whole number" },
    { "mine/whole", "007", "want a whole number" },
    { "mine/whole", "9223372036854775808", "want a whole number" },
    { "mine/bits", "-1", "mine/bits: \"-1\" in the file, want a whole number from 0 to 18446744073709551615" },
    { "mine/single", "nan", "want a number from" },
    { "mine/single", "1x", "want a number from" },
    { "mine/real", "1.5", "mine/real: \"1.5\" in the file, want a number from 0 to 1" },
    { "mine/flag", "1", "mine/flag: \"1\" in the file, want true or false" },
    { "mine/colour", "black", "mine/colour: \"black\" in the file, want red or green or blue" },
    { "mine/kind", "other", "mine/kind: \"other\" in the file, \"thing\" here" },
    { "mine/whole", "\x1b[2J", "mine/whole: \"\\u001b[2J\" in the file" },
};

static void refuses_numbers_that_cannot_be(void **state)
{
    (void)state;
    const char *const path = data_path("bad.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tg_scope *s = tg_open();
        thing from = make(s, 1), to = make(s, 0), before = make(s, 0);
        write_with(s, path, &from, bad[i].key, bad[i].value);
        expect_ok(s);
        load(s, path, &to);
        if (!strstr(tg_message(s), bad[i].message)) fail_msg("row %zu: got \"%s\"", i, tg_message(s));
        tg_clear(s);
        assert_true(same(s, &before, &to) && !to.loads);
        tg_close(s);
    }
}

static void a_things_own_check_undoes_all(void **state)
{
    (void)state;
    const char *const path = data_path("check.safetensors");
    tg_scope *s = tg_open();
    thing from = make(s, 1), to = make(s, 0), before = make(s, 0);
    to.refuse = true;
    save(s, path, &from);
    load(s, path, &to);
    expect_message(s, "thing: whole and flag do not go together");
    tg_clear(s);
    assert_true(same(s, &before, &to) && !to.loads);
    tg_close(s);
}

/* ---- misuse ---- */

static tg_tensor *wrong;
static void visit_wrong(tg_state *to, void *what)
{
    tg_state_tensor(to, what, wrong, -1);
    tg_state_tensor(to, "other", wrong, 7);
}

static void visit_twice(tg_state *to, void *what)
{
    tg_state_tensor(to, "one", what, -1);
    tg_state_tensor(to, "one", what, -1);
}

static void expect_save_refused(tg_scope *s, tg_stateful one, const char *message)
{
    const char *const path = data_path("misuse.safetensors");
    tg_save_all(s, path, &one, 1);
    if (!strstr(tg_message(s), message)) fail_msg("got \"%s\", want \"%s\"", tg_message(s), message);
    tg_clear(s);
    FILE *const there = fopen(path, "rb");
    assert_null(there);
}

static void refuses_what_is_no_state(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    tg_tensor *leaf = tg_full(s, 1, 1, TG_DIM(2));
    wrong = tg_relu(s, leaf);
    expect_save_refused(s, (tg_stateful){ "mine/", "result", visit_wrong, NULL, NULL },
                        "save: mine/result: it is the result of a call, want a leaf");
    wrong = NULL;
    expect_save_refused(s, (tg_stateful){ "mine/", "null", visit_wrong, NULL, NULL },
                        "save: mine/null: the tensor is NULL");
    wrong = leaf;
    expect_save_refused(s, (tg_stateful){ "mine/", "", visit_wrong, NULL, NULL }, "save: mine/: a name is empty");
    expect_save_refused(s, (tg_stateful){ "mine/", "one", visit_wrong, NULL, NULL },
                        "save: mine/other: axis 7 of a tensor of rank 1");
    expect_save_refused(s, (tg_stateful){ "mine", "one", visit_wrong, NULL, NULL },
                        "save: the prefix \"mine\" does not end in /");
    expect_save_refused(s, (tg_stateful){ "mine/", leaf, visit_twice, NULL, NULL }, "mine/one");
    expect_save_refused(s, (tg_stateful){ "mine/", leaf, NULL, NULL, NULL }, "save: \"mine/\" has no visit");
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),          cmocka_unit_test(files_have_pytorchs_order),
        cmocka_unit_test(any_piece_has_pytorchs_order),   cmocka_unit_test(other_float_types_load),
        cmocka_unit_test(refuses_numbers_that_cannot_be), cmocka_unit_test(a_things_own_check_undoes_all),
        cmocka_unit_test(refuses_what_is_no_state),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
