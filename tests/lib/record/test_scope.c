/* test_scope.c - the rules of gradients and scopes (R7, R8), each as a small program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "core.h"
#include "dispatch.h"
#include "expect.h"
#include "world.h"
#include <math.h>

#define ALL_AXES ((tg_axes){ 0 })

/* ---- R7: gradients ---- */

static void a_second_backward_doubles(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(1, 2)), *loss = tg_sum(s, tg_mul(s, p, p), ALL_AXES);
    tg_backward(s, loss);
    tg_backward(s, loss);
    expect_numbers(tg_grad(p), NUMBERS(4, 8));
    tg_backward(s, loss);
    expect_numbers(tg_grad(p), NUMBERS(6, 12));
}

static void two_losses_share_a_trunk(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(3)), *trunk = tg_mul(s, p, p);
    tg_backward(s, tg_sum(s, trunk, ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(6));
    tg_backward(s, tg_sum(s, tg_mul(s, trunk, trunk), ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(6 + 4 * 27));
}

static void part_of_a_graph(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(3)), *q = tg_mul(s, p, p);
    tg_backward(s, tg_sum(s, tg_mul(s, tg_detach(s, q), p), ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(9));
}

static void a_gradient_from_any_tensor(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(1, 2));
    tg_backward_from(s, tg_mul(s, p, p), vector(s, NUMBERS(10, 100)));
    expect_numbers(tg_grad(p), NUMBERS(20, 400));
}

static void the_gradient_of_an_input(void **state)
{
    WORLD;
    tg_tensor *x = weight(s, NUMBERS(1, 2)), *p = vector(root, NUMBERS(5, 7));
    tg_backward(s, tg_sum(s, tg_mul(s, x, p), ALL_AXES));
    expect_numbers(tg_grad(x), NUMBERS(5, 7));
    assert_null(tg_grad(p));
}

static void a_shared_weight_has_one_gradient(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(2)), *x = vector(root, NUMBERS(5));
    tg_backward(s, tg_sum(s, tg_mul(s, p, tg_mul(s, p, x)), ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(20));
}

static void the_loss_may_be_the_leaf(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(2));
    tg_backward(s, p);
    expect_numbers(tg_grad(p), NUMBERS(1));
}

static void micro_batches_add_up_over_resets(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(1, 2));
    for (int i = 0; i < 3; i++, tg_reset(s)) tg_backward(s, tg_sum(s, tg_mul(s, p, p), ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(6, 12));
    tg_clear_grad(p);
    assert_null(tg_grad(p));
    tg_backward(s, tg_sum(s, p, ALL_AXES));
    expect_numbers(tg_grad(p), NUMBERS(1, 1));
}

static void a_weight_edited_between_forward_and_backward(void **state)
{
    WORLD;
    tg_tensor *x = tg_full(root, 1, 2, TG_DIM(1, 2)), *p = tg_require_grad(root, tg_full(root, 2, 2, TG_DIM(1, 2)));
    tg_require_grad(root, x);
    tg_tensor *loss = tg_sum(s, tg_linear(s, x, p, NULL), ALL_AXES);
    ((float *)tg_edit(s, p))[0] = 9;
    tg_backward(s, loss);
    expect_message(s, "backward: linear: its input 1 was written after the forward");
}

static void backward_says_what_it_wants(void **state)
{
    WORLD;
    tg_tensor *p = weight(root, NUMBERS(1, 2));
    tg_backward(s, tg_mul(s, p, p));
    expect_message(s, "backward: the loss has shape [2], want one element (tg_backward_from takes others)");
    tg_clear(s);
    tg_backward(s, tg_sum(s, vector(root, NUMBERS(1)), ALL_AXES));
    expect_message(s,
                   "backward: nothing that the loss depends on needs a gradient, or it was computed in a scope without "
                   "gradients");
    tg_clear(s);
    tg_scope *e = tg_push(s);
    tg_backward(e, tg_sum(e, p, ALL_AXES));
    expect_message(e,
                   "backward: nothing that the loss depends on needs a gradient, or it was computed in a scope without "
                   "gradients");
}

/* ---- R8: scopes ---- */

static void a_child_cannot_feed_its_parent(void **state)
{
    WORLD;
    tg_scope *child = tg_push(s);
    tg_tensor *inside = tg_neg(child, vector(root, NUMBERS(1)));
    tg_neg(s, inside);
    expect_message(s,
                   "neg: input 0 belongs to a scope that ends before this one; make it in this scope or one above, or "
                   "continue in a child of its scope (tg_copy keeps its values, but cuts the gradient)");
    tg_clear(s);
    tg_tensor *kept = tg_copy(root, inside);
    tg_pop(child);
    expect_numbers(tg_neg(s, kept), NUMBERS(1));
}

