/* conv2d_onednn.c - oneDNN's convolution, on [n, h, w, c] in place.
 *
 * Images and weights are f32 or bf16; biases and backward-weights' result are f32. Of the shapes that oneDNN is known
 * to compute incorrectly, two are in the forward pass of bf16 with AMX: a kernel lower than its stride and not 1x1; 1x1
 * with a stride and padding, with two threads or more. One is in backward-data of bf16: 1x1 with an odd number of
 * output channels (2.6.3). */
#include "conv2d_onednn.h"
#include <string.h>

tg_onednn_shape tg_conv_shape(const tg_tensor *x, const tg_tensor *y, const tg_tensor *bias, const tg_conv2d_attr *attr)
{
    tg_onednn_shape s = {
        .n = x->dim[0],
        .ic = x->dim[3],
        .oc = y->dim[3],
        .groups = attr->groups,
        .option = (bias ? TG_CONV_BIAS : 0) | (x->dtype == TG_BF16 ? TG_CONV_BF16 : 0),
    };
    for (int i = 0; i < 2; i++) {
        s.image[i] = x->dim[1 + i];
        s.out[i] = y->dim[1 + i];
        s.kernel[i] = attr->kernel[i];
        s.stride[i] = attr->stride[i];
        s.pad[i] = attr->pad[i];
        s.dilation[i] = attr->dilation[i];
    }
    return s;
}

/* The padding that completes the last window; negative if windows end before the image does, which oneDNN accepts. */
tg_window tg_conv_window(const tg_onednn_shape *s)
{
    const bool winograd = s->option & TG_CONV_WINOGRAD;
    tg_window win = { winograd ? dnnl_convolution_winograd : dnnl_convolution_direct, { 0 }, { 0 }, { 0 }, { 0 } };
    for (int i = 0; i < 2; i++) {
        const int64_t covered = (s->out[i] - 1) * s->stride[i] + (s->kernel[i] - 1) * s->dilation[i] + 1;
        win.stride[i] = s->stride[i];
        win.dilation[i] = s->dilation[i] - 1;
        win.pad_before[i] = s->pad[i];
        win.pad_after[i] = covered - s->image[i] - s->pad[i];
    }
    return win;
}

static tg_dtype dtype_of(const tg_onednn_shape *s) { return s->option & TG_CONV_BF16 ? TG_BF16 : TG_F32; }

/* Ours is [out, kh, kw, in / groups]; oneDNN's axes are groups, out / groups, in / groups, kh, kw, the first only if
 * there are groups. */
static int reordered_weights(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_part part, tg_dtype dtype)
{
    const int64_t oc = s->oc / s->groups, ic = s->ic / s->groups, kh = s->kernel[0], kw = s->kernel[1];
    const int64_t dim[5] = { s->groups, oc, ic, kh, kw };
    const int64_t stride[5] = { oc * kh * kw * ic, kh * kw * ic, 1, kw * ic, ic };
    const int skip = s->groups == 1;
    const bool any = part.place == TG_NOWHERE;
    return tg_plan_memory(plan, part.place, part.k, dtype, 5 - skip, dim + skip, any ? NULL : stride + skip);
}

static int any_image(tg_onednn_plan *plan, const tg_onednn_shape *s, int plain, int64_t c, const int64_t image[2])
{
    if (!(s->option & TG_CONV_WINOGRAD)) return plain;
    return tg_plan_memory(plan, TG_NOWHERE, 0, dtype_of(s), 4, (const int64_t[]){ s->n, c, image[0], image[1] }, NULL);
}

/* Winograd's algorithm needs scratch for the transformed operands and, in backward-weights, for a sum per thread. That
 * is acceptable up to a multiple of the operands' own size, or when it is small. */
enum { WINOGRAD_TIMES = 6, WINOGRAD_LITTLE = 100 << 20 };

static size_t winograd_scratch(const tg_onednn_plan *plan, const tg_conv_slots *at)
{
    const tg_plan_slot *slot = plan->slot;
    const size_t operands = tg_md_bytes(&slot[at->x].md) + tg_md_bytes(&slot[at->y].md) + tg_md_bytes(&slot[at->w].md);
    return WINOGRAD_TIMES * operands > WINOGRAD_LITTLE ? WINOGRAD_TIMES * operands : WINOGRAD_LITTLE;
}

