/* test_arguments.c - calls every public function with each pointer NULL, and with each object from another tree of
 * scopes.  The calls are in public_arguments.def; comparing the list with the headers shows that none is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "data_files.h"
#include "expect.h"
#include "public_headers.h"
#include "state_items.h"

/* ---- two trees with one object of each kind ---- */

typedef struct {
    tg_scope *root, *s;
    tg_tensor *leaf, *bf16, *weight, *image, *w4, *one, *three, *logits, *square, *classes;
    tg_module *module;
    tg_optim *optim;
    tg_dataset *dataset;
    tg_loader *loader; /* these three are created on demand */
    tg_tensor_file *file;
    tg_tensor_writer *writer;
} world;

static world here, there;
static int null_at, foreign_at; /* the argument to pass as NULL, or from `there`; 0: none */
static unsigned seen, of_tree;  /* arguments of the call; those that belong to a tree */
static int scope_at;            /* the scope argument; 0: none */
static bool scoped;             /* the call has a scope, perhaps in a tg_state */

static const uint8_t pixels[8];
static const int64_t two[] = { 2, 1, 1, 1 }, image_dim[] = { 1, 4, 4, 1 };
static const int order[] = { 1, 0 };
static const char *const choices[] = { "a", "b", NULL };
static const tg_dtype dtype = TG_BF16;
static const tg_input_shape image_shape = { .rank = 4, .dim = { 1, 4, 4, 1 } };
static const tg_schedule_config schedule;
static const tg_file_meta meta = { "key", "value" };
static const tg_optimize_report optimized = { .note = "" };
static const tg_load_report load_report;
static tg_file_tensor entry;
static float numbers[2];
static double real;
static bool flag;
static int whole;
static int64_t dims[TG_MAX_RANK];
static uint64_t bits;
static uint32_t words[4];
static char report[256];
static FILE *nowhere;
static tg_tensor *results[2];
static tg_batch batch;
static tg_call call;
static tg_fault fault;
static tg_state saving;
static tg_shape_text shape_text;
static tg_name_text name_text;

typedef void (*release_fn)(void *);
typedef void (*body_fn)(void *, int64_t, int);
typedef void (*visit_fn)(void *, const char *, tg_slot *, tg_module *);
typedef bool (*belongs_fn)(const char *, const tg_tensor *, void *);
typedef tg_tensor *(*check_fn)(tg_scope *, void *, tg_tensor *const *);
typedef tg_tensor *(*layer_fn)(tg_scope *, tg_tensor *);

static void release(void *what) { (void)what; }
static void body(void *context, int64_t index, int worker) { (void)context, (void)index, (void)worker; }

static void visit(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)context, (void)name, (void)slot, (void)owner;
}

static bool belongs(const char *name, const tg_tensor *t, void *context)
{
    (void)name, (void)context;
    return t->rank == 1;
}

static tg_tensor *first_of(tg_scope *s, void *context, tg_tensor *const *in)
{
    (void)context;
    return tg_mul(s, in[0], in[0]);
}

static tg_tensor *same(tg_scope *s, tg_module *m, tg_tensor *x)
{
    (void)s, (void)m;
    return x;
}

static void same_n(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    (void)s, (void)m;
    out[0] = in[0];
}

static const char *path(void) { return data_path("new.safetensors"); }

static const char *saved(world *w)
{
    const char *const at = data_path("saved.safetensors");
    if (tg_ok(w->s)) tg_save(w->s, at, w->module, w->optim);
    return at;
}

