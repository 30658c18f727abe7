/* product_blocks.h - a matrix product as tasks: blocks of its result (gemm.h) that pack their own operands. */
#ifndef TG_PRODUCT_BLOCKS_H
#define TG_PRODUCT_BLOCKS_H
#include "bf16.h"
#include "gemm.h"
#include "products.h"

/* `others` is the number of such products computed side by side. */
static inline int64_t tg_product_blocks(const tg_product *p, int64_t others)
{
    const tg_grid grid = tg_grid_of(p->m, p->n, others);
    return tg_grid_cells(&grid);
}

/* A block that has to be rounded to bf16 is computed in scratch. */
static inline tg_scratch tg_product_scratch(const tg_product *p)
{
    const size_t block = p->y_is_bf16 ? TG_MC * TG_NC * sizeof(float) : 0;
    return (tg_scratch){ .worker = tg_gemm_scratch(true) + block };
}

static inline void tg_product_block(const tg_product *p, int64_t others, int64_t index, float *scratch)
{
    const tg_grid grid = tg_grid_of(p->m, p->n, others);
    const tg_cell c = tg_grid_cell(&grid, index);
    const tg_matrix a = { p->a, p->a_row, p->a_column, p->is_bf16 }, b = { p->b, p->b_row, p->b_column, p->is_bf16 };
    const bool by_columns = p->a_column != 1;
    float *const block = scratch + TG_GEMM_A + TG_GEMM_B;
    float *rows[TG_MC];
    for (int64_t m = c.m0; m < c.m1; m++)
        rows[m - c.m0] = p->y_is_bf16 ? block + (m - c.m0) * TG_NC - c.n0 : (float *)p->y + m * p->n;
    const tg_gemm g = {
        .k = p->k,
        .a = &a,
        .pack_a = by_columns   ? tg_pack_columns
                  : p->is_bf16 ? tg_pack_rows
                               : NULL,
        .b = &b,
        .by_columns = by_columns,
        .pack_b = tg_pack_panel,
        .bias = p->bias,
        .relu = p->relu,
    };
    tg_gemm_block(&g, c, rows, scratch);
    for (int64_t m = c.m0; m < c.m1 && p->y_is_bf16; m++)
        tg_narrow(rows[m - c.m0] + c.n0, true, c.n1 - c.n0, tg_at(p->y, true, m * p->n + c.n0));
}
#endif
