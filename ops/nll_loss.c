/* nll_loss.c - negative log likelihood, and cross entropy. The latter records log_softmax and nll_loss, which a rule
 * fuses into one call. */
#include "nll_loss.h"
#include "check.h"
#include "kernels.h"
#include "run.h"
#include "shown.h"

/* ---- checks; `name` is the public function that was called ---- */

static bool nll_loss_check_attr(tg_scope *s, const char *name, const tg_nll_attr *a)
{
    if (!(a->label_smoothing >= 0 && a->label_smoothing < 1))
        tg_fail(s, "%s: label smoothing is %g, want 0 <= e < 1", name, (double)a->label_smoothing);
    else if (a->reduction != TG_MEAN && a->reduction != TG_SUM && a->reduction != TG_NONE)
        tg_fail(s, "%s: reduction is %d, want TG_MEAN, TG_SUM or TG_NONE", name, (int)a->reduction);
    return tg_ok(s);
}

static bool nll_loss_check_target(tg_scope *s, const char *name, const tg_tensor *target)
{
    const tg_dtype dtype = target->dtype;
    if (tg_ok(s) && dtype != TG_I64 && dtype != TG_I32 && dtype != TG_U8)
        tg_fail(s, "%s: target has dtype %s, want classes of i64, i32 or u8", name, tg_dtype_name(dtype));
    return tg_ok(s);
}

static bool nll_loss_check_weight(tg_scope *s, const char *name, const tg_tensor *weight, int64_t classes)
{
    tg_shape_text got;
    if (tg_ok(s) && weight && (weight->dtype != TG_F32 || weight->rank != 1 || weight->dim[0] != classes))
        tg_fail(s, "%s: weight is %s %s, want f32 [%lld], one for each class", name, tg_dtype_name(weight->dtype),
                tg_shape(weight, &got), (long long)classes);
    return tg_ok(s);
}

/* target has the shape of x without its last axis. */
static bool nll_loss_check_shapes(tg_scope *s, const char *name, const tg_tensor *x, const tg_tensor *target)
{
    tg_shape_text got, want;
    if (!tg_ok(s)) return false;
    if (x->rank < 1) {
        tg_fail(s, "%s: x has rank 0, want [.., classes]", name);
        return false;
    }
    bool fits = target->rank == x->rank - 1;
    for (int i = 0; i < target->rank && fits; i++) fits = target->dim[i] == x->dim[i];
    if (!fits)
        tg_fail(s, "%s: target has shape %s, x %s wants its shape without the last axis", name, tg_shape(target, &got),
                tg_shape(x, &want));
    return fits;
}

static bool nll_loss_check(tg_scope *s, const char *name, const tg_tensor *x, const tg_tensor *target,
                           const tg_tensor *weight, const tg_nll_attr *a)
{
    return nll_loss_check_attr(s, name, a) && nll_loss_check_target(s, name, target) &&
           nll_loss_check_shapes(s, name, x, target) && nll_loss_check_weight(s, name, weight, x->dim[x->rank - 1]);
}

/* ---- nll_loss ---- */

void tg_nll_loss_infer(tg_scope *s, tg_call *c)
{
    const tg_nll_attr *const a = c->attr;
    const tg_tensor *const x = c->in[0], *const target = c->in[1];
    if (!tg_want_float(s, c, 0) || !nll_loss_check(s, tg_called(c), x, target, c->in[2], a)) return;
    if (a->classes != x->dim[x->rank - 1])
        tg_fail(s, "%s: %lld classes, x has %lld", tg_called(c), (long long)a->classes, (long long)x->dim[x->rank - 1]);
    c->out[0] = tg_make(s, TG_F32, a->reduction == TG_NONE ? target->rank : 0, target->dim);
    c->out[1] = tg_make(s, TG_F32, 0, target->dim);
}

static void nll_loss_infer(tg_scope *s, tg_call *c)
{
    if (tg_want_dtype(s, c, 0, TG_F32)) tg_nll_loss_infer(s, c);
}

static void nll_loss_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    if (gout[0])
        gin[0] =
            tg_apply(s, &tg_nll_loss_grad_op, (tg_tensor *const[]){ gout[0], c->in[1], c->in[2], c->out[1] }, c->attr);
}