static void open_world(world *w)
{
    tg_scope *s;
    *w = (world){ .root = tg_open() };
    w->s = s = tg_train(w->root);
    w->leaf = tg_from(s, TG_F32, 1, two, (float[]){ 1, 2 });
    w->bf16 = tg_zeros(s, TG_BF16, 1, two);
    w->weight = tg_require_grad(s, tg_full(s, 1, 1, TG_DIM(1)));
    w->image = tg_zeros(s, TG_F32, 4, image_dim);
    w->w4 = tg_zeros(s, TG_F32, 4, TG_DIM(1, 1, 1, 1));
    w->one = tg_full(s, 1, 1, TG_DIM(1));
    w->three = tg_full(s, 1, 1, TG_DIM(3));
    w->logits = tg_zeros(s, TG_F32, 2, TG_DIM(1, 3));
    w->square = tg_zeros(s, TG_F32, 2, TG_DIM(3, 3));
    w->classes = tg_zeros(s, TG_I64, 1, TG_DIM(1));
    w->module = tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 1, .out = 1, .kernel = 1 });
    w->optim = tg_sgd(s, w->module, (tg_sgd_config){ .lr = 1 });
    w->dataset = tg_dataset_from(s, 2, 2, 2, 1, 2, pixels, pixels);
    expect_ok(s);
}

static tg_loader *loader_of(world *w)
{
    if (!w->loader) w->loader = tg_loader_new(w->s, w->dataset, (tg_loader_config){ .batch = 1 });
    return w->loader;
}

static tg_tensor_file *file_of(world *w)
{
    if (!w->file) w->file = tg_tensor_file_open(w->s, saved(w));
    return w->file;
}

static tg_tensor_writer *writer_of(world *w)
{
    entry = (tg_file_tensor){ .name = "t", .dtype = "F32", .rank = 1, .dim = { 2 } };
    if (!w->writer) w->writer = tg_tensor_file_create(w->s, data_path(w == &here ? "a" : "b"), &entry, 1, NULL, 0);
    return w->writer;
}

static void reset_others(void)
{
    entry = (tg_file_tensor){ .name = "t", .dtype = "F32", .rank = 1, .dim = { 2 } };
    call = (tg_call){ .op = &tg_add_op, .in = { here.leaf, here.leaf } };
    fault = (tg_fault){ .task = INT64_MAX };
    saving = (tg_state){ .s = here.s, .prefix = "", .what = "save" };
    results[0] = results[1] = NULL;
    whole = 0;
    seen = of_tree = 0;
    scope_at = 0;
    scoped = false;
}

/* ---- the arguments of a call ---- */

static bool is_null(int k) { return seen |= 1u << k, k == null_at; }
static world *home(int k) { return of_tree |= 1u << k, k == foreign_at ? &there : &here; }
static tg_scope *scope_of(int k) { return scope_at = k, scoped = true, is_null(k) ? NULL : here.s; }
static tg_state *state_of(void) { return scoped = true, scope_at = 1, &saving; }

static const tg_stateful *things(tg_module *m, tg_loader *l)
{
    static tg_stateful list[2];
    list[0] = tg_module_state(m);
    list[1] = tg_loader_state(l);
    return list;
}

static tg_tensor **list_of(tg_tensor *a, tg_tensor *b)
{
    static tg_tensor *list[2];
    list[0] = a, list[1] = b;
    return list;
}

#define S(k)              scope_of(k)
#define T(k, name)        (is_null(k) ? NULL : home(k)->name)
#define L(k, name)        (is_null(k) ? NULL : list_of(here.name, home(k)->name))
#define M(k)              (is_null(k) ? NULL : home(k)->module)
#define O(k)              (is_null(k) ? NULL : home(k)->optim)
#define A(k)              (is_null(k) ? NULL : home(k)->dataset)
#define B(k)              (is_null(k) ? NULL : loader_of(home(k)))
#define F(k)              (is_null(k) ? NULL : file_of(home(k)))
#define W(k)              (is_null(k) ? NULL : writer_of(home(k)))
#define P(k, type, value) ((type)(is_null(k) ? NULL : (value)))

#define ARGUMENTS(function, call, except) \
    static void call_##function(void) { (void)(call); }
#include "public_arguments.def"
#undef ARGUMENTS

