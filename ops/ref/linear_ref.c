/* linear_ref.c - the definitions of linear and its gradients, as products over rows. */
#include "attr.h"

static int64_t last(const tg_tensor *t) { return t->dim[t->rank - 1]; }
static int64_t rows(const tg_tensor *t) { return tg_count(t) / last(t); }

static void linear_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    const tg_tensor *x = c->in[0], *w = c->in[1], *b = c->in[2], *y = c->out[0];
    int64_t in = last(x), out = last(y);
    for (int64_t i = 0; i < rows(y); i++)
        for (int64_t o = 0; o < out; o++) {
            double sum = b ? tg_get(b, o) : 0;
            for (int64_t k = 0; k < in; k++) sum += tg_get(x, i * in + k) * tg_get(w, o * in + k);
            tg_set(y, i * out + o, c->op == &tg_linear_relu_op && sum < 0 ? 0 : sum);
        }
}

static void linear_grad_x_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    const tg_tensor *gy = c->in[0], *w = c->in[1], *gx = c->out[0];
    int64_t in = last(gx), out = last(gy);
    for (int64_t i = 0; i < rows(gx); i++)
        for (int64_t k = 0; k < in; k++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++) sum += tg_get(gy, i * out + o) * tg_get(w, o * in + k);
            tg_set(gx, i * in + k, sum);
        }
}

static void linear_grad_w_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    int64_t in = last(x), out = last(gy);
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < in; k++) {
            double sum = 0;
            for (int64_t i = 0; i < rows(x); i++) sum += tg_get(gy, i * out + o) * tg_get(x, i * in + k);
            tg_set(gw, o * in + k, sum);
        }
}

extern const tg_kernel linear_ref, linear_relu_ref, linear_grad_x_ref, linear_grad_w_ref;
const tg_kernel linear_ref = { .name = "ref", .backend = "ref", .run = linear_ref_run };
const tg_kernel linear_relu_ref = { .name = "ref", .backend = "ref", .run = linear_ref_run };
const tg_kernel linear_grad_x_ref = { .name = "ref", .backend = "ref", .run = linear_grad_x_ref_run };
const tg_kernel linear_grad_w_ref = { .name = "ref", .backend = "ref", .run = linear_grad_w_ref_run };