TG_VECTOR_DECLARE(nll_loss_vector)
extern const tg_kernel nll_loss_ref;
const tg_op tg_nll_loss_op = {
    .name = "nll_loss",
    .n_in = 3,
    .n_out = 2,
    .optional_in = TG_BIT(2),
    .saves_in = TG_BIT(1) | TG_BIT(2),
    .saves_out = TG_BIT(1),
    .casts = TG_BIT(0),
    .cast_to = TG_CAST_F32,
    .attr_size = sizeof(tg_nll_attr),
    .infer = nll_loss_infer,
    .backward = nll_loss_backward,
    .kernels = TG_KERNELS(TG_VECTOR(nll_loss_vector), &nll_loss_ref),
};

void tg_nll_loss_grad_infer(tg_scope *s, tg_call *c, tg_dtype dtype)
{
    const tg_nll_attr *const a = c->attr;
    const tg_tensor *const target = c->in[1];
    int64_t dim[TG_MAX_RANK] = { 0 };
    if (!nll_loss_check_attr(s, tg_called(c), a) || !nll_loss_check_target(s, tg_called(c), target) ||
        !nll_loss_check_weight(s, tg_called(c), c->in[2], a->classes) || !tg_want_dtype(s, c, 0, TG_F32) ||
        !tg_want_dtype(s, c, 3, TG_F32) || !tg_want_rank(s, c, 3, 0, "[]"))
        return;
    if (a->reduction == TG_NONE ? !tg_want_same_shape(s, c, 0, 1) : !tg_want_rank(s, c, 0, 0, "[]")) return;
    if (target->rank >= TG_MAX_RANK) {
        tg_fail(s, "%s: target has rank %d, want at most %d", tg_called(c), target->rank, TG_MAX_RANK - 1);
        return;
    }
    for (int i = 0; i < target->rank; i++) dim[i] = target->dim[i];
    dim[target->rank] = a->classes;
    c->out[0] = tg_make(s, dtype, target->rank + 1, dim);
}

static void nll_loss_grad_infer(tg_scope *s, tg_call *c) { tg_nll_loss_grad_infer(s, c, TG_F32); }

TG_VECTOR_DECLARE(nll_loss_grad_vector)
extern const tg_kernel nll_loss_grad_ref;
const tg_op tg_nll_loss_grad_op = {
    .name = "nll_loss_grad",
    .n_in = 4,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .attr_size = sizeof(tg_nll_attr),
    .infer = nll_loss_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(nll_loss_grad_vector), &nll_loss_grad_ref),
    .rules = TG_RULES(&tg_rule_cross_entropy_grad),
};

/* ---- public functions ---- */

static tg_nll_attr nll_loss_attr(const tg_tensor *x, const tg_cross_entropy_config *config)
{
    return (tg_nll_attr){
        .label_smoothing = config->label_smoothing,
        .ignore_index = config->ignore ? config->ignore_index : -100,
        .reduction = config->reduction,
        .classes = x && x->rank > 0 ? x->dim[x->rank - 1] : 0,
        .dtype = x ? x->dtype : TG_F32,
    };
}

tg_tensor *tg_nll_loss(tg_scope *s, tg_tensor *log_probability, tg_tensor *target, tg_cross_entropy_config config)
{
    tg_nll_attr attr = nll_loss_attr(log_probability, &config);
    attr.dtype = TG_F32;
    tg_tensor *const logp = tg_as_f32(s, log_probability);
    return tg_apply(s, &tg_nll_loss_op, (tg_tensor *const[]){ logp, target, config.weight }, &attr);
}

tg_tensor *tg_cross_entropy_with(tg_scope *s, tg_tensor *logits, tg_tensor *target, tg_cross_entropy_config config)
{
    logits = tg_shown_of(logits);
    const tg_nll_attr attr = nll_loss_attr(logits, &config);
    if (tg_ok(s) && logits && target) /* checked first, so that messages name cross_entropy */
        nll_loss_check(s, "cross_entropy", logits, target, config.weight, &attr);
    const tg_softmax_attr softmax = { tg_resolve_axis(logits, -1), TG_F32 };
    const char *const was = tg_call_as(s, "cross_entropy");
    tg_tensor *const logp = tg_apply(s, &tg_log_softmax_op, &logits, &softmax);
    return tg_called_as(s, was,
                        tg_apply(s, &tg_nll_loss_op, (tg_tensor *const[]){ logp, target, config.weight }, &attr));
}

tg_tensor *tg_cross_entropy(tg_scope *s, tg_tensor *logits, tg_tensor *target)
{
    return tg_cross_entropy_with(s, logits, target, (tg_cross_entropy_config){ .reduction = TG_MEAN });
}
