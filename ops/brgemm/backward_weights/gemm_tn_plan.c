/* gemm_tn_plan.c - how C = A^T B is cut: by shape, never by the number of threads. */
#include "gemm_tn.h"

enum {
    SIDE = 256, /* most rows and columns of a block: packing it is noise beside its products */
    LEAST_SIDE = 64,
    DEPTH = 256,          /* of a k-block: sums are rarely read and written, and its A fits in the cache */
    PART = 2 * DEPTH,     /* least k of a part, beside which its sums are noise */
    TASKS = 32,           /* wanted; but */
    ENOUGH_TASKS = 16,    /* ... this many are better than cutting k into parts */
    SUM_BYTES = 16 << 20, /* most of all parts of C */
    B_BYTES = 8 << 20,    /* most of a B that is packed for all tasks */
};

/* The size of nearly equal pieces of at most `most`, rounded up to `unit`. */
static int64_t piece(int64_t n, int64_t most, int64_t unit) { return round_up(ceil_div(n, ceil_div(n, most)), unit); }

static void set_block(tg_gemm_tn *g, int64_t rows, int64_t columns)
{
    g->rows = piece(g->shape.m, imax(rows, LEAST_SIDE), 16);
    g->columns = piece(g->shape.n, imax(columns, LEAST_SIDE), TG_PANEL);
    g->down = ceil_div(g->shape.m, g->rows);
    g->across = ceil_div(g->shape.n, g->columns);
}

/* B is packed once for all tasks, so a task may be a few whole rows of C. */
static bool choose_rows(tg_gemm_tn *g)
{
    const tg_gemm_tn_shape *s = &g->shape;
    const int64_t rows = s->task_rows, bytes = g->k_blocks * g->panels * (int64_t)g->bytes.b;
    if (!rows || s->groups > 1 || s->k >= 2 * PART || bytes > B_BYTES) return false;
    g->rows = rows;
    g->columns = s->n;
    g->down = ceil_div(s->m, rows);
    g->across = g->parts = 1;
    return true;
}

/* Enough tasks: by cutting k if it is long, otherwise by smaller blocks. */
static void choose_blocks(tg_gemm_tn *g)
{
    const tg_gemm_tn_shape *s = &g->shape;
    const int64_t all = s->groups * s->m * s->n * (int64_t)sizeof(float), wanted = ceil_div(TASKS, s->groups);
    const int64_t most = imax(1, imin(s->k / PART, SUM_BYTES / all));
    set_block(g, SIDE, SIDE);
    g->parts = 1;
    if (s->groups * g->down * g->across >= ENOUGH_TASKS) return;
    while (g->down * g->across * most < wanted && (g->rows > LEAST_SIDE || g->columns > LEAST_SIDE)) {
        if (g->rows > g->columns) set_block(g, g->rows / 2, g->columns);
        else set_block(g, g->rows, g->columns / 2);
    }
    g->parts = imin(most, ceil_div(wanted, g->down * g->across));
}

tg_gemm_tn tg_gemm_tn_plan(const tg_gemm_tn_shape *shape)
{
    tg_gemm_tn g = { .shape = *shape };
    const tg_microkernel *mk = shape->mk;
    const int64_t k = shape->k, most = imin(mk->max_k, DEPTH), size = (int64_t)tg_dtype_size(shape->b_dtype);
    g.element_k = most < TG_MAX_K ? most : ceil_div(k, ceil_div(k, most));
    g.depth = DEPTH / g.element_k * g.element_k;
    const int64_t elements = g.depth / g.element_k;
    g.k_blocks = ceil_div(k - k % g.element_k, g.depth) + (k % g.element_k > 0);
    g.panels = ceil_div(shape->n, TG_PANEL);
    g.bytes.b = tg_aligned(elements * (int64_t)mk->packed_sizes(1, (int)g.element_k).b_bytes);
    g.whole = choose_rows(&g);
    if (!g.whole) choose_blocks(&g);
    g.bytes.a = tg_aligned(elements * (int64_t)mk->packed_sizes((int)g.rows, (int)g.element_k).a_bytes);
    g.bytes.copy = shape->b_rows.pixels < k ? tg_aligned(g.element_k * TG_PANEL * size) : 0;
    g.bytes.batch = tg_aligned(elements * (int64_t)sizeof(tg_batch_element));
    return g;
}

tg_scratch tg_gemm_tn_scratch(const tg_gemm_tn *g)
{
    const tg_gemm_tn_shape *s = &g->shape;
    const size_t worker = g->bytes.a + g->bytes.copy + g->bytes.batch;
    if (g->whole) return (tg_scratch){ .shared = (size_t)(g->k_blocks * g->panels) * g->bytes.b, .worker = worker };
    return (tg_scratch){ .shared = (size_t)((g->parts - 1) * s->groups * s->m * s->n) * sizeof(float),
                         .worker = worker + g->bytes.b };
}

int64_t tg_gemm_tn_tasks(const tg_gemm_tn *g, int phase)
{
    const int64_t blocks = g->shape.groups * g->parts * g->down * g->across;
    if (g->whole) return phase == 0 ? g->k_blocks * g->panels : phase == 1 ? blocks : 0;
    if (phase == 0) return blocks;
    return phase == 1 && g->parts > 1 ? g->shape.groups * g->shape.m : 0;
}

int64_t tg_gemm_tn_rows(const tg_gemm_tn *g) { return g->whole ? g->rows : 0; }
