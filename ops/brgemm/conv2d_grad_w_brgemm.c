/* conv2d_grad_w_brgemm.c - conv2d's derivative in w over microkernels. */
#include "conv_nest.h"

/* A product of matrices, if each output pixel meets one of x. */
typedef struct {
    bool       one;
    tg_gemm_tn matrices;
    tg_grad_w  pixels;
} grad_w;

static tg_gemm_tn matrices_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    const tg_tensor      *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t         pixels = tg_count(gy) / gw->dim[0], channels = x->dim[3], line = x->dim[2] * channels;
    tg_gemm_tn g = { .mk = mk, .a = gy, .b = x, .c = gw, .groups = a->groups, .k = pixels, .m = gw->dim[0] / a->groups,
                     .n = gw->dim[3], .b_rows = { pixels, 1, channels, 0, 0 } };
    if (a->stride[0] > 1 || a->stride[1] > 1)
        g.b_rows = (tg_gemm_rows){ gy->dim[2], gy->dim[1], a->stride[1] * channels, a->stride[0] * line,
                                   x->dim[1] * line };
    tg_gemm_tn_plan(&g);
    return g;
}

static grad_w plan_of(const tg_call *c, const tg_microkernel *mk)
{
    const tg_conv2d_attr *a = c->attr;
    if (a->kernel[0] == 1 && a->kernel[1] == 1 && !a->pad[0] && !a->pad[1])
        return (grad_w){ .one = true, .matrices = matrices_of(c, mk) };
    return (grad_w){ .pixels = tg_grad_w_plan(tg_conv_nest(c, mk, c->in[1], c->out[0], c->in[0], false)) };
}

static tg_scratch grad_w_scratch(const grad_w *g)
{
    return g->one ? tg_gemm_tn_scratch(&g->matrices) : tg_grad_w_scratch(&g->pixels);
}

static int64_t grad_w_tasks(const grad_w *g, int phase)
{
    return g->one ? tg_gemm_tn_tasks(&g->matrices, phase) : tg_grad_w_tasks(&g->pixels, phase);
}

static void grad_w_run(const grad_w *g, const tg_task *t)
{
    if (g->one) tg_gemm_tn_run(&g->matrices, t);
    else tg_grad_w_run(&g->pixels, t);
}

static const char *reject(const tg_call *c, const tg_microkernel *mk) { return tg_conv_nest_reject(c, mk, c->out[0]); }

#define KERNELS(suffix, isa) \
    TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm, suffix, isa, "brgemm_", grad_w, plan_of, reject)
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

TG_GRAD_W_KERNEL(conv2d_grad_w_brgemm_strided, avx512, TG_ISA_AVX512, "brgemm_strided_", grad_w, plan_of,
                 reject_unless_strided)
