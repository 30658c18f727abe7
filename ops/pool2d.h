/* pool2d.h - what pooling and its fused forms share. */
#ifndef TG_POOL2D_H
#define TG_POOL2D_H
#include "attr.h"

void tg_max_pool2d_grad_infer(tg_scope *s, tg_call *c);       /* inputs gy, index; out[0]: the image */
#endif
