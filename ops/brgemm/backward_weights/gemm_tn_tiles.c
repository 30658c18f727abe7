/* gemm_tn_tiles.c - see gemm_tn_tiles.h. */
#include "gemm_tn_tiles.h"

enum { PACKED = 8 }; /* micro-panels of B that a task packs */

/* ---- the plan ---- */

bool tg_gemm_tn_tiles_plan(const tg_gemm_tn_shape *shape, tg_gemm_tn_tiles *g)
{
    *g = (tg_gemm_tn_tiles){ .shape = *shape, .rows = shape->task_rows };
    g->steps = ceil_div(shape->k, TG_IMAGES);
    g->height = shape->m > TG_TILE && g->rows > TG_TILE ? 2 * TG_TILE : TG_TILE;
    g->tiles = TG_MACRO_TILE / TG_TILE / TG_TILE / (g->height / TG_TILE);
    g->b_panels = ceil_div(shape->n, g->tiles * TG_TILE);
    return g->rows && g->steps <= TG_FEW_STEPS;
}

/* Bytes of a micro-panel of A, and of B. */
static int64_t a_panel(const tg_gemm_tn_tiles *g) { return g->steps * g->height / TG_TILE * TG_A_TILE; }
static int64_t b_panel(const tg_gemm_tn_tiles *g) { return g->steps * g->tiles * TG_B_TILE; }

tg_scratch tg_gemm_tn_tiles_scratch(const tg_gemm_tn_tiles *g)
{
    return (tg_scratch){ .shared = (size_t)(g->b_panels * b_panel(g)),
                         .worker = (size_t)(ceil_div(g->rows, g->height) * a_panel(g)) };
}

int64_t tg_gemm_tn_tiles_tasks(const tg_gemm_tn_tiles *g, int phase)
{
    if (phase == 0) return ceil_div(g->b_panels, PACKED) * g->steps;
    return phase == 1 ? ceil_div(g->shape.m, g->rows) : 0;
}

/* ---- packing ---- */

static const tg_tile_gemm *mk_of(const tg_gemm_tn_tiles *g) { return g->shape.mk->tile_gemm; }

static int k_of(const tg_gemm_tn_tiles *g, int64_t step) { return (int)imin(TG_IMAGES, g->shape.k - step * TG_IMAGES); }

static void pack_b(const tg_gemm_tn_tiles *g, const uint16_t *b, int64_t index, char *packed)
{
    const int64_t step = tg_digit(&index, g->steps), first = index * PACKED, columns = g->tiles * TG_TILE;
    const int64_t n = g->shape.n;
    const uint16_t *from = b + step * TG_IMAGES * n;
    for (int64_t s = first; s < imin(g->b_panels, first + PACKED); s++) {
        const int64_t left = imin(columns, n - s * columns);
        char *const to = packed + s * b_panel(g) + step * g->tiles * TG_B_TILE;
        mk_of(g)->load_b(from + s * columns, n, k_of(g, step), 0, (int)left, (int)ceil_div(left, TG_TILE) * TG_TILE,
                         (uint16_t *)(void *)to);
    }
}

/* Columns m0 to m1 - 1 of A. */
static void pack_a(const tg_gemm_tn_tiles *g, const uint16_t *a, int64_t m0, int64_t m1, char *to)
{
    const int64_t row = g->shape.m;
    for (int64_t m = m0; m < m1; m += g->height)
        for (int64_t step = 0; step < g->steps; step++, to += g->height / TG_TILE * TG_A_TILE)
            mk_of(g)->load_a(a + step * TG_IMAGES * row + m, row, k_of(g, step), (int)imin(g->height, m1 - m),
                             (uint16_t *)(void *)to);
}

/* ---- products ---- */

/* Rows m0 to m1 - 1 of C, from packed a and b. */
static void multiply(const tg_gemm_tn_tiles *g, int64_t m0, int64_t m1, const char *a, const char *b, float *c)
{
    const int64_t columns = g->shape.n;
    tg_tile_step steps[TG_FEW_STEPS];
    tg_tile_product last = { .c = NULL };
    for (int64_t i = 0; i < g->steps; i++)
        steps[i] = (tg_tile_step){ i * g->height / TG_TILE * TG_A_TILE, i * g->tiles * TG_B_TILE };
    for (int64_t m = m0; m < m1; m += g->height, a += a_panel(g))
        for (int64_t s = 0; s < g->b_panels; s++) {
            const int64_t n = s * g->tiles * TG_TILE;
            const tg_tile_product p = {
                .m = (int)imin(g->height, m1 - m),
                .a = a,
                .b = b + s * b_panel(g),
                .n = (int)imin(g->tiles * TG_TILE, columns - n),
                .b_stride = TG_B_TILE,
                .c = c + m * columns + n,
                .row = columns,
                .step = steps,
                .count = (int)g->steps,
            };
            if (last.c) mk_of(g)->run(&last, p.c);
            last = p;
        }
    mk_of(g)->run(&last, last.c);
}

void tg_gemm_tn_tiles_run(const tg_gemm_tn_tiles *g, const tg_grad_w_data *d, const tg_task *t)
{
    const int64_t m0 = t->index * g->rows, m1 = imin(g->shape.m, m0 + g->rows);
    if (t->phase == 0) {
        pack_b(g, d->x, t->index, t->shared);
        return;
    }
    pack_a(g, d->gy, m0, m1, t->scratch);
    multiply(g, m0, m1, t->scratch, t->shared, d->gw);
    mk_of(g)->leave();
}
