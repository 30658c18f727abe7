/* linear_brgemm.c - linear, linear_relu and linear's derivatives over microkernels: one line of pixels. */
#include "linear_transposed.h"

static tg_nest rows_of(const tg_call *c, const tg_microkernel *mk, const tg_tensor *x, const tg_tensor *w,
                       const tg_tensor *y, bool backward)
{
    tg_nest n = tg_rows_nest(mk, x, w, y, tg_count(x) / x->dim[x->rank - 1], backward);
    n.bias = c->op->n_in > 2 ? c->in[2] : NULL;
    n.relu = c->op == &tg_linear_relu_op;
    return n;
}

static tg_nest forward(const tg_call *c, const tg_microkernel *mk)
{
    return rows_of(c, mk, c->in[0], c->in[1], c->out[0], false);
}

/* ---- forward: transposed, if that is better ---- */

static const tg_layout *forward_layout(const tg_call *c, const tg_microkernel *mk, int *input,
                                       int32_t key[TG_LAYOUT_KEY])
{
    tg_linear_transposed l;
    if (!tg_linear_transposed_plan(&l, c, mk)) return tg_nest_kernel_layout(forward(c, mk), input, key);
    tg_nest_key(&l.n, key);
    *input = 0;
    return &tg_panels_layout;
}

static tg_scratch forward_scratch(const tg_call *c, const tg_microkernel *mk)
{
    tg_linear_transposed l;
    if (!tg_linear_transposed_plan(&l, c, mk)) return tg_nest_kernel_scratch(forward(c, mk));
    return tg_linear_transposed_scratch(&l);
}

static int64_t forward_tasks(const tg_call *c, const tg_microkernel *mk, int phase)
{
    tg_linear_transposed l;
    if (!tg_linear_transposed_plan(&l, c, mk)) return tg_nest_kernel_tasks(forward(c, mk), phase);
    return tg_nest_tasks(&l.n, phase);
}

static void forward_run(const tg_call *c, const tg_microkernel *mk, const tg_task *t)
{
    tg_linear_transposed l;
    if (tg_linear_transposed_plan(&l, c, mk)) tg_linear_transposed_run(&l, t);
    else tg_nest_kernel_run(forward(c, mk), t);
}

static tg_nest grad_x(const tg_call *c, const tg_microkernel *mk)
{
    return rows_of(c, mk, c->in[0], c->in[1], c->out[0], true);
}

static tg_grad_w_kernel grad_w_by_blocks(const tg_microkernel *mk, const tg_tensor *gy, const tg_tensor *x,
                                         const tg_tensor *gw, int64_t rows)
{
    tg_grad_w_kernel g = { .by = TG_BY_ROWS };
    g.rows = (tg_gemm_tn_blocks){ .mk = mk->blocks, .a = gy, .b = x, .c = gw, .k = rows, .m = gw->dim[0],
                                  .n = gw->dim[1] };
    if (tg_gemm_tn_blocks_plan(&g.rows)) return g;
    g.by = TG_BY_BLOCKS;
    g.blocks = tg_grad_w_blocks_plan(tg_rows_nest(mk, x, gw, gy, rows, false));
    return g;
}

static tg_grad_w_kernel grad_w(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t    rows = tg_count(gy) / gw->dim[0];
    if (mk->blocks) return grad_w_by_blocks(mk, gy, x, gw, rows);
    tg_grad_w_kernel g = { .by = TG_BY_MATRICES };
    g.matrices = (tg_gemm_tn){ .mk = mk, .a = gy, .b = x, .c = gw, .groups = 1, .k = rows, .m = gw->dim[0],
                               .n = gw->dim[1], .b_rows = { rows, 1, gw->dim[1], 0, 0 } };
    tg_gemm_tn_plan(&g.matrices);
    return g;
}

static const char *reject(const tg_call *c, const tg_microkernel *mk)
{
    return tg_brgemm_dtypes(mk, c->in[0], c->in[1], c->out[0]);
}

#define FORWARD_KERNEL(symbol, suffix, isa_) \
    static const char *symbol##_reject_##suffix(const tg_call *c) { return reject(c, &tg_microkernel_##suffix); } \
    static const tg_layout *symbol##_layout_##suffix(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY]) \
    { \
        return forward_layout(c, &tg_microkernel_##suffix, input, key); \
    } \
    static tg_scratch symbol##_scratch_##suffix(const tg_call *c) \
    { \
        return forward_scratch(c, &tg_microkernel_##suffix); \
    } \
    static int64_t symbol##_tasks_##suffix(const tg_call *c, int phase) \
    { \
        return forward_tasks(c, &tg_microkernel_##suffix, phase); \
    } \
    static void symbol##_run_##suffix(const tg_call *c, const tg_task *t) \
    { \
        forward_run(c, &tg_microkernel_##suffix, t); \
    } \
    extern const tg_kernel symbol##_##suffix; \
    const tg_kernel symbol##_##suffix = { .name = "brgemm_" #suffix, .backend = "brgemm", .isa = isa_, \
                                          .reject = symbol##_reject_##suffix, .layout = symbol##_layout_##suffix, \
                                          .scratch = symbol##_scratch_##suffix, \
                                          .tasks = symbol##_tasks_##suffix, .run = symbol##_run_##suffix };

#define KERNELS(suffix, isa) \
    FORWARD_KERNEL(linear_brgemm, suffix, isa) \
    FORWARD_KERNEL(linear_relu_brgemm, suffix, isa) \
    TG_NEST_KERNEL(linear_grad_x_brgemm, suffix, isa, "brgemm_", grad_x, reject) \
    TG_GRAD_W_KERNEL(linear_grad_w_brgemm, suffix, isa, "brgemm_", grad_w, reject)
TG_MICROKERNELS(KERNELS)
