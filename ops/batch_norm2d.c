/* batch_norm2d.c - batch normalisation in training, with the batch's statistics. */
#include "batch_norm2d.h"
#include "check.h"
#include "kernels.h"
#include "run.h"
#include <math.h>

static bool check_images(tg_scope *s, const tg_call *c, int x)
{
    for (int k = 0; k <= x; k++)
        if (!tg_want_rank(s, c, k, 4, "[n, h, w, c]") || !tg_want_float(s, c, k) || !tg_want_same_dtype(s, c, k, x) ||
            !tg_want_same_shape(s, c, k, x))
            return false;
    return true;
}

bool tg_batch_norm2d_want_mean(tg_scope *s, const tg_call *c, int k, int64_t channels)
{
    const tg_tensor *const mean = c->in[k];
    tg_shape_text got;
    if (tg_ok(s) && (mean->rank != 2 || mean->dim[0] != 2 || mean->dim[1] != channels))
        tg_fail(s, "%s: mean has shape %s, want [2,%lld]", c->op->name, tg_shape(mean, &got), (long long)channels);
    return tg_ok(s);
}

static bool check_vectors(tg_scope *s, const tg_call *c, int x, int vectors)
{
    static const char *const training[] = { "gamma", "beta" };
    static const char *const evaluation[] = { "gamma", "beta", "running_mean", "running_var" };
    static const char *const gradient[] = { "gamma", "mean", "rstd", "beta" };
    const char *const *const names = vectors == 2 ? training : x == 0 ? evaluation : gradient;
    tg_shape_text got, want;
    for (int k = 0; k < vectors; k++) {
        const tg_tensor *const v = c->in[x + 1 + k];
        if (!tg_want_dtype(s, c, x + 1 + k, TG_F32)) return false;
        if (names == gradient && k == 1 && c->op != &tg_batch_norm2d_eval_grad_op) {
            if (!tg_batch_norm2d_want_mean(s, c, x + 2, c->in[x]->dim[3])) return false;
        } else if (v->rank != 1 || v->dim[0] != c->in[x]->dim[3]) {
            tg_fail(s, "%s: %s has shape %s, x %s wants [%lld]", tg_called(c), names[k], tg_shape(v, &got),
                    tg_shape(c->in[x], &want), (long long)c->in[x]->dim[3]);
            return false;
        }
    }
    return true;
}

bool tg_batch_norm2d_check(tg_scope *s, const tg_call *c, int x, int vectors)
{
    const tg_batch_norm2d_attr *const a = c->attr;
    if (!(a->eps >= 0) || !isfinite(a->eps)) {
        tg_fail(s, "%s: eps is %g, want a finite number of at least 0", tg_called(c), (double)a->eps);
        return false;
    }
    if (!(a->momentum >= 0 && a->momentum <= 1)) {
        tg_fail(s, "%s: momentum is %g, want 0 to 1", tg_called(c), (double)a->momentum);
        return false;
    }
    return check_images(s, c, x) && check_vectors(s, c, x, vectors);
}

void tg_batch_norm2d_infer(tg_scope *s, tg_call *c)
{
    if (!tg_batch_norm2d_check(s, c, 0, 2)) return;
    if (c->op->n_in > 3 && !(tg_want_same_shape(s, c, 0, 3) && tg_want_same_dtype(s, c, 0, 3))) return;
    const int64_t *const dim = c->in[0]->dim;
    if (dim[0] * dim[1] * dim[2] <= 1) {
        tg_shape_text text;
        tg_fail(s,
                "%s: x %s wants more than one value a channel in training: two images or more (drop_last of the loader "
                "leaves out a last batch of one)",
                tg_called(c), tg_shape(c->in[0], &text));
        return;
    }
    c->out[0] = tg_make_like(s, c->in[0]);
    c->out[1] = tg_make(s, TG_F32, 2, TG_DIM(2, dim[3]));
    c->out[2] = tg_make(s, TG_F32, 1, &dim[3]);
    c->out[3] = tg_make(s, TG_F32, 1, &dim[3]);
}

static void batch_norm2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    if (gout[1] || gout[2] || gout[3]) {
        tg_fail(s, "batch_norm2d: its mean and variance have no derivative, only y has");
        return;
    }
    gin[0] = tg_apply(s, &tg_batch_norm2d_grad_op,
                      (tg_tensor *const[]){ gout[0], c->in[0], c->in[1], c->out[1], c->out[2], c->in[2] }, c->attr);
    gin[1] = tg_output(gin[0], 1);
    gin[2] = tg_output(gin[0], 2);
}

