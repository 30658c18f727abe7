/* conv2d_grad_onednn.c - oneDNN's derivatives of a convolution in its image and in its weights.
 *
 * The derivative in the weights is summed over images in as many parts as there are threads, so its last bits depend on
 * their number. */
#include "conv2d_onednn.h"

/* oneDNN wants to know the forward convolution that is differentiated, to choose formats that agree. */
static dnnl_primitive_desc_t forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at)
{
    return tg_conv_forward(plan, s, at, -1, false);
}

/* ---- in the image ---- */

static void add_bias(tg_onednn_plan *plan, const tg_onednn_shape *s, int image)
{
    dnnl_primitive_desc_t pd;
    const int             bias = tg_plan_memory(plan, TG_INPUT, 2, 4, (const int64_t[]){ 1, s->ic, 1, 1 },
                                                (const int64_t[]){ s->ic, 1, s->ic, s->ic });
    const tg_md          *y = &plan->slot[image].md, *b = &plan->slot[bias].md;
    if (!tg_plan_ok(plan, dnnl_success)) return;
    if (!tg_plan_ok(plan, tg_pd_add(&pd, plan->engine, y, b, y, plan->attr))) return;
    tg_plan_append(plan, pd, (const tg_plan_arg[]){ { DNNL_ARG_SRC_0, image }, { DNNL_ARG_SRC_1, bias },
                             { DNNL_ARG_DST, image }, { 0, 0 } });
}

void tg_conv_grad_x_build(tg_onednn_plan *plan, const tg_onednn_shape *s)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_plan_slot){ .place = TG_OUTPUT, .k = 0 },
                                            (tg_plan_slot){ .place = TG_INPUT, .k = 0 },
                                            (tg_plan_slot){ .place = TG_INPUT, .k = 1 });
    const tg_window       win = tg_conv_window(s);
    const tg_plan_slot   *slot = plan->slot;
    dnnl_primitive_desc_t pd, hint = forward(plan, s, at);
    if (!hint) return;
    const dnnl_status_t status = tg_pd_conv_grad_x(&pd, plan->engine, &win, &slot[at.x].md, &slot[at.any_w].md,
                                                   &slot[at.y].md, hint, plan->attr);
    dnnl_primitive_desc_destroy(hint);
    if (!tg_plan_ok(plan, status)) return;
    const int w = tg_plan_packed(plan, at.w, pd, dnnl_query_weights_md);
    tg_plan_reorder(plan, at.w, w);
    tg_plan_append(plan, pd, (const tg_plan_arg[]){ { DNNL_ARG_DIFF_DST, at.y }, { DNNL_ARG_WEIGHTS, w },
                             { DNNL_ARG_DIFF_SRC, at.x }, { 0, 0 } });
    if (s->option) add_bias(plan, s, at.x);
}

static tg_onednn_shape shape_x(const tg_call *c) { return tg_conv_shape(c->out[0], c->in[0], NULL, c->attr); }

static const char *reject_x(const tg_call *c)
{
    const tg_onednn_shape s = shape_x(c);
    const char           *reason = tg_onednn_wants_f32(c);
    return reason ? reason : tg_onednn_refusal(tg_conv_grad_x_build, &s);
}

static bool prepare_x(tg_call *c, tg_fault *fault)
{
    const tg_onednn_shape s = shape_x(c);
    c->state = tg_onednn_lease_for(c, tg_conv_grad_x_build, &s, fault);
    return c->state != NULL;
}

extern const tg_kernel conv2d_grad_x_onednn;
const tg_kernel conv2d_grad_x_onednn = {
    TG_ONEDNN_HEAD, .reject = reject_x, .prepare = prepare_x, .scratch = tg_onednn_scratch, .run = tg_onednn_run,
};

/* ---- in the weights ---- */

static void build_w(tg_onednn_plan *plan, const tg_onednn_shape *s)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_plan_slot){ .place = TG_INPUT, .k = 1 },
                                            (tg_plan_slot){ .place = TG_INPUT, .k = 0 },
                                            (tg_plan_slot){ .place = TG_OUTPUT, .k = 0 });
    const tg_window       win = tg_conv_window(s);
    const tg_plan_slot   *slot = plan->slot;
    dnnl_primitive_desc_t pd, hint = forward(plan, s, at);
    if (!hint) return;
    const dnnl_status_t status = tg_pd_conv_grad_w(&pd, plan->engine, &win, &slot[at.x].md, &slot[at.any_w].md,
                                                   &slot[at.y].md, hint, plan->attr);
    dnnl_primitive_desc_destroy(hint);
    if (!tg_plan_ok(plan, status)) return;
    const int gw = tg_plan_packed(plan, at.w, pd, dnnl_query_diff_weights_md);
    tg_plan_append(plan, pd, (const tg_plan_arg[]){ { DNNL_ARG_SRC, at.x }, { DNNL_ARG_DIFF_DST, at.y },
                             { DNNL_ARG_DIFF_WEIGHTS, gw }, { 0, 0 } });
    tg_plan_reorder(plan, gw, at.w);
}

static tg_onednn_shape shape_w(const tg_call *c) { return tg_conv_shape(c->in[1], c->in[0], NULL, c->attr); }

/* oneDNN's 1x1 kernel first gathers the pixels that a stride leaves, and writes whole vectors of channels while it does
 * so: with fewer channels than that it writes past its scratch (oneDNN issue 6035; 16 with AVX-512, 8 with AVX2). */
static bool overruns(const tg_onednn_shape *s)
{
    return s->kernel[0] == 1 && s->kernel[1] == 1 && (s->stride[0] > 1 || s->stride[1] > 1) && s->ic / s->groups < 16;
}

static const char *reject_w(const tg_call *c)
{
    const tg_onednn_shape s = shape_w(c);
    const char           *reason = tg_onednn_wants_f32(c);
    if (reason) return reason;
    if (overruns(&s)) return "oneDNN writes out of bounds: 1x1, stride above 1, fewer than 16 channels";
    return tg_onednn_refusal(build_w, &s);
}

static bool prepare_w(tg_call *c, tg_fault *fault)
{
    const tg_onednn_shape s = shape_w(c);
    c->state = tg_onednn_lease_for(c, build_w, &s, fault);
    return c->state != NULL;
}

extern const tg_kernel conv2d_grad_w_onednn;
const tg_kernel conv2d_grad_w_onednn = {
    TG_ONEDNN_HEAD, .reject = reject_w, .prepare = prepare_w, .scratch = tg_onednn_scratch, .run = tg_onednn_run,
};