static void a_popped_child_leaves_the_parents_calls(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1)), *y = tg_neg(s, x);
    tg_scope *child = tg_push(s);
    tg_neg(child, y);
    tg_pop(child);
    expect_numbers(y, NUMBERS(-1));
}

static void a_reset_runs_what_lasts_and_drops_the_rest(void **state)
{
    WORLD;
    tg_tensor *x = vector(root, NUMBERS(1)), *one = vector(root, NUMBERS(1));
    tg_neg(s, x);
    tg_reset(s);
    assert_int_equal(tg_statistics(root).calls, 0);
    accumulate(s, x, one);
    tg_reset(s);
    expect_numbers(x, NUMBERS(2));
    assert_int_equal(tg_statistics(root).calls, 1);
}

static void trees_do_not_mix(void **state)
{
    WORLD;
    tg_scope *other = tg_open();
    tg_neg(s, vector(other, NUMBERS(1)));
    expect_message(s, "neg: input 0 belongs to another tree of scopes");
    tg_close(other);
}

static void evaluation_between_and_under_steps(void **state)
{
    WORLD;
    tg_tensor *x = tg_from(root, TG_F32, 4, TG_DIM(1, 2, 1, 1), (float[]){ 1, 3 });
    tg_tensor *mean = vector(root, NUMBERS(0)), *var = vector(root, NUMBERS(1));
    tg_tensor *gamma = weight(root, NUMBERS(1)), *beta = weight(root, NUMBERS(0));
    tg_batch_norm2d_config config = { .eps = 1e-12f, .momentum = 1 };
    tg_tensor *y = tg_batch_norm2d(s, x, gamma, beta, mean, var, config);
    tg_scope *e = tg_push(s);
    tg_tensor *z = tg_batch_norm2d(e, x, gamma, beta, mean, var, config);
    assert_false(z->node->needs_grad);
    expect_numbers(z, NUMBERS(-1 / sqrt(2), 1 / sqrt(2))); /* the statistics of the previous step */
    tg_pop(e);
    tg_backward_from(s, y, tg_from(s, TG_F32, 4, x->dim, (float[]){ 1, 2 }));
    expect_numbers(tg_grad(beta), NUMBERS(3));
}

/* ---- modes ---- */

static void gradients_without_training(void **state)
{
    WORLD;
    tg_tensor *x = tg_from(root, TG_F32, 4, TG_DIM(1, 2, 1, 1), (float[]){ 1, 3 });
    tg_tensor *mean = vector(root, NUMBERS(1)), *var = vector(root, NUMBERS(4));
    tg_tensor *gamma = weight(root, NUMBERS(1)), *beta = weight(root, NUMBERS(0));
    tg_scope *e = tg_push_modes(root, (tg_modes){ .grad = true });
    tg_require_grad(root, x);
    tg_backward(e, tg_sum(e, tg_batch_norm2d(e, x, gamma, beta, mean, var, (tg_batch_norm2d_config){ .eps = 1e-12f }),
                          ALL_AXES));
    expect_numbers(tg_grad(x), NUMBERS(0.5, 0.5)); /* saliency: the running statistics are constants */
    expect_numbers(tg_grad(gamma), NUMBERS(1));
    expect_numbers(mean, NUMBERS(1));
}

static void training_without_gradients(void **state)
{
    WORLD;
    tg_tensor *x = tg_from(root, TG_F32, 4, TG_DIM(1, 2, 1, 1), (float[]){ 1, 3 });
    tg_tensor *mean = vector(root, NUMBERS(0)), *var = vector(root, NUMBERS(1));
    tg_tensor *gamma = weight(root, NUMBERS(1)), *beta = weight(root, NUMBERS(0));
    tg_scope *t = tg_push_modes(root, (tg_modes){ .train = true });
    tg_tensor *y = tg_batch_norm2d(t, x, gamma, beta, mean, var, (tg_batch_norm2d_config){ .eps = 1e-12f });
    assert_false(y->node->needs_grad);
    tg_pop(t);
    expect_numbers(mean, NUMBERS(0.2));
}

