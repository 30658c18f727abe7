/* test_layers.c - the module tree, initial values, layers' results, the summary.  Models are in test_zoo.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a tree ---- */

static tg_module *small(tg_scope *s)
{
    return tg_sequential(
        s, (tg_module *[]){
               tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 2, .out = 4, .kernel = 3, .pad = 1 }),
               tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 4 }),
               tg_residual(s, tg_sequential(s, (tg_module *[]){ tg_layer_relu(s), tg_layer_relu(s), NULL }), NULL),
               tg_layer_flatten(s), tg_layer_linear(s, (tg_layer_linear_config){ .in = 64, .out = 3, .no_bias = true }),
               NULL });
}

static void finds_by_name(void **unused)
{
    tg_scope *root = tg_open();
    tg_module *net = small(root), *relu = tg_find_module(net, "2.body.1");
    (void)unused;
    expect_ok(root);
    assert_non_null(relu);
    assert_string_equal(relu->kind, "ReLU");
    assert_string_equal(tg_module_path(relu), "2.body.1");
    assert_ptr_equal(tg_module_path(relu), tg_module_path(relu));
    assert_string_equal(tg_module_path(net), "");
    assert_ptr_equal(tg_find_module(net, ""), net);
    assert_null(tg_find_module(net, "2.body."));
    assert_null(tg_find_module(net, "2.bod"));
    assert_null(tg_find_module(net, "2.body.11"));
    assert_int_equal(tg_find_param(net, "4.weight")->dim[0], 3);
    assert_ptr_equal(tg_find_param(tg_find_module(net, "4"), "weight"), tg_find_param(net, "4.weight"));
    assert_null(tg_find_param(net, "4.bias"));
    assert_null(tg_find_param(net, ".weight"));
    assert_null(tg_find_param(net, "weight"));
    tg_module *outer = tg_sequential(root, (tg_module *[]){ net, NULL });
    assert_string_equal(tg_module_path(relu), "0.2.body.1");
    assert_ptr_equal(tg_find_module(outer, "0.2.body.1"), relu);
    tg_close(root);
}

static tg_tensor *identity(tg_scope *s, tg_module *m, tg_tensor *x)
{
    (void)s, (void)m;
    return x;
}

static tg_tensor *nothing(tg_scope *s, tg_module *m, tg_tensor *x)
{
    (void)s, (void)m, (void)x;
    return NULL;
}

/* A new root with a module in it, on which the caller makes a mistake. */
static tg_module *fresh(tg_scope **root)
{
    tg_close(*root);
    *root = tg_open();
    return tg_module_new(*root, sizeof(tg_module), "M", identity);
}

static void refuses_bad_children(void **unused)
{
    tg_scope *s = NULL;
    (void)unused;
    tg_module *m = fresh(&s);
    tg_child(s, m, "a", tg_layer_relu(s));
    tg_child(s, m, "a", tg_layer_relu(s));
    expect_message(s, "M: child \"a\": there is a child of this name");
    m = fresh(&s);
    tg_child(s, m, "a.b", tg_layer_relu(s));
    expect_message(s, "M: child \"a.b\": want a name without dots and slashes");
    m = fresh(&s);
    tg_child(s, m, "", tg_layer_relu(s));
    expect_message(s, "M: child \"\": want a name");
    m = fresh(&s);
    tg_child(s, m, "a", m);
    expect_message(s, "M: child \"a\": it would contain itself");
    m = fresh(&s);
    tg_child(s, m, "a", NULL);
    expect_message(s, "module: child \"a\": it is NULL");
    m = fresh(&s);
    tg_module *child = tg_child(s, m, "a", tg_layer_relu(s));
    tg_child(s, m, "b", child);
    expect_message(s, "M: child \"b\": it is a child of another module; to share weights, share tensors (tg_param)");
    tg_close(s);
}

