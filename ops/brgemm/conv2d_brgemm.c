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

/* Where this takes 0.7 to 1 of the time of oneDNN 2.6's direct kernels (AVX-512, FP32) it stands before them. */
static const char *reject_unless_wide(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *w = c->in[1];
    if (c->in[0]->dtype != TG_F32) return "want f32";
    if (w->dim[0] < 512) return "fewer than 512 channels out";
    if (w->dim[1] * w->dim[2] * w->dim[3] < 256) return "fewer than 256 products in a sum";
    if (((const tg_conv2d_attr *)c->attr)->groups > 1) return "groups";
    return reject(c, mk);
}

TG_NEST_KERNEL(conv2d_brgemm_wide, avx512, TG_ISA_AVX512, "brgemm_wide_", nest_of, reject_unless_wide)
TG_NEST_KERNEL(conv2d_relu_brgemm_wide, avx512, TG_ISA_AVX512, "brgemm_wide_", nest_of, reject_unless_wide)