tg_conv_slots tg_conv_memory(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_part x, tg_conv_part y,
                             tg_conv_part w)
{
    const tg_dtype dtype = dtype_of(s);
    const tg_conv_part nowhere = { TG_NOWHERE, 0 };
    tg_conv_slots at = {
        .x = tg_plan_image(plan, x.place, x.k, dtype, s->n, s->ic, s->image),
        .y = tg_plan_image(plan, y.place, y.k, dtype, s->n, s->oc, s->out),
        .w = reordered_weights(plan, s, w, w.place == TG_OUTPUT ? TG_F32 : dtype),
        .any_w = reordered_weights(plan, s, nowhere, dtype),
        .any_gw = reordered_weights(plan, s, nowhere, TG_F32),
    };
    at.any_x = any_image(plan, s, at.x, s->ic, s->image);
    at.any_y = any_image(plan, s, at.y, s->oc, s->out);
    if (s->option & TG_CONV_WINOGRAD && tg_plan_ok(plan, dnnl_success))
        plan->most_scratch = winograd_scratch(plan, &at);
    return at;
}

dnnl_primitive_desc_t tg_conv_forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at, int bias)
{
    dnnl_primitive_desc_t pd;
    const tg_window win = tg_conv_window(s);
    const tg_plan_slot *slot = plan->slot;
    if (!tg_plan_ok(plan, dnnl_success)) return NULL;
    const dnnl_status_t status =
        tg_pd_conv(&pd, plan->engine, &win, &slot[at.any_x].md, &slot[at.any_w].md, bias >= 0 ? &slot[bias].md : NULL,
                   &slot[at.any_y].md, s->option & TG_CONV_RELU ? plan->attr_relu : plan->attr);
    return tg_plan_ok(plan, status) ? pd : NULL;
}

void tg_conv_want_same_bits(tg_onednn_plan *plan, const tg_onednn_shape *s, dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (!(s->option & TG_CONV_SAME_BITS)) return;
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    if (!name || strstr(name, "gemm")) plan->refusal = "its sums may depend on the number of threads";
}

/* ---- the bodies of kernels ---- */

static tg_onednn_shape shape_with(const tg_call *c, const tg_conv_pass *pass, int64_t option)
{
    tg_onednn_shape s = pass->shape(c);
    s.option |= option;
    return s;
}

const char *tg_conv_reject(const tg_call *c, const tg_conv_pass *pass, int64_t option)
{
    const tg_onednn_shape s = shape_with(c, pass, option);
    const char *reason = tg_onednn_wants_f32(c);
    return reason ? reason : tg_onednn_refusal(pass->build, &s);
}

const char *tg_conv_reject_but_bf16(const tg_call *c, const tg_conv_pass *pass)
{
    const tg_onednn_shape s = pass->shape(c);
    const bool grad_x = pass == &tg_conv_grad_x_pass, single = s.kernel[0] * s.kernel[1] == 1;
    if (!(s.option & TG_CONV_BF16)) return "wants bf16";
    if (grad_x && (s.option & TG_CONV_BIAS)) return "a bias after the derivative in the image wants f32";
    if (single && (s.stride[0] > 1 || s.stride[1] > 1) && (s.pad[0] || s.pad[1]))
        return "oneDNN computes wrongly: bf16, 1x1, a stride and padding";
    if (!single && s.kernel[0] < s.stride[0]) return "oneDNN computes wrongly: bf16, a kernel lower than its stride";
    if (grad_x && single && s.oc / s.groups % 2)
        return "oneDNN computes wrongly: bf16, 1x1, an odd number of output channels";
    return tg_onednn_refusal(pass->build, &s);
}

tg_onednn_lease *tg_conv_lease(const tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault)
{
    const tg_onednn_shape s = shape_with(c, pass, option);
    return tg_onednn_lease_for(c, pass->build, &s, fault);
}

bool tg_conv_prepare(tg_call *c, const tg_conv_pass *pass, int64_t option, tg_fault *fault)
{
    c->state = tg_conv_lease(c, pass, option, fault);
    return c->state != NULL;
}

/* ---- forward ---- */

static void conv2d_onednn_build(tg_onednn_plan *plan, const tg_onednn_shape *s)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_conv_part){ TG_INPUT, 0 }, (tg_conv_part){ TG_OUTPUT, 0 },
                                            (tg_conv_part){ TG_INPUT, 1 });
    const bool biased = s->option & TG_CONV_BIAS;
    const int bias = biased ? tg_plan_memory(plan, TG_INPUT, 2, TG_F32, 1, &s->oc, (const int64_t[]){ 1 }) : -1;
    dnnl_primitive_desc_t pd = tg_conv_forward(plan, s, at, bias);
    if (!pd) return;
    tg_conv_want_same_bits(plan, s, pd);
    const int x = tg_plan_packed(plan, at.x, pd, dnnl_query_src_md);
    const int w = tg_plan_packed(plan, at.w, pd, dnnl_query_weights_md);
    const int y = tg_plan_packed(plan, at.y, pd, dnnl_query_dst_md);
    tg_plan_reorder(plan, at.x, x);
    tg_plan_reorder(plan, at.w, w);
    tg_plan_append(plan, pd,
                   (const tg_plan_arg[]){ { DNNL_ARG_SRC, x },
                                          { DNNL_ARG_WEIGHTS, w },
                                          { DNNL_ARG_DST, y },
                                          { biased ? DNNL_ARG_BIAS : 0, bias },
                                          { 0, 0 } });
    tg_plan_reorder(plan, y, at.y);
}

