/* conv2d_winograd_onednn.c - oneDNN's Winograd F(4x4, 3x3), with AVX-512 in versions before 3.2.
 *
 * It needs a quarter of the multiplications, on images in a format of its own. Including the reorders to and from it,
 * it takes 0.3 to 0.8 of the time from 64 channels on. In FP32 its error is 1e-6 of an output's typical magnitude,
 * against 2e-7 for direct sums; in backward-weights, where the direct kernel has longer sums, it is no larger. */
#include "conv2d_onednn.h"
#include "winograd_fit.h"

enum { LEAST_CHANNELS = 64 };

const char *tg_conv_winograd_unfit(const tg_call *c, const tg_conv_pass *pass)
{
    const tg_onednn_shape s = pass->shape(c);
    return tg_winograd_unfit(c->attr, s.kernel, s.ic, s.oc, LEAST_CHANNELS);
}

static const char *winograd_onednn_reject(const tg_call *c, const tg_conv_pass *pass)
{
    const char *reason = tg_conv_winograd_unfit(c, pass);
    return reason ? reason : tg_conv_reject(c, pass, TG_CONV_WINOGRAD);
}

static const char *conv2d_winograd_onednn_reject(const tg_call *c)
{
    return winograd_onednn_reject(c, &tg_conv_forward_pass);
}
static const char *conv2d_grad_x_winograd_onednn_reject(const tg_call *c)
{
    return winograd_onednn_reject(c, &tg_conv_grad_x_pass);
}
static const char *conv2d_grad_w_winograd_onednn_reject(const tg_call *c)
{
    return winograd_onednn_reject(c, &tg_conv_grad_w_pass);
}

static bool conv2d_winograd_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_forward_pass, TG_CONV_WINOGRAD, fault);
}
static bool conv2d_grad_x_winograd_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_grad_x_pass, TG_CONV_WINOGRAD, fault);
}
static bool conv2d_grad_w_winograd_onednn_prepare(tg_call *c, tg_fault *fault)
{
    return tg_conv_prepare(c, &tg_conv_grad_w_pass, TG_CONV_WINOGRAD, fault);
}

#define WINOGRAD TG_WINOGRAD_HEAD, .scratch = tg_onednn_scratch, .run = tg_onednn_run
extern const tg_kernel conv2d_winograd_onednn, conv2d_grad_x_winograd_onednn, conv2d_grad_w_winograd_onednn;
const tg_kernel conv2d_winograd_onednn = { WINOGRAD, .reject = conv2d_winograd_onednn_reject,
                                           .prepare = conv2d_winograd_onednn_prepare };
const tg_kernel conv2d_grad_x_winograd_onednn = { WINOGRAD, .reject = conv2d_grad_x_winograd_onednn_reject,
                                                  .prepare = conv2d_grad_x_winograd_onednn_prepare };
const tg_kernel conv2d_grad_w_winograd_onednn = { WINOGRAD, .reject = conv2d_grad_w_winograd_onednn_reject,
                                                  .prepare = conv2d_grad_w_winograd_onednn_prepare };
