/* concat.c - concat, slice and pad, of any dtype. See ops.h. */
#include "check.h"
#include "kernels.h"
#include <string.h>

TG_VECTOR_DECLARE(concat_vector)
TG_VECTOR_DECLARE(slice_vector)
TG_VECTOR_DECLARE(pad_vector)
extern const tg_kernel concat_ref, slice_ref, pad_ref;

/* ---- concat ---- */

/* Input k matches input 0 except along the axis. */
static bool want_alike(tg_scope *s, const tg_call *c, int k, int axis)
{
    const tg_tensor *a = c->in[0], *b = c->in[k];
    tg_shape_text one, other;
    bool fits = a->rank == b->rank;
    for (int i = 0; fits && i < a->rank; i++) fits = i == axis || a->dim[i] == b->dim[i];
    if (!fits)
        tg_fail(s, "concat: input 0 has shape %s, input %d %s; want the same but for axis %d", tg_shape(a, &one), k,
                tg_shape(b, &other), axis);
    return fits && tg_want_same_dtype(s, c, 0, k);
}

static void concat_infer(tg_scope *s, tg_call *c)
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    int64_t dim[TG_MAX_RANK];
    if (!tg_want_axis(s, c, axis)) return;
    memcpy(dim, c->in[0]->dim, sizeof dim);
    for (int k = 1; k < TG_MAX_IN && c->in[k]; k++) {
        if (!want_alike(s, c, k, axis)) return;
        if (__builtin_add_overflow(dim[axis], c->in[k]->dim[axis], &dim[axis]))
            tg_fail(s, "concat: axis %d is longer than can be counted", axis);
    }
    c->out[0] = tg_make(s, c->in[0]->dtype, c->in[0]->rank, dim);
}

static void concat_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    int64_t start = 0;
    for (int k = 0; k < TG_MAX_IN && c->in[k]; k++) {
        const int64_t end = start + c->in[k]->dim[axis];
        if (tg_needs_grad(c->in[k])) gin[k] = tg_slice(s, gout[0], axis, start, end);
        start = end;
    }
}

const tg_op tg_concat_op = {
    .name = "concat",
    .n_in = TG_MAX_IN,
    .n_out = 1,
    .optional_in = TG_BIT(TG_MAX_IN) - 2,
    .casts = TG_BIT(TG_MAX_IN) - 1,
    .cast_to = TG_CAST_WIDEST,
    .attr_size = sizeof(tg_axis_attr),
    .infer = concat_infer,
    .backward = concat_backward,
    .remade_by = &tg_concat_op,
    .kernels = TG_KERNELS(TG_VECTOR(concat_vector), &concat_ref),
};

/* bf16 joined with f32 becomes f32. */
static bool any_f32(tg_tensor *const *list, int n)
{
    for (int k = 0; k < n; k++)
        if (list[k] && list[k]->dtype == TG_F32) return true;
    return false;
}

/* More tensors than one call accepts are joined in several calls of equal length. */
static tg_tensor *concat_or_stack(tg_scope *s, tg_tensor *const *list, int n, bool f32, tg_axis_attr a)
{
    tg_tensor *in[TG_MAX_IN] = { NULL };
    if (n <= TG_MAX_IN) memcpy(in, list, sizeof *in * (size_t)n);
    for (int k = 0; n > TG_MAX_IN && k < TG_MAX_IN; k++) {
        const int start = (int)((int64_t)n * k / TG_MAX_IN), end = (int)((int64_t)n * (k + 1) / TG_MAX_IN);
        in[k] = end - start > 1 ? concat_or_stack(s, list + start, end - start, f32, a) : list[start];
    }
    for (int k = 0; f32 && k < TG_MAX_IN; k++) in[k] = tg_as_f32(s, in[k]);
    return tg_apply(s, &tg_concat_op, in, &a);
}

tg_tensor *tg_concat(tg_scope *s, tg_tensor *const *list, int n, int axis)
{
    if (n < 1) tg_fail(s, "concat: %d tensors, want at least 1", n);
    if (tg_ok(s) && !list) tg_fail(s, "concat: the list is NULL");
    for (int k = 1; tg_ok(s) && k < n; k++) /* NULL would end the list */
        if (!list[k]) tg_fail(s, "concat: input %d is NULL", k);
    if (!tg_ok(s)) return tg_apply(s, &tg_concat_op, (tg_tensor *const[TG_MAX_IN]){ NULL }, NULL);
    return concat_or_stack(s, list, n, any_f32(list, n), (tg_axis_attr){ tg_resolve_axis(list[0], axis) });
}

