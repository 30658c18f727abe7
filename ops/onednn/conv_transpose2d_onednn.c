/* conv_transpose2d_onednn.c - a transposed convolution is the derivative of a convolution in its image: x plays the
 * part of the gradient of that convolution's output. */
#include "conv2d_onednn.h"

static tg_onednn_shape shape(const tg_call *c) { return tg_conv_shape(c->out[0], c->in[0], c->in[2], c->attr); }

static const char *reject(const tg_call *c)
{
    const tg_onednn_shape s = shape(c);
    const char           *reason = tg_onednn_wants_f32(c);
    return reason ? reason : tg_onednn_refusal(tg_conv_grad_x_build, &s);
}

static bool prepare(tg_call *c, tg_fault *fault)
{
    const tg_onednn_shape s = shape(c);
    c->state = tg_onednn_lease_for(c, tg_conv_grad_x_build, &s, fault);
    return c->state != NULL;
}

extern const tg_kernel conv_transpose2d_onednn;
const tg_kernel conv_transpose2d_onednn = {
    TG_ONEDNN_HEAD, .reject = reject, .prepare = prepare, .scratch = tg_onednn_scratch, .run = tg_onednn_run,
};
