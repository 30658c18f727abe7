/* test_forward_n.c - networks with several inputs and heads: as modules, as plain functions, and as functions run by an
 * invocation.  All compute the same values, and all but the plain function use the same memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "data_files.h"
#include "expect.h"
#include "dispatch.h"

/* ---- two images in, a mask and a class out ---- */

enum { BLOCKS = 8, CHANNELS = 8, SIDE = 32, IMAGES = 4 };

typedef struct {
    tg_module base;
    tg_module *block[BLOCKS], *mask, *fc;
} twin;

/* Calls operators directly, like a program without modules of its own. */
static void twin_run(tg_scope *s, const twin *t, tg_tensor *a, tg_tensor *b, tg_tensor **out)
{
    tg_tensor *x = tg_concat(s, (tg_tensor *const[]){ a, b }, 2, -1);
    for (int i = 0; i < BLOCKS; i++) x = tg_silu(s, tg_forward(s, t->block[i], x));
    out[0] = tg_sigmoid(s, tg_forward(s, t->mask, x));
    out[1] = tg_forward(s, t->fc, tg_flatten(s, tg_adaptive_avg_pool2d(s, x, 1, 1)));
}

static void twin_forward(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    twin_run(s, (const twin *)m, in[0], in[1], out);
}

static twin *twin_new(tg_scope *s)
{
    twin *t = (twin *)tg_module_new_n(s, sizeof *t, "Twin", 2, 2, twin_forward);
    for (int i = 0; t && i < BLOCKS; i++) {
        char name[24];
        snprintf(name, sizeof name, "block%d", i);
        t->block[i] = tg_child(
            s, &t->base, name,
            tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = CHANNELS, .out = CHANNELS, .kernel = 3, .pad = 1 }));
    }
    if (!t) return NULL;
    t->mask = tg_child(s, &t->base, "mask", tg_layer_conv2d(s, (tg_layer_conv2d_config){ CHANNELS, 1, .kernel = 1 }));
    t->fc = tg_child(s, &t->base, "fc", tg_layer_linear(s, (tg_layer_linear_config){ .in = CHANNELS, .out = 3 }));
    return t;
}

typedef enum { PLAIN, MODULE, INVOCATION, CHECKPOINT } manner;

static void run(tg_scope *s, twin *t, tg_tensor *const in[2], tg_tensor *out[2], manner how)
{
    if (how == MODULE) tg_forward_n(s, &t->base, in, 2, out, 2);
    else if (how == CHECKPOINT) tg_checkpoint_n(s, &t->base, in, 2, out, 2);
    else if (how == PLAIN) twin_run(s, t, in[0], in[1], out);
    else {
        tg_enter(s, "twin");
        twin_run(s, t, in[0], in[1], out);
        tg_leave_n(s, out, 2);
    }
}

typedef struct {
    double sum;
    uint64_t bytes, lasting;
} outcome; /* hash of the outputs; peak memory; hash of the weights */

static outcome try(manner how, bool train)
{
    tg_scope *root = tg_open(), *s = train ? tg_train(root) : tg_push(root);
    tg_seed(root, 3);
    twin *t = twin_new(root);
    tg_optim *opt = tg_sgd(root, &t->base, (tg_sgd_config){ .lr = 0.1f });
    tg_tensor *const in[] = { tg_randn(root, 0, 1, 4, TG_DIM(IMAGES, SIDE, SIDE, 5)),
                              tg_randn(root, 0, 1, 4, TG_DIM(IMAGES, SIDE, SIDE, CHANNELS - 5)) };
    outcome o = { .sum = 0 };
    for (int i = 0; i < 2; i++, tg_reset(s)) {
        tg_tensor *out[2];
        run(s, t, in, out, how);
        tg_tensor *loss =
            tg_add(s, tg_mean(s, out[0], (tg_axes){ 0 }), tg_mean(s, tg_mul(s, out[1], out[1]), (tg_axes){ 0 }));
        if (train) {
            tg_backward(s, loss);
            tg_update(s, opt);
        }
        o.sum += tg_item(loss);
    }
    expect_ok(root);
    o.bytes = tg_statistics(root).peak_bytes;
    o.lasting = lasting_bytes(&t->base, opt);
    tg_close(root);
    return o;
}

static void same_memory(bool train)
{
    const outcome module = try(MODULE, train), plain = try(PLAIN, train), invocation = try(INVOCATION, train);
    print_message("%s: peak %.2f MiB as a module, %.2f as an invocation, %.2f as a plain function\n",
                  train ? "training" : "inference", (double)module.bytes / 1048576, (double)invocation.bytes / 1048576,
                  (double)plain.bytes / 1048576);
    assert_true(module.lasting == plain.lasting && module.lasting == invocation.lasting);
    assert_true(module.sum == plain.sum && module.sum == invocation.sum);
    assert_true(invocation.bytes == module.bytes);
    assert_true(module.bytes <= plain.bytes);
    if (!train) assert_true(3 * module.bytes < plain.bytes);
}

