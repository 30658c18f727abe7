/* conv2d_grad_w_brgemm.c - conv2d's derivative in w over microkernels. */
#include "conv_nest.h"

static tg_nest nest_of(const tg_call *c, const tg_microkernel *mk)
{
    return tg_conv_nest(c, mk, c->in[1], c->out[0], c->in[0], false);
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->out[0]); }

#define KERNELS(suffix, isa) TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm, suffix, isa, "brgemm_", nest_of, reject)
TG_MICROKERNELS(KERNELS)

/* Where this takes 0.5 to 1 of the time of oneDNN 2.6's direct kernels (AVX-512, FP32) it stands before them. */
static const char *reject_unless_strided(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor      *gw = c->out[0];
    if (c->in[0]->dtype != TG_F32) return "want f32";
    if ((gw->dim[1] * gw->dim[2] == 1 || a->stride[0] * a->stride[1] == 1) && gw->dim[0] < 1024)
        return "1x1 or stride 1, and fewer than 1024 outputs";
    if (a->groups > 1) return "groups";
    return reject(c, mk);
}

TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm_strided, avx512, TG_ISA_AVX512, "brgemm_strided_", nest_of, reject_unless_strided)
