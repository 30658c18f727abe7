/* grad_w_kernel.c - see grad_w_kernel.h. */
#include "grad_w_kernel.h"

tg_grad_w_kernel tg_grad_w_kernel_plan(const tg_nest_shape *shape, const tg_gemm_tn_shape *matrices, bool by_rows)
{
    tg_grad_w_kernel g = { .by = TG_BY_PIXELS };
    if (shape->mk->tile_gemm) {
        g.by = TG_BY_ROWS;
        if (by_rows && tg_gemm_tn_tiles_plan(matrices, &g.rows)) return g;
        g.by = TG_BY_TILES;
        g.tiles = tg_grad_w_tiles_plan(shape);
    } else if (matrices) {
        g.by = TG_BY_MATRICES;
        g.matrices = tg_gemm_tn_plan(matrices);
    } else {
        g.pixels = tg_grad_w_plan(shape);
    }
    return g;
}

tg_scratch tg_grad_w_kernel_scratch(const tg_grad_w_kernel *g)
{
    switch (g->by) {
    case TG_BY_TILES: return tg_grad_w_tiles_scratch(&g->tiles);
    case TG_BY_ROWS: return tg_gemm_tn_tiles_scratch(&g->rows);
    case TG_BY_MATRICES: return tg_gemm_tn_scratch(&g->matrices);
    default: return tg_grad_w_scratch(&g->pixels);
    }
}

int64_t tg_grad_w_kernel_tasks(const tg_grad_w_kernel *g, int phase)
{
    switch (g->by) {
    case TG_BY_TILES: return tg_grad_w_tiles_tasks(&g->tiles, phase);
    case TG_BY_ROWS: return tg_gemm_tn_tiles_tasks(&g->rows, phase);
    case TG_BY_MATRICES: return tg_gemm_tn_tasks(&g->matrices, phase);
    default: return tg_grad_w_tasks(&g->pixels, phase);
    }
}

int64_t tg_grad_w_kernel_makes(const tg_grad_w_kernel *g)
{
    if (g->by == TG_BY_ROWS) return g->rows.rows * g->rows.shape.n;
    return g->by == TG_BY_MATRICES ? tg_gemm_tn_rows(&g->matrices) * g->matrices.shape.n : 0;
}

void tg_grad_w_kernel_run(const tg_grad_w_kernel *g, const tg_grad_w_data *d, const tg_task *t)
{
    switch (g->by) {
    case TG_BY_TILES: tg_grad_w_tiles_run(&g->tiles, d, t); break;
    case TG_BY_ROWS: tg_gemm_tn_tiles_run(&g->rows, d, t); break;
    case TG_BY_MATRICES: tg_gemm_tn_run(&g->matrices, d, t); break;
    default: tg_grad_w_run(&g->pixels, d, t);
    }
}