static void refuses_bad_parameters(void **unused)
{
    tg_scope *s = NULL;
    char name[600];
    (void)unused;
    tg_module *m = fresh(&s);
    tg_param(s, m, "w", tg_zeros(s, TG_F32, 1, TG_DIM(1)));
    tg_buffer(s, m, "w", tg_zeros(s, TG_F32, 1, TG_DIM(1)));
    expect_message(s, "M: buffer \"w\": there is a parameter or buffer of this name");
    m = fresh(&s);
    tg_param(s, m, "w", tg_relu(s, tg_zeros(s, TG_F32, 1, TG_DIM(1))));
    expect_message(s, "M: parameter \"w\": want a leaf, got the result of an operator");
    m = fresh(&s);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    tg_param(s, m, name, tg_zeros(s, TG_F32, 1, TG_DIM(1)));
    assert_non_null(strstr(tg_message(s), "the names from the top down are too long"));
    tg_close(s);
}

static void refuses_bad_forwards(void **unused)
{
    tg_scope *s = NULL;
    (void)unused;
    fresh(&s);
    tg_forward(s, NULL, tg_zeros(s, TG_F32, 1, TG_DIM(1)));
    expect_message(s, "forward: the module is NULL");
    fresh(&s);
    tg_forward(s, tg_module_new(s, sizeof(tg_module), "N", nothing), tg_zeros(s, TG_F32, 1, TG_DIM(1)));
    expect_message(s, "N: its forward function returned NULL");
    tg_close(s);
}

/* ---- constructors ---- */

typedef struct {
    const char *message;
    tg_layer_conv2d_config config;
} bad_conv;

static void refuses_bad_convolutions(void **unused)
{
    static const bad_conv bad[] = {
        { "Conv2d: in 0, want at least 1", { .out = 1, .kernel = 1 } },
        { "Conv2d: out -3, want at least 1", { .in = 1, .out = -3, .kernel = 1 } },
        { "Conv2d: kernel 0, want at least 1", { .in = 1, .out = 1 } },
        { "Conv2d: stride -1, want at least 1", { .in = 1, .out = 1, .kernel = 1, .stride = -1 } },
        { "Conv2d: pad -1, want at least 0", { .in = 1, .out = 1, .kernel = 1, .pad = -1 } },
        { "Conv2d: dilation -2, want at least 1", { .in = 1, .out = 1, .kernel = 1, .dilation = -2 } },
        { "Conv2d: groups -1, want at least 1", { .in = 1, .out = 1, .kernel = 1, .groups = -1 } },
        { "Conv2d: kernel_w -1, want at least 1", { .in = 1, .out = 1, .kernel = 1, .kernel_w = -1 } },
        { "Conv2d: in 3, out 4, want multiples of groups 2", { .in = 3, .out = 4, .kernel = 1, .groups = 2 } },
    };
    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tg_scope *s = tg_open();
        assert_null(tg_layer_conv2d(s, bad[i].config));
        expect_message(s, bad[i].message);
        assert_null(tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 1, .out = 1, .kernel = 1 }));
        assert_null(tg_sequential(s, (tg_module *[]){ NULL }));
        tg_close(s);
    }
    tg_scope *s = tg_open();
    assert_null(tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 1 << 30, .out = 1 << 30, .kernel = 1 << 20 }));
    assert_false(tg_ok(s));
    tg_close(s);
}

#define EXPECT_REFUSED(text, call) \
    do { \
        tg_scope *s = tg_open(); \
        assert_null(call); \
        expect_message(s, text); \
        tg_close(s); \
    } while (0)

