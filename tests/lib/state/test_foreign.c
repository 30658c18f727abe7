/* test_foreign.c - checkpoints by other programs: tensors that they lack, and prefixes of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "data_files.h"
#include "expect.h"
#include <tilegrad/tilegrad.h>

/* A copy of a file's path, as data_path's buffer is reused. */
#define PATH(variable, name) \
    char variable[256]; \
    snprintf(variable, sizeof variable, "%s", data_path(name))

static tg_tensor *counter_of(const tg_module *net)
{
    const tg_slot *slot = net->first_child->next->slots;
    while (slot && strcmp(slot->name, "num_batches_tracked")) slot = slot->next;
    assert_non_null(slot);
    return slot->tensor;
}

/* A convolution and a batch norm with this num_batches_tracked. */
static tg_module *make_net(tg_scope *s, int64_t batches)
{
    tg_module *const net = tg_sequential(
        s, (tg_module *[]){
               tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 2, .out = 4, .kernel = 3, .no_bias = true }),
               tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 4 }), NULL });
    *(int64_t *)tg_edit(s, counter_of(net)) = batches;
    return net;
}

typedef struct {
    const char *name, *prefix, *dtype;
    int rank;
    bool dropped;
} rewriting; /* of num_batches_tracked */

static bool is_counter(const char *name) { return strstr(name, "num_batches_tracked"); }

/* Its i-th tensor, as the other file has it. */
static tg_file_tensor rewritten(tg_scope *s, const tg_tensor_file *f, int i, const rewriting *how)
{
    tg_file_tensor t = f->tensor[i];
    const size_t size = strlen(how->prefix) + strlen(t.name) + 1;
    char *const name = tg_alloc(s, size);
    snprintf(name, size, "%s%s", how->prefix, t.name);
    t.name = name;
    t.tag = i;
    if (!is_counter(name)) return t;
    t.dtype = how->dtype;
    t.rank = how->rank;
    t.dim[0] = 1;
    return t;
}

static void rewrite(tg_scope *s, const char *from, const char *to, const rewriting *how)
{
    static char bytes[1 << 16];
    int n = 0;
    tg_tensor_file *const f = tg_tensor_file_open(s, from);
    tg_file_tensor *const tensor = tg_alloc(s, sizeof *tensor * (size_t)f->n);
    for (int i = 0; i < f->n; i++)
        if (!how->dropped || !is_counter(f->tensor[i].name)) tensor[n++] = rewritten(s, f, i, how);
    tg_tensor_writer *const w = tg_tensor_file_create(s, to, tensor, n, NULL, 0);
    for (int i = 0; i < n; i++) {
        const tg_file_tensor *const t = &f->tensor[tensor[i].tag];
        const size_t size = t->bytes < tensor[i].bytes ? (size_t)t->bytes : (size_t)tensor[i].bytes;
        memset(bytes, 0, sizeof bytes);
        assert_true(tensor[i].bytes <= sizeof bytes && tg_tensor_file_read(s, f, tensor[i].tag, 0, size, bytes));
        tg_tensor_file_write(s, w, bytes, (size_t)tensor[i].bytes);
    }
    tg_tensor_file_commit(s, w);
    tg_tensor_file_close(f);
    expect_ok(s);
}

/* num_batches_tracked is never a reason to refuse a file, strictly or not: it is loaded if possible, or unchanged. */
static void loads_any_counter_or_none(void **state)
{
    static const rewriting rows[] = {
        { "as ours", "", "I64", 0, false },     { "i32", "", "I32", 0, false }, { "missing", "", "I64", 0, true },
        { "of rank 1", "", "I64", 1, false },   { "f32", "", "F32", 0, false }, { "f16", "", "F16", 0, false },
        { "unknown", "", "F8_E4M3", 1, false },
    };
    PATH(ours, "ours.safetensors");
    PATH(theirs, "theirs.safetensors");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_scope *const root = tg_open();
        tg_module *const saved = make_net(root, 3), *const net = make_net(root, 1);
        tg_save(root, ours, saved, NULL);
        rewrite(root, ours, theirs, &rows[i]);
        tg_load(root, theirs, net, NULL);
        if (!tg_ok(root)) fail_msg("%s: %s", rows[i].name, tg_message(root));
        assert_true(tg_item(counter_of(net)) == (i < 2 ? 3 : 1));
        const tg_stateful model = tg_module_state(net);
        const tg_load_report *const report = tg_load_matching(root, theirs, &model, 1);
        assert_true(report && !report->n_missing && !report->n_misshapen && !report->n_unexpected);
        tg_close(root);
    }
}

/* One line with the remedy instead of two lists of all names; lists where removing the prefix would not help. */
static void says_when_all_names_have_a_prefix(void **state)
{
    static const struct {
        rewriting how;
        const char *contains;
    } rows[] = {
        { { "DataParallel", "module.", "I64", 0, false },
          "all names begin with 'module.', which the model's do not; the rule"
          " 'module.* *' takes it off" },
        { { "compiled", "_orig_mod.", "I64", 0, true }, "'_orig_mod.* *'" },
        { { "two of them", "module.net.", "I64", 0, false }, "'module.net.* *'" },
        { { "another model", "module.1", "I64", 0, false }, "missing: 0.weight, " },
    };
    PATH(ours, "ours.safetensors");
    PATH(theirs, "theirs.safetensors");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_scope *const root = tg_open();
        tg_module *const net = make_net(root, 0);
        tg_save(root, ours, net, NULL);
        rewrite(root, ours, theirs, &rows[i].how);
        tg_load(root, theirs, net, NULL);
        if (tg_ok(root) || !strstr(tg_message(root), rows[i].contains))
            fail_msg("%s: %s", rows[i].how.name, tg_message(root));
        assert_true(strlen(tg_message(root)) < 300 || i == 3);
        tg_close(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_any_counter_or_none),
        cmocka_unit_test(says_when_all_names_have_a_prefix),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
