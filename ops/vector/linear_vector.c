/* linear_vector.c - linear, linear_relu and linear's derivatives.
 *
 * Forward: weights are the large operand of a layer on few rows, and would be needed transposed, which costs as much as
 * a third of the product.  So y^T = w x^T is computed: w is read where it lies, x^T is packed once for all tasks, and a
 * block of y^T is transposed while it is in the cache.  Backward-weights packs x once, too. */
#include "product_blocks.h"

enum {
    PIECE = 128,                        /* depth that a task packs */
    TASKS = 16,                         /* of forward: with fewer outputs each, x is read too often */
};

/* ---- an operand that is packed for all tasks: b[k, n] ---- */

static int64_t packing_tasks(int64_t k, int64_t n) { return tg_div_up(n, TG_NR) * tg_div_up(k, PIECE); }
static size_t  packed_bytes(int64_t k, int64_t n) { return (size_t)(k * tg_panel_width(n)) * sizeof(float); }

static void pack(tg_matrix b, int64_t k, int64_t n, int64_t index, float *packed)
{
    const int64_t pieces = tg_div_up(k, PIECE), n0 = index / pieces * TG_NR, k0 = index % pieces * PIECE;
    const int64_t n1 = n0 + TG_NR < n ? n0 + TG_NR : n, k1 = k0 + PIECE < k ? k0 + PIECE : k;
    tg_pack_panel(&b, k0, k1, n0, n1, packed + n0 * k + k0 * tg_panel_width(n1 - n0));
}

/* ---- forward ---- */

static bool from_weights(const tg_product *p) { return p->m <= p->n && p->m <= TG_NC; }

static int64_t outputs_of_task(const tg_product *p)
{
    const int64_t outputs = tg_div_up(tg_div_up(p->n, TASKS), TG_MR) * TG_MR;
    return outputs < TG_MC ? outputs : TG_MC;
}

/* The pitch of a block of y^T; not a power of two. */
static int64_t pitch_of(const tg_product *p) { return tg_panel_width(p->m) + TG_LANES; }

/* Outputs n0 .. n1 - 1 of a row. */
static void add_bias(const tg_product *p, float *y, int64_t n0, int64_t n1)
{
    if (p->bias)
        for (int64_t n = n0; n < n1; n++) y[n] += p->bias[n];
    if (p->relu)
        for (int64_t n = n0; n < n1; n++) y[n] = y[n] < 0 ? 0 : y[n];
}

static void multiply(const tg_product *p, int64_t index, const float *packed, float *block)
{
    const int64_t   n0 = index * outputs_of_task(p), n1 = n0 + outputs_of_task(p), pitch = pitch_of(p);
    const tg_cell   c = { n0, n1 < p->n ? n1 : p->n, 0, p->m };
    const tg_matrix w = { p->b, p->b_column, p->b_row };
    const tg_gemm   g = { .k = p->k, .a = &w, .packed_b = packed };
    float          *rows[TG_MC];
    for (int64_t n = c.m0; n < c.m1; n++) rows[n - c.m0] = block + (n - c.m0) * pitch;
    tg_gemm_block(&g, c, rows, NULL);
    tg_pack_transposed(block, pitch, p->m, c.m1 - c.m0, p->y + n0, p->n);
    for (int64_t m = 0; m < p->m; m++) add_bias(p, p->y + m * p->n, c.m0, c.m1);
}

static tg_scratch scratch(const tg_call *c)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) return tg_product_scratch();
    return (tg_scratch){ .shared = packed_bytes(p.k, p.m),
                         .worker = (size_t)(outputs_of_task(&p) * pitch_of(&p)) * sizeof(float) };
}

static int64_t tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) return phase == 0 ? tg_product_blocks(&p, 1) : 0;
    if (phase == 0) return packing_tasks(p.k, p.m);
    return phase == 1 ? tg_div_up(p.n, outputs_of_task(&p)) : 0;
}

static void run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) tg_product_block(&p, 1, t->index, t->scratch);
    else if (t->phase == 0) pack((tg_matrix){ p.a, p.a_column, p.a_row }, p.k, p.m, t->index, t->shared);
    else multiply(&p, t->index, t->shared, t->scratch);
}

TG_VECTOR_KERNEL(linear_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = scratch, .tasks = tasks,
                                    .run = run };
TG_VECTOR_KERNEL(linear_relu_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = scratch,
                                         .tasks = tasks, .run = run };

/* ---- backward-data ---- */

static tg_scratch grad_x_scratch(const tg_call *c)
{
    (void)c;
    return tg_product_scratch();
}

static int64_t grad_x_tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_grad_x_product(c);
    return phase == 0 ? tg_product_blocks(&p, 1) : 0;
}

static void grad_x_run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_grad_x_product(c);
    tg_product_block(&p, 1, t->index, t->scratch);
}

TG_VECTOR_KERNEL(linear_grad_x_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = grad_x_scratch,
                                           .tasks = grad_x_tasks, .run = grad_x_run };

/* ---- backward-weights ---- */

static tg_scratch grad_w_scratch(const tg_call *c)
{
    const tg_product p = tg_linear_grad_w_product(c);
    return (tg_scratch){ .shared = packed_bytes(p.k, p.n), .worker = tg_gemm_scratch(false) };
}

static int64_t grad_w_tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_grad_w_product(c);
    const tg_grid    grid = tg_grid_of_packed(p.m, p.n, 1);
    return phase == 0 ? packing_tasks(p.k, p.n) : phase == 1 ? tg_grid_cells(&grid) : 0;
}

static void grad_w_block(const tg_product *p, int64_t index, const float *packed, float *scratch)
{
    const tg_grid   grid = tg_grid_of_packed(p->m, p->n, 1);
    const tg_cell   c = tg_grid_cell(&grid, index);
    const tg_matrix gy = { p->a, p->a_row, p->a_column };
    const tg_gemm   g = { .k = p->k, .a = &gy, .pack_a = tg_pack_columns, .by_columns = true, .packed_b = packed };
    float          *rows[TG_MC];
    for (int64_t m = c.m0; m < c.m1; m++) rows[m - c.m0] = p->y + m * p->n;
    tg_gemm_block(&g, c, rows, scratch);
}

static void grad_w_run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_grad_w_product(c);
    if (t->phase == 0) pack((tg_matrix){ p.b, p.b_row, p.b_column }, p.k, p.n, t->index, t->shared);
    else grad_w_block(&p, t->index, t->shared, t->scratch);
}

TG_VECTOR_KERNEL(linear_grad_w_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = grad_w_scratch,
                                           .tasks = grad_w_tasks, .run = grad_w_run };