static void refuses_bad_layers(void **unused)
{
    (void)unused;
    EXPECT_REFUSED("Linear: in 0, want at least 1", tg_layer_linear(s, (tg_layer_linear_config){ .out = 1 }));
    EXPECT_REFUSED("Linear: out 0, want at least 1", tg_lenet(s, 0));
    EXPECT_REFUSED("Linear: out -1, want at least 1", tg_resnet20(s, -1));
    EXPECT_REFUSED("BatchNorm2d: features 0, want at least 1",
                   tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ 0 }));
    EXPECT_REFUSED("BatchNorm2d: momentum 2, want 0 to 1",
                   tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 1, .momentum = 2 }));
    EXPECT_REFUSED("BatchNorm2d: eps nan, want 0 to 1",
                   tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 1, .eps = NAN }));
    EXPECT_REFUSED("LayerNorm: rank 0, want at least 1", tg_layer_layer_norm(s, (tg_layer_norm_config){ 0 }));
    EXPECT_REFUSED("MaxPool2d: kernel 0, want at least 1", tg_layer_max_pool2d(s, (tg_layer_pool2d_config){ 0 }));
    EXPECT_REFUSED("AvgPool2d: pad 2, want at most half of kernel 3",
                   tg_layer_avg_pool2d(s, (tg_layer_pool2d_config){ .kernel = 3, .pad = 2 }));
    EXPECT_REFUSED("AdaptiveAvgPool2d: ow 0, want at least 1", tg_layer_adaptive_avg_pool2d(s, 1, 0));
    EXPECT_REFUSED("Dropout: p 1, want 0 <= p < 1", tg_layer_dropout(s, 1));
    EXPECT_REFUSED("LeakyReLU: slope inf, want a finite number", tg_layer_leaky_relu(s, INFINITY));
    EXPECT_REFUSED("F: the function is NULL", tg_layer_fn(s, "F", NULL));
}

/* ---- first values ---- */

static void expect_uniform(tg_tensor *t, double bound)
{
    const float *data = tg_data(t);
    double sum = 0, squares = 0, most = 0;
    const double n = (double)tg_count(t);
    for (int64_t i = 0; i < tg_count(t); i++) {
        sum += (double)data[i];
        squares += (double)data[i] * (double)data[i];
        most = fmax(most, fabs((double)data[i]));
    }
    assert_true(most <= bound && most > bound * (1 - 20 / n));
    assert_true(fabs(sum / n) < 5 * bound / sqrt(3 * n));
    assert_true(fabs(squares / n / (bound * bound) - 1.0 / 3) < 5 * 0.3 / sqrt(n));
}

static void starts_as_pytorch_does(void **unused)
{
    tg_scope *s = tg_open();
    (void)unused;
    tg_module *conv = tg_layer_conv2d(s, (tg_layer_conv2d_config){ 8, 64, .kernel = 3, .kernel_w = 5, .groups = 2 });
    expect_uniform(tg_find_param(conv, "weight"), 1 / sqrt(3 * 5 * 4));
    expect_uniform(tg_find_param(conv, "bias"), 1 / sqrt(3 * 5 * 4));
    tg_module *up = tg_layer_conv_transpose2d(s, (tg_layer_conv2d_config){ 64, 8, .kernel = 2, .groups = 2 });
    expect_uniform(tg_find_param(up, "weight"), 1 / sqrt(2 * 2 * 4));
    assert_int_equal(tg_find_param(up, "weight")->dim[0], 64);
    assert_int_equal(tg_find_param(up, "weight")->dim[3], 4);
    tg_module *linear = tg_layer_linear(s, (tg_layer_linear_config){ .in = 100, .out = 90 });
    expect_uniform(tg_find_param(linear, "weight"), 0.1);
    expect_uniform(tg_find_param(linear, "bias"), 0.1);
    tg_module *norm = tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 2 });
    expect_numbers(tg_find_param(norm, "weight"), NUMBERS(1, 1));
    expect_numbers(tg_find_param(norm, "bias"), NUMBERS(0, 0));
    expect_numbers(tg_find_param(norm, "running_mean"), NUMBERS(0, 0));
    expect_numbers(tg_find_param(norm, "running_var"), NUMBERS(1, 1));
    tg_close(s);
}

