/* linear.c - x w^T + b over the last axis, and its derivatives in x and w. */
#include "linear.h"
#include "check.h"
#include "kernels.h"
#include <string.h>

TG_VECTOR_DECLARE(linear_vector)
TG_VECTOR_DECLARE(linear_grad_x_vector)
TG_VECTOR_DECLARE(linear_grad_w_vector)
TG_BRGEMM_DECLARE(linear_brgemm)
TG_BRGEMM_DECLARE(linear_grad_x_brgemm)
TG_BRGEMM_DECLARE(linear_grad_w_brgemm)
extern const tg_kernel linear_openblas, linear_grad_x_openblas, linear_grad_w_openblas;
extern const tg_kernel linear_ref, linear_grad_x_ref, linear_grad_w_ref;

/* Input k is a float tensor [.., features]. */
static bool linear_check_rows(tg_scope *s, const tg_call *c, int k, const char *name)
{
    if (!tg_want_float(s, c, k)) return false;
    if (c->in[k]->rank < 1) tg_fail(s, "%s: %s is a number, want [.., features]", c->op->name, name);
    return tg_ok(s);
}

static bool linear_check_features(tg_scope *s, const tg_call *c, const char *name, int axis)
{
    const tg_tensor *x = c->in[0], *w = c->in[1];
    tg_shape_text one, other;
    if (!linear_check_rows(s, c, 0, name) || !tg_want_same_dtype(s, c, 0, 1)) return false;
    if (!tg_want_rank(s, c, 1, 2, "[out, in]")) return false;
    if (x->dim[x->rank - 1] != w->dim[axis])
        tg_fail(s, "%s: %s %s has %lld features, w %s wants %lld", c->op->name, name, tg_shape(x, &one),
                (long long)x->dim[x->rank - 1], tg_shape(w, &other), (long long)w->dim[axis]);
    return tg_ok(s);
}

static tg_tensor *linear_make_rows(tg_scope *s, const tg_tensor *like, int64_t features)
{
    int64_t dim[TG_MAX_RANK];
    memcpy(dim, like->dim, sizeof dim);
    dim[like->rank - 1] = features;
    return tg_make(s, like->dtype, like->rank, dim);
}

void tg_linear_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *w = c->in[1], *b = c->in[2];
    tg_shape_text shape;
    if (!linear_check_features(s, c, "x", 1)) return;
    if (b && (!tg_want_dtype(s, c, 2, TG_F32) || !tg_want_rank(s, c, 2, 1, "[out]"))) return;
    if (b && b->dim[0] != w->dim[0])
        tg_fail(s, "%s: bias %s, want [%lld], one for each output feature", c->op->name, tg_shape(b, &shape),
                (long long)w->dim[0]);
    else c->out[0] = linear_make_rows(s, c->in[0], w->dim[0]);
}

static void linear_grad_x_infer(tg_scope *s, tg_call *c)
{
    if (linear_check_features(s, c, "gy", 0)) c->out[0] = linear_make_rows(s, c->in[0], c->in[1]->dim[1]);
}

static void linear_grad_w_infer(tg_scope *s, tg_call *c)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1];
    tg_shape_text one, other;
    if (!linear_check_rows(s, c, 0, "gy") || !linear_check_rows(s, c, 1, "x") || !tg_want_same_dtype(s, c, 0, 1))
        return;
    if (gy->rank != x->rank || memcmp(gy->dim, x->dim, sizeof *x->dim * (size_t)(x->rank - 1)))
        tg_fail(s, "%s: gy %s and x %s differ in more than the last axis", c->op->name, tg_shape(gy, &one),
                tg_shape(x, &other));
    else c->out[0] = tg_make(s, TG_F32, 2, TG_DIM(gy->dim[gy->rank - 1], x->dim[x->rank - 1]));
}

/* ---- work: a multiply-add for each element of w and each row ---- */

double tg_linear_flops(const tg_call *c) { return 2.0 * (double)tg_count(c->in[0]) * (double)c->in[1]->dim[0]; }

static double linear_grad_x_flops(const tg_call *c)
{
    return 2.0 * (double)tg_count(c->in[0]) * (double)c->in[1]->dim[1];
}

static double linear_grad_w_flops(const tg_call *c)
{
    return 2.0 * (double)tg_count(c->in[0]) * (double)c->out[0]->dim[1];
}

/* ---- derivatives ---- */

static void linear_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    tg_tensor *gy = gout[0], *x = c->in[0], *w = c->in[1];
    if (tg_needs_grad(x)) gin[0] = tg_apply(s, &tg_linear_grad_x_op, (tg_tensor *[]){ gy, w }, NULL);
    if (tg_needs_grad(w)) gin[1] = tg_apply(s, &tg_linear_grad_w_op, (tg_tensor *[]){ gy, x }, NULL);
    if (c->in[2] && tg_needs_grad(c->in[2])) gin[2] = tg_apply(s, &tg_channel_sum_op, &gy, NULL);
}

/* ---- operators ---- */

/* OpenBLAS 0.3.21 needs 1.1 to 1.3 times the time of our kernel with AVX-512, and 0.7 to 1 times with AVX2. */

const tg_op tg_linear_op = {
    .name = "linear",
    .n_in = 3,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .casts = TG_BIT(0) | TG_BIT(1),
    .cast_to = TG_CAST_BF16,
    .infer = tg_linear_infer,
    .backward = linear_backward,
    .flops = tg_linear_flops,
    .kernels = TG_KERNELS(TG_BRGEMM_BF16(linear_brgemm), TG_VECTOR(linear_vector), TG_BRGEMM_F32(linear_brgemm),
                          TG_OPENBLAS(linear_openblas), &linear_ref),
    .rules = TG_RULES(&tg_linear_relu_rule),
};
const tg_op tg_linear_grad_x_op = {
    .name = "linear_grad_x",
    .n_in = 2,
    .n_out = 1,
    .infer = linear_grad_x_infer,
    .flops = linear_grad_x_flops,
    .kernels = TG_KERNELS(TG_BRGEMM_BF16(linear_grad_x_brgemm), TG_VECTOR(linear_grad_x_vector),
                          TG_BRGEMM_F32(linear_grad_x_brgemm), TG_OPENBLAS(linear_grad_x_openblas), &linear_grad_x_ref),
};
const tg_op tg_linear_grad_w_op = {
    .name = "linear_grad_w",
    .n_in = 2,
    .n_out = 1,
    .infer = linear_grad_w_infer,
    .flops = linear_grad_w_flops,
    .kernels = TG_KERNELS(TG_BRGEMM_BF16(linear_grad_w_brgemm), TG_VECTOR(linear_grad_w_vector),
                          TG_BRGEMM_F32(linear_grad_w_brgemm), TG_OPENBLAS(linear_grad_w_openblas), &linear_grad_w_ref),
};

tg_tensor *tg_linear(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b)
{
    return tg_apply(s, &tg_linear_op, (tg_tensor *[]){ tg_as(s, x, w), w, b }, NULL);
}
