/* layer_norm.c - normalisation over the last axes. */
#include "check.h"
#include "kernels.h"
#include <math.h>

/* in[k], if given, is f32 of the shape of x's last axes. */
static bool layer_norm_check_affine(tg_scope *s, const tg_call *c, int x, int k, const char *name)
{
    const int axes = ((const tg_layer_norm_attr *)c->attr)->axes, rank = c->in[x]->rank;
    const tg_tensor *const v = c->in[k];
    if (!v) return true;
    if (!tg_want_dtype(s, c, k, TG_F32)) return false;
    bool fits = v->rank == axes;
    for (int i = 0; i < axes && fits; i++) fits = v->dim[i] == c->in[x]->dim[rank - axes + i];
    tg_shape_text got, want;
    if (!fits)
        tg_fail(s, "%s: %s has shape %s, want the last %d axes of x %s", c->op->name, name, tg_shape(v, &got), axes,
                tg_shape(c->in[x], &want));
    return fits;
}

static bool layer_norm_check_attr(tg_scope *s, const tg_call *c, const tg_tensor *x)
{
    const tg_layer_norm_attr *const a = c->attr;
    tg_shape_text text;
    if (!(a->eps >= 0) || !isfinite(a->eps))
        tg_fail(s, "%s: eps is %g, want a finite number of at least 0", c->op->name, (double)a->eps);
    else if (a->axes < 1 || a->axes > x->rank)
        tg_fail(s, "%s: %d axes to normalise, x %s wants 1 to %d", c->op->name, a->axes, tg_shape(x, &text), x->rank);
    return tg_ok(s);
}

static void layer_norm_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *const x = c->in[0];
    if (!tg_want_float(s, c, 0) || !layer_norm_check_attr(s, c, x) || !layer_norm_check_affine(s, c, 0, 1, "gamma") ||
        !layer_norm_check_affine(s, c, 0, 2, "beta"))
        return;
    const int rest = x->rank - ((const tg_layer_norm_attr *)c->attr)->axes;
    c->out[0] = tg_make_like(s, x);
    c->out[1] = tg_make(s, TG_F32, rest, x->dim);
    c->out[2] = tg_make(s, TG_F32, rest, x->dim);
}

static void layer_norm_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    if (gout[1] || gout[2]) {
        tg_fail(s, "layer_norm: its mean and deviation have no derivative, only y has");
        return;
    }
    gin[0] = tg_apply(s, &tg_layer_norm_grad_op,
                      (tg_tensor *const[]){ gout[0], c->in[0], c->in[1], c->out[1], c->out[2] }, c->attr);
    gin[1] = c->in[1] ? tg_output(gin[0], 1) : NULL;
    gin[2] = c->in[2] ? tg_output(gin[0], 2) : NULL;
}

TG_VECTOR_DECLARE(layer_norm_vector)
extern const tg_kernel layer_norm_ref;
const tg_op tg_layer_norm_op = {
    .name = "layer_norm",
    .n_in = 3,
    .n_out = 3,
    .optional_in = TG_BIT(1) | TG_BIT(2),
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .saves_out = TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_layer_norm_attr),
    .infer = layer_norm_infer,
    .backward = layer_norm_backward,
    .kernels = TG_KERNELS(TG_VECTOR(layer_norm_vector), &layer_norm_ref),
};

static bool layer_norm_check_statistics(tg_scope *s, const tg_call *c, int64_t rows)
{
    for (int k = 3; k < 5; k++) {
        if (!tg_want_dtype(s, c, k, TG_F32)) return false;
        if (tg_count(c->in[k]) == rows) continue;
        tg_fail(s, "%s: %s has %lld numbers, x has %lld rows", c->op->name, k == 3 ? "mean" : "rstd",
                (long long)tg_count(c->in[k]), (long long)rows);
        return false;
    }
    return true;
}

static void layer_norm_grad_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *const x = c->in[1];
    if (!tg_want_float(s, c, 1) || !tg_want_same_dtype(s, c, 0, 1) || !tg_want_same_shape(s, c, 0, 1) ||
        !layer_norm_check_attr(s, c, x) || !layer_norm_check_affine(s, c, 1, 2, "gamma"))
        return;
    const int axes = ((const tg_layer_norm_attr *)c->attr)->axes;
    const int64_t *const last = x->dim + x->rank - axes;
    int64_t rows = 1;
    for (int i = 0; i < x->rank - axes; i++) rows *= x->dim[i];
    if (!layer_norm_check_statistics(s, c, rows)) return;
    c->out[0] = tg_make_like(s, x);
    c->out[1] = tg_make(s, TG_F32, axes, last);
    c->out[2] = tg_make(s, TG_F32, axes, last);
}

TG_VECTOR_DECLARE(layer_norm_grad_vector)
extern const tg_kernel layer_norm_grad_ref;
const tg_op tg_layer_norm_grad_op = {
    .name = "layer_norm_grad",
    .n_in = 5,
    .n_out = 3,
    .optional_in = TG_BIT(2),
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_layer_norm_attr),
    .infer = layer_norm_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(layer_norm_grad_vector), &layer_norm_grad_ref),
};

tg_tensor *tg_layer_norm(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, double eps)
{
    const tg_tensor *const shape = gamma ? gamma : beta;
    const tg_layer_norm_attr attr = { .eps = (float)tg_or_default(eps, 1e-5), .axes = shape ? shape->rank : 1 };
    return tg_apply(s, &tg_layer_norm_op, (tg_tensor *const[]){ x, gamma, beta }, &attr);
}
