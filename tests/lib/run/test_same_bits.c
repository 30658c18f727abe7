/* test_same_bits.c - the same seed gives the same bits on any number of threads, with the kernels that run by default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "checksum.h"
#include "shape_text.h"
#include <tilegrad/parallel.h>
#include <tilegrad/tilegrad.h>

/* ---- one convolution, its two derivatives and its bias ---- */

static const char *const convolutions[] = {
    "n8 c64-64 16x16 k3 p1",
    "n8 c256-320 4x4 k3 p1",
    "n8 c16-24 17x15 k3 p1",
    "n1 c96-64 7x7 k3 p1: small batch",
    "n8 c32-48 17x17 k3 s2 p1",
    "n4 c32-32 19x19 k3 p2 d2",
    "n8 c96-130 14x14 k1",
    "n8 c64-64 14x14 k1 s2",
    "n16 c1-20 28x28 k5: first layer",
    "n4 c3-64 33x33 k7 s2 p3: first layer",
    "n8 c64-128 14x14 k3 p1 g16",
    "n8 c64-64 15x15 k3 s2 p1 g4",
    "n4 c64-64 28x28 k3 p1 g16",
    "n9 c54-54 9x15 k3 p2 d2 g27",
    "n8 c96-96 14x14 k3 p1 g96",
    "n4 c40-40 14x14 k7 p3 g40",
};

static uint64_t bits_of(tg_tensor *t)
{
    const void *data = tg_data(t);
    assert_non_null(data);
    return tg_checksum_of(data, (size_t)tg_count(t) * tg_dtype_size(t->dtype));
}

static void compute(const char *text, tg_dtype dtype, int threads, uint64_t bits[3])
{
    const conv_shape v = parse_shape(text);
    tg_scope *root = tg_open();
    tg_seed(root, 1);
    tg_tensor *x = tg_require_grad(root, tg_randn(root, 0, 1, 4, TG_DIM(v.n, v.image[0], v.image[1], v.in)));
    tg_tensor *w =
        tg_require_grad(root, tg_randn(root, 0, 1, 4, TG_DIM(v.out, v.kernel[0], v.kernel[1], v.in / v.groups)));
    tg_set_threads(threads);
    tg_scope *s = tg_train(root);
    tg_tensor *y = tg_conv2d(s, tg_cast(s, x, dtype), tg_cast(s, w, dtype), NULL, conv2d_config_of(&v));
    bits[0] = bits_of(y);
    tg_backward(s, tg_mse(s, y, tg_zeros(s, dtype, 4, y->dim), TG_MEAN));
    if (!tg_ok(s)) fail_msg("%s: %s", text, tg_message(s));
    bits[1] = bits_of(tg_grad(x));
    bits[2] = bits_of(tg_grad(w));
    tg_close(root);
}

static void convolutions_have_the_same_bits(void **state)
{
    static const char *const what[] = { "y", "the gradient of x", "the gradient of w" };
    const int before = tg_threads();
    (void)state;
    for (size_t row = 0; row < sizeof convolutions / sizeof *convolutions; row++)
        for (tg_dtype dtype = TG_F32; dtype <= TG_BF16; dtype++) {
            uint64_t one[3], bits[3];
            compute(convolutions[row], dtype, 1, one);
            for (int threads = 2; threads <= 4; threads++) {
                compute(convolutions[row], dtype, threads, bits);
                for (int i = 0; i < 3; i++)
                    if (bits[i] != one[i])
                        fail_msg("%s, %s: %s has other bits on %d threads than on one", convolutions[row],
                                 tg_dtype_name(dtype), what[i], threads);
            }
        }
    tg_set_threads(before);
}

/* ---- three steps of a model ---- */

static const struct {
    const char *name;
    tg_module *(*make)(tg_scope *, int);
    int64_t batch, side, channels;
} models[] = {
    { "mlp", tg_mlp, 33, 28, 1 },
    { "lenet", tg_lenet, 33, 28, 1 },
    { "resnet20", tg_resnet20, 9, 32, 3 },
};

static void add_bits(void *context, const char *name, tg_slot *slot, tg_module *owner)
{
    uint64_t *bits = context;
    (void)name;
    (void)owner;
    *bits = 31 * *bits + bits_of(slot->tensor);
}

/* Hash of all weights and buffers after three steps. */
static uint64_t train(size_t row, tg_dtype dtype, int threads)
{
    tg_scope *root = tg_open();
    tg_seed(root, 1);
    tg_set_threads(threads);
    tg_module *net = models[row].make(root, 10);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.05f, .momentum = 0.9f });
    if (dtype == TG_BF16) tg_optimize(root, net, opt, TG_BF16);
    tg_tensor *x =
        tg_randn(root, 0, 1, 4, TG_DIM(models[row].batch, models[row].side, models[row].side, models[row].channels));
    tg_tensor *y = tg_zeros(root, TG_I32, 1, TG_DIM(models[row].batch));
    tg_scope *s = tg_train(root);
    for (int step = 0; step < 3; step++, tg_reset(s)) {
        tg_backward(s, tg_cross_entropy(s, tg_forward(s, net, x), y));
        tg_update(s, opt);
    }
    uint64_t bits = 0;
    tg_each_param(net, add_bits, &bits);
    if (!tg_ok(root)) fail_msg("%s: %s", models[row].name, tg_message(root));
    tg_close(root);
    return bits;
}

static void models_have_the_same_bits(void **state)
{
    const int before = tg_threads();
    (void)state;
    for (size_t row = 0; row < sizeof models / sizeof *models; row++)
        for (tg_dtype dtype = TG_F32; dtype <= TG_BF16; dtype++) {
            const uint64_t one = train(row, dtype, 1);
            for (int threads = 2; threads <= 3; threads++)
                if (train(row, dtype, threads) != one)
                    fail_msg("%s, %s: other bits on %d threads than on one", models[row].name, tg_dtype_name(dtype),
                             threads);
        }
    tg_set_threads(before);
}

int main(void)
{
    const struct CMUnitTest all[] = { cmocka_unit_test(convolutions_have_the_same_bits),
                                      cmocka_unit_test(models_have_the_same_bits) };
    return cmocka_run_group_tests_name("same bits", all, NULL, NULL);
}
