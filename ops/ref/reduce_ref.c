/* reduce_ref.c - sum, mean, max, max_grad, argmax over axes. */
#include "attr.h"
#include <math.h>

/* The elements of x that reduce to one result: x[first + place_of(i)], 0 <= i < length. */
typedef struct {
    int64_t length, step[TG_MAX_RANK], size[TG_MAX_RANK];
    int n;
    int64_t first;
} group;

/* The group of result number o. */
static group group_of(const tg_tensor *x, uint32_t axes, int64_t o)
{
    group g = { .length = 1 };
    int64_t step = 1;
    for (int axis = x->rank - 1; axis >= 0; step *= x->dim[axis--]) {
        if (axes & TG_BIT(axis)) {
            g.step[g.n] = step, g.size[g.n++] = x->dim[axis];
            g.length *= x->dim[axis];
        } else {
            g.first += o % x->dim[axis] * step;
            o /= x->dim[axis];
        }
    }
    return g;
}

static int64_t place_of(const group *g, int64_t i)
{
    int64_t at = g->first;
    for (int k = 0; k < g->n; i /= g->size[k++]) at += i % g->size[k] * g->step[k];
    return at;
}

static uint32_t axes_of(const tg_call *c) { return ((const tg_reduce_attr *)c->attr)->axes; }

/* ---- sum, mean ---- */

static void reduce_sum(const tg_call *c, bool mean)
{
    for (int64_t o = 0, n = tg_count(c->out[0]); o < n; o++) {
        const group g = group_of(c->in[0], axes_of(c), o);
        double total = 0;
        for (int64_t i = 0; i < g.length; i++) total += tg_get(c->in[0], place_of(&g, i));
        tg_set(c->out[0], o, mean ? total / (double)g.length : total);
    }
}

static void sum_ref_run(const tg_call *c, const tg_task *task) { (void)task, reduce_sum(c, false); }
static void mean_ref_run(const tg_call *c, const tg_task *task) { (void)task, reduce_sum(c, true); }
const tg_kernel sum_ref = { .name = "ref", .backend = "ref", .run = sum_ref_run };
const tg_kernel mean_ref = { .name = "ref", .backend = "ref", .run = mean_ref_run };

/* ---- max: NaN counts as the largest ---- */

/* The index of the first maximum. */
static int64_t first_largest(const tg_tensor *x, const group *g)
{
    int64_t best = 0;
    double most = tg_get(x, g->first);
    for (int64_t i = 1; i < g->length && !isnan(most); i++) {
        const double v = tg_get(x, place_of(g, i));
        if (v > most || isnan(v)) best = i, most = v;
    }
    return best;
}

static void max_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t o = 0, n = tg_count(c->out[0]); o < n; o++) {
        const group g = group_of(c->in[0], axes_of(c), o);
        tg_set(c->out[0], o, tg_get(c->in[0], place_of(&g, first_largest(c->in[0], &g))));
    }
}
const tg_kernel max_ref = { .name = "ref", .backend = "ref", .run = max_ref_run };

static bool equal(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void max_grad_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1], *y = c->in[2];
    (void)task;
    for (int64_t o = 0, n = tg_count(y); o < n; o++) {
        const group g = group_of(x, axes_of(c), o);
        const double most = tg_get(y, o);
        int64_t ties = 0;
        for (int64_t i = 0; i < g.length; i++) ties += equal(tg_get(x, place_of(&g, i)), most);
        for (int64_t i = 0; i < g.length; i++) {
            const int64_t at = place_of(&g, i);
            tg_set(c->out[0], at, equal(tg_get(x, at), most) ? tg_get(gy, o) / (double)ties : 0);
        }
    }
}
const tg_kernel max_grad_ref = { .name = "ref", .backend = "ref", .run = max_grad_ref_run };

static void argmax_ref_run(const tg_call *c, const tg_task *task)
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    (void)task;
    for (int64_t o = 0, n = tg_count(c->out[0]); o < n; o++) {
        const group g = group_of(c->in[0], TG_BIT(axis), o);
        tg_set(c->out[0], o, (double)first_largest(c->in[0], &g));
    }
}
const tg_kernel argmax_ref = { .name = "ref", .backend = "ref", .run = argmax_ref_run };
