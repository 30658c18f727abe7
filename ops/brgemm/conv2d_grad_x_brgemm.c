/* conv2d_grad_x_brgemm.c - conv2d's derivative in x, and conv_transpose2d, over microkernels. */
#include "conv_nest.h"

static tg_nest nest_of(const tg_call *c, const tg_microkernel *mk)
{
    return tg_conv_nest(c, mk, c->in[0], c->in[1], c->out[0], true);
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->in[1]); }

#define KERNELS(suffix, isa) \
    TG_NEST_KERNEL(conv2d_grad_x_brgemm, suffix, isa, "brgemm_", nest_of, reject) \
    TG_NEST_KERNEL(conv_transpose2d_brgemm, suffix, isa, "brgemm_", nest_of, reject)
TG_MICROKERNELS(KERNELS)
