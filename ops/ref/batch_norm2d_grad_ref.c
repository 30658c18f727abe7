/* batch_norm2d_grad_ref.c - the derivative of batch normalisation.
 *
 * With g the gradient of y, xhat = (x - mean) rstd, and sums over the m values of a channel,
 *     gbeta = sum g      ggamma = sum g xhat      gx = gamma rstd (g - gbeta / m - xhat ggamma / m)
 * and, with running statistics, which do not depend on x, gx = gamma rstd g. */
#include "attr.h"
#include <math.h>

typedef struct {
    const tg_tensor *gy, *other; /* the gradient of y is their sum, in their dtype; other may be NULL */
    const tg_tensor *mask, *x;   /* g is that, or 0 where mask <= 0; all of it without a mask */
    const tg_tensor *beta;       /* or, with beta, 0 where gamma xhat + beta <= 0 */
    int64_t channel;
    double gamma, mean, rstd;
    bool running;
} channel_grad;

static bool batch_norm2d_passed(const channel_grad *b, int64_t i)
{
    if (b->beta) return !(b->gamma * b->rstd * (tg_get(b->x, i) - b->mean) + tg_get(b->beta, b->channel) <= 0);
    return !b->mask || !(tg_get(b->mask, i) <= 0);
}

static double batch_norm2d_gradient(const channel_grad *b, int64_t i)
{
    double gy = tg_get(b->gy, i);
    if (b->other) gy += tg_get(b->other, i);
    if (b->other && b->gy->dtype == TG_BF16) gy = (double)tg_bf16_to_f32(tg_f32_to_bf16((float)gy));
    return batch_norm2d_passed(b, i) ? gy : 0;
}

static void batch_norm2d_grad_channel(const tg_call *c, const channel_grad *b)
{
    const int64_t channels = b->x->dim[3], n = tg_count(b->x);
    const double m = (double)(n / channels);
    double sum = 0, product = 0;
    for (int64_t i = b->channel; i < n; i += channels) {
        sum += batch_norm2d_gradient(b, i);
        product += batch_norm2d_gradient(b, i) * (tg_get(b->x, i) - b->mean) * b->rstd;
    }
    if (c->out[1]) tg_set(c->out[1], b->channel, product);
    if (c->out[2]) tg_set(c->out[2], b->channel, sum);
    for (int64_t i = b->channel; i < n; i += channels) {
        const double g = batch_norm2d_gradient(b, i), xhat = (tg_get(b->x, i) - b->mean) * b->rstd;
        if (c->out[3]) tg_set(c->out[3], i, g);
        if (c->out[0]) tg_set(c->out[0], i, b->gamma * b->rstd * (b->running ? g : g - sum / m - xhat * product / m));
    }
}

static void batch_norm2d_grad_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const bool sum = c->op == &tg_add_relu_grad_batch_norm2d_grad_op, running = c->op == &tg_batch_norm2d_eval_grad_op;
    const bool masked = sum || c->op == &tg_relu_grad_batch_norm2d_grad_op;
    const double eps = (double)((const tg_batch_norm2d_attr *)c->attr)->eps;
    tg_tensor *const *const in = c->in + sum + masked; /* mask, x, gamma, mean, rstd (or variance) */
    for (int64_t channel = 0; channel < in[1]->dim[3]; channel++) {
        const double last = tg_get(in[4], channel);
        const double rest = running ? 0 : tg_get(in[3], in[1]->dim[3] + channel);
        batch_norm2d_grad_channel(c, &(channel_grad){
                                         .gy = c->in[0],
                                         .other = sum ? c->in[1] : NULL,
                                         .mask = masked ? in[0] : NULL,
                                         .x = in[1],
                                         .beta = c->op == &tg_batch_norm2d_relu_grad_op ? in[5] : NULL,
                                         .channel = channel,
                                         .gamma = tg_get(in[2], channel),
                                         .mean = tg_get(in[3], channel) + rest,
                                         .rstd = running ? 1 / sqrt(last + eps) : last,
                                         .running = running,
                                     });
    }
}

extern const tg_kernel batch_norm2d_grad_ref, batch_norm2d_eval_grad_ref, relu_grad_batch_norm2d_grad_ref;
extern const tg_kernel batch_norm2d_relu_grad_ref;
extern const tg_kernel add_relu_grad_batch_norm2d_grad_ref;
const tg_kernel batch_norm2d_grad_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_grad_ref_run };
const tg_kernel batch_norm2d_eval_grad_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_grad_ref_run };
const tg_kernel batch_norm2d_relu_grad_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_grad_ref_run };
const tg_kernel relu_grad_batch_norm2d_grad_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_grad_ref_run };
const tg_kernel add_relu_grad_batch_norm2d_grad_ref = { .name = "ref",
                                                        .backend = "ref",
                                                        .run = batch_norm2d_grad_ref_run };