static tg_onednn_shape conv2d_onednn_shape(const tg_call *c)
{
    return tg_conv_shape(c->in[0], c->out[0], c->in[2], c->attr);
}
const tg_conv_pass tg_conv_forward_pass = { conv2d_onednn_build, conv2d_onednn_shape };

static const char *conv2d_onednn_reject(const tg_call *c) { return tg_conv_reject(c, &tg_conv_forward_pass, 0); }
static bool conv2d_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_forward_pass, 0, fault);
}

extern const tg_kernel conv2d_onednn;
const tg_kernel conv2d_onednn = {
    TG_ONEDNN_HEAD,
    .reject = conv2d_onednn_reject,
    .prepare = conv2d_onednn_prepare,
    .scratch = tg_onednn_scratch,
    .run = tg_onednn_run,
};

static const char *conv2d_onednn_bf16_reject(const tg_call *c)
{
    return tg_conv_reject_but_bf16(c, &tg_conv_forward_pass);
}
extern const tg_kernel conv2d_bf16_onednn;
const tg_kernel conv2d_bf16_onednn = {
    TG_ONEDNN_BF16_HEAD,
    .reject = conv2d_onednn_bf16_reject,
    .prepare = conv2d_onednn_prepare,
    .scratch = tg_onednn_scratch,
    .run = tg_onednn_run,
};

/* ---- groups ---- */

/* Backward, and forward where small groups are joined or channels fill tiles. */
static bool faster_on_tiles(const tg_onednn_shape *s, bool grad_x)
{
    const int64_t in = s->ic / s->groups, out = s->oc / s->groups;
    return grad_x || (in <= 16 && out <= 16) || (in % 32 == 0 && out % 32 == 0);
}

static bool faster_in_small_groups(const tg_onednn_shape *s, const tg_op *op)
{
    const int64_t group = s->ic / s->groups;
    if (op == &tg_conv_transpose2d_op || (group != 4 && group != 8) || s->ic % 32) return false;
    return s->kernel[1] == 3 && s->stride[1] == 1 && s->dilation[1] == 1;
}

/* Why our own kernels come first (measured), or NULL. */
static const char *better_own_kernel(const tg_onednn_shape *s, const tg_op *op)
{
    const tg_isa isa = tg_max_isa();
    if (s->option & TG_CONV_BF16) {
        if (isa < TG_ISA_AVX512_BF16) return "bf16 in groups: the processor has no products of bf16";
        const bool grad_x = op == &tg_conv2d_grad_x_op || op == &tg_conv_transpose2d_op;
        return isa >= TG_ISA_AMX && faster_on_tiles(s, grad_x) ? "bf16 in groups: tiles are faster" : NULL;
    }
    if (isa < TG_ISA_AVX512 || s->ic != s->oc) return NULL;
    if (s->groups == s->ic && op != &tg_conv_transpose2d_op) return "depthwise: the own kernel is as fast";
    return faster_in_small_groups(s, op) ? "small groups: the own kernel is faster" : NULL;
}

const char *tg_conv_reject_but_groups(const tg_call *c, const tg_conv_pass *pass)
{
    const tg_onednn_shape s = pass->shape(c);
    const int64_t read = pass == &tg_conv_grad_x_pass ? s.oc : s.ic; /* the channels summed over */
    if (s.groups == 1) return "one group: own kernels are as fast";
    if (s.option & TG_CONV_BF16 && read / s.groups % 2)
        return "bf16, an odd number of channels: oneDNN multiplies the next pixel by 0, and NaN by 0 is NaN";
    const char *reason = better_own_kernel(&s, c->op);
    if (reason) return reason;
    return s.option & TG_CONV_BF16 ? tg_conv_reject_but_bf16(c, pass) : tg_conv_reject(c, pass, TG_CONV_SAME_BITS);
}

static const char *conv2d_onednn_groups_reject(const tg_call *c)
{
    return tg_conv_reject_but_groups(c, &tg_conv_forward_pass);
}
extern const tg_kernel conv2d_grouped_onednn;
const tg_kernel conv2d_grouped_onednn = {
    TG_ONEDNN_HEAD,
    .reject = conv2d_onednn_groups_reject,
    .prepare = conv2d_onednn_prepare,
    .scratch = tg_onednn_scratch,
    .run = tg_onednn_run,
};
