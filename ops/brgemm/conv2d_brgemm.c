/* conv2d_brgemm.c - conv2d and conv2d_relu over microkernels: brgemm_amx_bf16 to brgemm_generic. */
#include "conv_shape.h"

static tg_nest_shape conv2d_shape(const tg_call *c, const tg_microkernel *mk)
{
    tg_nest_shape s = tg_conv_shape(c, mk, c->in[0], c->in[1], c->out[0], false);
    s.relu = c->op == &tg_conv2d_relu_op;
    return s;
}

static const char *conv2d_reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_reject(c, mk, c->in[1]); }

#define KERNELS(suffix, isa, name) \
    TG_FORWARD_KERNEL(conv2d_brgemm, suffix, isa, name, conv2d_shape, tg_conv_data, conv2d_reject) \
    TG_FORWARD_KERNEL(conv2d_relu_brgemm, suffix, isa, name, conv2d_shape, tg_conv_data, conv2d_reject)
TG_MICROKERNELS(KERNELS)
