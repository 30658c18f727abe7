/* conv2d_grad_w_brgemm.c - conv2d's derivative in w over microkernels: brgemm_amx_bf16 to brgemm_generic. */
#include "conv_shape.h"

/* A 1x1 convolution as a product of matrices: each output pixel reads one pixel of x. */
static tg_gemm_tn_shape matrices_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t pixels = tg_count(gy) / gw->dim[0], channels = x->dim[3], line = x->dim[2] * channels;
    tg_gemm_tn_shape s = {
        .mk = mk,
        .a_dtype = gy->dtype,
        .b_dtype = x->dtype,
        .groups = a->groups,
        .k = pixels,
        .m = gw->dim[0] / a->groups,
        .n = gw->dim[3],
        .task_rows = tg_rows_to_make(gw),
        .b_rows = { pixels, 1, channels, 0, 0 },
    };
    if (a->stride[0] > 1 || a->stride[1] > 1)
        s.b_rows =
            (tg_gemm_rows){ gy->dim[2], gy->dim[1], a->stride[1] * channels, a->stride[0] * line, x->dim[1] * line };
    return s;
}

static tg_grad_w_kernel grad_w_plan(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_nest_shape shape = tg_conv_shape(c, mk, c->in[1], c->out[0], c->in[0], false);
    const bool is_product = a->kernel[0] == 1 && a->kernel[1] == 1 && !a->pad[0] && !a->pad[1];
    const tg_gemm_tn_shape matrices = is_product ? matrices_of(c, mk) : (tg_gemm_tn_shape){ 0 };
    return tg_grad_w_kernel_plan(&shape, is_product ? &matrices : NULL, false);
}

static const char *grad_w_reject(const tg_call *c, const tg_microkernel *mk)
{
    return tg_conv_reject(c, mk, c->out[0]);
}

#define KERNELS(suffix, isa, name) TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm, suffix, isa, name, grad_w_plan, grad_w_reject)
TG_MICROKERNELS(KERNELS)
