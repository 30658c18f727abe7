/* conv_shape.h - a convolution, or its derivative in x, as the shape of a loop nest. */
#ifndef TG_CONV_SHAPE_H
#define TG_CONV_SHAPE_H
#include "brgemm.h"

/* From x and w to y; backward: from gy to gx, which come as x and y. */
static inline tg_nest_shape tg_conv_shape(const tg_call *c, const tg_microkernel *mk, const tg_tensor *x,
                                          const tg_tensor *w, const tg_tensor *y, bool backward)
{
    const tg_conv2d_attr *a = c->attr;
    const int64_t joined = tg_panels_joined(w, mk->tiles, a->groups), groups = a->groups / joined;
    tg_axis axis[2];
    for (int i = 0; i < 2; i++) {
        const int64_t in = x->dim[1 + i], out = y->dim[1 + i], taps = w->dim[1 + i];
        if (backward) axis[i] = (tg_axis){ in, out, taps, 1, a->pad[i], -a->dilation[i], a->stride[i], 1 };
        else axis[i] = (tg_axis){ in, out, taps, a->stride[i], -a->pad[i], a->dilation[i], 1, 1 };
    }
    return (tg_nest_shape){
        .mk = mk,
        .w = w,
        .x_dtype = x->dtype,
        .y_dtype = y->dtype,
        .backward = backward,
        .in = x->dim[3] / groups,
        .out = y->dim[3] / groups,
        .images = x->dim[0],
        .groups = groups,
        .joined = joined,
        .line = x->dim[2],
        .image = x->dim[1] * x->dim[2],
        .h = axis[0],
        .w_axis = axis[1],
    };
}

/* Of a call whose inputs are x, w and possibly a bias. */
static inline tg_nest_data tg_conv_data(const tg_call *c)
{
    const tg_tensor *bias = c->op->n_in > 2 ? c->in[2] : NULL;
    return (tg_nest_data){ tg_ptr(c->in[0]), tg_ptr(c->in[1]), tg_ptr(bias), tg_ptr(c->out[0]) };
}

static inline const char *tg_conv_reject(const tg_call *c, const tg_microkernel *mk, const tg_tensor *w)
{
    const tg_conv2d_attr *a = c->attr;
    if (a->groups > 1 && w->dim[0] == a->groups && w->dim[3] == 1) return "one channel in and out in each group";
    return tg_brgemm_dtypes(mk, c->in[0], c->in[1], c->out[0]);
}
#endif
