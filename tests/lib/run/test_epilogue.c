/* test_epilogue.c - updates run on rows of a gradient while they are in the cache, poolings on lines of their input:
 * where they do, and that the bits stay the same.  fuzz_run.c compares random programs with and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "attr.h"
#include <tilegrad/cpu.h>
#include "dispatch.h"
#include "expect.h"
#include <tilegrad/parallel.h>
#include "run.h"

enum { IN = 1030, HIDDEN = 520, CLASSES = 7, BATCH = 70, STEPS = 3 };
enum { IMAGES = 19, SIZE = 28, CHANNELS = 16, POOLED = CHANNELS * 14 * 14 };

/* Only these kernels make rows. */
static bool rows_are_made(void) { return tg_max_isa() >= TG_ISA_AVX512 && strstr(tg_backends(), "vector"); }

static bool count(void *context, const tg_call *c)
{
    *(int *)context += c->epilogue != NULL;
    return true;
}

/* ---- a step ---- */

typedef struct {
    tg_module *net;
    tg_optim *opt;
    tg_tensor *x, *y;
} training;
typedef void way_to_step(tg_scope *s, const training *t);

static tg_tensor *loss_of(tg_scope *s, const training *t)
{
    return tg_cross_entropy(s, tg_forward(s, t->net, t->x), t->y);
}

static void plain(tg_scope *s, const training *t)
{
    tg_backward(s, loss_of(s, t));
    tg_update(s, t->opt);
}

static void two_micro_batches(tg_scope *s, const training *t)
{
    tg_backward(s, loss_of(s, t));
    plain(s, t);
}

static void the_gradient_is_read(tg_scope *s, const training *t)
{
    tg_backward(s, loss_of(s, t));
    assert_non_null(tg_data(tg_grad(tg_find_param(t->net, "2.weight"))));
    tg_update(s, t->opt);
}

static void the_gradient_is_held(tg_scope *s, const training *t)
{
    tg_backward(s, loss_of(s, t));
    tg_tensor *g = tg_grad(tg_find_param(t->net, "2.weight"));
    tg_tensor *sum = tg_sum(s, g, (tg_axes){ 0 });
    tg_update(s, t->opt);
    assert_true(tg_item(sum) == tg_item(sum));
}

/* ---- a training ---- */

typedef struct {
    const char *name;
    tg_dtype dtype;
    bool adam;
    float clip_norm;
    way_to_step *step;
    int epilogues; /* in a step */
    enum { NO_POOLING, OF_EVEN_IMAGES, OF_ODD_IMAGES } pooling;
} row;

static tg_optim *optimizer(tg_scope *s, const row *r, tg_module *net)
{
    tg_optim *opt = r->adam ? tg_adamw(s, net, (tg_adam_config){ .lr = 1e-3f, .weight_decay = 0.01f })
                            : tg_sgd(s, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    if (r->clip_norm > 0) tg_clip_norm(s, opt, r->clip_norm);
    if (r->dtype == TG_BF16) tg_optimize(s, net, opt, TG_BF16);
    return opt;
}

static training open_training(tg_scope *s, const row *r)
{
    training t = { .x = tg_randn(s, 0, 1, 2, TG_DIM(BATCH, IN)) };
    int32_t y[BATCH];
    for (int i = 0; i < BATCH; i++) y[i] = i % CLASSES;
    t.y = tg_from(s, TG_I32, 1, TG_DIM(BATCH), y);
    tg_module *const layers[] = {
        tg_layer_linear(s, (tg_layer_linear_config){ .in = IN, .out = HIDDEN }),      tg_layer_relu(s),
        tg_layer_linear(s, (tg_layer_linear_config){ .in = HIDDEN, .out = HIDDEN }),  tg_layer_relu(s),
        tg_layer_linear(s, (tg_layer_linear_config){ .in = HIDDEN, .out = CLASSES }), NULL,
    };
    t.net = tg_sequential(s, layers);
    t.opt = optimizer(s, r, t.net);
    return t;
}

/* Images of SIZE + odd: windows do not cover an odd one. */
static training open_pooling(tg_scope *s, const row *r)
{
    const int64_t side = SIZE + (r->pooling == OF_ODD_IMAGES);
    training t = { .x = tg_randn(s, 0, 1, 4, TG_DIM(IMAGES, side, side, 3)) };
    int32_t y[IMAGES];
    for (int i = 0; i < IMAGES; i++) y[i] = i % CLASSES;
    t.y = tg_from(s, TG_I32, 1, TG_DIM(IMAGES), y);
    tg_module *const layers[] = {
        tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 3, .out = CHANNELS, .kernel = 3, .pad = 1 }),
        tg_layer_relu(s),
        tg_layer_max_pool2d(s, (tg_layer_pool2d_config){ .kernel = 2 }),
        tg_layer_flatten(s),
        tg_layer_linear(s, (tg_layer_linear_config){ .in = POOLED, .out = CLASSES }),
        NULL,
    };
    t.net = tg_sequential(s, layers);
    t.opt = optimizer(s, r, t.net);
    return t;
}