static void seed_decides(void **unused)
{
    uint64_t hash[3];
    (void)unused;
    for (int i = 0; i < 3; i++) {
        tg_scope *s = tg_open();
        tg_seed(s, i < 2 ? 5 : 6);
        hash[i] = lasting_bytes(tg_lenet(s, 10), NULL);
        tg_close(s);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

/* ---- running ---- */

static void counts_batches_in_training_only(void **unused)
{
    tg_scope *root = tg_open(), *step = tg_train(root), *eval = tg_push(root);
    tg_module *norm = tg_layer_batch_norm2d(root, (tg_layer_batch_norm2d_config){ .features = 1 });
    tg_tensor *x = tg_randn(root, 3, 2, 4, TG_DIM(2, 2, 2, 1)), *tracked = tg_find_param(norm, "num_batches_tracked");
    (void)unused;
    for (int i = 0; i < 3; i++, tg_reset(step)) tg_forward(step, norm, x);
    tg_forward(eval, norm, x);
    tg_reset(eval);
    expect_ok(root);
    assert_int_equal(tracked->dtype, TG_I64);
    assert_int_equal(*(const int64_t *)tg_data(tracked), 3);
    tg_close(root);
}

static void residual_adds(void **unused)
{
    tg_scope *s = tg_open();
    tg_tensor *x = vector(s, NUMBERS(1, -2, 3));
    (void)unused;
    expect_numbers(tg_forward(s, tg_residual(s, tg_layer_relu(s), NULL), x), NUMBERS(2, 0, 6));
    tg_module *leaky = tg_layer_leaky_relu(s, -0.5);
    expect_numbers(tg_forward(s, tg_residual(s, tg_layer_relu(s), leaky), x), NUMBERS(2, 1, 6));
    tg_close(s);
}

static void freezing_stops_gradients(void **unused)
{
    tg_scope *root = tg_open(), *step = tg_train(root);
    tg_module *net = small(root);
    tg_tensor *w = tg_find_param(net, "0.weight"), *last = tg_find_param(net, "4.weight");
    tg_tensor *x = tg_randn(root, 0, 1, 4, TG_DIM(2, 4, 4, 2));
    (void)unused;
    tg_freeze(tg_find_module(net, "0"));
    tg_backward(step, tg_sum(step, tg_forward(step, net, x), (tg_axes){ 0 }));
    expect_ok(step);
    assert_null(tg_grad(w));
    assert_non_null(tg_grad(last));
    tg_freeze(net);
    assert_null(tg_grad(last));
    tg_unfreeze(net);
    assert_true(tg_needs_grad(w) && tg_needs_grad(last));
    assert_false(tg_needs_grad(tg_find_param(net, "1.running_mean")));
    tg_close(root);
}

/* ---- the table ---- */

static const char table[] = "layer     kind                      output          parameters        size\n"
                            "0         Conv2d(2, 4, 3x3, pad 1)  [5, 4, 4, 4]            76       304 B\n"
                            "1         BatchNorm2d(4)            [5, 4, 4, 4]             8        72 B\n"
                            "2.body.0  ReLU                      [5, 4, 4, 4]             0         0 B\n"
                            "2.body.1  ReLU                      [5, 4, 4, 4]             0         0 B\n"
                            "3         Flatten                   [5, 64]                  0         0 B\n"
                            "4         Linear(64, 3)             [5, 3]                 192       768 B\n"
                            "total     Sequential                                       276     1.1 KiB\n"
                            "8 of the parameters are frozen\n";

static void summary_prints_a_table(void **unused)
{
    tg_scope *root = tg_open();
    tg_module *net = small(root);
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    (void)unused;
    tg_freeze(tg_find_module(net, "1"));
    tg_summary(root, net, to, 4, TG_DIM(5, 4, 4, 2));
    fclose(to);
    expect_ok(root);
    assert_string_equal(text, table);
    free(text);
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_name),
        cmocka_unit_test(refuses_bad_children),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(refuses_bad_forwards),
        cmocka_unit_test(refuses_bad_convolutions),
        cmocka_unit_test(refuses_bad_layers),
        cmocka_unit_test(starts_as_pytorch_does),
        cmocka_unit_test(seed_decides),
        cmocka_unit_test(counts_batches_in_training_only),
        cmocka_unit_test(residual_adds),
        cmocka_unit_test(freezing_stops_gradients),
        cmocka_unit_test(summary_prints_a_table),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL) != 0;
}
