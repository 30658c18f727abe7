/* conv2d.c - convolution, backward-data and backward-weights. */
#include "check.h"
#include "conv2d.h"
#include "kernels.h"

TG_VECTOR_DECLARE(conv2d_vector)
TG_VECTOR_DECLARE(conv2d_depthwise_vector)
TG_VECTOR_DECLARE(conv2d_grouped_vector)
TG_BRGEMM_DECLARE(conv2d_brgemm)
extern const tg_kernel conv2d_brgemm_winograd_avx512;
extern const tg_kernel conv2d_grouped_onednn, conv2d_winograd_onednn, conv2d_onednn, conv2d_bf16_onednn, conv2d_ref;

/* ---- shapes ---- */

int tg_or_one(int value) { return value ? value : 1; }

bool tg_conv2d_check_attr(tg_scope *s, const char *op, const tg_conv2d_attr *a)
{
    const struct {
        const char *name;
        int value[2], least;
    } rows[] = {
        { "stride", { a->stride[0], a->stride[1] }, 1 },
        { "dilation", { a->dilation[0], a->dilation[1] }, 1 },
        { "pad", { a->pad[0], a->pad[1] }, 0 },
    };
    for (int i = 0; i < 3; i++)
        if (rows[i].value[0] < rows[i].least || rows[i].value[1] < rows[i].least)
            return tg_fail(s, "%s: %s [%d, %d], want at least %d", op, rows[i].name, rows[i].value[0], rows[i].value[1],
                           rows[i].least),
                   false;
    if (a->groups < 1) return tg_fail(s, "%s: %d groups, want at least 1", op, a->groups), false;
    return true;
}

bool tg_conv2d_out_size(tg_scope *s, const char *op, const tg_conv2d_attr *a, int64_t out[2])
{
    int64_t padded[2], covered[2];
    bool overflow = false, fits = true;
    for (int i = 0; i < 2; i++) {
        overflow |= __builtin_add_overflow(a->image[i], 2 * (int64_t)a->pad[i], &padded[i]);
        overflow |= __builtin_sub_overflow(a->kernel[i], 1, &covered[i]);
        overflow |= __builtin_mul_overflow(covered[i], (int64_t)a->dilation[i], &covered[i]);
        overflow |= __builtin_add_overflow(covered[i], 1, &covered[i]);
        fits &= !overflow && a->image[i] >= 1 && a->kernel[i] >= 1 && covered[i] <= padded[i];
        out[i] = fits ? (padded[i] - covered[i]) / a->stride[i] + 1 : 0;
    }
    if (overflow) tg_fail(s, "%s: image, kernel, pad or dilation is too large to compute a size", op);
    else if (!fits)
        tg_fail(s, "%s: kernel %lld x %lld with dilation [%d, %d] is larger than image %lld x %lld with pad [%d, %d]",
                op, (long long)a->kernel[0], (long long)a->kernel[1], a->dilation[0], a->dilation[1],
                (long long)a->image[0], (long long)a->image[1], a->pad[0], a->pad[1]);
    return fits;
}

bool tg_conv2d_check_bias(tg_scope *s, const tg_call *c, int k, int64_t want)
{
    tg_shape_text shape;
    if (!c->in[k]) return true;
    if (!tg_want_dtype(s, c, k, TG_F32) || !tg_want_rank(s, c, k, 1, "[out]")) return false;
    if (c->in[k]->dim[0] != want)
        tg_fail(s, "%s: bias %s, want [%lld], one for each output channel", c->op->name, tg_shape(c->in[k], &shape),
                (long long)want);
    return tg_ok(s);
}

