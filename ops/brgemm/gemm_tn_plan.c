/* gemm_tn_plan.c - how C = A^T B is cut: by its shape, never by the number of threads. */
#include "gemm_tn.h"
#include "nest_block.h"

enum {
    SIDE = 256,                         /* most rows and columns of a block: packing is noise beside its products */
    LEAST_SIDE = 64,
    DEPTH = 256,                        /* of a slab: sums are read and written rarely, and its A fits in the cache */
    PART = 2 * DEPTH,                   /* least k of a part: so that its sums are noise */
    TASKS = 32,
    SUM_BYTES = 16 << 20,               /* most of all parts of C */
};

static int64_t rounded_up(int64_t n, int64_t unit) { return tg_div_up(n, unit) * unit; }

/* Nearly equal pieces of at most `most`, in units. */
static int64_t piece(int64_t n, int64_t most, int64_t unit)
{
    return rounded_up(tg_div_up(n, tg_div_up(n, most)), unit);
}

static void set_block(tg_gemm_tn *g, int64_t rows, int64_t columns)
{
    g->rows = piece(g->m, tg_most(rows, LEAST_SIDE), 16);
    g->columns = piece(g->n, tg_most(columns, LEAST_SIDE), TG_PANEL);
    g->down = tg_div_up(g->m, g->rows);
    g->across = tg_div_up(g->n, g->columns);
}

/* Enough tasks: by cutting k if it is long, else smaller blocks. */
static void choose_blocks(tg_gemm_tn *g)
{
    const int64_t all = g->groups * g->m * g->n * (int64_t)sizeof(float), wanted = tg_div_up(TASKS, g->groups);
    const int64_t most = tg_most(1, tg_least(g->k / PART, SUM_BYTES / all));
    set_block(g, SIDE, SIDE);
    while (g->down * g->across * most < wanted && (g->rows > LEAST_SIDE || g->columns > LEAST_SIDE)) {
        if (g->rows > g->columns) set_block(g, g->rows / 2, g->columns);
        else set_block(g, g->rows, g->columns / 2);
    }
    g->parts = tg_least(most, tg_div_up(wanted, g->down * g->across));
}

void tg_gemm_tn_plan(tg_gemm_tn *g)
{
    const int64_t most = tg_least(g->mk->places, DEPTH), size = (int64_t)tg_dtype_size(g->b->dtype);
    g->places = most < TG_MAX_PLACES ? most : tg_div_up(g->k, tg_div_up(g->k, most));
    g->depth = DEPTH / g->places * g->places;
    choose_blocks(g);
    const int64_t   bricks = g->depth / g->places;
    const tg_places tile = g->mk->places_of((int)g->rows, (int)g->places);
    g->a_bytes = tg_aligned(bricks * (int64_t)tile.a_bytes);
    g->b_bytes = tg_aligned(bricks * (int64_t)tile.b_bytes);
    g->copy_bytes = g->b_rows.pixels < g->k ? tg_aligned(g->places * TG_PANEL * size) : 0;
    g->brick_bytes = tg_aligned(bricks * (int64_t)sizeof(tg_brick));
}

tg_scratch tg_gemm_tn_scratch(const tg_gemm_tn *g)
{
    return (tg_scratch){ .shared = (size_t)((g->parts - 1) * g->groups * g->m * g->n) * sizeof(float),
                         .worker = g->a_bytes + g->b_bytes + g->copy_bytes + g->brick_bytes };
}

int64_t tg_gemm_tn_tasks(const tg_gemm_tn *g, int phase)
{
    if (phase == 0) return g->groups * g->parts * g->down * g->across;
    return phase == 1 && g->parts > 1 ? g->groups * g->m : 0;
}
