/* grad_norm.c - the norm of all gradients, and the factor that clips it to a limit. Squares are summed in double, block
 * by block in order, so the result does not depend on the number of threads. */
#include "update.h"
#include <math.h>

enum { G, BEFORE };

static void grad_norm_infer(tg_scope *s, tg_call *c)
{
    if (!tg_want_dtype(s, c, G, TG_F32)) return;
    if (c->in[BEFORE] && tg_count(c->in[BEFORE]) != 1)
        tg_fail(s, "grad_norm: the norm of those before has %lld elements, want 1", (long long)tg_count(c->in[BEFORE]));
    c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(1));
}

static double square(double x) { return x * x; }
static double sum_before(const tg_call *c) { return c->in[BEFORE] ? square(tg_get(c->in[BEFORE], 0)) : 0; }

static void grad_norm_ref_run(const tg_call *c, const tg_task *task)
{
    double sum = sum_before(c);
    (void)task;
    for (int64_t i = 0, n = tg_count(c->in[G]); i < n; i++) sum += square(tg_get(c->in[G], i));
    tg_set(c->out[0], 0, sqrt(sum));
}

static int64_t grad_norm_tasks(const tg_call *c, int phase) { return phase == 1 ? 1 : tg_update_tasks(c, phase); }

static tg_scratch grad_norm_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = sizeof(double) * (size_t)tg_update_tasks(c, 0) };
}

static void grad_norm_run(const tg_call *c, const tg_task *task)
{
    double *partial = task->shared, sum = 0;
    if (task->phase == 0) {
        const tg_update_rows r = tg_update_rows_of(c, task);
        const float *g = tg_ptr(c->in[G]);
#pragma omp simd reduction(+ : sum)
        for (int64_t i = r.begin; i < r.end; i++) sum += (double)g[i] * (double)g[i];
        partial[task->index] = sum;
        return;
    }
    for (int64_t k = 0, n = tg_update_tasks(c, 0); k < n; k++) sum += partial[k];
    tg_set(c->out[0], 0, sqrt(sum_before(c) + sum));
}

static const tg_kernel norm_blocks = {
    .name = "vector",
    .backend = "vector",
    .scratch = grad_norm_scratch,
    .tasks = grad_norm_tasks,
    .run = grad_norm_run,
};
static const tg_kernel norm_ref = { .name = "ref", .backend = "ref", .run = grad_norm_ref_run };

const tg_op tg_grad_norm_op = {
    .name = "grad_norm",
    .n_in = 2,
    .n_out = 1,
    .optional_in = TG_BIT(BEFORE),
    .infer = grad_norm_infer,
    .kernels = TG_KERNELS(&norm_blocks, &norm_ref),
};

static void clip_factor_infer(tg_scope *s, tg_call *c)
{
    const tg_clip_attr *a = c->attr;
    if (!tg_want_dtype(s, c, 0, TG_F32) || !tg_update_wants_number(s, "clip_factor", "max_norm", a->max_norm)) return;
    if (tg_count(c->in[0]) != 1)
        tg_fail(s, "clip_factor: the norm has %lld elements, want 1", (long long)tg_count(c->in[0]));
    c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(1));
}

static void clip_factor_run(const tg_call *c, const tg_task *task)
{
    const double factor = ((const tg_clip_attr *)c->attr)->max_norm / (tg_get(c->in[0], 0) + 1e-6);
    (void)task;
    tg_set(c->out[0], 0, factor > 1 ? 1 : factor); /* NaN stays NaN */
}

static const tg_kernel factor_ref = { .name = "ref", .backend = "ref", .run = clip_factor_run };

const tg_op tg_clip_factor_op = {
    .name = "clip_factor",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_clip_attr),
    .infer = clip_factor_infer,
    .kernels = TG_KERNELS(&factor_ref),
};

tg_tensor *tg_optim_norm(tg_scope *s, const tg_optim *opt)
{
    tg_tensor *norm = NULL;
    for (int i = 0; opt->clip_norm > 0 && i < opt->n_slots; i++)
        if (opt->slots[i].grad) norm = tg_apply(s, &tg_grad_norm_op, (tg_tensor *[]){ opt->slots[i].grad, norm }, NULL);
    return norm;
}

tg_tensor *tg_optim_factor(tg_scope *s, const tg_optim *opt, tg_tensor *norm)
{
    const tg_clip_attr attr = { (double)opt->clip_norm };
    return norm && isfinite(opt->clip_norm) ? tg_apply(s, &tg_clip_factor_op, &norm, &attr) : NULL;
}
