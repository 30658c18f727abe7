/* linear_brgemm.c - linear, linear_relu and linear's derivatives over microkernels: one line of pixels. */
#include "brgemm.h"

/* Rows of x for which y^T is better than y: with few, packed weights are; many are another shape. */
enum { LEAST_ROWS = 16, MOST_ROWS = 512 };

static int64_t rows_of(const tg_tensor *x) { return tg_count(x) / x->dim[x->rank - 1]; }

static bool turns(const tg_microkernel *mk, const tg_tensor *x, const tg_tensor *w)
{
    const int64_t rows = rows_of(x);
    return mk->tiles && x->rank == 2 && rows >= LEAST_ROWS && rows <= MOST_ROWS && rows <= w->dim[0];
}

static tg_nest forward(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    const bool turned = turns(mk, x, w);
    tg_nest n = turned ? tg_rows_nest(mk, w, x, y, w->dim[0], false) : tg_rows_nest(mk, x, w, y, rows_of(x), false);
    n.turned = turned;
    n.bias = c->in[2];
    n.relu = c->op == &tg_linear_relu_op;
    return n;
}

static tg_nest grad_x(const tg_call *c, const tg_microkernel *mk)
{
    return tg_rows_nest(mk, c->in[0], c->in[1], c->out[0], rows_of(c->in[0]), true);
}

static tg_grad_w_kernel grad_w_by_blocks(const tg_microkernel *mk, const tg_tensor *gy, const tg_tensor *x,
                                         const tg_tensor *gw, int64_t rows)
{
    tg_grad_w_kernel g = { .by = TG_BY_ROWS };
    g.rows =
        (tg_gemm_tn_blocks){ .mk = mk->blocks, .a = gy, .b = x, .c = gw, .k = rows, .m = gw->dim[0], .n = gw->dim[1] };
    if (tg_gemm_tn_blocks_plan(&g.rows)) return g;
    g.by = TG_BY_BLOCKS;
    g.blocks = tg_grad_w_blocks_plan(tg_rows_nest(mk, x, gw, gy, rows, false));
    return g;
}

static tg_grad_w_kernel grad_w(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t rows = tg_count(gy) / gw->dim[0];
    if (mk->blocks) return grad_w_by_blocks(mk, gy, x, gw, rows);
    tg_grad_w_kernel g = { .by = TG_BY_MATRICES };
    g.matrices = (tg_gemm_tn){
        .mk = mk,
        .a = gy,
        .b = x,
        .c = gw,
        .groups = 1,
        .k = rows,
        .m = gw->dim[0],
        .n = gw->dim[1],
        .b_rows = { rows, 1, gw->dim[1], 0, 0 },
    };
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