/* ---- slice ---- */

static void slice_infer(tg_scope *s, tg_call *c)
{
    const tg_slice_attr *a = c->attr;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text shape;
    if (!tg_want_axis(s, c, a->axis)) return;
    memcpy(dim, c->in[0]->dim, sizeof dim);
    if (a->start < 0 || a->start >= a->end || a->end > dim[a->axis])
        tg_fail(s, "slice: [%lld, %lld) of axis %d of x %s, want 0 <= start < end <= %lld", (long long)a->start,
                (long long)a->end, a->axis, tg_shape(c->in[0], &shape), (long long)dim[a->axis]);
    dim[a->axis] = a->end - a->start;
    if (tg_ok(s)) c->out[0] = tg_make(s, c->in[0]->dtype, c->in[0]->rank, dim);
}

static void slice_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const tg_slice_attr *a = c->attr;
    int64_t before[TG_MAX_RANK] = { 0 }, after[TG_MAX_RANK] = { 0 };
    before[a->axis] = a->start;
    after[a->axis] = c->in[0]->dim[a->axis] - a->end;
    gin[0] = tg_pad(s, gout[0], before, after, 0);
}

const tg_op tg_slice_op = {
    .name = "slice",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_slice_attr),
    .infer = slice_infer,
    .backward = slice_backward,
    .kernels = TG_KERNELS(TG_VECTOR(slice_vector), &slice_ref),
};

tg_tensor *tg_slice(tg_scope *s, tg_tensor *x, int axis, int64_t start, int64_t end)
{
    return tg_apply(s, &tg_slice_op, &x, &(tg_slice_attr){ tg_resolve_axis(x, axis), start, end });
}

/* ---- pad ---- */

static void pad_infer(tg_scope *s, tg_call *c)
{
    const tg_pad_attr *a = c->attr;
    const tg_tensor *x = c->in[0];
    int64_t dim[TG_MAX_RANK];
    if (a->rank != x->rank) tg_fail(s, "pad: %d axes for x of rank %d", a->rank, x->rank);
    for (int i = 0; tg_ok(s) && i < x->rank; i++) {
        if (a->before[i] < 0 || a->after[i] < 0)
            tg_fail(s, "pad: %lld before and %lld after on axis %d, want at least 0", (long long)a->before[i],
                    (long long)a->after[i], i);
        else if (__builtin_add_overflow(x->dim[i], a->before[i], &dim[i]) ||
                 __builtin_add_overflow(dim[i], a->after[i], &dim[i]))
            tg_fail(s, "pad: axis %d is longer than can be counted", i);
    }
    if (tg_ok(s)) c->out[0] = tg_make(s, x->dtype, x->rank, dim);
}

static void pad_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const tg_pad_attr *a = c->attr;
    tg_tensor *g = gout[0];
    for (int i = 0; i < a->rank; i++)
        if (a->before[i] || a->after[i]) g = tg_slice(s, g, i, a->before[i], a->before[i] + c->in[0]->dim[i]);
    gin[0] = g;
}

const tg_op tg_pad_op = {
    .name = "pad",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_pad_attr),
    .infer = pad_infer,
    .backward = pad_backward,
    .kernels = TG_KERNELS(TG_VECTOR(pad_vector), &pad_ref),
};

tg_tensor *tg_pad(tg_scope *s, tg_tensor *x, const int64_t *before, const int64_t *after, double value)
{
    tg_pad_attr a = { .rank = tg_ok(s) && x ? x->rank : 0, .value = value };
    if (a.rank > 0 && (!before || !after)) tg_fail(s, "pad: %s is NULL", before ? "after" : "before");
    if (a.rank == 0 || !tg_ok(s)) return tg_apply(s, &tg_pad_op, &x, &a);
    memcpy(a.before, before, sizeof *before * (size_t)a.rank);
    memcpy(a.after, after, sizeof *after * (size_t)a.rank);
    return tg_apply(s, &tg_pad_op, &x, &a);
}