typedef struct {
    const char *name, *except;
    void (*call)(void);
} row;
static const row rows[] = {
#define ARGUMENTS(function, call, except) { #function, except, call_##function },
#include "public_arguments.def"
#undef ARGUMENTS
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- the tests ---- */

static void call_with(const row *r, int null, int foreign)
{
    null_at = null;
    foreign_at = foreign;
    open_world(&here);
    open_world(&there);
    reset_others();
    r->call();
}

static void close_worlds(void)
{
    tg_state_free(&saving);
    tg_close(here.root);
    tg_close(there.root);
}

static bool excepted(const row *r, bool foreign, int k)
{
    for (const char *at = r->except; *at; at++) {
        const bool other = at > r->except && at[-1] == '~';
        if (*at == '0' + k && other == foreign) return true;
    }
    return false;
}

static void expect_words(const row *r, int k, const char *what, const char *want)
{
    if (tg_ok(here.s)) fail_msg("%s, argument %d %s: not refused", r->name, k, what);
    if (!strstr(tg_message(here.s), want)) fail_msg("%s, argument %d %s: \"%s\"", r->name, k, what, tg_message(here.s));
}

static void each_null(void **state)
{
    const row *r = *state;
    call_with(r, 0, 0);
    const unsigned arguments = seen;
    close_worlds();
    for (int k = 1; k < 10; k++) {
        if (!(arguments & (1u << k))) continue;
        call_with(r, k, 0);
        const bool says = scoped && k != scope_at;
        if (says && !excepted(r, false, k)) expect_words(r, k, "NULL", "NULL");
        if (says && excepted(r, false, k) && strstr(tg_message(here.s), "NULL"))
            fail_msg("%s, argument %d may be NULL: \"%s\"", r->name, k, tg_message(here.s));
        close_worlds();
    }
}

static void each_foreign(void **state)
{
    const row *r = *state;
    call_with(r, 0, 0);
    const unsigned arguments = of_tree;
    const bool says = scoped;
    close_worlds();
    for (int k = 1; says && k < 10; k++) {
        if (!(arguments & (1u << k)) || excepted(r, true, k)) continue;
        call_with(r, 0, k);
        expect_words(r, k, "of another tree", "another tree");
        expect_ok(there.s);
        close_worlds();
    }
}

/* Counts the pointer parameters: * or [ outside parentheses, a function type, or a pointer to a function. */
static int count_pointers(const char *parameters)
{
    int count = 0, depth = 0;
    bool pointer = false;
    for (const char *at = parameters;; at++) {
        depth += (*at == '(') - (*at == ')');
        pointer = pointer || *at == '*' || *at == '[' || !strncmp(at, "_fn ", 4);
        if (*at && (*at != ',' || depth)) continue;
        count += pointer;
        pointer = false;
        if (!*at) return count;
    }
}

static void has_row(const char *name, const char *parameters, void *context)
{
    const int pointers = count_pointers(parameters);
    (void)context;
    for (int i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        call_with(&rows[i], 0, 0);
        const int arguments = __builtin_popcount(seen);
        close_worlds();
        if (arguments < pointers)
            fail_msg("%s takes %d pointers, its row in public_arguments.def has %d", name, pointers, arguments);
        return;
    }
    if (pointers) fail_msg("%s takes %d pointers and has no row in public_arguments.def", name, pointers);
}

static void every_function_has_a_row(void **state)
{
    (void)state;
    each_public_function(has_row, NULL);
}

static int begin(void **state)
{
    nowhere = fopen("/dev/null", "w");
    return data_folder_begin(state);
}

static int end(void **state)
{
    fclose(nowhere);
    return data_folder_end(state);
}

int main(void)
{
    static struct CMUnitTest tests[2 * ROWS + 1];
    static char names[2 * ROWS][80];
    for (int i = 0; i < ROWS; i++) {
        union {
            const row *r;
            void *state;
        } cast = { .r = rows + i };
        snprintf(names[2 * i], sizeof names[0], "%s, null", rows[i].name);
        snprintf(names[2 * i + 1], sizeof names[0], "%s, of another tree", rows[i].name);
        tests[2 * i] = (struct CMUnitTest){ .name = names[2 * i], .test_func = each_null, .initial_state = cast.state };
        tests[2 * i + 1] =
            (struct CMUnitTest){ .name = names[2 * i + 1], .test_func = each_foreign, .initial_state = cast.state };
    }
    tests[2 * ROWS] = (struct CMUnitTest)cmocka_unit_test(every_function_has_a_row);
    return _cmocka_run_group_tests("arguments", tests, 2 * ROWS + 1, begin, end) != 0;
}
