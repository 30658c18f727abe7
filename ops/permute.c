/* permute.c - reshape, permute, transpose, flatten. See ops.h. */
#include "check.h"
#include "kernels.h"
#include "run.h"
#include <string.h>

TG_VECTOR_DECLARE(permute_vector)
extern const tg_kernel permute_ref;

/* ---- reshape ---- */

/* The size that -1 stands for; 0 if none fits. */
static int64_t missing_size(const tg_tensor *x, const tg_shape_attr *a)
{
    int64_t rest = tg_count(x);
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] == -1) continue;
        if (a->dim[i] < 1 || rest % a->dim[i]) return 0;
        rest /= a->dim[i];
    }
    return rest;
}

static void reshape_infer(tg_scope *s, tg_call *c)
{
    const tg_shape_attr *a = c->attr;
    tg_tensor want = { .rank = a->rank };
    tg_shape_text from, to;
    int open = 0;
    if (a->rank < 0 || a->rank > TG_MAX_RANK) {
        tg_fail(s, "reshape: rank %d, want 0 to %d", a->rank, TG_MAX_RANK);
        return;
    }
    memcpy(want.dim, a->dim, sizeof want.dim);
    for (int i = 0; i < a->rank; i++) open += want.dim[i] == -1;
    const int64_t missing = missing_size(c->in[0], a);
    if (open > 1) tg_fail(s, "reshape: %s has more than one -1", tg_shape(&want, &to));
    else if (missing == 0 || (open == 0 && missing != 1))
        tg_fail(s, "reshape: %s to %s: the number of elements differs", tg_shape(c->in[0], &from),
                tg_shape(&want, &to));
    for (int i = 0; i < a->rank; i++)
        if (want.dim[i] == -1) want.dim[i] = missing;
    if (tg_ok(s)) c->out[0] = tg_alias(s, c->in[0], want.rank, want.dim);
}

static void reshape_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_reshape(s, gout[0], c->in[0]->rank, c->in[0]->dim);
}

const tg_op tg_reshape_op = {
    .name = "reshape",
    .n_in = 1,
    .n_out = 1,
    .alias = true,
    .attr_size = sizeof(tg_shape_attr),
    .infer = reshape_infer,
    .backward = reshape_backward,
};

/* An unchanged first axis may be the batch, so attributes leave it out. */
static void forget_batch(const tg_tensor *x, tg_shape_attr *a)
{
    tg_shape_attr open = *a;
    open.dim[0] = -1;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] < 1) return;
    if (x && x->rank > 0 && x->dim[0] == a->dim[0] && missing_size(x, &open) == a->dim[0]) *a = open;
}

tg_tensor *tg_reshape(tg_scope *s, tg_tensor *x, int rank, const int64_t *dim)
{
    tg_shape_attr a = { .rank = rank };
    if (tg_ok(s) && rank > 0 && rank <= TG_MAX_RANK) {
        if (!dim) tg_fail(s, "reshape: the shape is NULL");
        else memcpy(a.dim, dim, sizeof *dim * (size_t)rank);
        if (x && dim) forget_batch(x, &a);
    }
    return tg_apply(s, &tg_reshape_op, &x, &a);
}

/* ---- permute ---- */

static void permute_infer(tg_scope *s, tg_call *c)
{
    const tg_permute_attr *a = c->attr;
    const tg_tensor *x = c->in[0];
    unsigned seen = 0;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text shape;
    if (a->rank != x->rank) tg_fail(s, "permute: %d axes for x %s", a->rank, tg_shape(x, &shape));
    for (int i = 0; tg_ok(s) && i < a->rank; i++) {
        if (a->axis[i] < 0 || a->axis[i] >= x->rank)
            tg_fail(s, "permute: axis %d of x %s, want 0 to %d", a->axis[i], tg_shape(x, &shape), x->rank - 1);
        else if (seen & TG_BIT(a->axis[i]))
            tg_fail(s, "permute: axis %d of x %s is given twice", a->axis[i], tg_shape(x, &shape));
        else seen |= TG_BIT(a->axis[i]), dim[i] = x->dim[a->axis[i]];
    }
    if (tg_ok(s)) c->out[0] = tg_make(s, x->dtype, x->rank, dim);
}

static void permute_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const tg_permute_attr *a = c->attr;
    int inverse[TG_MAX_RANK];
    for (int i = 0; i < a->rank; i++) inverse[a->axis[i]] = i;
    gin[0] = tg_permute(s, gout[0], inverse);
}

const tg_op tg_permute_op = {
    .name = "permute",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_permute_attr),
    .infer = permute_infer,
    .backward = permute_backward,
    .kernels = TG_KERNELS(TG_VECTOR(permute_vector), &permute_ref),
};

tg_tensor *tg_permute(tg_scope *s, tg_tensor *x, const int *axes)
{
    tg_permute_attr a = { .rank = tg_ok(s) && x && axes ? x->rank : 0 };
    if (tg_ok(s) && x && !axes) tg_fail(s, "permute: the axes are NULL");
    for (int i = 0; i < a.rank; i++) a.axis[i] = tg_resolve_axis(x, axes[i]);
    return tg_apply(s, &tg_permute_op, &x, &a);
}

tg_tensor *tg_transpose(tg_scope *s, tg_tensor *x, int a, int b)
{
    tg_permute_attr order = { .rank = x ? x->rank : 0 };
    const int one = tg_resolve_axis(x, a), other = tg_resolve_axis(x, b);
    tg_shape_text shape;
    if (x && (one < 0 || one >= x->rank || other < 0 || other >= x->rank))
        tg_fail(s, "transpose: axes %d and %d of x %s, want %d to %d", a, b, tg_shape(x, &shape), -x->rank,
                x->rank - 1);
    for (int i = 0; i < order.rank; i++) order.axis[i] = i == one ? other : i == other ? one : i;
    const char *was = tg_call_as(s, "transpose");
    return tg_called_as(s, was, tg_apply(s, &tg_permute_op, &x, &order));
}

/* ---- flatten: [n, h, w, c] is permuted to [n, c, h, w] first, unless both have the same memory layout ---- */

tg_tensor *tg_flatten(tg_scope *s, tg_tensor *x)
{
    static const int channels_first[] = { 0, 3, 1, 2 };
    if (tg_ok(s) && x && x->rank < 1) tg_fail(s, "flatten: x has rank 0, want [n, ..]");
    const char *was = tg_call_as(s, "flatten");
    int64_t features = 1;
    for (int i = 1; x && i < x->rank; i++) features *= x->dim[i];
    if (x && x->rank == 4 && x->dim[3] > 1 && x->dim[1] * x->dim[2] > 1) x = tg_permute(s, x, channels_first);
    return tg_called_as(s, was, tg_reshape(s, x, 2, TG_DIM(-1, features)));
}
