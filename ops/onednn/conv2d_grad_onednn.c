/* conv2d_grad_onednn.c - oneDNN's backward-data and backward-weights; and the transposed convolution, which is
 * backward-data with its x as gy.
 *
 * Backward-weights sums over images in as many parts as there are threads, so its last bits depend on their number. It
 * has no bf16 kernel: oneDNN 2.6.3 computes many shapes incorrectly, depthwise and others, and which ones depends on
 * the number of threads. */
#include "conv2d_onednn.h"

/* ---- backward-data ---- */

static void add_bias(tg_onednn_plan *plan, const tg_onednn_shape *s, int image)
{
    dnnl_primitive_desc_t pd;
    const int bias = tg_plan_memory(plan, TG_INPUT, 2, TG_F32, 4, (const int64_t[]){ 1, s->ic, 1, 1 },
                                    (const int64_t[]){ s->ic, 1, s->ic, s->ic });
    const tg_md *y = &plan->slot[image].md, *b = &plan->slot[bias].md;
    if (!tg_plan_ok(plan, dnnl_success)) return;
    if (!tg_plan_ok(plan, tg_pd_add(&pd, plan->engine, y, b, y, plan->attr))) return;
    tg_plan_append(plan, pd,
                   (const tg_plan_arg[]){
                       { DNNL_ARG_SRC_0, image }, { DNNL_ARG_SRC_1, bias }, { DNNL_ARG_DST, image }, { 0, 0 } });
}

/* oneDNN requires the forward convolution as a hint, to choose formats that match it. */
static dnnl_primitive_desc_t grad_x_primitive(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at)
{
    const tg_window win = tg_conv_window(s);
    const tg_plan_slot *slot = plan->slot;
    dnnl_primitive_desc_t pd, forward = tg_conv_forward(plan, s, at, -1);
    if (!forward) return NULL;
    const dnnl_status_t status = tg_pd_conv_grad_x(&pd, plan->engine, &win, &slot[at.any_x].md, &slot[at.any_w].md,
                                                   &slot[at.any_y].md, forward, plan->attr);
    dnnl_primitive_desc_destroy(forward);
    return tg_plan_ok(plan, status) ? pd : NULL;
}

static void conv2d_grad_x_onednn_build(tg_onednn_plan *plan, const tg_onednn_shape *s)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_conv_part){ TG_OUTPUT, 0 }, (tg_conv_part){ TG_INPUT, 0 },
                                            (tg_conv_part){ TG_INPUT, 1 });
    dnnl_primitive_desc_t pd = grad_x_primitive(plan, s, at);
    if (!pd) return;
    tg_conv_want_same_bits(plan, s, pd);
    const int gy = tg_plan_packed(plan, at.y, pd, dnnl_query_diff_dst_md);
    const int w = tg_plan_packed(plan, at.w, pd, dnnl_query_weights_md);
    const int gx = tg_plan_packed(plan, at.x, pd, dnnl_query_diff_src_md);
    tg_plan_reorder(plan, at.y, gy);
    tg_plan_reorder(plan, at.w, w);
    tg_plan_append(plan, pd,
                   (const tg_plan_arg[]){
                       { DNNL_ARG_DIFF_DST, gy }, { DNNL_ARG_WEIGHTS, w }, { DNNL_ARG_DIFF_SRC, gx }, { 0, 0 } });
    tg_plan_reorder(plan, gx, at.x);
    if (s->option & TG_CONV_BIAS) add_bias(plan, s, at.x);
}

static tg_onednn_shape conv2d_grad_x_onednn_shape(const tg_call *c)
{
    return tg_conv_shape(c->out[0], c->in[0], c->op->n_in > 2 ? c->in[2] : NULL, c->attr);
}
const tg_conv_pass tg_conv_grad_x_pass = { conv2d_grad_x_onednn_build, conv2d_grad_x_onednn_shape };

static const char *conv2d_grad_x_onednn_reject(const tg_call *c) { return tg_conv_reject(c, &tg_conv_grad_x_pass, 0); }
static bool conv2d_grad_x_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_grad_x_pass, 0, fault);
}

#define GRAD_X \
    TG_ONEDNN_HEAD, .reject = conv2d_grad_x_onednn_reject, .prepare = conv2d_grad_x_onednn_prepare, \
                    .scratch = tg_onednn_scratch, .run = tg_onednn_run
extern const tg_kernel conv2d_grad_x_onednn, conv_transpose2d_onednn;
const tg_kernel conv2d_grad_x_onednn = { GRAD_X };
const tg_kernel conv_transpose2d_onednn = { GRAD_X };

