/* conv2d_onednn.h - what the files of oneDNN's convolutions share. */
#ifndef TG_CONV2D_ONEDNN_H
#define TG_CONV2D_ONEDNN_H
#include "attr.h"
#include "onednn_cache.h"

/* The shape of a convolution from x to y, or of one of its derivatives, where their gradients play these parts.
 * option: there is a bias. */
tg_onednn_shape tg_conv_shape(const tg_tensor *x, const tg_tensor *y, const tg_tensor *bias,
                              const tg_conv2d_attr *attr);
tg_window       tg_conv_window(const tg_onednn_shape *s);

/* Slots.  Images lie in place, as nhwc.  Weights are either ours, [out, kh, kw, in / groups], or of any format: a call
 * reorders them every time, for they change in every step. */
typedef struct { int x, y, w, any_w; } tg_conv_slots;
tg_conv_slots tg_conv_memory(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_plan_slot x, tg_plan_slot y,
                             tg_plan_slot w);
/* The forward convolution on these slots; b: the slot of the bias, or -1.  NULL: the plan has failed. */
dnnl_primitive_desc_t tg_conv_forward(tg_onednn_plan *plan, const tg_onednn_shape *s, tg_conv_slots slots, int b,
                                      bool relu);

tg_onednn_build tg_conv_build, tg_conv_relu_build;
tg_onednn_build tg_conv_grad_x_build;        /* conv2d_grad_x(gy, w); with a bias, conv_transpose2d(x, w, b) */
#endif
