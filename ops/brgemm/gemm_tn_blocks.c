/* gemm_tn_blocks.c - see gemm_tn_blocks.h. */
#include "gemm_tn_blocks.h"
#include "nest_block.h"

enum { PACKED = 8 }; /* strips of B that a task packs */

/* ---- the plan ---- */

bool tg_gemm_tn_blocks_plan(tg_gemm_tn_blocks *g)
{
    g->rows = tg_rows_to_make(g->c);
    g->steps = ceil_div(g->k, TG_IMAGES);
    g->height = g->m > TG_TILE && g->rows > TG_TILE ? 2 * TG_TILE : TG_TILE;
    g->tiles = TG_BLOCK_SUMS / TG_TILE / TG_TILE / (g->height / TG_TILE);
    g->strips = ceil_div(g->n, g->tiles * TG_TILE);
    return g->rows && g->steps <= TG_FEW_STEPS;
}

/* Bytes */
static int64_t a_strip(const tg_gemm_tn_blocks *g) { return g->steps * g->height / TG_TILE * TG_A_TILE; }
static int64_t b_strip(const tg_gemm_tn_blocks *g) { return g->steps * g->tiles * TG_B_TILE; }

tg_scratch tg_gemm_tn_blocks_scratch(const tg_gemm_tn_blocks *g)
{
    return (tg_scratch){ .shared = (size_t)(g->strips * b_strip(g)),
                         .worker = (size_t)(ceil_div(g->rows, g->height) * a_strip(g)) };
}

int64_t tg_gemm_tn_blocks_tasks(const tg_gemm_tn_blocks *g, int phase)
{
    if (phase == 0) return ceil_div(g->strips, PACKED) * g->steps;
    return phase == 1 ? ceil_div(g->m, g->rows) : 0;
}

/* ---- packing ---- */

static int places_of(const tg_gemm_tn_blocks *g, int64_t step) { return (int)imin(TG_IMAGES, g->k - step * TG_IMAGES); }

static void pack_b(const tg_gemm_tn_blocks *g, int64_t index, char *packed)
{
    const int64_t step = tg_digit(&index, g->steps), first = index * PACKED, columns = g->tiles * TG_TILE;
    const uint16_t *from = (const uint16_t *)tg_ptr(g->b) + step * TG_IMAGES * g->n;
    for (int64_t s = first; s < imin(g->strips, first + PACKED); s++) {
        const int64_t left = imin(columns, g->n - s * columns);
        char *const to = packed + s * b_strip(g) + step * g->tiles * TG_B_TILE;
        g->mk->load_b(from + s * columns, g->n, places_of(g, step), 0, (int)left,
                      (int)ceil_div(left, TG_TILE) * TG_TILE, (uint16_t *)(void *)to);
    }
}

/* Columns m0 .. m1 - 1 of A. */
static void pack_a(const tg_gemm_tn_blocks *g, int64_t m0, int64_t m1, char *to)
{
    for (int64_t m = m0; m < m1; m += g->height)
        for (int64_t step = 0; step < g->steps; step++, to += g->height / TG_TILE * TG_A_TILE)
            g->mk->load_a((const uint16_t *)tg_ptr(g->a) + step * TG_IMAGES * g->m + m, g->m, places_of(g, step),
                          (int)imin(g->height, m1 - m), (uint16_t *)(void *)to);
}

/* ---- products ---- */

static void multiply(const tg_gemm_tn_blocks *g, int64_t m0, int64_t m1, const char *a, const char *b)
{
    tg_step steps[TG_FEW_STEPS];
    tg_block_product last = { .c = NULL };
    for (int64_t i = 0; i < g->steps; i++)
        steps[i] = (tg_step){ i * g->height / TG_TILE * TG_A_TILE, i * g->tiles * TG_B_TILE };
    for (int64_t m = m0; m < m1; m += g->height, a += a_strip(g))
        for (int64_t s = 0; s < g->strips; s++) {
            const int64_t n = s * g->tiles * TG_TILE;
            const tg_block_product p = {
                .m = (int)imin(g->height, m1 - m),
                .a = a,
                .b = b + s * b_strip(g),
                .n = (int)imin(g->tiles * TG_TILE, g->n - n),
                .apart = TG_B_TILE,
                .c = (float *)tg_ptr(g->c) + m * g->n + n,
                .row = g->n,
                .step = steps,
                .count = (int)g->steps,
            };
            if (last.c) g->mk->run(&last, p.c);
            last = p;
        }
    g->mk->run(&last, last.c);
}

void tg_gemm_tn_blocks_run(const tg_gemm_tn_blocks *g, const tg_task *t)
{
    const int64_t m0 = t->index * g->rows, m1 = imin(g->m, m0 + g->rows);
    if (t->phase == 0) {
        pack_b(g, t->index, t->shared);
        return;
    }
    pack_a(g, m0, m1, t->scratch);
    multiply(g, m0, m1, t->scratch, t->shared);
    g->mk->leave();
}
