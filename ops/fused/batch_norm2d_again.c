/* batch_norm2d_again.c - recomputes y of batch_norm2d and its fusions from x and the saved statistics: one pass instead
 * of two. Recomputation (remade_by) inserts such calls before backward instead of keeping y. */
#include "batch_norm2d.h"
#include "check.h"
#include "kernels.h"

/* x, gamma, beta, optionally other; mean and rstd are the last two. */
static void batch_norm2d_again_infer(tg_scope *s, tg_call *c)
{
    const int mean = c->op->n_in - 2;
    if (!tg_batch_norm2d_check(s, c, 0, 2)) return;
    if (mean > 3 && !(tg_want_same_shape(s, c, 0, 3) && tg_want_same_dtype(s, c, 0, 3))) return;
    if (!tg_want_dtype(s, c, mean, TG_F32) || !tg_batch_norm2d_want_mean(s, c, mean, c->in[0]->dim[3]) ||
        !tg_want_dtype(s, c, mean + 1, TG_F32) || !tg_want_same_shape(s, c, 1, mean + 1))
        return;
    c->out[0] = tg_make_like(s, c->in[0]);
}

TG_VECTOR_DECLARE(batch_norm2d_again_vector)
TG_VECTOR_DECLARE(batch_norm2d_relu_again_vector)
TG_VECTOR_DECLARE(batch_norm2d_add_relu_again_vector)
extern const tg_kernel batch_norm2d_again_ref, batch_norm2d_relu_again_ref, batch_norm2d_add_relu_again_ref;

const tg_op tg_batch_norm2d_again_op = {
    .name = "batch_norm2d_again",
    .n_in = 5,
    .n_out = 1,
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = batch_norm2d_again_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_again_vector), &batch_norm2d_again_ref),
};
const tg_op tg_batch_norm2d_relu_again_op = {
    .name = "batch_norm2d_relu_again",
    .n_in = 5,
    .n_out = 1,
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = batch_norm2d_again_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_relu_again_vector), &batch_norm2d_relu_again_ref),
};
const tg_op tg_batch_norm2d_add_relu_again_op = {
    .name = "batch_norm2d_add_relu_again",
    .n_in = 6,
    .n_out = 1,
    .attr_size = sizeof(tg_batch_norm2d_attr),
    .infer = batch_norm2d_again_infer,
    .kernels = TG_KERNELS(TG_VECTOR(batch_norm2d_add_relu_again_vector), &batch_norm2d_add_relu_again_ref),
};
