/* conv2d_winograd_brgemm.c - conv2d, conv2d_relu and conv2d's derivatives by Winograd's algorithm. */
#include "conv_shape.h"
#include "winograd.h"
#include "winograd_fit.h"

enum { LEAST_CHANNELS = 16 }; /* with fewer, the 16 lanes of a vector are not full */

static const char *unfit(const tg_call *c, const tg_tensor *w)
{
    const char *reason = tg_winograd_unfit(c->attr, w->dim + 1, w->dim[3], w->dim[0], LEAST_CHANNELS);
    return reason ? reason : tg_brgemm_dtypes(&tg_microkernel_avx512, c->in[0], c->in[1], c->out[0]);
}

static const char too_dear[] = "the transforms would cost more than the products they save";

/* ---- forward and backward-data ---- */

static tg_winograd_shape winograd_shape(const tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    const bool backward = c->op == &tg_conv2d_grad_x_op;
    tg_winograd_shape s = {
        .nest = tg_conv_shape(c, &tg_microkernel_avx512, c->in[0], c->in[1], c->out[0], backward),
    };
    s.nest.relu = c->op == &tg_conv2d_relu_op;
    for (int i = 0; i < 2; i++) s.pad[i] = backward ? 2 - a->pad[i] : a->pad[i];
    return s;
}

static const char *winograd_reject(const tg_call *c)
{
    const char *reason = unfit(c, c->in[1]);
    if (reason) return reason;
    const tg_winograd_shape s = winograd_shape(c);
    return tg_winograd_tile(&s) ? NULL : too_dear;
}

static bool winograd_prepare(tg_call *c, tg_fault *fault)
{
    const tg_winograd_shape s = winograd_shape(c);
    const tg_winograd plan = tg_winograd_plan(&s);
    return tg_keep_state(c, &plan, sizeof plan, fault);
}

static const tg_layout *winograd_layout(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY])
{
    const tg_winograd *g = c->state;
    tg_winograd_key(g->shape.nest.backward, g->tile, key);
    *input = 1;
    return &tg_winograd_layout;
}

static tg_scratch winograd_scratch(const tg_call *c) { return tg_winograd_scratch(c->state); }
static int64_t winograd_tasks(const tg_call *c, int phase) { return tg_winograd_tasks(c->state, phase); }

static void winograd_run(const tg_call *c, const tg_task *t)
{
    const tg_nest_data data = tg_conv_data(c);
    tg_winograd_run(c->state, &data, t);
}

#define HEAD .name = "brgemm_winograd_avx512", .backend = "brgemm", .isa = TG_ISA_AVX512
#define KERNEL(symbol) \
    extern const tg_kernel symbol; \
    const tg_kernel symbol = { \
        HEAD, \
        .reject = winograd_reject, \
        .prepare = winograd_prepare, \
        .layout = winograd_layout, \
        .scratch = winograd_scratch, \
        .tasks = winograd_tasks, \
        .run = winograd_run, \
    };
KERNEL(conv2d_brgemm_winograd_avx512)
KERNEL(conv2d_relu_brgemm_winograd_avx512)
KERNEL(conv2d_grad_x_brgemm_winograd_avx512)

/* ---- backward-weights ---- */

static tg_winograd_shape winograd_grad_w_shape(const tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    return (tg_winograd_shape){
        .nest = tg_conv_shape(c, &tg_microkernel_avx512, c->in[1], c->out[0], c->in[0], false),
        .pad = { a->pad[0], a->pad[1] },
    };
}

static const char *winograd_grad_w_reject(const tg_call *c)
{
    const char *reason = unfit(c, c->out[0]);
    if (reason) return reason;
    const tg_winograd_shape s = winograd_grad_w_shape(c);
    return tg_winograd_grad_w_pays(&s) ? NULL : too_dear;
}

static bool winograd_grad_w_prepare(tg_call *c, tg_fault *fault)
{
    const tg_winograd_shape s = winograd_grad_w_shape(c);
    const tg_winograd_grad_w plan = tg_winograd_grad_w_plan(&s);
    return tg_keep_state(c, &plan, sizeof plan, fault);
}

static tg_scratch winograd_grad_w_scratch(const tg_call *c) { return tg_winograd_grad_w_scratch(c->state); }
static int64_t winograd_grad_w_tasks(const tg_call *c, int phase) { return tg_winograd_grad_w_tasks(c->state, phase); }

static void winograd_grad_w_run(const tg_call *c, const tg_task *t)
{
    const tg_grad_w_data data = tg_grad_w_data_of(c);
    tg_winograd_grad_w_run(c->state, &data, t);
}

extern const tg_kernel conv2d_grad_w_brgemm_winograd_avx512;
const tg_kernel conv2d_grad_w_brgemm_winograd_avx512 = {
    HEAD,
    .reject = winograd_grad_w_reject,
    .prepare = winograd_grad_w_prepare,
    .scratch = winograd_grad_w_scratch,
    .tasks = winograd_grad_w_tasks,
    .run = winograd_grad_w_run,
};
