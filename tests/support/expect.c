/* expect.c - checks of messages and values, and a small network.  See expect.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include "update.h"
#include <math.h>
#include <string.h>

void expect_ok(const tg_scope *s)
{
    if (!tg_ok(s)) fail_msg("failed: %s", tg_message(s));
}

void expect_message(const tg_scope *s, const char *message)
{
    if (strcmp(tg_message(s), message)) fail_msg("message \"%s\"\n   want \"%s\"", tg_message(s), message);
}

void expect_numbers(tg_tensor *t, int n, const double *want)
{
    const float *data = tg_data(t);
    if (!data) fail_msg("no numbers: the scope has failed, or the tensor has no elements");
    if (tg_count(t) != n) fail_msg("%lld elements, want %d", (long long)tg_count(t), n);
    for (int i = 0; i < n; i++)
        if (!(fabs((double)data[i] - want[i]) <= 1e-5 * (1 + fabs(want[i]))))
            fail_msg("at %d: %.9g, want %.9g", i, (double)data[i], want[i]);
}

void expect_number(tg_tensor *t, double want) { expect_numbers(t, 1, &want); }

tg_tensor *vector(tg_scope *s, int n, const double *values)
{
    tg_tensor *t = tg_zeros(s, TG_F32, 1, TG_DIM(n));
    float *data = tg_edit(s, t);
    for (int i = 0; data && i < n; i++) data[i] = (float)values[i];
    return t;
}

tg_tensor *weight(tg_scope *s, int n, const double *values) { return tg_require_grad(s, vector(s, n, values)); }

/* ---- the toy ---- */

bool toy_open(toy *t, tg_scope *root)
{
    int64_t classes[] = { 0, 2, 1, 2 };
    tg_seed(root, 3);
    t->net = tg_sequential(
        root,
        (tg_module *[]){
            tg_layer_conv2d(root,
                            (tg_layer_conv2d_config){ .in = 2, .out = 4, .kernel = 3, .pad = 1, .no_bias = true }),
            tg_layer_batch_norm2d(root, (tg_layer_batch_norm2d_config){ .features = 4 }), tg_layer_relu(root),
            tg_layer_max_pool2d(root, (tg_layer_pool2d_config){ .kernel = 2 }),
            tg_layer_conv2d(root, (tg_layer_conv2d_config){ .in = 4, .out = 4, .kernel = 3, .stride = 2, .pad = 1 }),
            tg_layer_relu(root), tg_layer_flatten(root), tg_layer_dropout(root, 0.25),
            tg_layer_linear(root, (tg_layer_linear_config){ .in = 16, .out = 3 }), NULL });
    t->optim = tg_sgd(root, t->net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    t->x = tg_randn(root, 0, 1, 4, TG_DIM(4, 8, 8, 2));
    t->y = tg_from(root, TG_I64, 1, TG_DIM(4), classes);
    return tg_ok(root);
}

double toy_step(toy *t, tg_scope *step)
{
    tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, t->net, t->x), t->y);
    tg_backward(step, loss);
    tg_update(step, t->optim);
    return tg_item(loss);
}

static uint64_t add_bytes(uint64_t h, tg_tensor *t)
{
    const uint8_t *data = t ? tg_data(t) : NULL;
    size_t n = data ? (size_t)tg_count(t) * tg_dtype_size(t->dtype) : 0;
    for (size_t i = 0; i < n; i++) h = (h ^ data[i]) * 0x100000001b3u;
    return h;
}

static void add_slot(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    uint64_t *h = context;
    (void)name, (void)owner;
    *h = add_bytes(*h, slot->tensor);
}

uint64_t lasting_bytes(tg_module *net, const tg_optim *optim)
{
    uint64_t h = 14695981039346656037u;
    tg_each_param(net, add_slot, &h);
    for (int i = 0; optim && i < optim->n_slots; i++) /* a parameter has no state before its first update */
        for (int k = 0; k < TG_MAX_STATES && optim->slots[i].steps; k++) h = add_bytes(h, optim->slots[i].state[k]);
    return h;
}
