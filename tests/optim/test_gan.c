/* test_gan.c - two optimizers: a GAN against PyTorch's losses (tests/oracle/gan.py), and which gradients a backward
 * pass leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "gan.h"
#include "wave.h"
#include <math.h>

enum { STEPS = sizeof gan_losses / sizeof *gan_losses };

typedef struct {
    tg_module *generator, *discriminator;
    tg_optim *g_optim, *d_optim;
} gan;

static tg_module *linear(tg_scope *s, int in, int out)
{
    return tg_layer_linear(s, (tg_layer_linear_config){ .in = in, .out = out });
}

static gan gan_new(tg_scope *s)
{
    gan g = {
        .generator = tg_sequential(s, (tg_module *[]){ linear(s, 4, 8), tg_layer_relu(s), linear(s, 8, 6), NULL }),
        .discriminator =
            tg_sequential(s, (tg_module *[]){ linear(s, 6, 8), tg_layer_leaky_relu(s, 0.2), linear(s, 8, 1), NULL }),
    };
    fill_params(s, g.generator, 0.5);
    fill_params(s, g.discriminator, 0.5);
    g.g_optim = tg_adam(s, g.generator, (tg_adam_config){ .lr = 0.02f, .beta1 = 0.5f });
    g.d_optim = tg_sgd(s, g.discriminator, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.9f });
    return g;
}

static tg_tensor *loss_of(tg_scope *s, const gan *g, tg_tensor *x, double target)
{
    return tg_bce_with_logits(s, tg_forward(s, g->discriminator, x), tg_full(s, target, 2, TG_DIM(8, 1)), TG_MEAN);
}

static tg_tensor *discriminator_loss(tg_scope *s, const gan *g, int step, tg_tensor *fake)
{
    tg_tensor *real = new_wave(s, (wave){ 100 + step % 3, 1, 0 }, 2, TG_DIM(8, 6));
    return tg_add(s, loss_of(s, g, real, 1), loss_of(s, g, tg_detach(s, fake), 0));
}

static tg_tensor *fake_of(tg_scope *s, const gan *g, int step)
{
    return tg_forward(s, g->generator, new_wave(s, (wave){ 200 + step, 1, 0 }, 2, TG_DIM(8, 4)));
}

static void expect_loss(int step, const char *whose, double got, double want)
{
    if (!(fabs(got - want) <= 1e-5 * want))
        fail_msg("step %d: the loss of the %s is %.9g, PyTorch's %.9g", step, whose, got, want);
}

/* ---- PyTorch's losses, with tg_backward_for, and with tg_backward and tg_clear_grads ---- */

static void train(bool by_clearing)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    const gan g = gan_new(root);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        tg_tensor *fake = fake_of(s, &g, i), *d_loss = discriminator_loss(s, &g, i, fake);
        if (by_clearing) tg_clear_grads(s, g.discriminator), tg_backward(s, d_loss);
        else tg_backward_for(s, d_loss, g.discriminator);
        tg_update(s, g.d_optim);
        tg_tensor *g_loss = loss_of(s, &g, fake, 1);
        if (by_clearing) tg_backward(s, g_loss);
        else tg_backward_for(s, g_loss, g.generator);
        tg_update(s, g.g_optim);
        expect_ok(s);
        expect_loss(i, "discriminator", tg_item(d_loss), gan_losses[i][0]);
        expect_loss(i, "generator", tg_item(g_loss), gan_losses[i][1]);
    }
    tg_close(root);
}

static void losses_are_pytorchs(void **state) { (void)state, train(false); }
static void losses_are_pytorchs_by_clearing(void **state) { (void)state, train(true); }

/* ---- who gets a gradient ---- */

static bool has_grads(tg_module *m)
{
    return tg_grad(tg_find_param(m, "0.weight")) && tg_grad(tg_find_param(m, "2.bias"));
}
static bool has_none(tg_module *m)
{
    return !tg_grad(tg_find_param(m, "0.weight")) && !tg_grad(tg_find_param(m, "0.bias")) &&
           !tg_grad(tg_find_param(m, "2.weight")) && !tg_grad(tg_find_param(m, "2.bias"));
}

static void only_the_module_gets_gradients(void **state)
{
    (void)state;
    tg_scope *root = tg_open(), *s = tg_train(root);
    const gan g = gan_new(root);
    tg_tensor *x = tg_require_grad(root, tg_full(root, 1, 2, TG_DIM(8, 6)));
    tg_tensor *loss = loss_of(s, &g, tg_add(s, x, fake_of(s, &g, 0)), 1);
    tg_backward_for(s, loss, g.generator);
    assert_true(has_grads(g.generator) && has_none(g.discriminator) && !tg_grad(x));
    tg_clear_grads(s, g.generator);
    assert_true(has_none(g.generator));
    tg_backward_to(s, loss, &x, 1); /* the same graph again */
    assert_true(has_none(g.generator) && has_none(g.discriminator) && tg_grad(x));
    tg_backward(s, loss); /* unaffected by the earlier passes */
    assert_true(has_grads(g.generator) && has_grads(g.discriminator));
    expect_ok(s);
    tg_close(root);
}

/* Gradients that aren't wanted aren't computed: fewer calls than a full backward. */
static void unwanted_gradients_cost_nothing(void **state)
{
    (void)state;
    uint64_t calls[3];
    for (int whose = 0; whose < 3; whose++) {
        tg_scope *root = tg_open(), *s = tg_train(root);
        const gan g = gan_new(root);
        tg_tensor *loss = loss_of(s, &g, fake_of(s, &g, 0), 1);
        if (whose == 0) tg_backward(s, loss);
        else tg_backward_for(s, loss, whose == 1 ? g.generator : g.discriminator);
        tg_item(loss);
        calls[whose] = tg_statistics(root).calls;
        expect_ok(s);
        tg_close(root);
    }
    assert_true(calls[0] - calls[1] >= 4); /* two weights, two biases */
    assert_true(calls[2] < calls[1]);      /* nor the path to the generator */
}

static void refuses_a_loss_without_the_module(void **state)
{
    (void)state;
    tg_scope *root = tg_open(), *s = tg_train(root);
    const gan g = gan_new(root);
    tg_tensor *fake = fake_of(s, &g, 0), *loss = discriminator_loss(s, &g, 0, fake);
    tg_backward_for(s, loss, g.generator);
    expect_message(s, "backward: the loss depends on none of the given leaves that need a gradient");
    tg_clear(s);
    tg_freeze(g.generator);
    tg_backward_for(s, loss, g.generator);
    expect_message(s, "backward: Sequential has no parameter that wants a gradient");
    tg_clear(s);
    tg_backward_for(s, loss, NULL);
    expect_message(s, "backward: the module is NULL");
    tg_clear(s);
    tg_backward_to(s, loss, (tg_tensor *[]){ fake }, 1);
    expect_message(s, "backward: tensor 0 is the result of linear, want a leaf");
    tg_clear(s);
    tg_clear_grads(s, NULL);
    expect_message(s, "clear_grads: the module is NULL");
    tg_clear(s);
    tg_backward(s, loss); /* still works afterwards */
    assert_true(has_grads(g.discriminator));
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_pytorchs),
        cmocka_unit_test(losses_are_pytorchs_by_clearing),
        cmocka_unit_test(only_the_module_gets_gradients),
        cmocka_unit_test(unwanted_gradients_cost_nothing),
        cmocka_unit_test(refuses_a_loss_without_the_module),
    };
    return cmocka_run_group_tests_name("gan", tests, NULL, NULL) != 0;
}
