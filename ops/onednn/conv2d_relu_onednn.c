/* conv2d_relu_onednn.c - oneDNN's convolution with relu fused into its store.
 *
 * oneDNN's relu is the processor's max, which turns NaN into 0. Ours keeps it, because a network that has diverged
 * should show it. So oneDNN's relu is used only if the largest magnitudes of the inputs rule out any NaN: scanning x
 * and w costs less than the pass over y that it saves. Otherwise relu is a pass of our own. */
#include "conv2d_onednn.h"
#include "parallel.h"
#include <float.h>
#include <stdatomic.h>
#include <string.h>

enum { BLOCK = 1 << 16 };
typedef struct {
    float *at;
    int64_t n;
    _Atomic(int) largest; /* the bits of a magnitude: they order as the values do, NaN above all */
} relu_pass;

static int64_t relu_blocks(const relu_pass *p) { return (p->n + BLOCK - 1) / BLOCK; }
static int64_t relu_block_end(const relu_pass *p, int64_t i) { return (i + 1) * BLOCK < p->n ? (i + 1) * BLOCK : p->n; }

static void find_largest_block(void *context, int64_t i, int worker)
{
    relu_pass *p = context;
    int largest = 0, known = atomic_load(&p->largest);
    const int *bits = (const int *)(const void *)p->at;
    (void)worker;
    for (int64_t j = i * BLOCK, end = relu_block_end(p, i); j < end; j++) {
        const int magnitude = bits[j] & INT32_MAX;
        largest = magnitude > largest ? magnitude : largest;
    }
    while (largest > known && !atomic_compare_exchange_weak(&p->largest, &known, largest)) continue;
}

static void relu_block(void *context, int64_t i, int worker)
{
    const relu_pass *p = context;
    (void)worker;
    for (int64_t j = i * BLOCK, end = relu_block_end(p, i); j < end; j++) p->at[j] = p->at[j] < 0 ? 0 : p->at[j];
}

/* The largest magnitude in t; NaN if t has one; 0 if t is NULL. */
static double largest_of(const tg_tensor *t)
{
    relu_pass p = { .at = tg_ptr(t), .n = t ? tg_count(t) : 0 };
    float value;
    tg_parallel(relu_blocks(&p), find_largest_block, &p);
    const int bits = p.largest;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Whether every sum of products is finite, in any order, with room for the factors of Winograd's transforms. False also
 * if anything is NaN. */
static bool stays_finite(const tg_call *c)
{
    const tg_tensor *w = c->in[1];
    const double products = (double)(w->dim[1] * w->dim[2] * w->dim[3]);
    return products * largest_of(c->in[0]) * largest_of(w) + largest_of(c->in[2]) < 1e-8 * FLT_MAX;
}

/* option: 0 or TG_CONV_WINOGRAD */
static const char *reject_with(const tg_call *c, int64_t option)
{
    const char *reason = tg_conv_reject(c, &tg_conv_forward_pass, option | TG_CONV_RELU);
    return reason ? reason : tg_conv_reject(c, &tg_conv_forward_pass, option);
}

/* The state is a lease of the convolution with relu, whose `next` is a lease of the one without. */
static bool prepare_with(tg_call *c, int64_t option, tg_fault *fault)
{
    tg_onednn_lease *fused = tg_conv_lease(c, &tg_conv_forward_pass, option | TG_CONV_RELU, fault);
    tg_onednn_lease *plain = fused ? tg_conv_lease(c, &tg_conv_forward_pass, option, fault) : NULL;
    if (!plain) return false;
    fused->next = plain;
    c->state = fused;
    return true;
}

static const char *conv2d_relu_onednn_reject(const tg_call *c) { return reject_with(c, 0); }
static bool conv2d_relu_onednn_prepare(tg_call *c, tg_fault *fault) { return prepare_with(c, 0, fault); }

static const char *conv2d_relu_winograd_onednn_reject(const tg_call *c)
{
    const char *reason = tg_conv_winograd_unfit(c, &tg_conv_forward_pass);
    return reason ? reason : reject_with(c, TG_CONV_WINOGRAD);
}
static bool conv2d_relu_winograd_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return prepare_with(c, TG_CONV_WINOGRAD, fault);
}

static tg_scratch conv2d_relu_onednn_scratch(const tg_call *c)
{
    const tg_onednn_lease *fused = c->state;
    const tg_scratch a = tg_lease_scratch(fused), b = tg_lease_scratch(fused->next);
    return a.shared > b.shared ? a : b;
}

static void conv2d_relu_onednn_run(const tg_call *c, const tg_task *task)
{
    const tg_onednn_lease *fused = c->state;
    if (stays_finite(c)) {
        tg_lease_run(fused, c, task);
        return;
    }
    relu_pass y = { .at = tg_ptr(c->out[0]), .n = tg_count(c->out[0]) };
    tg_lease_run(fused->next, c, task);
    tg_parallel(relu_blocks(&y), relu_block, &y);
}

static const char *conv2d_relu_onednn_groups_reject(const tg_call *c)
{
    const char *reason = tg_conv_reject_but_groups(c, &tg_conv_forward_pass);
    return reason ? reason : conv2d_relu_onednn_reject(c);
}

extern const tg_kernel conv2d_relu_onednn, conv2d_relu_grouped_onednn, conv2d_relu_winograd_onednn;
const tg_kernel conv2d_relu_grouped_onednn = {
    TG_ONEDNN_HEAD,
    .reject = conv2d_relu_onednn_groups_reject,
    .prepare = conv2d_relu_onednn_prepare,
    .scratch = conv2d_relu_onednn_scratch,
    .run = conv2d_relu_onednn_run,
};
const tg_kernel conv2d_relu_onednn = {
    TG_ONEDNN_HEAD,
    .reject = conv2d_relu_onednn_reject,
    .prepare = conv2d_relu_onednn_prepare,
    .scratch = conv2d_relu_onednn_scratch,
    .run = conv2d_relu_onednn_run,
};
const tg_kernel conv2d_relu_winograd_onednn = {
    TG_WINOGRAD_HEAD,
    .reject = conv2d_relu_winograd_onednn_reject,
    .prepare = conv2d_relu_winograd_onednn_prepare,
    .scratch = conv2d_relu_onednn_scratch,
    .run = conv2d_relu_onednn_run,
};
