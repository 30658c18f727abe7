/* matmul_vector.c - matmul, linear and linear's gradients: blocks of products of matrices (gemm.h). */
#include "gemm.h"
#include "products.h"

static tg_scratch scratch(const tg_call *c)
{
    (void)c;
    return (tg_scratch){ .worker = tg_gemm_scratch(true) };
}

/* One block of a product, of which there are `others` beside it. */
static void compute(const tg_product *p, int64_t others, int64_t index, float *room)
{
    const tg_grid   grid = tg_grid_of(p->m, p->n, others);
    const tg_cell   c = tg_grid_cell(&grid, index);
    const tg_matrix a = { p->a, p->a_row, p->a_column }, b = { p->b, p->b_row, p->b_column };
    const bool      by_columns = p->a_column != 1;
    float          *rows[TG_MC];
    for (int64_t m = c.m0; m < c.m1; m++) rows[m - c.m0] = p->y + m * p->n;
    const tg_gemm g = { .k = p->k, .a = &a, .pack_a = by_columns ? tg_pack_columns : tg_pack_rows, .b = &b,
                        .by_columns = by_columns, .pack_b = tg_pack_panel, .bias = p->bias, .relu = p->relu };
    tg_gemm_block(&g, c, rows, room);
}

static int64_t blocks(const tg_product *p, int64_t others)
{
    const tg_grid grid = tg_grid_of(p->m, p->n, others);
    return tg_grid_cells(&grid);
}

static int64_t matmul_tasks(const tg_call *c, int phase)
{
    const tg_stack s = tg_stack_of(c);
    return phase == 0 ? s.matrices * blocks(&s.first, s.matrices) : 0;
}

static void matmul_run(const tg_call *c, const tg_task *t)
{
    const tg_stack   s = tg_stack_of(c);
    const int64_t    cells = blocks(&s.first, s.matrices);
    const tg_product p = tg_stack_product(&s, t->index / cells);
    compute(&p, s.matrices, t->index % cells, t->scratch);
}

TG_VECTOR_KERNEL(matmul_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = scratch,
                                    .tasks = matmul_tasks, .run = matmul_run };

#define LINEAR(symbol, product_of) \
    static int64_t symbol##_tasks(const tg_call *c, int phase) \
    { \
        const tg_product p = product_of(c); \
        return phase == 0 ? blocks(&p, 1) : 0; \
    } \
    static void symbol##_run(const tg_call *c, const tg_task *t) \
    { \
        const tg_product p = product_of(c); \
        compute(&p, 1, t->index, t->scratch); \
    } \
    TG_VECTOR_KERNEL(symbol) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = scratch, \
                                 .tasks = symbol##_tasks, .run = symbol##_run }
LINEAR(linear_vector, tg_linear_product);
LINEAR(linear_relu_vector, tg_linear_product);
LINEAR(linear_grad_x_vector, tg_linear_grad_x_product);
LINEAR(linear_grad_w_vector, tg_linear_grad_w_product);
