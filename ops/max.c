/* max.c - max and argmax over axes.  See ops.h, attr.h. */
#include "check.h"
#include "kernels.h"
#include "reduce.h"

TG_VECTOR_DECLARE(max_vector)
TG_VECTOR_DECLARE(max_all_vector)
TG_VECTOR_DECLARE(max_all_grad_vector)
TG_VECTOR_DECLARE(max_grad_vector)
TG_VECTOR_DECLARE(argmax_vector)
extern const tg_kernel max_ref, max_grad_ref, argmax_ref;

static void max_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_max_grad_op, (tg_tensor *const[]){ gout[0], c->in[0], c->out[0] }, c->attr);
}

const tg_op tg_max_op = {
    .name = "max",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .saves_out = TG_BIT(0),
    .attr_size = sizeof(tg_reduce_attr),
    .infer = tg_infer_reduce,
    .backward = max_backward,
    .kernels = TG_KERNELS(TG_VECTOR(max_all_vector), TG_VECTOR(max_vector), &max_ref),
};

tg_tensor *tg_max(tg_scope *s, tg_tensor *x, tg_axes axes)
{
    const tg_reduce_attr a = tg_resolve_axes(s, "max", x, axes);
    return tg_apply(s, &tg_max_op, &x, &a);
}

static void max_grad_infer(tg_scope *s, tg_call *c)
{
    const tg_reduce_attr *a = c->attr;
    const tg_tensor *gy = c->in[0], *x = c->in[1];
    int64_t want = 1;
    for (int i = 0; i < x->rank; i++) want *= a->axes & TG_BIT(i) ? 1 : x->dim[i];
    if (tg_ok(s) && (a->axes >> x->rank || tg_count(gy) != want))
        tg_fail(s, "max_grad: gy has %lld elements, want %lld", (long long)tg_count(gy), (long long)want);
    if (tg_want_float(s, c, 1) && tg_want_same_dtype(s, c, 0, 1) && tg_want_same_dtype(s, c, 2, 1) &&
        tg_want_same_shape(s, c, 0, 2))
        c->out[0] = tg_make_like(s, x);
}

const tg_op tg_max_grad_op = {
    .name = "max_grad",
    .n_in = 3,
    .n_out = 1,
    .attr_size = sizeof(tg_reduce_attr),
    .infer = max_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(max_all_grad_vector), TG_VECTOR(max_grad_vector), &max_grad_ref),
};

/* ---- argmax ---- */

static void argmax_infer(tg_scope *s, tg_call *c)
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    const tg_tensor *x = c->in[0];
    int64_t dim[TG_MAX_RANK];
    int rank = 0;
    if (!tg_want_float(s, c, 0) || !tg_want_axis(s, c, axis)) return;
    for (int i = 0; i < x->rank; i++)
        if (i != axis) dim[rank++] = x->dim[i];
    c->out[0] = tg_make(s, TG_I64, rank, dim);
}

const tg_op tg_argmax_op = {
    .name = "argmax",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_axis_attr),
    .infer = argmax_infer,
    .kernels = TG_KERNELS(TG_VECTOR(argmax_vector), &argmax_ref),
};

tg_tensor *tg_argmax(tg_scope *s, tg_tensor *x, int axis)
{
    return tg_apply(s, &tg_argmax_op, &x, &(tg_axis_attr){ tg_resolve_axis(x, axis) });
}
