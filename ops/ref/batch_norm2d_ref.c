/* batch_norm2d_ref.c - the definition of batch normalisation and its fusions. */
#include "attr.h"
#include <math.h>

/* y = (x - mean) rstd gamma + beta (+ other), for one channel; then relu. */
static void normalise_channel(const tg_call *c, int64_t channel, double mean, double rstd, const tg_tensor *other,
                              bool relu)
{
    const int64_t channels = c->in[0]->dim[3], n = tg_count(c->in[0]);
    const double gamma = tg_get(c->in[1], channel), beta = tg_get(c->in[2], channel);
    for (int64_t i = channel; i < n; i += channels) {
        const double y = (tg_get(c->in[0], i) - mean) * rstd * gamma + beta + (other ? tg_get(other, i) : 0);
        tg_set(c->out[0], i, relu && y < 0 ? 0 : y);
    }
}

/* The mean from its output: the rounded value plus the rounding error. */
static double mean_of(const tg_tensor *mean, int64_t channel)
{
    return tg_get(mean, channel) + tg_get(mean, mean->dim[1] + channel);
}

static void batch_norm2d_train(const tg_call *c, const tg_tensor *other, bool relu)
{
    const tg_batch_norm2d_attr *const a = c->attr;
    const int64_t channels = c->in[0]->dim[3], n = tg_count(c->in[0]), rows = n / channels;
    for (int64_t channel = 0; channel < channels; channel++) {
        double sum = 0, squares = 0;
        for (int64_t i = channel; i < n; i += channels) sum += tg_get(c->in[0], i);
        const double mean = sum / (double)rows;
        for (int64_t i = channel; i < n; i += channels)
            squares += (tg_get(c->in[0], i) - mean) * (tg_get(c->in[0], i) - mean);
        const double rstd = 1 / sqrt(squares / (double)rows + (double)a->eps);
        tg_set(c->out[1], channel, mean);
        tg_set(c->out[1], channels + channel, mean - tg_get(c->out[1], channel));
        tg_set(c->out[2], channel, rstd);
        if (c->out[3]) tg_set(c->out[3], channel, squares / (double)(rows - 1));
        normalise_channel(c, channel, mean_of(c->out[1], channel), tg_get(c->out[2], channel), other, relu);
    }
}

static void batch_norm2d_again(const tg_call *c, const tg_tensor *other, bool relu)
{
    const tg_tensor *const mean = c->in[c->op->n_in - 2], *const rstd = c->in[c->op->n_in - 1];
    for (int64_t channel = 0; channel < c->in[0]->dim[3]; channel++)
        normalise_channel(c, channel, mean_of(mean, channel), tg_get(rstd, channel), other, relu);
}

static void batch_norm2d_eval(const tg_call *c, const tg_tensor *other, bool relu)
{
    const tg_batch_norm2d_attr *const a = c->attr;
    for (int64_t channel = 0; channel < c->in[0]->dim[3]; channel++) {
        const double rstd = 1 / sqrt(tg_get(c->in[4], channel) + (double)a->eps);
        normalise_channel(c, channel, tg_get(c->in[3], channel), rstd, other, relu);
    }
}

static void batch_norm2d_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_train(c, NULL, false);
}
static void batch_norm2d_relu_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_train(c, NULL, true);
}
static void batch_norm2d_add_relu_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_train(c, c->in[3], true);
}
static void batch_norm2d_eval_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_eval(c, NULL, false);
}
static void batch_norm2d_eval_relu_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_eval(c, NULL, true);
}
static void batch_norm2d_eval_add_relu_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_eval(c, c->in[5], true);
}
static void batch_norm2d_again_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_again(c, NULL, false);
}
static void batch_norm2d_relu_again_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_again(c, NULL, true);
}
static void batch_norm2d_add_relu_again_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    batch_norm2d_again(c, c->in[3], true);
}

static void batch_norm2d_track_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const double momentum = (double)((const tg_batch_norm2d_attr *)c->attr)->momentum;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < tg_count(c->in[k]); i++)
            tg_set(c->in[k], i, (1 - momentum) * tg_get(c->in[k], i) + momentum * tg_get(c->in[2 + k], i));
}

extern const tg_kernel batch_norm2d_ref, batch_norm2d_relu_ref, batch_norm2d_add_relu_ref, batch_norm2d_track_ref;
extern const tg_kernel batch_norm2d_eval_ref, batch_norm2d_eval_relu_ref, batch_norm2d_eval_add_relu_ref;
extern const tg_kernel batch_norm2d_again_ref, batch_norm2d_relu_again_ref, batch_norm2d_add_relu_again_ref;
const tg_kernel batch_norm2d_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_ref_run };
const tg_kernel batch_norm2d_relu_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_relu_ref_run };
const tg_kernel batch_norm2d_add_relu_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_add_relu_ref_run };
const tg_kernel batch_norm2d_track_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_track_ref_run };
const tg_kernel batch_norm2d_eval_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_eval_ref_run };
const tg_kernel batch_norm2d_eval_relu_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_eval_relu_ref_run };
const tg_kernel batch_norm2d_eval_add_relu_ref = { .name = "ref",
                                                   .backend = "ref",
                                                   .run = batch_norm2d_eval_add_relu_ref_run };
const tg_kernel batch_norm2d_again_ref = { .name = "ref", .backend = "ref", .run = batch_norm2d_again_ref_run };
const tg_kernel batch_norm2d_relu_again_ref = { .name = "ref",
                                                .backend = "ref",
                                                .run = batch_norm2d_relu_again_ref_run };
const tg_kernel batch_norm2d_add_relu_again_ref = { .name = "ref",
                                                    .backend = "ref",
                                                    .run = batch_norm2d_add_relu_again_ref_run };
