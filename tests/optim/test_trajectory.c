/* test_trajectory.c - twenty steps of each optimizer against PyTorch's losses (tests/oracle/trajectory.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "trajectory.h"
#include "wave.h"
#include <math.h>

enum { STEPS = 20 };

static tg_module *network(tg_scope *s)
{
    tg_module *net = tg_sequential(
        s,
        (tg_module *[]){
            tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 2, .out = 4, .kernel = 3, .pad = 1 }), tg_layer_relu(s),
            tg_layer_max_pool2d(s, (tg_layer_pool2d_config){ .kernel = 2 }),
            tg_layer_conv2d(s, (tg_layer_conv2d_config){ 4, 6, .kernel = 3, .stride = 2, .pad = 1, .no_bias = true }),
            tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = 6 }), tg_layer_relu(s),
            tg_layer_flatten(s), tg_layer_linear(s, (tg_layer_linear_config){ .in = 24, .out = 8 }), tg_layer_relu(s),
            tg_layer_linear(s, (tg_layer_linear_config){ .in = 8, .out = 3 }), NULL });
    fill_params(s, net, 0.3);
    return net;
}

static tg_tensor *images(tg_scope *s, int step)
{
    return new_wave(s, (wave){ 100 + step % 3, 1, 0 }, 4, TG_DIM(8, 8, 8, 2));
}

static tg_tensor *classes(tg_scope *s, int step)
{
    int64_t y[8];
    for (int i = 0; i < 8; i++) y[i] = (i * i + step % 3) % 3;
    return tg_from(s, TG_I64, 1, TG_DIM(8), y);
}

static void expect_loss(const char *name, int step, double got, double want)
{
    if (!(fabs(got - want) <= 1e-5 * want)) fail_msg("%s: loss %d is %.9g, PyTorch's %.9g", name, step, got, want);
}

static void compare(const char *name, tg_scope *root, tg_module *net, tg_optim *opt, const double want[STEPS + 1])
{
    tg_scope *step = tg_train(root);
    for (int i = 0; i < STEPS; i++, tg_reset(step)) {
        tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, net, images(step, i)), classes(step, i));
        tg_backward(step, loss);
        tg_update(step, opt);
        expect_ok(step);
        expect_loss(name, i, tg_item(loss), want[i]);
    }
    tg_pop(step);
    tg_scope *eval = tg_push(root);
    tg_tensor *loss = tg_cross_entropy(eval, tg_forward(eval, net, images(eval, STEPS - 1)), classes(eval, STEPS - 1));
    expect_loss(name, STEPS, tg_item(loss), want[STEPS]);
    assert_int_equal(tg_steps(opt), STEPS);
    tg_close(root);
}

static void sgd_with(const char *name, tg_sgd_config config, const double want[STEPS + 1])
{
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    compare(name, root, net, tg_sgd(root, net, config), want);
}

static void sgd(void **state)
{
    (void)state;
    sgd_with("plain", (tg_sgd_config){ .lr = 0.1f }, sgd_losses);
    sgd_with("decay", (tg_sgd_config){ .lr = 0.03f, .weight_decay = 0.1f }, sgd_decay_losses);
}

static void sgd_momentum(void **state)
{
    (void)state;
    sgd_with("momentum", (tg_sgd_config){ .lr = 0.02f, .momentum = 0.9f, .weight_decay = 0.01f }, sgd_momentum_losses);
    sgd_with("dampening", (tg_sgd_config){ .lr = 0.03f, .momentum = 0.8f, .dampening = 0.3f }, sgd_dampening_losses);
    sgd_with("nesterov", (tg_sgd_config){ .lr = 0.02f, .momentum = 0.9f, .weight_decay = 0.02f, .nesterov = true },
             sgd_nesterov_losses);
}

static void sgd_groups(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.02f, .momentum = 0.9f, .weight_decay = 0.1f });
    assert_int_equal(tg_no_decay_on_bias_and_norm(root, opt), 1);
    compare("groups", root, net, opt, sgd_groups_losses);
}

static void sgd_clip_norm(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    tg_clip_norm(root, opt, 0.3f);
    compare("clip_norm", root, net, opt, sgd_clip_norm_losses);
}

static void sgd_clip_value(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    tg_clip_value(root, opt, 0.03f);
    compare("clip_value", root, net, opt, sgd_clip_value_losses);
}

static void sgd_cosine(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.03f, .momentum = 0.9f });
    tg_schedule(root, opt, (tg_schedule_config){ .kind = TG_COSINE, .total = STEPS });
    compare("cosine", root, net, opt, sgd_cosine_losses);
}

static void adam(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    compare("adam", root, net, tg_adam(root, net, (tg_adam_config){ .lr = 0.01f }), adam_losses);
    root = tg_open();
    net = network(root);
    const tg_adam_config config = { .lr = 0.01f, .beta1 = 0.8f, .beta2 = 0.95f, .weight_decay = 0.05f };
    compare("adam_decay", root, net, tg_adam(root, net, config), adam_decay_losses);
    root = tg_open();
    net = network(root);
    const tg_adam_config zero = { .lr = 0.01f, .beta1 = TG_ZERO, .beta2 = 0.99f };
    compare("adam_beta1_zero", root, net, tg_adam(root, net, zero), adam_beta1_zero_losses);
}

static void adamw(void **state)
{
    (void)state;
    tg_scope *root = tg_open();
    tg_module *net = network(root);
    tg_optim *opt = tg_adamw(root, net, (tg_adam_config){ .lr = 0.01f, .weight_decay = 0.3f });
    compare("adamw", root, net, opt, adamw_losses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),           cmocka_unit_test(sgd_momentum),   cmocka_unit_test(sgd_groups),
        cmocka_unit_test(sgd_clip_norm), cmocka_unit_test(sgd_clip_value), cmocka_unit_test(sgd_cosine),
        cmocka_unit_test(adam),          cmocka_unit_test(adamw),
    };
    return cmocka_run_group_tests_name("trajectory", tests, NULL, NULL) != 0;
}
