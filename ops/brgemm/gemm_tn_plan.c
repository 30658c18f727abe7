/* gemm_tn_plan.c - how C = A^T B is cut: by its shape, never by the number of threads. */
#include "gemm_tn.h"
#include "nest_block.h"
#include "ints.h"

enum {
    SIDE = 256, /* most rows and columns of a block: packing is noise beside its products */
    LEAST_SIDE = 64,
    DEPTH = 256,          /* of a slab: sums are read and written rarely, and its A fits in the cache */
    PART = 2 * DEPTH,     /* least k of a part: so that its sums are noise */
    TASKS = 32,           /* wanted; */
    ENOUGH_TASKS = 16,    /* so many are better than parts */
    SUM_BYTES = 16 << 20, /* most of all parts of C */
    B_BYTES = 8 << 20,    /* most of B, packed for all tasks */
};

/* Nearly equal pieces of at most `most`, in units. */
static int64_t piece(int64_t n, int64_t most, int64_t unit) { return round_up(ceil_div(n, ceil_div(n, most)), unit); }

static void set_block(tg_gemm_tn *g, int64_t rows, int64_t columns)
{
    g->rows = piece(g->m, imax(rows, LEAST_SIDE), 16);
    g->columns = piece(g->n, imax(columns, LEAST_SIDE), TG_PANEL);
    g->down = ceil_div(g->m, g->rows);
    g->across = ceil_div(g->n, g->columns);
}

/* B is packed once, so a task may be few rows of it all. */
static bool choose_rows(tg_gemm_tn *g)
{
    const int64_t rows = tg_rows_to_make(g->c);
    const int64_t bytes = g->slabs * g->panels * (int64_t)g->b_bytes;
    if (!rows || g->groups > 1 || g->k >= 2 * PART || bytes > B_BYTES) return false;
    g->rows = rows;
    g->columns = g->n;
    g->down = ceil_div(g->m, rows);
    g->across = g->parts = 1;
    return true;
}

/* Enough tasks: by cutting k if it is long, else smaller blocks. */
static void choose_blocks(tg_gemm_tn *g)
{
    const int64_t all = g->groups * g->m * g->n * (int64_t)sizeof(float), wanted = ceil_div(TASKS, g->groups);
    const int64_t most = imax(1, imin(g->k / PART, SUM_BYTES / all));
    set_block(g, SIDE, SIDE);
    g->parts = 1;
    if (g->groups * g->down * g->across >= ENOUGH_TASKS) return;
    while (g->down * g->across * most < wanted && (g->rows > LEAST_SIDE || g->columns > LEAST_SIDE)) {
        if (g->rows > g->columns) set_block(g, g->rows / 2, g->columns);
        else set_block(g, g->rows, g->columns / 2);
    }
    g->parts = imin(most, ceil_div(wanted, g->down * g->across));
}

void tg_gemm_tn_plan(tg_gemm_tn *g)
{
    const int64_t most = imin(g->mk->places, DEPTH), size = (int64_t)tg_dtype_size(g->b->dtype);
    g->places = most < TG_MAX_PLACES ? most : ceil_div(g->k, ceil_div(g->k, most));
    g->depth = DEPTH / g->places * g->places;
    const int64_t bricks = g->depth / g->places;
    g->slabs = ceil_div(g->k - g->k % g->places, g->depth) + (g->k % g->places > 0);
    g->panels = ceil_div(g->n, TG_PANEL);
    g->b_bytes = tg_aligned(bricks * (int64_t)g->mk->places_of(1, (int)g->places).b_bytes);
    g->whole = choose_rows(g);
    if (!g->whole) choose_blocks(g);
    g->a_bytes = tg_aligned(bricks * (int64_t)g->mk->places_of((int)g->rows, (int)g->places).a_bytes);
    g->copy_bytes = g->b_rows.pixels < g->k ? tg_aligned(g->places * TG_PANEL * size) : 0;
    g->brick_bytes = tg_aligned(bricks * (int64_t)sizeof(tg_brick));
}

tg_scratch tg_gemm_tn_scratch(const tg_gemm_tn *g)
{
    if (g->whole)
        return (tg_scratch){ .shared = (size_t)(g->slabs * g->panels) * g->b_bytes,
                             .worker = g->a_bytes + g->copy_bytes + g->brick_bytes };
    return (tg_scratch){ .shared = (size_t)((g->parts - 1) * g->groups * g->m * g->n) * sizeof(float),
                         .worker = g->a_bytes + g->b_bytes + g->copy_bytes + g->brick_bytes };
}

int64_t tg_gemm_tn_tasks(const tg_gemm_tn *g, int phase)
{
    const int64_t blocks = g->groups * g->parts * g->down * g->across;
    if (g->whole) return phase == 0 ? g->slabs * g->panels : phase == 1 ? blocks : 0;
    if (phase == 0) return blocks;
    return phase == 1 && g->parts > 1 ? g->groups * g->m : 0;
}

int64_t tg_gemm_tn_rows(const tg_gemm_tn *g) { return g->whole ? g->rows : 0; }
