/* relu_grad_ref.c - the definitions of relu_grad, channel_sum, and both in one. */
#include "attr.h"

static void compute_relu_grad(const tg_call *c)
{
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++)
        tg_set(c->out[0], i, tg_get(c->in[1], i) <= 0 ? 0 : tg_get(c->in[0], i));
}

static void compute_channel_sum(const tg_tensor *x, const tg_tensor *sums)
{
    const int64_t channels = tg_count(sums), rows = tg_count(x) / channels;
    for (int64_t j = 0; j < channels; j++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++) sum += tg_get(x, i * channels + j);
        tg_set(sums, j, sum);
    }
}

static void relu_grad_ref_run(const tg_call *c, const tg_task *task) { (void)task, compute_relu_grad(c); }
static void channel_sum_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task, compute_channel_sum(c->in[0], c->out[0]);
}
static void relu_grad_channel_sum_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    compute_relu_grad(c);
    compute_channel_sum(c->out[0], c->out[1]);
}

const tg_kernel relu_grad_ref = { .name = "ref", .backend = "ref", .run = relu_grad_ref_run, .in_place = true };
const tg_kernel channel_sum_ref = { .name = "ref", .backend = "ref", .run = channel_sum_ref_run };
const tg_kernel relu_grad_channel_sum_ref = {
    .name = "ref", .backend = "ref", .run = relu_grad_channel_sum_ref_run, .in_place = true
};
