/* conv2d_brgemm.c - conv2d and conv2d_relu over microkernels. */
#include "conv_nest.h"

static tg_nest nest_of(const tg_call *c, const tg_microkernel *mk)
{
    tg_nest n = tg_conv_nest(c, mk, c->in[0], c->in[1], c->out[0], false);
    n.relu = c->op == &tg_conv2d_relu_op;
    n.read_at_once = c->epilogue;
    return n;
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->in[1]); }

#define KERNELS(suffix, isa) \
    TG_NEST_KERNEL(conv2d_brgemm, suffix, isa, "brgemm_", nest_of, reject) \
    TG_NEST_KERNEL(conv2d_relu_brgemm, suffix, isa, "brgemm_", nest_of, reject)
TG_MICROKERNELS(KERNELS)