/* Hash of parameters and buffers, and the number of epilogues in the last step. */
static uint64_t train(const row *r, bool with, int threads, int *epilogues)
{
    tg_scope *root = tg_open();
    assert_true(tg_set_threads(threads));
    tg_tree_options(root)->epilogues = with;
    tg_tree_options(root)->observe = count;
    tg_tree_options(root)->context = epilogues;
    tg_seed(root, 5);
    const training t = (r->pooling ? open_pooling : open_training)(root, r);
    tg_scope *s = tg_train(root);
    for (int i = 0; i < STEPS; i++) {
        *epilogues = 0;
        r->step(s, &t);
        expect_ok(s);
        tg_reset(s);
    }
    const uint64_t hash = lasting_bytes(t.net, t.opt);
    expect_ok(root);
    tg_close(root);
    return hash;
}

static const row rows[] = {
    { "sgd", TG_F32, false, 0, plain, 2, NO_POOLING },
    { "adamw", TG_F32, true, 0, plain, 2, NO_POOLING },
    { "sgd_bf16", TG_BF16, false, 0, plain, 2, NO_POOLING },
    { "adamw_bf16", TG_BF16, true, 0, plain, 2, NO_POOLING },
    { "clipped_by_norm", TG_F32, false, 0.1f, plain, 0, NO_POOLING },
    { "two_micro_batches", TG_F32, false, 0, two_micro_batches, 0, NO_POOLING },
    { "the_gradient_is_read", TG_F32, false, 0, the_gradient_is_read, 0, NO_POOLING },
    { "the_gradient_is_held", TG_F32, false, 0, the_gradient_is_held, 1, NO_POOLING },
};

/* With a convolution kernel that makes enough lines per task. */
static const row poolings[] = {
    { "pooled", TG_F32, false, 0, plain, 1, OF_EVEN_IMAGES },
    { "pooled_bf16", TG_BF16, false, 0, plain, 1, OF_EVEN_IMAGES },
    { "two_micro_batches_pooled", TG_BF16, false, 0, two_micro_batches, 2, OF_EVEN_IMAGES },
    { "odd_images_pooled", TG_BF16, false, 0, plain, 0, OF_ODD_IMAGES },
};

static void check(void **state)
{
    const row *r = *state;
    int fused, whole, shared;
    const uint64_t a = train(r, true, 1, &fused), b = train(r, false, 1, &whole), c = train(r, true, 3, &shared);
    assert_true(a == c && fused == shared);
    assert_true(a == b);
    assert_int_equal(whole, 0);
    if (!rows_are_made()) printf("skipped: where: no kernel here makes rows\n");
    else assert_int_equal(fused, r->epilogues);
}

/* Whichever kernel makes the rows, if any does. */
static void every_kernel(void **state)
{
    (void)state;
    for (const tg_kernel *const *k = tg_linear_grad_w_op.kernels; *k; k++)
        for (int i = 0; i < 4; i++) {
            int with, without;
            if (!(*k)->makes || (*k)->isa > tg_max_isa()) continue;
            tg_force_kernel(&tg_linear_grad_w_op, *k);
            const uint64_t a = train(rows + i, true, 2, &with), b = train(rows + i, false, 1, &without);
            tg_force_kernel(NULL, NULL);
            if (a != b && strcmp((*k)->backend, "openblas")) fail_msg("%s, %s: other bits", (*k)->name, rows[i].name);
            assert_int_equal(without, 0);
        }
}

/* Every convolution kernel that makes enough lines per task; other kernels' bits may depend on the threads. */
static void every_convolution(void **state)
{
    int found = 0;
    (void)state;
    for (const tg_kernel *const *k = tg_conv2d_relu_op.kernels; *k; k++)
        for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
            const row *r = poolings + i;
            int with, without, shared;
            if (!(*k)->makes || (*k)->isa > tg_max_isa() || !strstr(tg_backends(), (*k)->backend)) continue;
            tg_force_kernel(&tg_conv2d_relu_op, *k);
            const uint64_t a = train(r, true, 1, &with), b = train(r, false, 1, &without);
            const uint64_t c = train(r, true, 3, &shared), d = train(r, false, 3, &without);
            tg_force_kernel(NULL, NULL);
            if (a != b || c != d) fail_msg("%s, %s: other bits", (*k)->name, r->name);
            if (with && with != r->epilogues) fail_msg("%s, %s: %d epilogues", (*k)->name, r->name, with);
            assert_true(without == 0 && with == shared);
            found += with > 0;
        }
    if (tg_max_isa() >= TG_ISA_AMX) assert_true(found > 0);
    else if (!found) printf("skipped: no kernel here makes enough lines\n");
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[N + 2] = { [N] = cmocka_unit_test(every_kernel),
                                       [N + 1] = cmocka_unit_test(every_convolution) };
    for (int i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                                        .test_func = check,
                                        .initial_state = (void *)(uintptr_t)(rows + i) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