TG_VECTOR_DECLARE(batch_norm2d_vector)
extern const tg_kernel batch_norm2d_ref;
const tg_op tg_batch_norm2d_op = {
    .name = "batch_norm2d",
    .n_in = 3,
    .n_out = 4,
    .optional_out = TG_BIT(3),
    .saves_in = TG_BIT(0) | TG_BIT(1) | TG_BIT(2),
    .saves_out = TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_infer,
    .backward = batch_norm2d_backward,
    .remade_by = &tg_batch_norm2d_again_op,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_vector), &batch_norm2d_ref),
    .rules = TG_RULES(&tg_rule_batch_norm2d_add_relu, &tg_rule_batch_norm2d_relu),
};

void tg_batch_norm2d_grad_infer_at(tg_scope *s, tg_call *c, int x)
{
    if (!tg_batch_norm2d_check(s, c, x, c->op->n_in - x - 1)) return;
    c->out[0] = tg_make_like(s, c->in[x]);
    c->out[1] = tg_make(s, TG_F32, 1, &c->in[x]->dim[3]);
    c->out[2] = tg_make(s, TG_F32, 1, &c->in[x]->dim[3]);
}

void tg_batch_norm2d_grad_infer(tg_scope *s, tg_call *c) { tg_batch_norm2d_grad_infer_at(s, c, 1); }

TG_VECTOR_DECLARE(batch_norm2d_grad_vector)
extern const tg_kernel batch_norm2d_grad_ref;
const tg_op tg_batch_norm2d_grad_op = {
    .name = "batch_norm2d_grad",
    .n_in = 6,
    .n_out = 3,
    .optional_out = TG_BIT(0) | TG_BIT(1) | TG_BIT(2),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = tg_batch_norm2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_grad_vector), &batch_norm2d_grad_ref),
};

static void batch_norm2d_track_infer(tg_scope *s, tg_call *c)
{
    for (int k = 0; k < 4; k++)
        if (!tg_want_dtype(s, c, k, TG_F32) ||
            (k != 2 && !(tg_want_rank(s, c, k, 1, "[c]") && tg_want_same_shape(s, c, 0, k))))
            return;
    tg_batch_norm2d_want_mean(s, c, 2, c->in[0]->dim[0]);
    const tg_batch_norm2d_attr *const a = c->attr;
    if (!(a->momentum >= 0 && a->momentum <= 1))
        tg_fail(s, "batch_norm2d_track: momentum is %g, want 0 to 1", (double)a->momentum);
}

TG_VECTOR_DECLARE(batch_norm2d_track_vector)
extern const tg_kernel batch_norm2d_track_ref;
const tg_op tg_batch_norm2d_track_op = {
    .name = "batch_norm2d_track",
    .n_in = 4,
    .writes = TG_BIT(0) | TG_BIT(1),
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = batch_norm2d_track_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_track_vector), &batch_norm2d_track_ref),
};

tg_tensor *tg_batch_norm2d(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta, tg_tensor *running_mean,
                           tg_tensor *running_var, tg_batch_norm2d_config config)
{
    const tg_batch_norm2d_attr attr = { .eps = (float)tg_or_default((double)config.eps, 1e-5),
                                        .momentum = (float)tg_or_default((double)config.momentum, 0.1) };
    const bool tracked = running_mean || running_var;
    if (tg_ok(s) && !running_mean != !running_var)
        tg_fail(s, "batch_norm2d: %s is NULL, want both running statistics or neither",
                running_mean ? "running_var" : "running_mean");
    const char *const was = tg_call_as(s, "batch_norm2d");
    if (tracked && !tg_scope_modes(s).train) {
        tg_tensor *const in[] = { x, gamma, beta, running_mean, running_var };
        return tg_called_as(s, was, tg_apply(s, &tg_batch_norm2d_eval_op, in, &attr));
    }
    tg_tensor *const y = tg_apply(s, &tg_batch_norm2d_op, (tg_tensor *const[]){ x, gamma, beta }, &attr);
    if (tracked)
        tg_apply(s, &tg_batch_norm2d_track_op,
                 (tg_tensor *const[]){ running_mean, running_var, tg_output(y, 1), tg_output(y, 3) }, &attr);
    return tg_called_as(s, was, y);
}
