/* test_backward.c - gradients in situations where frameworks differ, against PyTorch's (tests/oracle/gradients.py):
 * micro-batches, a second backward, two losses, part of a graph, frozen and shared weights, the gradient of the input,
 * checkpointing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "gradients.h"
#include "wave.h"
#include <math.h>

enum { BATCH = 4 };

typedef struct {
    tg_scope *root, *step;
    tg_module *net, *trunk, *conv, *fc; /* net only contains the others */
} fixture;

/* relu(bn(tanh(conv(x)))), and the mean over each image */
static tg_tensor *forward_trunk(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_module *conv = m->first_child, *bn = conv->next;
    tg_tensor *y = tg_relu(s, tg_forward(s, bn, tg_tanh(s, tg_forward(s, conv, x))));
    return tg_mean(s, y, (tg_axes){ 2, { 1, 2 }, false });
}

static tg_tensor *forward_net(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_module *trunk = m->first_child;
    return tg_forward(s, trunk->next, tg_forward(s, trunk, x));
}

static int begin(void **state)
{
    static fixture f;
    tg_scope *root = f.root = tg_open();
    f.net = tg_module_new(root, sizeof *f.net, "Net", forward_net);
    f.trunk = tg_child(root, f.net, "trunk", tg_module_new(root, sizeof *f.trunk, "Trunk", forward_trunk));
    const tg_layer_conv2d_config conv = { .in = 2, .out = 3, .kernel = 3, .pad = 1 };
    f.conv = tg_child(root, f.trunk, "conv", tg_layer_conv2d(root, conv));
    tg_child(root, f.trunk, "bn", tg_layer_batch_norm2d(root, (tg_layer_batch_norm2d_config){ .features = 3 }));
    f.fc = tg_child(root, f.net, "fc", tg_layer_linear(root, (tg_layer_linear_config){ .in = 3, .out = 3 }));
    fill_params(root, f.net, 0.5);
    f.step = tg_train(root);
    *state = &f;
    return !tg_ok(root);
}

static int end(void **state)
{
    tg_close(((fixture *)*state)->root);
    return 0;
}

/* Images first .. last - 1 of the batch. */
static tg_tensor *images(tg_scope *s, int first, int last)
{
    tg_tensor *all = new_wave(s, (wave){ 50, 1, 0 }, 4, TG_DIM(BATCH, 5, 5, 2));
    return first == 0 && last == BATCH ? all : tg_slice(s, all, 0, first, last);
}

static tg_tensor *classes(tg_scope *s, int first, int last)
{
    int64_t y[BATCH];
    for (int i = first; i < last; i++) y[i - first] = i % 3;
    return tg_from(s, TG_I64, 1, TG_DIM(last - first), y);
}

static tg_tensor *loss_of(const fixture *f, tg_tensor *logits)
{
    return tg_cross_entropy(f->step, logits, classes(f->step, 0, BATCH));
}

/* ---- comparing ---- */

typedef struct {
    const double *want;
    int n, at;
} comparison;

/* Compares the gradient of t with PyTorch's next values, relative to the largest. */
static void expect_gradient(const char *name, tg_tensor *t, comparison *c)
{
    tg_tensor *g = tg_grad(t);
    const float *data = g ? tg_data(g) : NULL;
    double most = 0;
    if (!data) return;
    assert_true(c->at + tg_count(t) <= c->n);
    for (int64_t k = 0; k < tg_count(t); k++) most = fmax(most, fabs(c->want[c->at + k]));
    for (int64_t k = 0; k < tg_count(t); k++) {
        const double got = (double)data[place_of(t, k)], want = c->want[c->at + k];
        if (!(fabs(got - want) <= 1e-5 * most)) fail_msg("%s at %d: %.8g, PyTorch's %.8g", name, (int)k, got, want);
    }
    c->at += (int)tg_count(t);
}

static void expect_slot(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    (void)owner;
    if (!slot->buffer) expect_gradient(name, slot->tensor, context);
}

static void expect_gradients(const fixture *f, int n, const double *want)
{
    comparison c = { want, n, 0 };
    expect_ok(f->step);
    tg_each_param(f->net, expect_slot, &c);
    assert_int_equal(c.at, n); /* PyTorch has no gradients for the others either */
}
#define GRADS(name) (int)(sizeof name##_grads / sizeof *name##_grads), name##_grads

/* ---- the situations ---- */

static void single(void **state)
{
    const fixture *f = *state;
    tg_backward(f->step, loss_of(f, tg_forward(f->step, f->net, images(f->step, 0, BATCH))));
    expect_gradients(f, GRADS(single));
}

static void micro_batches(void **state)
{
    const fixture *f = *state;
    for (int first = 0; first < BATCH; first += 2, tg_reset(f->step)) {
        tg_tensor *y = tg_forward(f->step, f->net, images(f->step, first, first + 2));
        tg_backward(f->step, tg_cross_entropy(f->step, y, classes(f->step, first, first + 2)));
    }
    expect_gradients(f, GRADS(micro));
}

static void second_backward(void **state)
{
    const fixture *f = *state;
    tg_tensor *loss = loss_of(f, tg_forward(f->step, f->net, images(f->step, 0, BATCH)));
    tg_backward(f->step, loss);
    tg_backward(f->step, loss);
    expect_gradients(f, GRADS(twice));
}