static void memory_of_inference(void **state)
{
    (void)state;
    same_memory(false);
}

static void memory_of_training(void **state)
{
    (void)state;
    same_memory(true);
}

static void checkpointing(void **state)
{
    (void)state;
    tg_set_backends("ref,vector");
    const outcome module = try(MODULE, true), frugal = try(CHECKPOINT, true);
    tg_set_backends(NULL);
    assert_true(module.lasting == frugal.lasting && module.sum == frugal.sum);
}

/* ---- what is refused ---- */

static void leaves_one_out(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    (void)m;
    out[0] = tg_relu(s, in[0]);
}

static tg_tensor *out[3];

static void expect_refusal(tg_scope *s, const char *message)
{
    expect_message(s, message);
    for (int k = 0; k < 2; k++) assert_int_equal(tg_count(out[k]), 0);
    tg_clear(s);
}

static void wrong_calls(void **state)
{
    tg_scope *s = tg_open();
    tg_tensor *x = tg_zeros(s, TG_F32, 4, TG_DIM(1, 4, 4, 5)), *y = tg_zeros(s, TG_F32, 4, TG_DIM(1, 4, 4, 3));
    twin *t = twin_new(s);
    tg_module *top = tg_sequential(s, (tg_module *const[]){ tg_layer_relu(s), NULL }), *bad;
    (void)state;
    tg_forward_n(s, &t->base, (tg_tensor *const[]){ x, y }, 2, out, 3);
    expect_refusal(s, "Twin: forward with inputs: 2, outputs: 3; want 2 and 2");
    assert_int_equal(tg_count(tg_forward(s, &t->base, x)), 0);
    expect_refusal(s, "Twin: forward with inputs: 1, outputs: 1; want 2 and 2");
    tg_forward_n(s, &t->base, (tg_tensor *const[]){ x, NULL }, 2, out, 2);
    expect_refusal(s, "forward: input 1 is NULL");
    tg_forward_n(s, &t->base, (tg_tensor *const[]){ x, x }, 2, out, 2);
    expect_refusal(s, "block0: conv2d: x has 10 channels, want 8: w is [8, 3, 3, 8]");
    bad = tg_child(s, top, "bad", tg_module_new_n(s, sizeof *bad, "Bad", 1, 2, leaves_one_out));
    tg_forward_n(s, bad, &x, 1, out, 2);
    expect_refusal(s, "bad: Bad: its forward function left output 1 NULL");
    tg_forward(s, top, x);
    expect_message(s, "Bad: forward with inputs: 1, outputs: 1; want 1 and 2");
    tg_clear(s);
    expect_numbers(tg_forward(s, tg_find_module(top, "0"), vector(s, NUMBERS(-1, 2))), NUMBERS(0, 2));
    expect_ok(s);
    tg_close(s);
}

/* ---- a slot whose tensor was replaced ---- */

static char file[256];
static const tg_stateful *all_of(tg_module *m)
{
    static tg_stateful thing;
    thing = tg_module_state(m);
    return &thing;
}

static void by_forward(tg_scope *s, tg_module *m) { tg_forward(s, m, tg_zeros(s, TG_F32, 2, TG_DIM(1, 2))); }
static void by_checkpoint(tg_scope *s, tg_module *m) { tg_checkpoint(s, m, tg_zeros(s, TG_F32, 2, TG_DIM(1, 2))); }
static void by_summary(tg_scope *s, tg_module *m) { tg_summary(s, m, stdout, 2, TG_DIM(1, 2)); }
static void by_sgd(tg_scope *s, tg_module *m) { assert_null(tg_sgd(s, m, (tg_sgd_config){ .lr = 1 })); }
static void by_optimize(tg_scope *s, tg_module *m) { assert_null(tg_optimize(s, m, NULL, TG_BF16)); }
static void by_backward(tg_scope *s, tg_module *m) { tg_backward_for(s, tg_find_param(m, "2.weight"), m); }
static void by_clear_grads(tg_scope *s, tg_module *m) { tg_clear_grads(s, m); }
static void by_freeze(tg_scope *s, tg_module *m) { (void)s, assert_int_equal(tg_freeze(m), 0); }
static void by_unfreeze(tg_scope *s, tg_module *m) { (void)s, assert_int_equal(tg_unfreeze(m), 0); }
static void by_decays(tg_scope *s, tg_module *m) { tg_decays(s, tg_find_module(m, "0"), "weight", true); }
static void by_file_axis(tg_scope *s, tg_module *m) { tg_file_axis(s, tg_find_module(m, "0"), "weight", 0); }
static void by_save(tg_scope *s, tg_module *m) { tg_save(s, file, m, NULL); }
static void by_save_all(tg_scope *s, tg_module *m) { tg_save_all(s, file, all_of(m), 1); }
static void by_load(tg_scope *s, tg_module *m) { tg_load(s, file, m, NULL); }
static void by_load_all(tg_scope *s, tg_module *m) { tg_load_all(s, file, all_of(m), 1); }
static void by_matching(tg_scope *s, tg_module *m) { assert_null(tg_load_matching(s, file, all_of(m), 1)); }

