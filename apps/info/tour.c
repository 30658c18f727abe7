/* tour.c - calls of every operator, for `tilegrad kernels`.
 *
 * Each part has its own tree of scopes: its run is observed, stopped before anything executes, and discarded. */
#include "tour.h"
#include "names.h"
#include "run.h"
#include <stdio.h>
#include <string.h>

enum { BATCH = 128 };

static tg_tensor *image(tg_scope *s) { return tg_require_grad(s, tg_zeros(s, TG_F32, 4, TG_DIM(32, 16, 16, 64))); }
static tg_tensor *matrix(tg_scope *s) { return tg_require_grad(s, tg_zeros(s, TG_F32, 2, TG_DIM(128, 512))); }
static tg_tensor *vector(tg_scope *s, int64_t n) { return tg_require_grad(s, tg_zeros(s, TG_F32, 1, &n)); }
static tg_tensor *classes(tg_scope *s, int64_t n) { return tg_zeros(s, TG_I64, 1, &n); }

/* ---- parts that end in a tensor, where backward starts ---- */

static tg_tensor *arithmetic(tg_scope *s, tg_scope *step)
{
    tg_tensor *const a = image(s), *const b = image(s);
    return tg_div(step, tg_mul(step, tg_add(step, a, b), tg_sub(step, a, b)), vector(s, 64));
}

static tg_tensor *functions(tg_scope *s, tg_scope *step)
{
    tg_tensor *x = image(s);
#define TG_UNARY(name, ...) x = tg_##name(step, __VA_ARGS__);
#include "elementwise.def"
    return tg_dropout(step, x, 0.5);
}

static tg_tensor *products(tg_scope *s, tg_scope *step)
{
    tg_tensor *const w = tg_require_grad(s, tg_zeros(s, TG_F32, 2, TG_DIM(256, 512)));
    tg_tensor *const y = tg_relu(step, tg_linear(step, matrix(s), w, vector(s, 256)));
    return tg_matmul(step, tg_linear(step, tg_matmul(step, y, w), w, NULL), w);
}

static tg_tensor *convolutions(tg_scope *s, tg_scope *step)
{
    tg_tensor *const w = tg_require_grad(s, tg_zeros(s, TG_F32, 4, TG_DIM(64, 3, 3, 64)));
    tg_tensor *const deep = tg_require_grad(s, tg_zeros(s, TG_F32, 4, TG_DIM(64, 3, 3, 1)));
    tg_tensor *x = tg_conv2d(step, image(s), w, vector(s, 64), (tg_conv2d_config){ .pad = { 1, 1 } });
    x = tg_conv2d(step, tg_relu(step, x), deep, NULL, (tg_conv2d_config){ .pad = { 1, 1 }, .groups = 64 });
    return tg_conv_transpose2d(step, x, w, vector(s, 64), (tg_conv_transpose2d_config){ .stride = { 2, 2 } });
}

static tg_tensor *windows(tg_scope *s, tg_scope *step)
{
    const tg_pool2d_config pool = { .kernel = { 2, 2 } };
    tg_tensor *const x = tg_upsample(step, image(s), (tg_upsample_config){ .oh = 32, .ow = 32, .bilinear = true });
    tg_tensor *const y = tg_upsample(step, tg_max_pool2d(step, x, pool), (tg_upsample_config){ .oh = 32, .ow = 32 });
    return tg_adaptive_avg_pool2d(step, tg_avg_pool2d(step, y, pool), 1, 1);
}

static tg_tensor *norms(tg_scope *s, tg_scope *step)
{
    tg_tensor *const mean = tg_zeros(s, TG_F32, 1, TG_DIM(64)), *const var = tg_full(s, 1, 1, TG_DIM(64));
    tg_tensor *const x =
        tg_batch_norm2d(step, image(s), vector(s, 64), vector(s, 64), mean, var, (tg_batch_norm2d_config){ .eps = 0 });
    return tg_softmax(step, tg_layer_norm(step, tg_neg(step, x), vector(s, 64), vector(s, 64), 0), 3);
}

static tg_tensor *shapes(tg_scope *s, tg_scope *step)
{
    tg_tensor *const x = tg_transpose(step, tg_reshape(step, image(s), 3, TG_DIM(32, -1, 64)), 1, 2);
    tg_tensor *const pair[] = { tg_slice(step, x, 1, 0, 32), tg_slice(step, x, 1, 32, 64) };
    tg_tensor *const y = tg_pad(step, tg_concat(step, pair, 2, 2), TG_DIM(0, 1, 0), TG_DIM(0, 1, 0), 0);
    tg_tensor *const z = tg_cast(step, tg_cast(step, y, TG_BF16), TG_F32);
    return tg_flatten(step, tg_mul(step, z, tg_detach(step, z)));
}

