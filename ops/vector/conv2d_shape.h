/* conv2d_shape.h - the sizes of a convolution, from its call. Shared by conv2d's vector kernels. */
#ifndef TG_CONV2D_SHAPE_H
#define TG_CONV2D_SHAPE_H
#include "attr.h"
#include "gemm.h"
#include "patches.h"

typedef struct {
    int64_t n, image[2], out[2];        /* images; lines and columns of x and of y */
    int64_t in, of;                     /* channels of x and of y ... */
    int64_t groups, in_group, of_group; /* ... and of one group */
    int64_t kernel[2], taps;            /* of w: lines, columns; their product */
    int64_t stride[2], pad[2], dilation[2];
} tg_conv;

/* x, w and y in their roles in conv2d, whichever of them the call computes. */
static inline tg_conv tg_conv_of(const tg_call *c, const tg_tensor *x, const tg_tensor *w, const tg_tensor *y)
{
    const tg_conv2d_attr *a = c->attr;
    tg_conv v = { .n = x->dim[0], .in = x->dim[3], .of = y->dim[3], .groups = a->groups };
    v.in_group = v.in / v.groups;
    v.of_group = v.of / v.groups;
    for (int i = 0; i < 2; i++) {
        v.image[i] = x->dim[1 + i];
        v.out[i] = y->dim[1 + i];
        v.kernel[i] = w->dim[1 + i];
        v.stride[i] = a->stride[i];
        v.pad[i] = a->pad[i];
        v.dilation[i] = a->dilation[i];
    }
    v.taps = v.kernel[0] * v.kernel[1];
    return v;
}

static inline const char *tg_conv_reject(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "want f32";
    return c->out[0]->dtype == TG_F32 ? NULL : "want f32";
}

/* The im2col view of a group's channels of x: one row per pixel of y. */
static inline tg_patches tg_conv_patches(const tg_conv *v, const float *x, int64_t group)
{
    return (tg_patches){
        .image = x + group * v->in_group,
        .size = { v->image[0], v->image[1] },
        .pitch = v->in,
        .channels = v->in_group,
        .places = { v->out[0], v->out[1] },
        .taps = { v->kernel[0], v->kernel[1] },
        .stride = { v->stride[0], v->stride[1] },
        .origin = { -v->pad[0], -v->pad[1] },
        .step = { v->dilation[0], v->dilation[1] },
    };
}

/* As operand A of a tg_gemm. */
static inline void tg_pack_image(const void *patches, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to)
{
    tg_pack_patches(patches, m0, m1, k0, k1, to, TG_PITCH);
}

/* Depthwise: one input and one output channel in each of several groups. */
static inline bool tg_conv_depthwise(const tg_conv *v) { return v->groups > 1 && v->in_group == 1 && v->of_group == 1; }
#endif