static const struct {
    const char *name;
    void (*call)(tg_scope *, tg_module *);
} rows[] = {
    { "forward", by_forward },         { "checkpoint", by_checkpoint },
    { "summary", by_summary },         { "sgd", by_sgd },
    { "optimize", by_optimize },       { "backward_for", by_backward },
    { "clear_grads", by_clear_grads }, { "freeze", by_freeze },
    { "unfreeze", by_unfreeze },       { "decays", by_decays },
    { "file_axis", by_file_axis },     { "save", by_save },
    { "save_all", by_save_all },       { "load", by_load },
    { "load_all", by_load_all },       { "load_matching", by_matching },
};

static void a_replaced_tensor(void **state)
{
    tg_scope *s = tg_open();
    tg_module *net = tg_sequential(
        s, (tg_module *const[]){ tg_layer_linear(s, (tg_layer_linear_config){ .in = 2, .out = 1 }), tg_layer_relu(s),
                                 tg_layer_linear(s, (tg_layer_linear_config){ .in = 1, .out = 1 }), NULL });
    const char *const message =
        "0.weight: slot->tensor was replaced, but Linear reads the tensor it was made with; write "
        "values with tg_edit";
    tg_slot *slot = tg_find_module(net, "0")->slots;
    tg_tensor *mine = tg_zeros(s, TG_F32, 2, TG_DIM(1, 2)), *old = slot->tensor;
    (void)state;
    snprintf(file, sizeof file, "%s", data_path("replaced.safetensors"));
    tg_save(s, file, net, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        slot->tensor = mine;
        rows[i].call(s, net);
        if (strcmp(tg_message(s), message)) fail_msg("%s: got \"%s\"", rows[i].name, tg_message(s));
        tg_clear(s);
        slot->tensor = old;
        tg_load(s, file, net, NULL); /* the file is unchanged */
        by_forward(s, net);
        expect_ok(s);
    }
    tg_close(s);
}

/* A network that uses a weight of another tree, or of a scope that is closed before it. */
static void a_weight_of_elsewhere(void **state)
{
    tg_scope *one = tg_open(), *other = tg_open(), *child = tg_push(one);
    tg_module *net = tg_layer_relu(one);
    (void)state;
    tg_param(one, net, "w", tg_zeros(other, TG_F32, 1, TG_DIM(1)));
    expect_message(one, "ReLU: the tensor belongs to another tree of scopes");
    tg_clear(one);
    tg_param(one, net, "w", tg_zeros(child, TG_F32, 1, TG_DIM(1)));
    expect_message(one, "ReLU: parameter \"w\": want a leaf of the module's scope, or of one above");
    tg_clear(one);
    tg_param(other, net, "w", tg_zeros(other, TG_F32, 1, TG_DIM(1)));
    expect_message(other, "ReLU: the module belongs to another tree of scopes");
    tg_close(one);
    tg_close(other);
}

/* ---- the table ---- */

static void summary_follows_all_inputs(void **state)
{
    tg_scope *s = tg_open();
    twin *t = twin_new(s);
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    (void)state;
    tg_summary_n(s, &t->base, to,
                 (const tg_input_shape[]){ { 4, { 2, 6, 6, 5 }, TG_F32 }, { 4, { 2, 6, 6, 3 }, TG_F32 } }, 2);
    fclose(to);
    expect_ok(s);
    assert_null(strstr(text, "not used"));
    assert_non_null(strstr(text, "[2, 6, 6, 1]"));
    assert_non_null(strstr(text, "fc      Linear(8, 3)              [2, 3]"));
    assert_non_null(strstr(text, "block7  Conv2d(8, 8, 3x3, pad 1)  [2, 6, 6, 8]"));
    free(text);
    tg_summary(s, &t->base, stdout, 4, TG_DIM(2, 6, 6, 5));
    expect_message(s, "summary: shapes of inputs: 1, want 2 for Twin");
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_inference),
        cmocka_unit_test(memory_of_training),
        cmocka_unit_test(checkpointing),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(a_replaced_tensor),
        cmocka_unit_test(a_weight_of_elsewhere),
        cmocka_unit_test(summary_follows_all_inputs),
    };
    return cmocka_run_group_tests_name("forward_n", tests, NULL, NULL) != 0;
}
