/* pool2d.c - max and average pooling. */
#include "pool2d.h"
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(max_pool2d_vector)
TG_VECTOR_DECLARE(max_pool2d_grad_vector)
TG_VECTOR_DECLARE(avg_pool2d_vector)
TG_VECTOR_DECLARE(avg_pool2d_grad_vector)
extern const tg_rule tg_rule_max_pool2d_relu_grad; /* in fused/ */
extern const tg_kernel max_pool2d_ref, max_pool2d_grad_ref, avg_pool2d_ref, avg_pool2d_grad_ref;

/* ---- shapes ---- */

static bool pool2d_check_attr(tg_scope *s, const char *op, const tg_pool2d_attr *a)
{
    for (int i = 0; i < 2; i++) {
        if (a->kernel[i] < 1)
            return tg_fail(s, "%s: kernel [%d, %d], want at least 1", op, a->kernel[0], a->kernel[1]), false;
        if (a->stride[i] < 1)
            return tg_fail(s, "%s: stride [%d, %d], want at least 1", op, a->stride[0], a->stride[1]), false;
        if (a->pad[i] < 0 || a->pad[i] > a->kernel[i] / 2)
            return tg_fail(s, "%s: pad [%d, %d], want 0 to half of kernel [%d, %d]", op, a->pad[0], a->pad[1],
                           a->kernel[0], a->kernel[1]),
                   false;
    }
    return true;
}

/* Every window contains at least one pixel of the image, because pad <= kernel / 2 and windows begin before the padding
 * at the end. */
static bool pool2d_out_size(tg_scope *s, const char *op, const tg_pool2d_attr *a, int64_t out[2])
{
    for (int i = 0; i < 2; i++) {
        int64_t padded;
        if (__builtin_add_overflow(a->image[i], 2 * (int64_t)a->pad[i], &padded))
            return tg_fail(s, "%s: image of size %lld is too large", op, (long long)a->image[i]), false;
        if (a->image[i] < 1 || a->kernel[i] > padded)
            return tg_fail(s, "%s: kernel %d x %d is larger than image %lld x %lld with pad [%d, %d]", op, a->kernel[0],
                           a->kernel[1], (long long)a->image[0], (long long)a->image[1], a->pad[0], a->pad[1]),
                   false;
        out[i] = (padded - a->kernel[i]) / a->stride[i] + 1;
    }
    return true;
}

/* Input 0 is an image of h x w pixels. */
static bool pool2d_check_image(tg_scope *s, const tg_call *c, const int64_t want[2], const char *axes)
{
    const tg_tensor *x = c->in[0];
    tg_shape_text shape;
    if (!tg_want_rank(s, c, 0, 4, axes) || !tg_want_float(s, c, 0)) return false;
    if (x->dim[1] != want[0] || x->dim[2] != want[1])
        tg_fail(s, "%s: input 0 has shape %s, want an image of %lld x %lld", c->op->name, tg_shape(x, &shape),
                (long long)want[0], (long long)want[1]);
    return tg_ok(s);
}

static void avg_pool2d_infer(tg_scope *s, tg_call *c)
{
    const tg_pool2d_attr *a = c->attr;
    const tg_tensor *x = c->in[0];
    int64_t out[2];
    if (!pool2d_check_attr(s, c->op->name, a) || !pool2d_check_image(s, c, a->image, "[n, h, w, c]")) return;
    if (!pool2d_out_size(s, c->op->name, a, out)) return;
    c->out[0] = tg_make(s, x->dtype, 4, TG_DIM(x->dim[0], out[0], out[1], x->dim[3]));
}

/* u8 if it can number the pixels of a window, otherwise i32. */
static tg_dtype index_dtype(const tg_pool2d_attr *a)
{
    return (int64_t)a->kernel[0] * a->kernel[1] <= UINT8_MAX + 1 ? TG_U8 : TG_I32;
}

