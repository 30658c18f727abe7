/* linear_brgemm.c - linear, linear_relu and linear's derivatives over microkernels: one line of pixels. */
#include "brgemm.h"

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

static tg_nest grad_x(const tg_call *c, const tg_microkernel *mk)
{
    return rows_of(c, mk, c->in[0], c->in[1], c->out[0], true);
}

static tg_grad_w_kernel grad_w_by_blocks(const tg_microkernel *mk, const tg_tensor *gy, const tg_tensor *x,
                                         const tg_tensor *gw, int64_t rows)
{
    tg_grad_w_kernel g = { .by = TG_BY_ROWS };
    g.rows = (tg_gemm_tn_blocks){ .mk = mk->blocks, .a = gy, .b = x, .c = gw, .k = rows, .m = gw->dim[0], .n = gw->dim[1] };
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

#define KERNELS(suffix, isa) \
    TG_NEST_KERNEL(linear_brgemm, suffix, isa, "brgemm_", forward, reject) \
    TG_NEST_KERNEL(linear_relu_brgemm, suffix, isa, "brgemm_", forward, reject) \
    TG_NEST_KERNEL(linear_grad_x_brgemm, suffix, isa, "brgemm_", grad_x, reject) \
    TG_GRAD_W_KERNEL(linear_grad_w_brgemm, suffix, isa, "brgemm_", grad_w, reject)
TG_MICROKERNELS(KERNELS)
