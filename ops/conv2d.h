/* conv2d.h - shape rules shared by the convolutions. */
#ifndef TG_CONV2D_H
#define TG_CONV2D_H
#include "attr.h"

/* Fails in s, with messages that begin with `op`, unless strides, dilations and groups are at least 1 and pads at least
 * 0. */
bool tg_conv2d_check_attr(tg_scope *s, const char *op, const tg_conv2d_attr *a);
/* oh, ow of an image and a kernel. Fails if the kernel is larger than the padded image, or sizes overflow. */
bool tg_conv2d_out_size(tg_scope *s, const char *op, const tg_conv2d_attr *a, int64_t out[2]);
/* Input k is a vector of `want` elements, one per output channel of w, or absent. */
bool tg_conv2d_check_bias(tg_scope *s, const tg_call *c, int k, int64_t want);

void tg_conv2d_infer(tg_scope *s, tg_call *c); /* of conv2d and conv2d_relu */
double tg_conv2d_flops(const tg_call *c);      /* multiply-adds of w with every output pixel, padding included */
int tg_or_one(int value);                      /* 0 means 1 in configurations */

/* Backward-data of x[n,h,w,out of a conv2d] to the image in a, recorded as calls: conv2d's gradients. */
tg_tensor *tg_conv2d_grad_x(tg_scope *s, tg_tensor *gy, tg_tensor *w, const tg_conv2d_attr *a);
tg_tensor *tg_conv2d_grad_w(tg_scope *s, tg_tensor *gy, tg_tensor *x, const tg_conv2d_attr *a);

extern const tg_rule tg_conv2d_relu_rule; /* ops/fused */
#endif