/* The example of scope.h: a body with frozen batch norms, and a head that trains. */
static void batch_norm_at_rest_in_a_training_step(void **state)
{
    WORLD;
    tg_module *norm = tg_layer_batch_norm2d(root, (tg_layer_batch_norm2d_config){ .features = 2 });
    tg_module *head = tg_sequential(
        root, (tg_module *const[]){ tg_layer_flatten(root), tg_layer_dropout(root, 0.5),
                                    tg_layer_linear(root, (tg_layer_linear_config){ .in = 8, .out = 3 }), NULL });
    tg_module *net = tg_sequential(root, (tg_module *const[]){ norm, head, NULL });
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    tg_tensor *x = tg_randn(root, 3, 2, 4, TG_DIM(4, 2, 2, 2)), *y = tg_zeros(root, TG_I64, 1, TG_DIM(4));
    tg_scope *rest = tg_push_modes(root, (tg_modes){ .grad = true });
    for (int i = 0; i < 2; i++, tg_reset(rest)) {
        tg_tensor *features = tg_forward(rest, norm, x);
        tg_scope *step = tg_train(rest);
        tg_backward(step, tg_cross_entropy(step, tg_forward(step, head, features), y));
        assert_non_null(tg_grad(tg_find_param(net, "0.weight")));
        tg_update(step, opt);
        expect_ok(step);
    }
    expect_numbers(tg_find_param(net, "0.running_mean"), NUMBERS(0, 0));
    expect_numbers(tg_find_param(net, "0.running_var"), NUMBERS(1, 1));
    assert_true(((const float *)tg_data(tg_find_param(net, "0.weight")))[0] != 1);
    assert_true(tg_steps(opt) == 2);
    expect_ok(root);
}

/* ---- tg_checkpoint: the same bits, less memory, effects once ---- */

typedef struct {
    uint64_t bytes, lasting;
} checkpointed;

static checkpointed train_deep(bool checkpoint)
{
    enum { BLOCKS = 6 };
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_module *block[BLOCKS + 1] = { NULL };
    tg_seed(root, 4);
    for (int i = 0; i < BLOCKS; i++)
        block[i] = tg_sequential(
            root, (tg_module *const[]){
                      tg_layer_conv2d(root, (tg_layer_conv2d_config){ .in = 4, .out = 4, .kernel = 3, .pad = 1 }),
                      tg_layer_batch_norm2d(root, (tg_layer_batch_norm2d_config){ .features = 4 }), tg_layer_relu(root),
                      tg_layer_conv2d(root, (tg_layer_conv2d_config){ .in = 4, .out = 4, .kernel = 3, .pad = 1 }),
                      tg_layer_dropout(root, 0.5), NULL });
    tg_module *net = tg_sequential(root, block);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    tg_tensor *x = tg_randn(root, 0, 1, 4, TG_DIM(2, 32, 32, 4));
    for (int step = 0; step < 2; step++, tg_reset(s)) {
        tg_tensor *y = x;
        for (int i = 0; i < BLOCKS; i++) y = checkpoint ? tg_checkpoint(s, block[i], y) : tg_forward(s, block[i], y);
        tg_backward(s, tg_mean(s, tg_mul(s, y, y), ALL_AXES));
        tg_update(s, optim);
    }
    expect_ok(root);
    checkpointed result = { tg_statistics(root).peak_bytes, lasting_bytes(net, optim) };
    tg_close(root);
    return result;
}

static void checkpointing_gives_the_same_bits(void **state)
{
    (void)state;
    tg_set_backends("ref,vector");
    checkpointed plain = train_deep(false), frugal = train_deep(true);
    tg_set_backends(NULL);
    assert_true(frugal.lasting == plain.lasting);
    print_message("peak bytes %llu, with checkpoints %llu\n", (unsigned long long)plain.bytes,
                  (unsigned long long)frugal.bytes);
    assert_true(frugal.bytes < plain.bytes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
int main(void)
{
    const struct CMUnitTest scopes[] = {
        TEST(a_second_backward_doubles),
        TEST(two_losses_share_a_trunk),
        TEST(part_of_a_graph),
        TEST(a_gradient_from_any_tensor),
        TEST(the_gradient_of_an_input),
        TEST(a_shared_weight_has_one_gradient),
        TEST(the_loss_may_be_the_leaf),
        TEST(micro_batches_add_up_over_resets),
        TEST(a_weight_edited_between_forward_and_backward),
        TEST(backward_says_what_it_wants),
        TEST(a_child_cannot_feed_its_parent),
        TEST(a_popped_child_leaves_the_parents_calls),
        TEST(a_reset_runs_what_lasts_and_drops_the_rest),
        TEST(trees_do_not_mix),
        TEST(evaluation_between_and_under_steps),
        TEST(gradients_without_training),
        TEST(batch_norm_at_rest_in_a_training_step),
        TEST(training_without_gradients),
        TEST(checkpointing_gives_the_same_bits),
    };
    return cmocka_run_group_tests(scopes, NULL, NULL);
}
