/* test_recompute.c - values that are recomputed for backward: which, where, with the same bits, in less memory.
 * fuzz_run.c compares random programs with and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "attr.h"
#include "expect.h"
#include "run.h"

/* ---- what a run calls ---- */

enum { MOST = 64 };
typedef struct {
    bool look_only;          /* nothing is computed */
    int calls, writes, n;    /* n: recomputed */
    const char *again[MOST]; /* their operators ... */
    bool read_next[MOST];    /* ... and whether the next call reads the result */
    const tg_tensor *made;
} witness_of_run;

static bool see(void *context, const tg_call *c)
{
    witness_of_run *w = context;
    for (int k = 0; w->made && k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->storage == w->made->storage) w->read_next[w->n - 1] = true;
    w->made = NULL;
    w->calls++;
    w->writes += c->op->writes != 0;
    if (c->again && w->n < MOST) {
        w->again[w->n] = c->op->name;
        w->made = c->out[0];
    }
    w->n += c->again;
    return !w->look_only;
}

static tg_scope *open_tree(tg_recompute_mode mode, witness_of_run *w)
{
    tg_scope *root = tg_open();
    *w = (witness_of_run){ .look_only = w->look_only };
    tg_tree_options(root)->recompute = mode;
    tg_tree_options(root)->observe = see;
    tg_tree_options(root)->context = w;
    return root;
}

/* ---- networks ---- */

/* `depth` times 1x1 convolution, batch norm, relu. */
static tg_module *blocks(tg_scope *s, int depth, int channels)
{
    tg_module *list[3 * 8 + 1] = { NULL };
    for (int i = 0; i < depth; i++) {
        const tg_layer_conv2d_config conv = { .in = channels, .out = channels, .kernel = 1, .no_bias = true };
        list[3 * i] = tg_layer_conv2d(s, conv);
        list[3 * i + 1] = tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = channels });
        list[3 * i + 2] = tg_layer_relu(s);
    }
    return tg_sequential(s, list);
}

static void step(tg_scope *s, tg_module *net, tg_optim *optim, tg_tensor *x, int micro_batches)
{
    for (int i = 0; i < micro_batches; i++) tg_backward(s, tg_mean(s, tg_forward(s, net, x), (tg_axes){ 0 }));
    tg_update(s, optim);
}

typedef struct {
    const char *name;
    tg_module *(*make)(tg_scope *s, int classes);
    const int64_t *image;
    bool bf16;
    int at_least; /* values recomputed in three steps */
} network;

typedef struct {
    uint64_t bytes, peak, again;
} outcome;

/* Three steps: hash of parameters and buffers, and the peak. */
static outcome train(const network *n, tg_recompute_mode mode, witness_of_run *w)
{
    tg_scope *root = open_tree(mode, w), *s = tg_train(root);
    tg_module *net = n->make(root, 10);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    tg_tensor *x = tg_rand(root, -1, 1, 4, TG_DIM(4, n->image[0], n->image[1], n->image[2]));
    tg_tensor *y = tg_zeros(root, TG_I64, 1, TG_DIM(4));
    tg_optimize(root, net, optim, n->bf16 ? TG_BF16 : TG_F32);
    for (int i = 0; i < 3; i++, tg_reset(s)) {
        tg_backward(s, tg_cross_entropy(s, tg_forward(s, net, x), y));
        tg_update(s, optim);
    }
    expect_ok(root);
    const tg_stats stats = tg_statistics(root);
    const outcome o = { lasting_bytes(net, optim), stats.peak_bytes, stats.again };
    tg_close(root);
    return o;
}

/* ---- tests ---- */

static const int64_t large_images[] = { 32, 32, 3 }, digits[] = { 28, 28, 1 };

static tg_tensor *forward_checkpointed(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_checkpoint(s, m->first_child, x);
}

static tg_module *checkpointed(tg_scope *s, int classes)
{
    tg_module *m = tg_module_new(s, sizeof *m, "Checkpointed", forward_checkpointed);
    tg_child(s, m, "net", tg_resnet20(s, classes));
    return m;
}

