/* reduce.c - sum and mean over axes, and expand, which is their derivative. See ops.h, attr.h. */
#include "reduce.h"
#include "check.h"
#include "kernels.h"
#include <string.h>

TG_VECTOR_DECLARE(sum_vector)
TG_VECTOR_DECLARE(mean_vector)
TG_VECTOR_DECLARE(sum_axes_vector)
TG_VECTOR_DECLARE(mean_axes_vector)
TG_VECTOR_DECLARE(expand_vector)
extern const tg_kernel sum_ref, mean_ref, expand_ref;

/* ---- shared by all reductions ---- */

tg_reduce_attr tg_resolve_axes(tg_scope *s, const char *name, const tg_tensor *x, tg_axes axes)
{
    tg_reduce_attr a = { .keep = axes.keep };
    tg_shape_text shape;
    if (!x) return a;
    if (axes.n < 0 || axes.n > TG_MAX_RANK) tg_fail(s, "%s: %d axes, want 0 (all) to %d", name, axes.n, TG_MAX_RANK);
    if (axes.n == 0) a.axes = TG_BIT(x->rank) - 1;
    for (int i = 0; tg_ok(s) && i < axes.n; i++) {
        const int axis = tg_resolve_axis(x, axes.axis[i]);
        if (axis < 0 || axis >= x->rank)
            tg_fail(s, "%s: axis %d of x %s, want %d to %d", name, axes.axis[i], tg_shape(x, &shape), -x->rank,
                    x->rank - 1);
        else if (a.axes & TG_BIT(axis))
            tg_fail(s, "%s: axis %d of x %s is given twice", name, axes.axis[i], tg_shape(x, &shape));
        else a.axes |= TG_BIT(axis);
    }
    return a;
}

void tg_infer_reduce(tg_scope *s, tg_call *c)
{
    const tg_reduce_attr *a = c->attr;
    const tg_tensor *x = c->in[0];
    int rank = 0;
    int64_t dim[TG_MAX_RANK];
    if (!tg_want_float(s, c, 0)) return;
    if (a->axes >> x->rank) tg_fail(s, "%s: axes of x beyond its rank %d", c->op->name, x->rank);
    for (int i = 0; i < x->rank; i++) {
        const bool gone = a->axes & TG_BIT(i);
        if (!gone || a->keep) dim[rank++] = gone ? 1 : x->dim[i];
    }
    c->out[0] = tg_make(s, x->dtype, rank, dim);
}

/* g, with size 1 restored for the reduced axes, repeated along them. */
static tg_tensor *expand_gradient(tg_scope *s, tg_tensor *g, const tg_tensor *x, uint32_t axes)
{
    tg_shape_attr like = { .rank = x->rank };
    int64_t kept[TG_MAX_RANK];
    memcpy(like.dim, x->dim, sizeof like.dim);
    for (int i = 0; i < x->rank; i++) kept[i] = axes & TG_BIT(i) ? 1 : x->dim[i];
    tg_tensor *narrow = tg_reshape(s, g, x->rank, kept);
    return tg_apply(s, &tg_expand_op, &narrow, &like);
}

/* ---- sum ---- */

static void sum_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = expand_gradient(s, gout[0], c->in[0], ((const tg_reduce_attr *)c->attr)->axes);
}

const tg_op tg_sum_op = {
    .name = "sum",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_reduce_attr),
    .infer = tg_infer_reduce,
    .backward = sum_backward,
    .kernels = TG_KERNELS(TG_VECTOR(sum_vector), TG_VECTOR(sum_axes_vector), &sum_ref),
};

tg_tensor *tg_sum(tg_scope *s, tg_tensor *x, tg_axes axes)
{
    const tg_reduce_attr a = tg_resolve_axes(s, "sum", x, axes);
    return tg_apply(s, &tg_sum_op, &x, &a);
}

/* ---- mean ---- */

static void mean_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const double share = (double)tg_count(c->out[0]) / (double)tg_count(c->in[0]);
    gin[0] = expand_gradient(s, tg_affine(s, gout[0], share, 0), c->in[0], ((const tg_reduce_attr *)c->attr)->axes);
}

const tg_op tg_mean_op = {
    .name = "mean",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_reduce_attr),
    .infer = tg_infer_reduce,
    .backward = mean_backward,
    .kernels = TG_KERNELS(TG_VECTOR(mean_vector), TG_VECTOR(mean_axes_vector), &mean_ref),
};

tg_tensor *tg_mean(tg_scope *s, tg_tensor *x, tg_axes axes)
{
    const tg_reduce_attr a = tg_resolve_axes(s, "mean", x, axes);
    return tg_apply(s, &tg_mean_op, &x, &a);
}

/* ---- expand ---- */

static void expand_infer(tg_scope *s, tg_call *c)
{
    const tg_shape_attr *a = c->attr;
    const tg_tensor *x = c->in[0];
    int rank;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text from, to;
    tg_tensor *y = tg_make(s, x->dtype, a->rank, a->dim);
    if (tg_ok(s) &&
        (x->rank > y->rank || !tg_broadcast(x, y, &rank, dim) || memcmp(dim, y->dim, sizeof *dim * (size_t)y->rank)))
        tg_fail(s, "expand: %s to %s", tg_shape(x, &from), tg_shape(y, &to));
    c->out[0] = y;
}

/* The walk sums over the repeated axes. */
static void expand_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)s, (void)c;
    gin[0] = gout[0];
}

const tg_op tg_expand_op = {
    .name = "expand",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_shape_attr),
    .infer = expand_infer,
    .backward = expand_backward,
    .kernels = TG_KERNELS(TG_VECTOR(expand_vector), &expand_ref),
};
