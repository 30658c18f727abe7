/* grad_w_kernel.c - see grad_w_kernel.h. */
#include "grad_w_kernel.h"

tg_scratch tg_grad_w_kernel_scratch(const tg_grad_w_kernel *g)
{
    if (g->by == TG_BY_BLOCKS) return tg_grad_w_blocks_scratch(&g->blocks);
    if (g->by == TG_BY_ROWS) return tg_gemm_tn_blocks_scratch(&g->rows);
    return g->by == TG_BY_MATRICES ? tg_gemm_tn_scratch(&g->matrices) : tg_grad_w_scratch(&g->pixels);
}

int64_t tg_grad_w_kernel_tasks(const tg_grad_w_kernel *g, int phase)
{
    if (g->by == TG_BY_BLOCKS) return tg_grad_w_blocks_tasks(&g->blocks, phase);
    if (g->by == TG_BY_ROWS) return tg_gemm_tn_blocks_tasks(&g->rows, phase);
    return g->by == TG_BY_MATRICES ? tg_gemm_tn_tasks(&g->matrices, phase) : tg_grad_w_tasks(&g->pixels, phase);
}

int64_t tg_grad_w_kernel_makes(const tg_grad_w_kernel *g)
{
    if (g->by == TG_BY_ROWS) return g->rows.rows * g->rows.c->dim[1];
    return g->by == TG_BY_MATRICES ? tg_gemm_tn_rows(&g->matrices) * g->matrices.c->dim[1] : 0;
}

void tg_grad_w_kernel_run(const tg_grad_w_kernel *g, const tg_task *t)
{
    if (g->by == TG_BY_BLOCKS) tg_grad_w_blocks_run(&g->blocks, t);
    else if (g->by == TG_BY_ROWS) tg_gemm_tn_blocks_run(&g->rows, t);
    else if (g->by == TG_BY_MATRICES) tg_gemm_tn_run(&g->matrices, t);
    else tg_grad_w_run(&g->pixels, t);
}
