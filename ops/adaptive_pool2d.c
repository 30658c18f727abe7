/* adaptive_pool2d.c - averages over windows that divide an image into oh x ow parts; 1 x 1 is global average pooling.
 */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(adaptive_avg_pool2d_vector)
TG_VECTOR_DECLARE(adaptive_avg_pool2d_grad_vector)
extern const tg_kernel adaptive_avg_pool2d_ref, adaptive_avg_pool2d_grad_ref;

/* Bounded because computing windows multiplies an image size by an output size. */
static bool check_adaptive_pool_attr(tg_scope *s, const char *op, const tg_adaptive_pool2d_attr *a)
{
    for (int i = 0; i < 2; i++) {
        if (a->image[i] < 1)
            return tg_fail(s, "%s: image [%lld, %lld], want at least 1", op, (long long)a->image[0],
                           (long long)a->image[1]),
                   false;
        if (a->out[i] < 1)
            return tg_fail(s, "%s: output size [%lld, %lld], want at least 1", op, (long long)a->out[0],
                           (long long)a->out[1]),
                   false;
        if (a->image[i] > INT32_MAX || a->out[i] > INT32_MAX)
            return tg_fail(s, "%s: sizes %lld and %lld, want less than 2^31", op, (long long)a->image[i],
                           (long long)a->out[i]),
                   false;
    }
    return true;
}

static void adaptive_pool2d_infer_from(tg_scope *s, tg_call *c, const int64_t from[2], const int64_t to[2],
                                       const char *axes)
{
    const tg_tensor *x = c->in[0];
    tg_shape_text shape;
    if (!tg_want_rank(s, c, 0, 4, axes) || !tg_want_float(s, c, 0)) return;
    if (!check_adaptive_pool_attr(s, c->op->name, c->attr)) return;
    if (x->dim[1] != from[0] || x->dim[2] != from[1])
        tg_fail(s, "%s: input 0 has shape %s, want an image of %lld x %lld", c->op->name, tg_shape(x, &shape),
                (long long)from[0], (long long)from[1]);
    else c->out[0] = tg_make(s, x->dtype, 4, TG_DIM(x->dim[0], to[0], to[1], x->dim[3]));
}

static void adaptive_avg_pool2d_infer(tg_scope *s, tg_call *c)
{
    const tg_adaptive_pool2d_attr *a = c->attr;
    adaptive_pool2d_infer_from(s, c, a->image, a->out, "[n, h, w, c]");
}

static void adaptive_avg_pool2d_grad_infer(tg_scope *s, tg_call *c)
{
    const tg_adaptive_pool2d_attr *a = c->attr;
    adaptive_pool2d_infer_from(s, c, a->out, a->image, "[n, oh, ow, c]");
}

static void adaptive_avg_pool2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_adaptive_avg_pool2d_grad_op, gout, c->attr);
}

const tg_op tg_adaptive_avg_pool2d_op = {
    .name = "adaptive_avg_pool2d",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_adaptive_pool2d_attr),
    .infer = adaptive_avg_pool2d_infer,
    .backward = adaptive_avg_pool2d_backward,
    .kernels = TG_KERNELS(TG_VECTOR(adaptive_avg_pool2d_vector), &adaptive_avg_pool2d_ref),
};
const tg_op tg_adaptive_avg_pool2d_grad_op = {
    .name = "adaptive_avg_pool2d_grad",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_adaptive_pool2d_attr),
    .infer = adaptive_avg_pool2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(adaptive_avg_pool2d_grad_vector), &adaptive_avg_pool2d_grad_ref),
};

tg_tensor *tg_adaptive_avg_pool2d(tg_scope *s, tg_tensor *x, int oh, int ow)
{
    tg_adaptive_pool2d_attr a = { .image = { x ? x->dim[1] : 0, x ? x->dim[2] : 0 }, .out = { oh, ow } };
    return tg_apply(s, &tg_adaptive_avg_pool2d_op, &x, &a);
}