static void second_backward_after_reading(void **state)
{
    const fixture *f = *state;
    tg_tensor *loss = loss_of(f, tg_forward(f->step, f->net, images(f->step, 0, BATCH)));
    tg_backward(f->step, loss);
    expect_gradients(f, GRADS(single));
    tg_backward(f->step, loss);
    expect_gradients(f, GRADS(twice));
}

static void two_losses(void **state)
{
    const fixture *f = *state;
    tg_tensor *h = tg_forward(f->step, f->trunk, images(f->step, 0, BATCH));
    tg_tensor *one = loss_of(f, tg_forward(f->step, f->fc, h));
    tg_tensor *other = tg_mean(f->step, tg_mul(f->step, h, h), (tg_axes){ 0 });
    tg_backward(f->step, one);
    tg_backward(f->step, other);
    expect_gradients(f, GRADS(two_losses));
}

static void part_of_a_graph(void **state)
{
    const fixture *f = *state;
    tg_tensor *h = tg_forward(f->step, f->trunk, images(f->step, 0, BATCH));
    tg_tensor *one = loss_of(f, tg_forward(f->step, f->fc, tg_detach(f->step, h)));
    tg_backward(f->step, tg_add(f->step, one, tg_mean(f->step, h, (tg_axes){ 0 })));
    expect_gradients(f, GRADS(part));
}

static void frozen(void **state)
{
    const fixture *f = *state;
    tg_freeze(f->conv);
    tg_backward(f->step, loss_of(f, tg_forward(f->step, f->net, images(f->step, 0, BATCH))));
    assert_null(tg_grad(tg_find_param(f->net, "trunk.conv.weight")));
    expect_gradients(f, GRADS(frozen));
}

static void shared(void **state)
{
    const fixture *f = *state;
    tg_tensor *h = tg_forward(f->step, f->trunk, images(f->step, 0, BATCH));
    tg_tensor *y = tg_forward(f->step, f->fc, tg_tanh(f->step, tg_forward(f->step, f->fc, h)));
    tg_backward(f->step, loss_of(f, y));
    expect_gradients(f, GRADS(shared));
}

static void from_the_middle(void **state)
{
    const fixture *f = *state;
    tg_tensor *y = tg_forward(f->step, f->net, images(f->step, 0, BATCH));
    tg_backward_from(f->step, y, new_wave(f->step, (wave){ 9, 1, 0 }, 2, TG_DIM(BATCH, 3)));
    expect_gradients(f, GRADS(from_middle));
}

static void of_the_input(void **state)
{
    const fixture *f = *state;
    tg_freeze(f->net);
    tg_tensor *x = tg_require_grad(f->step, images(f->step, 0, BATCH));
    tg_backward(f->step, loss_of(f, tg_forward(f->step, f->net, x)));
    comparison c = { of_input_grads, sizeof of_input_grads / sizeof *of_input_grads, 0 };
    expect_ok(f->step);
    expect_gradient("input", x, &c);
    assert_int_equal(c.at, c.n);
    expect_gradients(f, 0, NULL);
}

static void checkpointed(void **state)
{
    const fixture *f = *state;
    tg_tensor *h = tg_checkpoint(f->step, f->trunk, images(f->step, 0, BATCH));
    tg_backward(f->step, loss_of(f, tg_forward(f->step, f->fc, h)));
    expect_gradients(f, GRADS(single));
    tg_tensor *tracked = tg_find_param(f->net, "trunk.bn.num_batches_tracked");
    assert_int_equal(*(const int64_t *)tg_data(tracked), 1);
}

/* A shared tensor under two names: one parameter, one gradient, one update. */
static void tied(void **state)
{
    const fixture *f = *state;
    tg_tensor *w = weight(f->root, NUMBERS(2, 3)), *x = vector(f->root, NUMBERS(1, 10));
    tg_module *a = tg_module_new(f->root, sizeof *a, "A", forward_net);
    tg_module *b = tg_module_new(f->root, sizeof *b, "B", forward_net);
    tg_param(f->root, a, "weight", w);
    tg_child(f->root, a, "b", b);
    tg_param(f->root, b, "weight", w);
    assert_int_equal(tg_param_count(a), 2);
    tg_optim *opt = tg_sgd(f->root, a, (tg_sgd_config){ .lr = 1 });
    tg_tensor *y = tg_mul(f->step, tg_mul(f->step, w, w), x);
    tg_backward(f->step, tg_sum(f->step, y, (tg_axes){ 0 }));
    expect_numbers(tg_grad(w), NUMBERS(4, 60));
    tg_update(f->step, opt);
    expect_numbers(w, NUMBERS(-2, -57));
    assert_null(tg_grad(w));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(single),          TEST(micro_batches),   TEST(second_backward), TEST(second_backward_after_reading),
        TEST(two_losses),      TEST(part_of_a_graph), TEST(frozen),          TEST(shared),
        TEST(from_the_middle), TEST(of_the_input),    TEST(checkpointed),    TEST(tied),
    };
    return cmocka_run_group_tests_name("autograd", tests, NULL, NULL) != 0;
}
