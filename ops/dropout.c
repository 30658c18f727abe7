/* dropout.c - dropout. The mask is a function of the random stream, which is drawn when the call is recorded and is an
 * attribute. So the derivative is the same operator, and a replayed call drops the same elements. */
#include "check.h"
#include "kernels.h"
#include "run.h"

static void dropout_infer(tg_scope *s, tg_call *c)
{
    const tg_dropout_attr *const a = c->attr;
    if (!(a->p >= 0 && a->p < 1)) tg_fail(s, "dropout: p is %g, want 0 <= p < 1", (double)a->p);
    tg_infer_map(s, c);
}

static void dropout_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_dropout_op, &gout[0], c->attr);
}

TG_VECTOR_DECLARE(dropout_vector)
extern const tg_kernel dropout_ref;
const tg_op tg_dropout_op = {
    .name = "dropout",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_dropout_attr),
    .infer = dropout_infer,
    .backward = dropout_backward,
    .remade_by = &tg_dropout_op,
    .kernels = TG_KERNELS(TG_VECTOR(dropout_vector), &dropout_ref),
};

tg_tensor *tg_dropout(tg_scope *s, tg_tensor *x, double p)
{
    if (!(p >= 0 && p < 1)) tg_fail(s, "dropout: p is %g, want 0 <= p < 1", p);
    if (tg_can_read(s, x) && (p == 0 || !tg_scope_modes(s).train)) return x;
    return tg_apply(s, &tg_dropout_op, &x, &(tg_dropout_attr){ .p = (float)p, .stream = tg_draw_stream(s) });
}
