/* linear_vector.c - linear, linear_relu and linear's derivatives.
 *
 * Forward: with few rows the weights are the larger operand, and would be needed transposed, which costs up to a third
 * of the product. So y^T = w x^T is computed: w is read in place, x^T is packed once for all tasks, and a block of y^T
 * is transposed while it is in the cache. Backward-weights packs x once, too. */
#include "product_blocks.h"

enum {
    PIECE = 128,            /* depth that a task packs */
    TASKS = 16,             /* of forward: with fewer outputs each, x is read too often */
    LEAST_ROWS = 2 * TG_MR, /* of a task of backward-weights that computes whole rows: likewise */
};

/* ---- the operand packed once for all tasks: b[k, n] ---- */

static int64_t packing_tasks(int64_t k, int64_t n) { return ceil_div(n, TG_NR) * ceil_div(k, PIECE); }
static size_t packed_bytes(int64_t k, int64_t n) { return (size_t)(k * tg_panel_width(n)) * sizeof(float); }

static void linear_pack(tg_matrix b, int64_t k, int64_t n, int64_t index, float *packed)
{
    const int64_t pieces = ceil_div(k, PIECE), n0 = index / pieces * TG_NR, k0 = index % pieces * PIECE;
    const int64_t n1 = n0 + TG_NR < n ? n0 + TG_NR : n, k1 = k0 + PIECE < k ? k0 + PIECE : k;
    tg_pack_panel(&b, k0, k1, n0, n1, packed + n0 * k + k0 * tg_panel_width(n1 - n0));
}

/* ---- forward ---- */

static bool from_weights(const tg_product *p) { return p->m <= p->n && p->m <= TG_NC; }

static int64_t outputs_of_task(const tg_product *p)
{
    const int64_t outputs = ceil_div(ceil_div(p->n, TASKS), TG_MR) * TG_MR;
    return outputs < TG_MC ? outputs : TG_MC;
}

/* A block of y^T; the same transposed, if it has to be rounded; a block of w, if it has to be widened. */
typedef struct {
    int64_t pitch, y_pitch, y, w, all;
} linear_layout;

static linear_layout linear_layout_of(const tg_product *p)
{
    const int64_t outputs = outputs_of_task(p);
    linear_layout l = { .pitch = tg_panel_width(p->m) + TG_LANES, .y_pitch = p->n }; /* not a power of two */
    l.y = outputs * l.pitch;
    if (p->y_is_bf16) l.y_pitch = tg_panel_width(outputs);
    l.w = l.y + (p->y_is_bf16 ? p->m * l.y_pitch : 0);
    l.all = l.w + (p->is_bf16 ? TG_GEMM_A : 0);
    return l;
}

/* Outputs n0 .. n1 - 1 of a row. */
static void linear_finish(const tg_product *p, float *y, int64_t m, int64_t n0, int64_t n1)
{
    if (p->bias)
        for (int64_t i = 0; i < n1 - n0; i++) y[i] += p->bias[n0 + i];
    if (p->relu)
        for (int64_t i = 0; i < n1 - n0; i++) y[i] = y[i] < 0 ? 0 : y[i];
    if (p->y_is_bf16) tg_narrow(y, true, n1 - n0, tg_at(p->y, true, m * p->n + n0));
}

static void linear_multiply(const tg_product *p, int64_t index, const float *packed, float *block)
{
    const linear_layout l = linear_layout_of(p);
    const int64_t n0 = index * outputs_of_task(p), n1 = n0 + outputs_of_task(p);
    const tg_cell c = { n0, n1 < p->n ? n1 : p->n, 0, p->m };
    const tg_matrix w = { p->b, p->b_column, p->b_row, p->is_bf16 };
    const tg_gemm g = { .k = p->k, .a = &w, .pack_a = p->is_bf16 ? tg_pack_rows : NULL, .packed_b = packed };
    float *rows[TG_MC], *const y = p->y_is_bf16 ? block + l.y : (float *)p->y + n0;
    for (int64_t n = c.m0; n < c.m1; n++) rows[n - c.m0] = block + (n - c.m0) * l.pitch;
    tg_gemm_block(&g, c, rows, block + l.w);
    tg_pack_transposed(block, l.pitch, p->m, c.m1 - c.m0, y, l.y_pitch);
    for (int64_t m = 0; m < p->m; m++) linear_finish(p, y + m * l.y_pitch, m, c.m0, c.m1);
}

static const char *linear_reject(const tg_call *c)
{
    const tg_dtype y = c->out[0]->dtype, a = c->in[0]->dtype, b = c->in[1]->dtype;
    if (a != b || (a != TG_F32 && a != TG_BF16)) return "want f32 or bf16";
    if (c->op->n_in > 2 && c->in[2] && c->in[2]->dtype != TG_F32) return "want a bias in f32";
    return y == TG_F32 || y == TG_BF16 ? NULL : "want f32 or bf16";
}

