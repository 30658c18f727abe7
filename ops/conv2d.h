/* conv2d.h - what the files of the convolutions share: their shape rules. */
#ifndef TG_CONV2D_H
#define TG_CONV2D_H
#include "attr.h"

/* Fails in s, in the name of `op`, unless strides, dilations and groups are at least 1 and pads at least 0. */
bool tg_conv2d_check_attr(tg_scope *s, const char *op, const tg_conv2d_attr *a);
/* oh, ow of an image and a kernel; fails if the kernel is larger than the padded image, or sizes overflow. */
bool tg_conv2d_out_size(tg_scope *s, const char *op, const tg_conv2d_attr *a, int64_t out[2]);
/* input k is a vector of `want` elements, one for each output channel of w; or is not given. */
bool tg_conv2d_check_bias(tg_scope *s, const tg_call *c, int k, int64_t want);

void tg_conv2d_infer(tg_scope *s, tg_call *c); /* of conv2d and conv2d_relu */
double tg_conv2d_flops(const tg_call *c);      /* w's products with every output pixel, padding included */
int tg_or_one(int value);                      /* 0 stands for 1 in configurations */

/* x[n,h,w,out of a conv2d] as if it came from the image in a: what conv2d's gradients are, as calls. */
tg_tensor *tg_conv2d_grad_x(tg_scope *s, tg_tensor *gy, tg_tensor *w, const tg_conv2d_attr *a);
tg_tensor *tg_conv2d_grad_w(tg_scope *s, tg_tensor *gy, tg_tensor *x, const tg_conv2d_attr *a);

extern const tg_rule tg_conv2d_relu_rule; /* ops/fused */
#endif