static const network networks[] = {
    { "resnet20", tg_resnet20, large_images, false, 3 * 9 },
    { "resnet20_bf16", tg_resnet20, large_images, true, 3 * 9 },
    { "resnet20_checkpointed", checkpointed, large_images, false, 3 * 9 },
    { "lenet", tg_lenet, digits, false, 0 },
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static void same_bits(void **state)
{
    const network *n = *state;
    witness_of_run kept = { 0 }, made = { 0 };
    const outcome a = train(n, TG_RECOMPUTE_NONE, &kept);
    const outcome b = train(n, TG_RECOMPUTE_ALL, &made);
    assert_true(a.bytes == b.bytes);
    assert_true(b.peak <= a.peak);
    assert_int_equal(kept.n, a.again);
    assert_int_equal(b.again, a.again);
    if (made.n < n->at_least) fail_msg("%d values made again, want %d", made.n, n->at_least);
    assert_int_equal(kept.writes, made.writes); /* effects happen once */
    assert_int_equal(kept.calls - kept.n, made.calls - made.n);
}

/* Each comes right before its first reader, in one pass, from the statistics that the first pass found. */
static void made_where_it_is_read(void **state)
{
    (void)state;
    witness_of_run w = { 0 };
    tg_scope *root = open_tree(TG_RECOMPUTE_ALL, &w), *s = tg_train(root);
    tg_module *net = blocks(root, 3, 16);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    step(s, net, optim, tg_rand(root, -1, 1, 4, TG_DIM(2, 8, 8, 16)), 1);
    expect_ok(s);
    assert_int_equal(w.n, 2); /* the last block's is read at the peak */
    for (int i = 0; i < w.n; i++) {
        assert_string_equal(w.again[i], tg_batch_norm2d_relu_again_op.name);
        assert_true(w.read_next[i]);
    }
    tg_close(root);
}

static uint64_t peak_of_blocks(tg_recompute_mode mode, int depth, int micro_batches)
{
    witness_of_run w = { 0 };
    tg_scope *root = open_tree(mode, &w), *s = tg_train(root);
    tg_module *net = blocks(root, depth, 32);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    step(s, net, optim, tg_rand(root, -1, 1, 4, TG_DIM(8, 32, 32, 32)), micro_batches);
    expect_ok(s);
    const uint64_t peak = tg_statistics(root).peak_bytes;
    tg_close(root);
    return peak;
}

/* Of each block's two values one is kept instead of both.  Micro-batches that lie in one run have a peak each. */
static void smaller_peak(void **state)
{
    (void)state;
    const uint64_t one = 8 * 32 * 32 * 32 * sizeof(float);
    for (int i = 0; i < 6; i++) {
        const int depth = 4 + i % 3 * 2, micro_batches = 1 + i / 3;
        const uint64_t kept = peak_of_blocks(TG_RECOMPUTE_NONE, depth, micro_batches);
        const uint64_t made = peak_of_blocks(TG_RECOMPUTE_ALL, depth, micro_batches);
        if (made + (uint64_t)(depth - 2) * one > kept)
            fail_msg("depth %d, micro-batches %d: peak %llu, without %llu", depth, micro_batches,
                     (unsigned long long)made, (unsigned long long)kept);
    }
}

typedef struct {
    const char *name;
    int n, side, channels;
    bool worth;
} size_row;

/* Eight blocks hold 16 times x at the peak: 384 MiB, 24, 384. */
static const size_row sizes[] = {
    { "much_for_wide_products", 16, 32, 384, true },
    { "little", 1, 32, 384, false },
    { "much_for_narrow_products", 192, 32, 32, false },
};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void only_if_worth_it(void **state)
{
    const size_row *row = *state;
    witness_of_run w = { .look_only = true };
    tg_scope *root = open_tree(TG_RECOMPUTE_LARGE, &w), *s = tg_train(root);
    tg_module *net = blocks(root, 8, row->channels);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    step(s, net, optim, tg_zeros(root, TG_F32, 4, TG_DIM(row->n, row->side, row->side, row->channels)), 1);
    assert_false(tg_ok(s)); /* nothing was run: its observer only looks */
    assert_true(w.calls > 0);
    assert_int_equal(w.n > 0, row->worth);
    tg_clear(s);
    tg_clear(root);
    tg_close(root);
}

/* What user code computed stays readable, so it is kept and never recomputed. */
static void user_values_are_kept(void **state)
{
    (void)state;
    witness_of_run w = { 0 };
    tg_scope *root = open_tree(TG_RECOMPUTE_ALL, &w), *s = tg_train(root);
    tg_tensor *a = tg_require_grad(root, tg_rand(root, -1, 1, 2, TG_DIM(16, 16)));
    tg_tensor *x = tg_affine(s, a, 2, 0), *y = tg_relu(s, x), *z = tg_mul(s, tg_affine(s, y, 3, 1), y);
    tg_backward(s, tg_sum(s, z, (tg_axes){ 0 }));
    const float *of_x = tg_data(x), *of_y = tg_data(y);
    for (int i = 0; i < 256; i++) assert_true(of_y[i] == (of_x[i] > 0 ? of_x[i] : 0));
    expect_ok(s);
    assert_int_equal(w.n, 0);
    assert_int_equal(tg_statistics(root).again, 0);
    tg_close(root);
}

/* y = a + c is read on both sides of something large, and of a write to c if there is one. */
static double sum_across(tg_recompute_mode mode, bool write, witness_of_run *w)
{
    tg_scope *root = open_tree(mode, w), *s = tg_push(root);
    tg_tensor *c = tg_full(root, 1, 1, TG_DIM(64)), *one = tg_full(root, 1, 1, TG_DIM(64));
    tg_enter(s, "across");
    tg_tensor *a = tg_fill(s, 2, 1, TG_DIM(64)), *y = tg_add(s, a, c);
    tg_tensor *early = tg_sum(s, y, (tg_axes){ 0 });
    tg_tensor *large = tg_add(s, early, tg_sum(s, tg_fill(s, 1, 1, TG_DIM(4096)), (tg_axes){ 0 }));
    if (write) tg_apply(s, &tg_accumulate_op, (tg_tensor *const[]){ c, one }, NULL);
    tg_tensor *late = tg_sub(s, tg_mul(s, tg_sub(s, c, y), large), a);
    const double sum = tg_item(tg_leave(s, tg_sum(s, late, (tg_axes){ 0 })));
    expect_ok(s);
    tg_close(root);
    return sum;
}

static void not_from_what_was_written(void **state)
{
    (void)state;
    witness_of_run w = { 0 };
    const double plain = 64 * ((1 - 3) * (4096 + 64 * 3) - 2), written = 64 * ((2 - 3) * (4096 + 64 * 3) - 2);
    assert_true(sum_across(TG_RECOMPUTE_NONE, false, &w) == plain);
    assert_true(sum_across(TG_RECOMPUTE_ALL, false, &w) == plain);
    assert_int_equal(w.n, 1);
    assert_string_equal(w.again[0], "add");
    assert_true(sum_across(TG_RECOMPUTE_ALL, true, &w) == written);
    assert_int_equal(w.n, 0);
}

static void reads_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        tg_recompute_mode mode;
    } rows[] = {
        { NULL, TG_RECOMPUTE_LARGE },
        { "0", TG_RECOMPUTE_NONE },
        { "1", TG_RECOMPUTE_LARGE },
        { "all", TG_RECOMPUTE_ALL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].value) setenv("TG_RECOMPUTE", rows[i].value, 1);
        else unsetenv("TG_RECOMPUTE");
        tg_scope *root = tg_open();
        assert_int_equal(tg_tree_options(root)->recompute, rows[i].mode);
        tg_close(root);
    }
    unsetenv("TG_RECOMPUTE");
}

int main(void)
{
    struct CMUnitTest list[NETWORKS + SIZES + 8] = {
        cmocka_unit_test(made_where_it_is_read), cmocka_unit_test(smaller_peak),
        cmocka_unit_test(user_values_are_kept),  cmocka_unit_test(not_from_what_was_written),
        cmocka_unit_test(reads_the_environment),
    };
    size_t n = 5;
    for (int i = 0; i < NETWORKS; i++)
        list[n++] = (struct CMUnitTest){ networks[i].name, same_bits, NULL, NULL, (void *)(networks + i) };
    for (int i = 0; i < SIZES; i++)
        list[n++] = (struct CMUnitTest){ sizes[i].name, only_if_worth_it, NULL, NULL, (void *)(sizes + i) };
    return _cmocka_run_group_tests("recompute", list, n, NULL, NULL) != 0;
}