static tg_scratch linear_scratch(const tg_call *c)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) return tg_product_scratch(&p);
    return (tg_scratch){ .shared = packed_bytes(p.k, p.m), .worker = (size_t)linear_layout_of(&p).all * sizeof(float) };
}

static int64_t linear_tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) return phase == 0 ? tg_product_blocks(&p, 1) : 0;
    if (phase == 0) return packing_tasks(p.k, p.m);
    return phase == 1 ? ceil_div(p.n, outputs_of_task(&p)) : 0;
}

static void linear_run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_product(c);
    if (!from_weights(&p)) tg_product_block(&p, 1, t->index, t->scratch);
    else if (t->phase == 0)
        linear_pack((tg_matrix){ p.a, p.a_column, p.a_row, p.is_bf16 }, p.k, p.m, t->index, t->shared);
    else linear_multiply(&p, t->index, t->shared, t->scratch);
}

TG_VECTOR_KERNEL(linear_vector) = { TG_VECTOR_HEAD, .reject = linear_reject, .scratch = linear_scratch,
                                    .tasks = linear_tasks, .run = linear_run };
TG_VECTOR_KERNEL(linear_relu_vector) = { TG_VECTOR_HEAD, .reject = linear_reject, .scratch = linear_scratch,
                                         .tasks = linear_tasks, .run = linear_run };

/* ---- backward-data ---- */

static tg_scratch linear_grad_x_scratch(const tg_call *c)
{
    const tg_product p = tg_linear_grad_x_product(c);
    return tg_product_scratch(&p);
}

static int64_t linear_grad_x_tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_grad_x_product(c);
    return phase == 0 ? tg_product_blocks(&p, 1) : 0;
}

static void linear_grad_x_run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_grad_x_product(c);
    tg_product_block(&p, 1, t->index, t->scratch);
}

TG_VECTOR_KERNEL(linear_grad_x_vector) = { TG_VECTOR_HEAD, .reject = linear_reject, .scratch = linear_grad_x_scratch,
                                           .tasks = linear_grad_x_tasks, .run = linear_grad_x_run };

/* ---- backward-weights ---- */

static tg_scratch linear_grad_w_scratch(const tg_call *c)
{
    const tg_product p = tg_linear_grad_w_product(c);
    return (tg_scratch){ .shared = packed_bytes(p.k, p.n), .worker = tg_gemm_scratch(false) };
}

/* Whole rows, if there are enough for several tasks. */
static tg_grid linear_grad_w_grid(const tg_call *c)
{
    const int64_t rows = tg_rows_to_make(c->out[0]), m = c->out[0]->dim[0], n = c->out[0]->dim[1];
    if (rows < LEAST_ROWS || rows > TG_MC) return tg_grid_of_packed(m, n, 1);
    return (tg_grid){ m, n, rows, n, ceil_div(m, rows), 1 };
}

static int64_t linear_grad_w_makes(const tg_call *c)
{
    const tg_grid grid = linear_grad_w_grid(c);
    return grid.across == 1 ? grid.rows * grid.n : 0;
}

static int64_t linear_grad_w_tasks(const tg_call *c, int phase)
{
    const tg_product p = tg_linear_grad_w_product(c);
    const tg_grid grid = linear_grad_w_grid(c);
    return phase == 0 ? packing_tasks(p.k, p.n) : phase == 1 ? tg_grid_cells(&grid) : 0;
}

static void linear_grad_w_block(const tg_product *p, tg_cell c, const float *packed, float *scratch)
{
    const tg_matrix gy = { p->a, p->a_row, p->a_column, p->is_bf16 };
    const tg_gemm g = { .k = p->k, .a = &gy, .pack_a = tg_pack_columns, .by_columns = true, .packed_b = packed };
    float *rows[TG_MC];
    for (int64_t m = c.m0; m < c.m1; m++) rows[m - c.m0] = (float *)p->y + m * p->n;
    tg_gemm_block(&g, c, rows, scratch);
}

static void linear_grad_w_run(const tg_call *c, const tg_task *t)
{
    const tg_product p = tg_linear_grad_w_product(c);
    const tg_grid grid = linear_grad_w_grid(c);
    if (t->phase == 0) linear_pack((tg_matrix){ p.b, p.b_row, p.b_column, p.is_bf16 }, p.k, p.n, t->index, t->shared);
    else linear_grad_w_block(&p, tg_grid_cell(&grid, t->index), t->shared, t->scratch);
}

TG_VECTOR_KERNEL(linear_grad_w_vector) = { TG_VECTOR_HEAD,
                                           .reject = linear_reject,
                                           .scratch = linear_grad_w_scratch,
                                           .tasks = linear_grad_w_tasks,
                                           .makes = linear_grad_w_makes,
                                           .run = linear_grad_w_run };
