/* softmax_ref.c - the definitions of softmax, its logarithm, and their derivatives. */
#include "attr.h"
#include <math.h>

/* A line of n elements with stride `step`. */
typedef struct {
    int64_t first, n, step;
} line;

static line line_of(const tg_tensor *x, const void *attr, int64_t number)
{
    const int axis = ((const tg_softmax_attr *)attr)->axis;
    line l = { .n = x->dim[axis], .step = 1 };
    for (int i = axis + 1; i < x->rank; i++) l.step *= x->dim[i];
    l.first = number / l.step * l.n * l.step + number % l.step;
    return l;
}

static void softmax_line(const tg_call *c, line l, bool logarithm)
{
    double most = -INFINITY, sum = 0;
    const int64_t end = l.first + l.n * l.step;
    for (int64_t i = l.first; i < end; i += l.step) most = fmax(most, tg_get(c->in[0], i));
    for (int64_t i = l.first; i < end; i += l.step) sum += exp(tg_get(c->in[0], i) - most);
    for (int64_t i = l.first; i < end; i += l.step) {
        const double x = tg_get(c->in[0], i) - most;
        tg_set(c->out[0], i, logarithm ? x - log(sum) : exp(x) / sum);
    }
}

static void softmax_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const int64_t lines = tg_count(c->in[0]) / line_of(c->in[0], c->attr, 0).n;
    for (int64_t i = 0; i < lines; i++) softmax_line(c, line_of(c->in[0], c->attr, i), c->op == &tg_log_softmax_op);
}

/* softmax: gx = y (gy - sum gy y)      logarithm: gx = gy - e^y sum gy */
static void softmax_grad_line(const tg_call *c, line l, bool logarithm)
{
    double sum = 0;
    const int64_t end = l.first + l.n * l.step;
    for (int64_t i = l.first; i < end; i += l.step) sum += tg_get(c->in[0], i) * (logarithm ? 1 : tg_get(c->in[1], i));
    for (int64_t i = l.first; i < end; i += l.step) {
        const double gy = tg_get(c->in[0], i), y = tg_get(c->in[1], i);
        tg_set(c->out[0], i, logarithm ? gy - exp(y) * sum : y * (gy - sum));
    }
}

static void softmax_grad_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const int64_t lines = tg_count(c->in[0]) / line_of(c->in[0], c->attr, 0).n;
    for (int64_t i = 0; i < lines; i++)
        softmax_grad_line(c, line_of(c->in[0], c->attr, i), c->op == &tg_log_softmax_grad_op);
}

extern const tg_kernel softmax_ref, log_softmax_ref, softmax_grad_ref, log_softmax_grad_ref;
const tg_kernel softmax_ref = { .name = "ref", .backend = "ref", .run = softmax_ref_run };
const tg_kernel log_softmax_ref = { .name = "ref", .backend = "ref", .run = softmax_ref_run };
const tg_kernel softmax_grad_ref = { .name = "ref", .backend = "ref", .run = softmax_grad_ref_run };
const tg_kernel log_softmax_grad_ref = { .name = "ref", .backend = "ref", .run = softmax_grad_ref_run };
