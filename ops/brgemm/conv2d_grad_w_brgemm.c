/* conv2d_grad_w_brgemm.c - conv2d's derivative in w over microkernels. */
#include "conv_nest.h"

/* A product of matrices: each output pixel meets one of x. */
static tg_gemm_tn matrices_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t pixels = tg_count(gy) / gw->dim[0], channels = x->dim[3], line = x->dim[2] * channels;
    tg_gemm_tn g = {
        .mk = mk,
        .a = gy,
        .b = x,
        .c = gw,
        .groups = a->groups,
        .k = pixels,
        .m = gw->dim[0] / a->groups,
        .n = gw->dim[3],
        .b_rows = { pixels, 1, channels, 0, 0 },
    };
    if (a->stride[0] > 1 || a->stride[1] > 1)
        g.b_rows =
            (tg_gemm_rows){ gy->dim[2], gy->dim[1], a->stride[1] * channels, a->stride[0] * line, x->dim[1] * line };
    tg_gemm_tn_plan(&g);
    return g;
}

static tg_grad_w_kernel plan_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_nest n = tg_conv_nest(c, mk, c->in[1], c->out[0], c->in[0], false);
    if (mk->blocks) return (tg_grad_w_kernel){ .by = TG_BY_BLOCKS, .blocks = tg_grad_w_blocks_plan(n) };
    if (a->kernel[0] == 1 && a->kernel[1] == 1 && !a->pad[0] && !a->pad[1])
        return (tg_grad_w_kernel){ .by = TG_BY_MATRICES, .matrices = matrices_of(c, mk) };
    return (tg_grad_w_kernel){ .by = TG_BY_PIXELS, .pixels = tg_grad_w_plan(n) };
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->out[0]); }

#define KERNELS(suffix, isa) TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm, suffix, isa, "brgemm_", plan_of, reject)
TG_MICROKERNELS(KERNELS)
