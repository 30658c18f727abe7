/* conv2d_onednn.c - oneDNN's convolution, on [n, h, w, c] in place.
 *
 * Of the shapes that oneDNN is known to compute wrongly none is in f32's forward pass.  One, a kernel lower than its
 * stride and not 1x1, is in that of bf16 with AMX: who lets bf16 in here has to refuse it. */
#include "conv2d_onednn.h"

tg_onednn_shape tg_conv_shape(const tg_tensor *x, const tg_tensor *y, const tg_tensor *bias,
                              const tg_conv2d_attr *attr)
{
    tg_onednn_shape s = {
        .n = x->dim[0], .ic = x->dim[3], .oc = y->dim[3], .groups = attr->groups, .option = bias != NULL,
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

/* What the last window lacks is padding; negative if windows end before the image does, which oneDNN takes. */
tg_window tg_conv_window(const tg_onednn_shape *s)
{
    tg_window win = { { 0 }, { 0 }, { 0 }, { 0 } };
    for (int i = 0; i < 2; i++) {
        win.stride[i] = s->stride[i];
        win.dilation[i] = s->dilation[i] - 1;
        win.pad_before[i] = s->pad[i];
        const int64_t covered = (s->out[i] - 1) * s->stride[i] + (s->kernel[i] - 1) * s->dilation[i] + 1;
        win.pad_after[i] = covered - s->image[i] - s->pad[i];
    }
    return win;
}

/* Ours is [out, kh, kw, in / groups]; oneDNN's axes are groups, out / groups, in / groups, kh, kw, the first only if
 * there are groups. */
static int weights(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_place place, int k)
{
    const int64_t oc = s->oc / s->groups, ic = s->ic / s->groups, kh = s->kernel[0], kw = s->kernel[1];
    const int64_t dim[5] = { s->groups, oc, ic, kh, kw };
    const int64_t stride[5] = { oc * kh * kw * ic, kh * kw * ic, 1, kw * ic, ic };
    const int     skip = s->groups == 1;
    return tg_plan_memory(plan, place, k, 5 - skip, dim + skip, place == TG_NOWHERE ? NULL : stride + skip);
}

tg_conv_slots tg_conv_memory(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_plan_slot x, tg_plan_slot y,
                             tg_plan_slot w)
{
    return (tg_conv_slots){
        .x = tg_plan_image(plan, x.place, x.k, s->n, s->ic, s->image),
        .y = tg_plan_image(plan, y.place, y.k, s->n, s->oc, s->out),
        .w = weights(plan, s, w.place, w.k),
        .any_w = weights(plan, s, TG_NOWHERE, 0),
    };
}

dnnl_primitive_desc_t tg_conv_forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots at, int b,
                                      bool relu)
{
    dnnl_primitive_desc_t pd;
    const tg_window       win = tg_conv_window(s);
    const tg_plan_slot   *slot = plan->slot;
    if (!tg_plan_ok(plan, dnnl_success)) return NULL;
    const dnnl_status_t status = tg_pd_conv(&pd, plan->engine, &win, &slot[at.x].md, &slot[at.any_w].md,
                                            b >= 0 ? &slot[b].md : NULL, &slot[at.y].md,
                                            relu ? plan->attr_relu : plan->attr);
    return tg_plan_ok(plan, status) ? pd : NULL;
}

static void build(tg_onednn_plan *plan, const tg_onednn_shape *s, bool relu)
{
    const tg_conv_slots at = tg_conv_memory(plan, s, (tg_plan_slot){ .place = TG_INPUT, .k = 0 },
                                            (tg_plan_slot){ .place = TG_OUTPUT, .k = 0 },
                                            (tg_plan_slot){ .place = TG_INPUT, .k = 1 });
    const int b = s->option ? tg_plan_memory(plan, TG_INPUT, 2, 1, &s->oc, (const int64_t[]){ 1 }) : -1;
    dnnl_primitive_desc_t pd = tg_conv_forward(plan, s, at, b, relu);
    if (!pd) return;
    const int w = tg_plan_packed(plan, at.w, pd, dnnl_query_weights_md);
    tg_plan_reorder(plan, at.w, w);
    tg_plan_append(plan, pd, (const tg_plan_arg[]){ { DNNL_ARG_SRC, at.x }, { DNNL_ARG_WEIGHTS, w },
                             { DNNL_ARG_DST, at.y }, { s->option ? DNNL_ARG_BIAS : 0, b }, { 0, 0 } });
}

void tg_conv_build(tg_onednn_plan *plan, const tg_onednn_shape *s) { build(plan, s, false); }
void tg_conv_relu_build(tg_onednn_plan *plan, const tg_onednn_shape *s) { build(plan, s, true); }

static tg_onednn_shape shape(const tg_call *c) { return tg_conv_shape(c->in[0], c->out[0], c->in[2], c->attr); }

static const char *reject(const tg_call *c)
{
    const tg_onednn_shape s = shape(c);
    const char           *reason = tg_onednn_wants_f32(c);
    return reason ? reason : tg_onednn_refusal(tg_conv_build, &s);
}

static bool prepare(tg_call *c, tg_fault *fault)
{
    const tg_onednn_shape s = shape(c);
    c->state = tg_onednn_lease_for(c, tg_conv_build, &s, fault);
    return c->state != NULL;
}

extern const tg_kernel conv2d_onednn;
const tg_kernel conv2d_onednn = {
    TG_ONEDNN_HEAD, .reject = reject, .prepare = prepare, .scratch = tg_onednn_scratch, .run = tg_onednn_run,
};
