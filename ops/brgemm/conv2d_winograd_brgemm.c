/* conv2d_winograd_brgemm.c - conv2d, conv2d_relu and conv2d's derivatives by Winograd's algorithm. */
#include "conv_nest.h"
#include "winograd.h"
#include "winograd_fit.h"

enum { LEAST_CHANNELS = 16 }; /* with fewer, 16 lanes of a vector are not full */

static const char *unfit(const tg_call *c, const tg_tensor *w)
{
    const char *reason = tg_winograd_unfit(c->attr, w->dim + 1, w->dim[3], w->dim[0], LEAST_CHANNELS);
    return reason ? reason : tg_brgemm_dtypes(&tg_microkernel_avx512, c->in[0], c->in[1], c->out[0]);
}

static const char too_dear[] = "the transforms would cost more than the products they save";

/* ---- forward and backward-data ---- */

static tg_winograd winograd_of(const tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    const bool backward = c->op == &tg_conv2d_grad_x_op;
    tg_winograd g = {
        .mk = &tg_microkernel_avx512,
        .x = c->in[0],
        .w = c->in[1],
        .y = c->out[0],
        .bias = c->op->n_in > 2 ? c->in[2] : NULL,
        .relu = c->op == &tg_conv2d_relu_op,
        .backward = backward,
    };
    for (int i = 0; i < 2; i++) g.pad[i] = backward ? 2 - a->pad[i] : a->pad[i];
    g.nest = tg_conv_nest(c, g.mk, g.x, g.w, g.y, backward);
    g.nest.relu = g.relu;
    g.nest.p.in = g.x->dim[3];
    g.nest.p.out = g.y->dim[3];
    tg_winograd_plan(&g);
    return g;
}

static const char *reject(const tg_call *c)
{
    const char *reason = unfit(c, c->in[1]);
    return reason ? reason : winograd_of(c).tile ? NULL : too_dear;
}

static const tg_layout *layout(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY])
{
    const tg_winograd g = winograd_of(c);
    tg_winograd_key(&g, key);
    *input = 1;
    return &tg_winograd_layout;
}

static tg_scratch scratch(const tg_call *c)
{
    const tg_winograd g = winograd_of(c);
    return tg_winograd_scratch(&g);
}

static int64_t tasks(const tg_call *c, int phase)
{
    const tg_winograd g = winograd_of(c);
    return tg_winograd_tasks(&g, phase);
}

static void run(const tg_call *c, const tg_task *t)
{
    const tg_winograd g = winograd_of(c);
    tg_winograd_run(&g, t);
}

#define HEAD .name = "brgemm_winograd_avx512", .backend = "brgemm", .isa = TG_ISA_AVX512
#define KERNEL(symbol) \
    extern const tg_kernel symbol; \
    const tg_kernel symbol = { \
        HEAD, .reject = reject, .layout = layout, .scratch = scratch, .tasks = tasks, .run = run \
    };
KERNEL(conv2d_brgemm_winograd_avx512)
KERNEL(conv2d_relu_brgemm_winograd_avx512)
KERNEL(conv2d_grad_x_brgemm_winograd_avx512)

/* ---- backward-weights ---- */

static tg_winograd_grad_w grad_w_of(const tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    tg_winograd_grad_w g = {
        .mk = &tg_microkernel_avx512,
        .gy = c->in[0],
        .x = c->in[1],
        .gw = c->out[0],
        .pad = { a->pad[0], a->pad[1] },
    };
    g.nest = tg_conv_nest(c, g.mk, g.x, g.gw, g.gy, false);
    tg_winograd_grad_w_plan(&g);
    return g;
}

static const char *reject_grad_w(const tg_call *c)
{
    const char *reason = unfit(c, c->out[0]);
    return reason ? reason : grad_w_of(c).pays ? NULL : too_dear;
}

static tg_scratch scratch_grad_w(const tg_call *c)
{
    const tg_winograd_grad_w g = grad_w_of(c);
    return tg_winograd_grad_w_scratch(&g);
}

static int64_t tasks_grad_w(const tg_call *c, int phase)
{
    const tg_winograd_grad_w g = grad_w_of(c);
    return tg_winograd_grad_w_tasks(&g, phase);
}

static void run_grad_w(const tg_call *c, const tg_task *t)
{
    const tg_winograd_grad_w g = grad_w_of(c);
    tg_winograd_grad_w_run(&g, t);
}

extern const tg_kernel conv2d_grad_w_brgemm_winograd_avx512;
const tg_kernel conv2d_grad_w_brgemm_winograd_avx512 = {
    HEAD, .reject = reject_grad_w, .scratch = scratch_grad_w, .tasks = tasks_grad_w, .run = run_grad_w,
};
