/* pool2d.h - shared by pooling and its fused forms. */
#ifndef TG_POOL2D_H
#define TG_POOL2D_H
#include "attr.h"

/* Whether windows do not overlap: a pixel is in one of them, or in none, after the last. */
static inline bool tg_side_by_side(const tg_pool2d_attr *a)
{
    for (int i = 0; i < 2; i++)
        if (a->stride[i] != a->kernel[i] || a->pad[i]) return false;
    return true;
}

void tg_max_pool2d_grad_infer(tg_scope *s, tg_call *c); /* inputs gy, index, y; out[0]: the image's gradient */
#endif
