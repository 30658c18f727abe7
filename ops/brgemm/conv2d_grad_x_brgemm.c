/* conv2d_grad_x_brgemm.c - conv2d's derivative in x, and conv_transpose2d, over microkernels: brgemm_amx_bf16 to
 * brgemm_generic. */
#include "conv_shape.h"

static tg_nest_shape grad_x_shape(const tg_call *c, const tg_microkernel *mk)
{
    return tg_conv_shape(c, mk, c->in[0], c->in[1], c->out[0], true);
}

static const char *grad_x_reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_reject(c, mk, c->in[1]); }

#define KERNELS(suffix, isa, name) \
    TG_FORWARD_KERNEL(conv2d_grad_x_brgemm, suffix, isa, name, grad_x_shape, tg_conv_data, grad_x_reject) \
    TG_FORWARD_KERNEL(conv_transpose2d_brgemm, suffix, isa, name, grad_x_shape, tg_conv_data, grad_x_reject)
TG_MICROKERNELS(KERNELS)