static tg_tensor *reductions(tg_scope *s, tg_scope *step)
{
    const tg_axes last = { .n = 1, .axis = { 3 } };
    tg_tensor *const x = image(s), *const best = tg_cast(step, tg_argmax(step, x, 3), TG_F32);
    return tg_add(step, tg_add(step, tg_sum(step, x, last), tg_mean(step, x, last)),
                  tg_add(step, tg_max(step, x, last), best));
}

static tg_tensor *losses(tg_scope *s, tg_scope *step)
{
    tg_tensor *const x = matrix(s), *const y = tg_zeros(s, TG_F32, 2, x->dim), *const truth = classes(s, 128);
    tg_tensor *const likelihood = tg_nll_loss(step, tg_neg(step, tg_log_softmax(step, x, 1)), truth,
                                              (tg_cross_entropy_config){ .ignore = false });
    tg_tensor *const distance = tg_add(step, tg_mse(step, x, y, TG_MEAN), tg_l1(step, x, y, TG_MEAN));
    return tg_add(step, tg_add(step, likelihood, distance), tg_bce_with_logits(step, x, y, TG_MEAN));
}

typedef struct {
    tg_tensor *(*make)(tg_scope *s, tg_scope *step);
    bool frozen; /* gradients, but batch norm in inference mode */
} part;
static const part parts[] = {
    { arithmetic, false }, { functions, false }, { products, false }, { convolutions, false }, { windows, false },
    { norms, false },      { norms, true },      { shapes, false },   { reductions, false },   { losses, false },
};

/* ---- looking ---- */

typedef struct {
    void (*observe)(void *context, const tg_call *c);
    void *context;
    int64_t seen;
} watcher;

static bool observe_call(void *context, const tg_call *c)
{
    watcher *const w = context;
    w->observe(w->context, c);
    w->seen++;
    return false;
}

static tg_scope *open_watched(watcher *w)
{
    tg_scope *const root = tg_open();
    tg_options *const o = tg_tree_options(root);
    o->observe = observe_call;
    o->context = w;
    w->seen = 0;
    return root;
}

/* The observed run must have failed; an earlier failure is a bug in the tour. */
static bool close_watched(tg_scope *root, tg_scope *step, const watcher *w, char message[256])
{
    if (!w->seen) snprintf(message, 256, "%s", tg_ok(step) ? "nothing was run" : tg_message(step));
    tg_close(root);
    return w->seen > 0;
}

/* Runs backward twice, so that the second gradient is accumulated. */
static bool see_part(const part *p, watcher *w, char message[256])
{
    tg_scope *const root = open_watched(w);
    tg_scope *const step = tg_push_modes(root, (tg_modes){ .grad = true, .train = !p->frozen });
    tg_tensor *const y = p->make(root, step);
    tg_backward(step, tg_sum(step, y, (tg_axes){ .n = 0 }));
    tg_backward(step, tg_mean(step, y, (tg_axes){ .n = 0 }));
    tg_run(step, false);
    return close_watched(root, step, w, message);
}

static bool see_training(const tg_model_info *model, int kind, watcher *w, char message[256])
{
    tg_scope *const root = open_watched(w), *const step = tg_train(root);
    tg_module *const net = model->make(root, 10);
    tg_optim *const opt = optimizer_new(root, net, (optimizer_kind)kind, optimizer_lr((optimizer_kind)kind), 0.9f, 0);
    tg_clip_norm(root, opt, 1);
    tg_tensor *const x = tg_zeros(root, TG_F32, 4, TG_DIM(BATCH, model->input[0], model->input[1], model->input[2]));
    tg_backward(step, tg_cross_entropy(step, tg_forward(step, net, x), classes(root, BATCH)));
    tg_update(step, opt);
    return close_watched(root, step, w, message);
}

static bool see_inference(const tg_model_info *model, watcher *w, char message[256])
{
    tg_scope *const root = open_watched(w), *const step = tg_push(root);
    tg_module *const net = model->make(root, 10);
    tg_tensor *const x = tg_zeros(root, TG_F32, 4, TG_DIM(BATCH, model->input[0], model->input[1], model->input[2]));
    tg_data(tg_forward(step, net, x));
    return close_watched(root, step, w, message);
}

bool tour(void (*observe)(void *context, const tg_call *c), void *context, char message[256])
{
    watcher w = { .observe = observe, .context = context };
    bool good = true;
    static const char *const models[] = { "resnet18c", "lenet", "mlp" };
    for (int i = 0; names_optimizers[i] && good; i++) {
        const tg_model_info *const model = tg_find_model(models[i % 3]);
        good = see_training(model, i, &w, message) && see_inference(model, &w, message);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts && good; i++) good = see_part(&parts[i], &w, message);
    return good;
}