static const char *conv2d_grad_x_onednn_bf16_reject(const tg_call *c)
{
    return tg_conv_reject_but_bf16(c, &tg_conv_grad_x_pass);
}
extern const tg_kernel conv2d_grad_x_bf16_onednn;
const tg_kernel conv2d_grad_x_bf16_onednn = {
    TG_ONEDNN_BF16_HEAD,
    .reject = conv2d_grad_x_onednn_bf16_reject,
    .prepare = conv2d_grad_x_onednn_prepare,
    .scratch = tg_onednn_scratch,
    .run = tg_onednn_run,
};

static const char *conv2d_grad_x_onednn_groups_reject(const tg_call *c)
{
    return tg_conv_reject_but_groups(c, &tg_conv_grad_x_pass);
}
#define GRAD_X_GROUPED \
    TG_ONEDNN_HEAD, .reject = conv2d_grad_x_onednn_groups_reject, .prepare = conv2d_grad_x_onednn_prepare, \
                    .scratch = tg_onednn_scratch, .run = tg_onednn_run
extern const tg_kernel conv2d_grad_x_grouped_onednn, conv_transpose2d_grouped_onednn;
const tg_kernel conv2d_grad_x_grouped_onednn = { GRAD_X_GROUPED };
const tg_kernel conv_transpose2d_grouped_onednn = { GRAD_X_GROUPED };

/* ---- backward-weights ---- */

static dnnl_primitive_desc_t grad_w_primitive(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at)
{
    const tg_window win = tg_conv_window(s);
    const tg_plan_slot *slot = plan->slot;
    dnnl_primitive_desc_t pd, forward = tg_conv_forward(plan, s, at, -1);
    if (!forward) return NULL;
    const dnnl_status_t status = tg_pd_conv_grad_w(&pd, plan->engine, &win, &slot[at.any_x].md, &slot[at.any_gw].md,
                                                   &slot[at.any_y].md, forward, plan->attr);
    dnnl_primitive_desc_destroy(forward);
    return tg_plan_ok(plan, status) ? pd : NULL;
}

static void conv2d_grad_w_onednn_build(tg_onednn_plan *plan, const tg_onednn_shape *s)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_conv_part){ TG_INPUT, 1 }, (tg_conv_part){ TG_INPUT, 0 },
                                            (tg_conv_part){ TG_OUTPUT, 0 });
    dnnl_primitive_desc_t pd = grad_w_primitive(plan, s, at);
    if (!pd) return;
    const int x = tg_plan_packed(plan, at.x, pd, dnnl_query_src_md);
    const int gy = tg_plan_packed(plan, at.y, pd, dnnl_query_diff_dst_md);
    const int gw = tg_plan_packed(plan, at.w, pd, dnnl_query_diff_weights_md);
    tg_plan_reorder(plan, at.x, x);
    tg_plan_reorder(plan, at.y, gy);
    tg_plan_append(plan, pd,
                   (const tg_plan_arg[]){
                       { DNNL_ARG_SRC, x }, { DNNL_ARG_DIFF_DST, gy }, { DNNL_ARG_DIFF_WEIGHTS, gw }, { 0, 0 } });
    tg_plan_reorder(plan, gw, at.w);
}

static tg_onednn_shape conv2d_grad_w_onednn_shape(const tg_call *c)
{
    return tg_conv_shape(c->in[1], c->in[0], NULL, c->attr);
}
const tg_conv_pass tg_conv_grad_w_pass = { conv2d_grad_w_onednn_build, conv2d_grad_w_onednn_shape };

/* oneDNN's 1x1 kernel first gathers the pixels that a stride selects, writing whole vectors of channels: with fewer
 * channels than that it writes past its scratchpad (oneDNN issue 6035; 16 with AVX-512, 8 with AVX2). */
static bool overruns(const tg_onednn_shape *s)
{
    return s->kernel[0] == 1 && s->kernel[1] == 1 && (s->stride[0] > 1 || s->stride[1] > 1) && s->ic / s->groups < 16;
}

static const char *conv2d_grad_w_onednn_reject(const tg_call *c)
{
    const tg_onednn_shape s = conv2d_grad_w_onednn_shape(c);
    if (overruns(&s)) return "oneDNN writes out of bounds: 1x1, stride above 1, fewer than 16 channels";
    return tg_conv_reject(c, &tg_conv_grad_w_pass, 0);
}

static bool conv2d_grad_w_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_grad_w_pass, 0, fault);
}

extern const tg_kernel conv2d_grad_w_onednn;
const tg_kernel conv2d_grad_w_onednn = {
    TG_ONEDNN_HEAD,
    .reject = conv2d_grad_w_onednn_reject,
    .prepare = conv2d_grad_w_onednn_prepare,
    .scratch = tg_onednn_scratch,
    .run = tg_onednn_run,
};