static bool conv2d_check_channels(tg_scope *s, const tg_call *c, int groups)
{
    const tg_tensor *x = c->in[0], *w = c->in[1];
    const char *op = c->op->name;
    tg_shape_text shape;
    if (x->dim[3] % groups)
        return tg_fail(s, "%s: x has %lld channels, which %d groups do not divide", op, (long long)x->dim[3], groups),
               false;
    if (w->dim[0] % groups)
        return tg_fail(s, "%s: w %s has %lld output channels, which %d groups do not divide", op, tg_shape(w, &shape),
                       (long long)w->dim[0], groups),
               false;
    if (w->dim[3] == x->dim[3] / groups) return true;
    if (groups == 1)
        tg_fail(s, "%s: x has %lld channels, want %lld: w is %s", op, (long long)x->dim[3], (long long)w->dim[3],
                tg_shape(w, &shape));
    else
        tg_fail(s, "%s: x has %lld channels in %d groups, want %lld in each: w is %s", op, (long long)x->dim[3], groups,
                (long long)w->dim[3], tg_shape(w, &shape));
    return false;
}

static bool conv2d_check_pair(tg_scope *s, const tg_call *c, const char *axes0, const char *axes1)
{
    return tg_want_rank(s, c, 0, 4, axes0) && tg_want_rank(s, c, 1, 4, axes1) && tg_want_float(s, c, 0) &&
           tg_want_same_dtype(s, c, 0, 1) && tg_conv2d_check_attr(s, c->op->name, c->attr);
}

static bool conv2d_check_sizes(tg_scope *s, const tg_call *c, int k, int first, const int64_t want[2], const char *what)
{
    const tg_tensor *t = c->in[k];
    tg_shape_text shape;
    if (t->dim[first] == want[0] && t->dim[first + 1] == want[1]) return true;
    tg_fail(s, "%s: input %d has shape %s, want %s %lld x %lld", c->op->name, k, tg_shape(t, &shape), what,
            (long long)want[0], (long long)want[1]);
    return false;
}

void tg_conv2d_infer(tg_scope *s, tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *x = c->in[0], *w = c->in[1];
    int64_t out[2];
    if (!conv2d_check_pair(s, c, "[n, h, w, in]", "[out, kh, kw, in/groups]") ||
        !conv2d_check_channels(s, c, a->groups))
        return;
    if (!tg_conv2d_check_bias(s, c, 2, w->dim[0])) return;
    if (!conv2d_check_sizes(s, c, 0, 1, a->image, "an image of") ||
        !conv2d_check_sizes(s, c, 1, 1, a->kernel, "a kernel of"))
        return;
    if (!tg_conv2d_out_size(s, c->op->name, a, out)) return;
    c->out[0] = tg_make(s, x->dtype, 4, TG_DIM(x->dim[0], out[0], out[1], w->dim[0]));
}

static void conv2d_grad_x_infer(tg_scope *s, tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *gy = c->in[0], *w = c->in[1];
    int64_t out[2], channels;
    if (!conv2d_check_pair(s, c, "[n, oh, ow, out]", "[out, kh, kw, in/groups]")) return;
    if (!conv2d_check_sizes(s, c, 1, 1, a->kernel, "a kernel of") || !tg_conv2d_out_size(s, c->op->name, a, out))
        return;
    if (!conv2d_check_sizes(s, c, 0, 1, out, "an image of")) return;
    if (gy->dim[3] != w->dim[0] || w->dim[0] % a->groups)
        tg_fail(s, "%s: gy has %lld channels in %d groups, w has %lld output channels", c->op->name,
                (long long)gy->dim[3], a->groups, (long long)w->dim[0]);
    else if (__builtin_mul_overflow(w->dim[3], (int64_t)a->groups, &channels))
        tg_fail(s, "%s: %lld channels in each of %d groups overflow", c->op->name, (long long)w->dim[3], a->groups);
    else c->out[0] = tg_make(s, gy->dtype, 4, TG_DIM(gy->dim[0], a->image[0], a->image[1], channels));
}

