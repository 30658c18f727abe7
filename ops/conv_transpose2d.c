/* conv_transpose2d.c - the transpose of conv2d: its forward is conv2d's backward-data. */
#include "check.h"
#include "conv2d.h"
#include "kernels.h"

TG_VECTOR_DECLARE(conv_transpose2d_vector)
TG_BRGEMM_DECLARE(conv_transpose2d_brgemm)
extern const tg_kernel conv_transpose2d_grouped_onednn, conv_transpose2d_onednn, conv_transpose2d_ref;

/* The size of y without output_pad; false: it overflows. */
static bool plain_size(const tg_conv2d_attr *a, int64_t x, int i, int64_t *size)
{
    int64_t spread, covered;
    if (__builtin_mul_overflow(x - 1, (int64_t)a->stride[i], &spread)) return false;
    if (__builtin_mul_overflow(a->kernel[i] - 1, (int64_t)a->dilation[i], &covered)) return false;
    if (__builtin_add_overflow(spread, covered, size)) return false;
    return !__builtin_add_overflow(*size, 1 - 2 * (int64_t)a->pad[i], size);
}

static bool conv_transpose2d_check_size(tg_scope *s, const tg_call *c, int i)
{
    const tg_conv2d_attr *a = c->attr;
    int64_t plain, added, most = a->stride[i] > a->dilation[i] ? a->stride[i] : a->dilation[i];
    if (!plain_size(a, c->in[0]->dim[1 + i], i, &plain))
        return tg_fail(s, "%s: image, kernel, stride or dilation is too large to compute a size", c->op->name), false;
    if (__builtin_sub_overflow(a->image[i], plain, &added) || added < 0 || added >= most)
        return tg_fail(s, "%s: output_pad %lld, want 0 to %lld: less than stride or dilation", c->op->name,
                       (long long)added, (long long)(most - 1)),
               false;
    if (a->image[i] < 1)
        return tg_fail(s, "%s: y would have size %lld: pad %d is too large for kernel %lld and image %lld", c->op->name,
                       (long long)a->image[i], a->pad[i], (long long)a->kernel[i], (long long)c->in[0]->dim[1 + i]),
               false;
    return true;
}

static bool conv_transpose2d_check_channels(tg_scope *s, const tg_call *c, int64_t *out)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *x = c->in[0], *w = c->in[1];
    tg_shape_text shape;
    if (x->dim[3] != w->dim[0])
        return tg_fail(s, "%s: x has %lld channels, want %lld: w is %s", c->op->name, (long long)x->dim[3],
                       (long long)w->dim[0], tg_shape(w, &shape)),
               false;
    if (x->dim[3] % a->groups)
        return tg_fail(s, "%s: x has %lld channels, which %d groups do not divide", c->op->name, (long long)x->dim[3],
                       a->groups),
               false;
    if (__builtin_mul_overflow(w->dim[3], (int64_t)a->groups, out))
        return tg_fail(s, "%s: %lld channels in each of %d groups overflow", c->op->name, (long long)w->dim[3],
                       a->groups),
               false;
    return true;
}

static void conv_transpose2d_infer(tg_scope *s, tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    int64_t out;
    if (!tg_want_rank(s, c, 0, 4, "[n, h, w, in]") || !tg_want_rank(s, c, 1, 4, "[in, kh, kw, out/groups]")) return;
    if (!tg_want_float(s, c, 0) || !tg_want_same_dtype(s, c, 0, 1)) return;
    if (!tg_conv2d_check_attr(s, c->op->name, a) || !conv_transpose2d_check_channels(s, c, &out)) return;
    if (!tg_conv2d_check_bias(s, c, 2, out)) return;
    if (a->kernel[0] != c->in[1]->dim[1] || a->kernel[1] != c->in[1]->dim[2])
        tg_fail(s, "%s: kernel %lld x %lld, w has %lld x %lld", c->op->name, (long long)a->kernel[0],
                (long long)a->kernel[1], (long long)c->in[1]->dim[1], (long long)c->in[1]->dim[2]);
    else if (conv_transpose2d_check_size(s, c, 0) && conv_transpose2d_check_size(s, c, 1))
        c->out[0] = tg_make(s, c->in[0]->dtype, 4, TG_DIM(c->in[0]->dim[0], a->image[0], a->image[1], out));
}

static double conv_transpose2d_flops(const tg_call *c)
{
    const tg_tensor *w = c->in[1];
    return 2.0 * (double)tg_count(c->in[0]) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}

/* An output_pad of a stride or more lets a convolution over y reach beyond x, which is extended with zeros to that
 * size. */
static tg_tensor *cut_to(tg_scope *s, tg_tensor *t, const tg_tensor *x)
{
    for (int axis = 1; axis < 3; axis++)
        if (tg_ok(s) && t->dim[axis] > x->dim[axis]) t = tg_slice(s, t, axis, 0, x->dim[axis]);
    return t;
}

static tg_tensor *extended(tg_scope *s, tg_tensor *x, const tg_conv2d_attr *a)
{
    int64_t out[2], before[4] = { 0 }, after[4] = { 0 };
    if (!tg_conv2d_out_size(s, "conv_transpose2d", a, out)) return x;
    for (int i = 0; i < 2; i++) after[1 + i] = out[i] - x->dim[1 + i];
    return after[1] || after[2] ? tg_pad(s, x, before, after, 0) : x;
}

static void conv_transpose2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    tg_tensor *gy = gout[0], *x = c->in[0], *w = c->in[1];
    if (tg_needs_grad(x)) gin[0] = cut_to(s, tg_apply(s, &tg_conv2d_op, (tg_tensor *[]){ gy, w, NULL }, c->attr), x);
    if (tg_needs_grad(w)) gin[1] = tg_conv2d_grad_w(s, extended(s, x, c->attr), gy, c->attr);
    if (c->in[2] && tg_needs_grad(c->in[2])) gin[2] = tg_apply(s, &tg_channel_sum_op, &gy, NULL);
}

const tg_op tg_conv_transpose2d_op = {
    .name = "conv_transpose2d",
    .n_in = 3,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .casts = TG_BIT(0) | TG_BIT(1),
    .cast_to = TG_CAST_BF16,
    .attr_size = sizeof(tg_conv2d_attr),
    .infer = conv_transpose2d_infer,
    .backward = conv_transpose2d_backward,
    .flops = conv_transpose2d_flops,
    .kernels =
        TG_KERNELS(TG_ONEDNN(conv_transpose2d_grouped_onednn), TG_BRGEMM(conv_transpose2d_brgemm),
                   TG_ONEDNN(conv_transpose2d_onednn), TG_VECTOR(conv_transpose2d_vector), &conv_transpose2d_ref),
};

tg_tensor *tg_conv_transpose2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b, tg_conv_transpose2d_config config)
{
    tg_conv2d_attr a = { .groups = tg_or_one(config.groups) };
    for (int i = 0; i < 2; i++) {
        a.stride[i] = tg_or_one(config.stride[i]);
        a.dilation[i] = tg_or_one(config.dilation[i]);
        a.pad[i] = config.pad[i];
        a.kernel[i] = w ? w->dim[1 + i] : 0;
        if (!x || !plain_size(&a, x->dim[1 + i], i, &a.image[i]) ||
            __builtin_add_overflow(a.image[i], config.output_pad[i], &a.image[i]))
            a.image[i] = 0;
    }
    return tg_apply(s, &tg_conv_transpose2d_op, (tg_tensor *[]){ tg_as(s, x, w), w, b }, &a);
}