static void max_pool2d_infer(tg_scope *s, tg_call *c)
{
    const tg_pool2d_attr *a = c->attr;
    avg_pool2d_infer(s, c);
    if (tg_ok(s) && (int64_t)a->kernel[0] * a->kernel[1] > INT32_MAX)
        tg_fail(s, "%s: a kernel of %d x %d pixels, want less than 2^31 of them", c->op->name, a->kernel[0],
                a->kernel[1]);
    if (tg_ok(s)) c->out[1] = tg_make(s, index_dtype(a), 4, c->out[0]->dim);
}

static void pool2d_grad_infer(tg_scope *s, tg_call *c)
{
    const tg_pool2d_attr *a = c->attr;
    const tg_tensor *gy = c->in[0];
    int64_t out[2];
    if (!pool2d_check_attr(s, c->op->name, a) || !pool2d_out_size(s, c->op->name, a, out)) return;
    if (!pool2d_check_image(s, c, out, "[n, oh, ow, c]")) return;
    c->out[0] = tg_make(s, gy->dtype, 4, TG_DIM(gy->dim[0], a->image[0], a->image[1], gy->dim[3]));
}

void tg_max_pool2d_grad_infer(tg_scope *s, tg_call *c)
{
    if (!tg_want_dtype(s, c, 1, index_dtype(c->attr)) || !tg_want_same_shape(s, c, 0, 1)) return;
    if (tg_want_same_shape(s, c, 0, 2) && tg_want_same_dtype(s, c, 0, 2)) pool2d_grad_infer(s, c);
}

/* ---- derivatives ---- */

static void max_pool2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_max_pool2d_grad_op, (tg_tensor *[]){ gout[0], c->out[1], c->out[0] }, c->attr);
}

static void avg_pool2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &tg_avg_pool2d_grad_op, gout, c->attr);
}

/* ---- operators ---- */

const tg_op tg_max_pool2d_op = {
    .name = "max_pool2d",
    .n_in = 1,
    .n_out = 2,
    .optional_out = TG_BIT(1),
    .saves_out = TG_BIT(0) | TG_BIT(1),
    .attr_size = sizeof(tg_pool2d_attr),
    .infer = max_pool2d_infer,
    .backward = max_pool2d_backward,
    .kernels = TG_KERNELS(TG_VECTOR(max_pool2d_vector), &max_pool2d_ref),
};
const tg_op tg_max_pool2d_grad_op = {
    .name = "max_pool2d_grad",
    .n_in = 3,
    .n_out = 1,
    .attr_size = sizeof(tg_pool2d_attr),
    .infer = tg_max_pool2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(max_pool2d_grad_vector), &max_pool2d_grad_ref),
    .rules = TG_RULES(&tg_rule_max_pool2d_relu_grad),
};
const tg_op tg_avg_pool2d_op = {
    .name = "avg_pool2d",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_pool2d_attr),
    .infer = avg_pool2d_infer,
    .backward = avg_pool2d_backward,
    .kernels = TG_KERNELS(TG_VECTOR(avg_pool2d_vector), &avg_pool2d_ref),
};
const tg_op tg_avg_pool2d_grad_op = {
    .name = "avg_pool2d_grad",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_pool2d_attr),
    .infer = pool2d_grad_infer,
    .kernels = TG_KERNELS(TG_VECTOR(avg_pool2d_grad_vector), &avg_pool2d_grad_ref),
};

static tg_pool2d_attr pool2d_attr(const tg_tensor *x, tg_pool2d_config config)
{
    tg_pool2d_attr a = { .exclude_pad = config.exclude_pad };
    for (int i = 0; i < 2; i++) {
        a.kernel[i] = config.kernel[i];
        a.stride[i] = config.stride[i] ? config.stride[i] : config.kernel[i];
        a.pad[i] = config.pad[i];
        a.image[i] = x ? x->dim[1 + i] : 0;
    }
    return a;
}

tg_tensor *tg_max_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config)
{
    tg_pool2d_attr a = pool2d_attr(x, config);
    return tg_apply(s, &tg_max_pool2d_op, &x, &a);
}

tg_tensor *tg_avg_pool2d(tg_scope *s, tg_tensor *x, tg_pool2d_config config)
{
    tg_pool2d_attr a = pool2d_attr(x, config);
    return tg_apply(s, &tg_avg_pool2d_op, &x, &a);
}