static void conv2d_grad_w_infer(tg_scope *s, tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *gy = c->in[0], *x = c->in[1];
    int64_t out[2];
    if (!conv2d_check_pair(s, c, "[n, oh, ow, out]", "[n, h, w, in]")) return;
    if (!conv2d_check_sizes(s, c, 1, 1, a->image, "an image of") || !tg_conv2d_out_size(s, c->op->name, a, out)) return;
    if (!conv2d_check_sizes(s, c, 0, 1, out, "an image of")) return;
    if (gy->dim[0] != x->dim[0])
        tg_fail(s, "%s: gy has %lld images, x %lld", c->op->name, (long long)gy->dim[0], (long long)x->dim[0]);
    else if (gy->dim[3] % a->groups || x->dim[3] % a->groups)
        tg_fail(s, "%s: %d groups do not divide gy's %lld channels and x's %lld", c->op->name, a->groups,
                (long long)gy->dim[3], (long long)x->dim[3]);
    else c->out[0] = tg_make(s, TG_F32, 4, TG_DIM(gy->dim[3], a->kernel[0], a->kernel[1], x->dim[3] / a->groups));
}

/* ---- work: output pixels x output channels x multiply-adds of one, times two ---- */

double tg_conv2d_flops(const tg_call *c)
{
    const tg_tensor *w = c->in[1];
    return 2.0 * (double)tg_count(c->out[0]) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}

static double conv2d_grad_x_flops(const tg_call *c)
{
    const tg_tensor *w = c->in[1];
    return 2.0 * (double)tg_count(c->in[0]) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}

static double conv2d_grad_w_flops(const tg_call *c)
{
    const tg_tensor *gw = c->out[0];
    return 2.0 * (double)tg_count(c->in[0]) * (double)(gw->dim[1] * gw->dim[2] * gw->dim[3]);
}

/* ---- derivatives ---- */

tg_tensor *tg_conv2d_grad_x(tg_scope *s, tg_tensor *gy, tg_tensor *w, const tg_conv2d_attr *a)
{
    return tg_apply(s, &tg_conv2d_grad_x_op, (tg_tensor *[]){ gy, w }, a);
}

tg_tensor *tg_conv2d_grad_w(tg_scope *s, tg_tensor *gy, tg_tensor *x, const tg_conv2d_attr *a)
{
    return tg_apply(s, &tg_conv2d_grad_w_op, (tg_tensor *[]){ gy, x }, a);
}

static void conv2d_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    tg_tensor *gy = gout[0];
    if (tg_needs_grad(c->in[0])) gin[0] = tg_conv2d_grad_x(s, gy, c->in[1], c->attr);
    if (tg_needs_grad(c->in[1])) gin[1] = tg_conv2d_grad_w(s, gy, c->in[0], c->attr);
    if (c->in[2] && tg_needs_grad(c->in[2])) gin[2] = tg_apply(s, &tg_channel_sum_op, &gy, NULL);
}

/* ---- operators ---- */

const tg_op tg_conv2d_op = {
    .name = "conv2d",
    .n_in = 3,
    .n_out = 1,
    .optional_in = TG_BIT(2),
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .casts = TG_BIT(0) | TG_BIT(1),
    .cast_to = TG_CAST_BF16,
    .attr_size = sizeof(tg_conv2d_attr),
    .infer = tg_conv2d_infer,
    .backward = conv2d_backward,
    .kernels =
        TG_KERNELS(TG_ONEDNN(conv2d_grouped_onednn), TG_VECTOR(conv2d_depthwise_vector), TG_BRGEMM_BF16(conv2d_brgemm),
                   &conv2d_brgemm_winograd_avx512, TG_VECTOR(conv2d_grouped_vector), TG_BRGEMM_F32(conv2d_brgemm),
                   TG_ONEDNN(conv2d_winograd_onednn), TG_ONEDNN(conv2d_onednn), TG_ONEDNN(conv2d_bf16_onednn),
                   TG_VECTOR(conv2d_vector), &conv2d_ref),
    .flops = tg_conv2d_flops,
    .rules = TG_RULES(&tg_conv2d_relu_rule),
};

