/* conv2d_grad_w_brgemm.c - conv2d's derivative in w over microkernels. */
#include "conv_nest.h"

static tg_nest nest_of(const tg_call *c, const tg_microkernel *mk)
{
    return tg_conv_nest(c, mk, c->in[1], c->out[0], c->in[0], false);
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->out[0]); }

#define KERNELS(suffix, isa) TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm, suffix, isa, nest_of, reject)
TG_MICROKERNELS(KERNELS)
