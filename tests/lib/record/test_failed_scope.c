/* test_failed_scope.c - in a failed scope every public function does nothing.  public_functions.def lists the
 * functions; it is compared with the headers, so that it stays complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "core.h"
#include "data_files.h"
#include "expect.h"
#include "public_headers.h"
#include "state_items.h"
#include <math.h>

#define FIRST "the first failure"

/* ---- a tree with one object of each kind, which then fails ---- */

static tg_scope *s, *child;
static tg_tensor *leaf, *image, *w4, *classes, *filter, *x, *made;
static tg_module *net, *m;
static tg_optim *optim;
static tg_dataset *dataset;
static tg_loader *loader;
static tg_tensor_file *file;
static tg_tensor_writer *writer;
static tg_file_tensor entry = { .name = "t", .dtype = "F32", .rank = 1, .dim = { 2 } };
static tg_batch batch;
static tg_state saving;
static tg_stateful one_state;
static uint64_t some_bits;
static const char nowhere[] = "no_folder_of_this_name/file.safetensors";
static tg_call call;
static tg_fault fault;
static tg_shape_text text;
static float numbers[2] = { 1, 2 };
static int releases, params;
static int64_t dims[TG_MAX_RANK];
static uint32_t bits[4];
static char report[256];
static const int axes[] = { 0, 1 };

static void count_release(void *what) { (void)what, releases++; }
static void count_index(void *context, int64_t index, int worker) { *(int *)context += (int)index + worker; }

static void count_param(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)name, (void)slot, (void)owner;
    ++*(int *)context;
}

static tg_tensor *never_called(tg_scope *scope, void *context, tg_tensor *const *in)
{
    (void)scope, (void)context;
    fail_msg("gradcheck called its function");
    return in[0];
}

static void two_by_two(tg_scope *scope, tg_module *module, tg_tensor *const *in, tg_tensor **out)
{
    (void)scope, (void)module;
    out[0] = in[1], out[1] = in[0];
}

static bool never_belongs(const char *name, const tg_tensor *t, void *context)
{
    (void)name, (void)t, (void)context;
    return true;
}

static bool prints_nothing(tg_scope *scope, tg_module *module)
{
    FILE *to = tmpfile();
    if (!to) return false;
    tg_summary(scope, module, to, 4, TG_DIM(1, 4, 4, 1));
    bool nothing = ftell(to) == 0;
    fclose(to);
    return nothing;
}

static bool empty(const tg_tensor *t) { return t && tg_count(t) == 0; }

static void open_files(void)
{
    const char *const path = data_path("a.safetensors");
    writer = tg_tensor_file_create(s, path, &entry, 1, NULL, 0);
    tg_tensor_file_write(s, writer, numbers, sizeof numbers);
    tg_tensor_file_commit(s, writer);
    file = tg_tensor_file_open(s, path);
    writer = tg_tensor_file_create(s, data_path("b.safetensors"), &entry, 1, NULL, 0);
}

static void open_world(tg_scope *root)
{
    static const uint8_t pixels[8] = { 0 };
    s = tg_train(root);
    leaf = tg_from(s, TG_F32, 1, TG_DIM(2), numbers);
    image = tg_zeros(s, TG_F32, 4, TG_DIM(1, 4, 4, 1));
    w4 = tg_zeros(s, TG_F32, 4, TG_DIM(1, 1, 1, 1));
    classes = tg_zeros(s, TG_I64, 1, TG_DIM(1));
    net = tg_sequential(
        s, (tg_module *const[]){ tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 1, .out = 1, .kernel = 1 }),
                                 tg_layer_relu(s), NULL });
    optim = tg_sgd(s, net, (tg_sgd_config){ .lr = 0.5f });
    dataset = tg_dataset_from(s, 2, 2, 2, 1, 2, pixels, pixels);
    loader = tg_loader_new(s, dataset, (tg_loader_config){ .batch = 1 });
    filter = tg_find_param(net, "0.weight");
    open_files();
    child = tg_push(s);
    call = (tg_call){ .op = &tg_add_op, .in = { leaf, leaf } };
    fault = (tg_fault){ .task = INT64_MAX };
    saving = (tg_state){ .s = s, .prefix = "", .what = "save" };
    one_state = tg_module_state(net);
    tg_backward(s, tg_sum(s, tg_forward(s, net, image), (tg_axes){ 0 }));
    assert_non_null(tg_data(tg_grad(filter))); /* any run drops the pending calls of failed scopes */
    expect_ok(root);
    tg_fail(s, FIRST);
}

/* ---- state that must not change ---- */

typedef struct {
    uint64_t calls, ran, storages, bytes, counter, seed, contents, frames;
} condition;

static condition now(void)
{
    const tg_program *p = s->program;
    condition c = {
        .calls = p->n,
        .ran = p->ran,
        .bytes = p->memory.used,
        .counter = p->random_counter,
        .seed = p->seed,
        .frames = (uint64_t)p->n_frames,
    };
    for (const tg_storage *t = s->storages; t; t = t->next) {
        c.storages++;
        c.contents = c.contents * 31 + t->version * 7 + t->ran + (uint64_t)t->savers + t->pending;
        for (size_t i = 0; t->data && i < t->bytes; i++) c.contents = c.contents * 31 + ((const uint8_t *)t->data)[i];
    }
    return c;
}

/* ---- the functions ---- */

#define CHECK(function, truth) \
    static bool check_##function(void) { return truth; }
#include "public_functions.def"
#undef CHECK

static const struct {
    const char *name;
    bool (*check)(void);
} table[] = {
#define CHECK(function, truth) { #function, check_##function },
#include "public_functions.def"
#undef CHECK
};
enum { FUNCTIONS = sizeof table / sizeof *table };

static void check_all(void)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        condition before = now();
        if (!table[i].check()) fail_msg("%s: did not do what it should in a failed scope", table[i].name);
        condition after = now();
        if (memcmp(&before, &after, sizeof before)) fail_msg("%s: something has changed", table[i].name);
        if (strcmp(tg_message(s), FIRST)) fail_msg("%s: the message is now \"%s\"", table[i].name, tg_message(s));
        if (releases) fail_msg("%s: release was called %d times", table[i].name, releases);
    }
}

static void nothing_happens(void **state)
{
    tg_scope *root = tg_open();
    (void)state;
    open_world(root);
    tg_tensor *inert = tg_relu(s, leaf);
    for (int i = 0; i < 4; i++) {
        x = i % 2 ? inert : leaf;
        m = i / 2 ? NULL : net;
        check_all();
    }
    expect_ok(root); /* until s passes its error on */
    tg_pop(s);
    expect_message(root, FIRST);
    tg_close(root);
}

/* ---- the headers ---- */

static void look_up(const char *name, const char *parameters, void *found)
{
    (void)parameters;
    ++*(int *)found;
    for (int i = 0; i < FUNCTIONS; i++)
        if (!strcmp(table[i].name, name)) return;
    fail_msg("%s is not in public_functions.def", name);
}

static void the_list_is_complete(void **state)
{
    int found = 0;
    (void)state;
    each_public_function(look_up, &found);
    if (found != FUNCTIONS) fail_msg("%d functions in the headers, %d in public_functions.def", found, FUNCTIONS);
}

int main(void)
{
    const struct CMUnitTest failed_scope[] = {
        cmocka_unit_test(nothing_happens),
        cmocka_unit_test(the_list_is_complete),
    };
    return cmocka_run_group_tests(failed_scope, data_folder_begin, data_folder_end);
}