TG_VECTOR_DECLARE(conv2d_grad_x_vector)
TG_VECTOR_DECLARE(conv2d_grad_x_depthwise_vector)
TG_VECTOR_DECLARE(conv2d_grad_x_grouped_vector)
TG_BRGEMM_DECLARE(conv2d_grad_x_brgemm)
extern const tg_kernel conv2d_grad_x_brgemm_winograd_avx512;
extern const tg_kernel conv2d_grad_x_grouped_onednn, conv2d_grad_x_winograd_onednn, conv2d_grad_x_onednn;
extern const tg_kernel conv2d_grad_x_bf16_onednn, conv2d_grad_x_ref;
const tg_op tg_conv2d_grad_x_op = {
    .name = "conv2d_grad_x",
    .n_in = 2,
    .n_out = 1,
    .attr_size = sizeof(tg_conv2d_attr),
    .infer = conv2d_grad_x_infer,
    .kernels = TG_KERNELS(TG_ONEDNN(conv2d_grad_x_grouped_onednn), TG_VECTOR(conv2d_grad_x_depthwise_vector),
                          TG_BRGEMM_BF16(conv2d_grad_x_brgemm), &conv2d_grad_x_brgemm_winograd_avx512,
                          TG_VECTOR(conv2d_grad_x_grouped_vector), TG_BRGEMM_F32(conv2d_grad_x_brgemm),
                          TG_ONEDNN(conv2d_grad_x_winograd_onednn), TG_ONEDNN(conv2d_grad_x_onednn),
                          TG_ONEDNN(conv2d_grad_x_bf16_onednn), TG_VECTOR(conv2d_grad_x_vector), &conv2d_grad_x_ref),
    .flops = conv2d_grad_x_flops,
};

TG_VECTOR_DECLARE(conv2d_grad_w_vector)
TG_VECTOR_DECLARE(conv2d_grad_w_grouped_vector)
TG_BRGEMM_DECLARE(conv2d_grad_w_brgemm)
extern const tg_kernel conv2d_grad_w_brgemm_winograd_avx512;
extern const tg_kernel conv2d_grad_w_winograd_onednn, conv2d_grad_w_onednn, conv2d_grad_w_ref;
const tg_op tg_conv2d_grad_w_op = {
    .name = "conv2d_grad_w",
    .n_in = 2,
    .n_out = 1,
    .attr_size = sizeof(tg_conv2d_attr),
    .infer = conv2d_grad_w_infer,
    .kernels = TG_KERNELS(TG_BRGEMM_BF16(conv2d_grad_w_brgemm), &conv2d_grad_w_brgemm_winograd_avx512,
                          TG_VECTOR(conv2d_grad_w_grouped_vector), TG_BRGEMM_F32(conv2d_grad_w_brgemm),
                          TG_ONEDNN(conv2d_grad_w_winograd_onednn), TG_ONEDNN(conv2d_grad_w_onednn),
                          TG_VECTOR(conv2d_grad_w_vector), &conv2d_grad_w_ref),
    .flops = conv2d_grad_w_flops,
};

tg_tensor *tg_conv2d(tg_scope *s, tg_tensor *x, tg_tensor *w, tg_tensor *b, tg_conv2d_config config)
{
    tg_conv2d_attr a = { .groups = tg_or_one(config.groups) };
    for (int i = 0; i < 2; i++) {
        a.stride[i] = tg_or_one(config.stride[i]);
        a.dilation[i] = tg_or_one(config.dilation[i]);
        a.pad[i] = config.pad[i];
        a.image[i] = x ? x->dim[1 + i] : 0;
        a.kernel[i] = w ? w->dim[1 + i] : 0;
    }
    return tg_apply(s, &tg_conv2d_op, (tg_tensor *[]){ tg_as(s, x, w), w, b }, &a);
}
