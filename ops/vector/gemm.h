/* gemm.h - matrix product in blocks: the basis of matmul, linear and the convolutions.
 *
 * One task computes one block of the result. It packs its operands, KC deep at a time, into the layouts that the
 * innermost loop reads with constant strides. A `pack` function does that, and so defines the matrices: rows and
 * columns in memory, or the im2col view of an image (patches.h). The depth is always walked in order, so the bits of
 * the result depend on the blocking only. */
#ifndef TG_GEMM_H
#define TG_GEMM_H
#include "vector.h"
#include "ints.h"

#if defined __AVX512F__
enum { TG_LANES = 16, TG_VECS = 4, TG_MR = 12 }; /* register tiles of 6 x 4, 8 x 3 or 12 x 2 of 32 vector registers */
#elif defined __AVX2__
enum { TG_LANES = 8, TG_VECS = 2, TG_MR = 6 }; /* 6 x 2 of 16 */
#else
enum { TG_LANES = 4, TG_VECS = 2, TG_MR = 4 }; /* 4 x 2 of 16: without FMA, products need registers too */
#endif

enum {
    TG_NR = TG_VECS * TG_LANES, /* columns of a panel of B; the last may be narrower */
    TG_MC = 192,                /* maximum rows of a block; a multiple of every TG_MR */
    TG_NC = 512,                /* maximum columns of a block whose task packs B */
    TG_KC = 384,                /* depth packed at a time */
    TG_PITCH = TG_KC + 16,      /* row stride of A packed by rows: avoids mapping all rows to one cache set */
};

typedef struct {
    int64_t m0, m1, n0, n1;
} tg_cell; /* rows m0 .. m1 - 1, columns n0 .. n1 - 1 of a result */

/* Matrices in memory: element (i, j) is element i row + j column of `at`, f32 or bf16. One of the two strides is 1. */
typedef struct {
    const void *at;
    int64_t row, column;
    bool is_bf16;
} tg_matrix;

typedef struct {
    int64_t k;         /* depth; 0: the product is 0 */
    const void *a, *b; /* passed to the two functions */
    /* NULL: a is an f32 tg_matrix whose rows are read in place. Otherwise packs A: element (m, k), m0 <= m < m1, k0 <=
     * k < k1, goes to to[(m - m0) TG_PITCH + k - k0] or, by columns, to to[tg_column_place(m - m0, k - k0)]. */
    void (*pack_a)(const void *a, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to);
    bool by_columns;
    /* Packs B: element (k, n), n0 <= n < n1 <= n0 + TG_NR, goes to to[(k - k0) w + n - n0], w = tg_panel_width(n1 -
     * n0). Padding beyond n1 must be finite. */
    void (*pack_b)(const void *b, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to);
    const float *packed_b; /* or all of B, already packed that way: panel n0 at n0 k. NULL: pack_b is called */
    const float *bias;     /* [n] or NULL: added at the end */
    bool relu;             /* then max(., 0) */
} tg_gemm;

/* Panels are whole vectors wide. */
static inline int64_t tg_panel_width(int64_t columns) { return (columns + TG_LANES - 1) / TG_LANES * TG_LANES; }

static inline int64_t tg_column_place(int64_t m, int64_t k)
{
    return m / TG_MR * TG_KC * TG_MR + k * TG_MR + m % TG_MR;
}

/* Scratch of a task, in floats: its block of A, and a panel of B if it packs B itself. */
enum { TG_GEMM_A = TG_MC * TG_PITCH, TG_GEMM_B = TG_KC * TG_NR };
static inline size_t tg_gemm_scratch(bool b) { return (TG_GEMM_A + (b ? TG_GEMM_B : 0)) * sizeof(float); }

/* A cell of C: at most TG_MC rows. n0 is a multiple of TG_NR, with at most TG_NC columns if B is not packed. Column 0
 * of row m is at rows[m - m0]. */
#define tg_gemm_block TG_JOIN(tg_gemm_block, TG_VECTOR_SUFFIX)
void tg_gemm_block(const tg_gemm *g, tg_cell c, float *const *rows, float *scratch);

/* For matrices in memory. */
#define tg_pack_rows    TG_JOIN(tg_pack_rows, TG_VECTOR_SUFFIX)
#define tg_pack_columns TG_JOIN(tg_pack_columns, TG_VECTOR_SUFFIX)
#define tg_pack_panel   TG_JOIN(tg_pack_panel, TG_VECTOR_SUFFIX)
void tg_pack_rows(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to);    /* column = 1 */
void tg_pack_columns(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to); /* row = 1 */
void tg_pack_panel(const void *matrix, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to);   /* either */

/* to[k width + j] = from[j row + k], 0 <= k < depth, 0 <= j < columns */
#define tg_pack_transposed TG_JOIN(tg_pack_transposed, TG_VECTOR_SUFFIX)
void tg_pack_transposed(const float *from, int64_t row, int64_t depth, int64_t columns, float *to, int64_t width);

/* Splits an m x n result into tasks, by its shape only. 8 tasks (16 if B is packed beforehand) are enough for a small
 * machine to share, and every further task packs its operands again. `others` is the number of such results computed
 * side by side. */
typedef struct {
    int64_t m, n, rows, columns, down, across;
} tg_grid; /* down x across cells of rows x columns */
static inline int64_t tg_grid_cells(const tg_grid *g) { return g->down * g->across; }
static inline void tg_grid_halve(tg_grid *g, int64_t *side, int64_t unit)
{
    *side = ceil_div(ceil_div(*side, 2), unit) * unit;
    g->down = ceil_div(g->m, g->rows);
    g->across = ceil_div(g->n, g->columns);
}

/* Every task packs its part of B, so columns are split before rows: tasks for other rows would pack the same part
 * again. */
static inline tg_grid tg_grid_of(int64_t m, int64_t n, int64_t others)
{
    tg_grid g = { .m = m, .n = n, .rows = 2 * ceil_div(m, ceil_div(m, TG_MC)) };
    g.columns = 2 * ceil_div(n, ceil_div(n, TG_NC));
    tg_grid_halve(&g, &g.rows, TG_MR);
    tg_grid_halve(&g, &g.columns, TG_NR);
    while (g.columns > TG_NR && tg_grid_cells(&g) * others < 8) tg_grid_halve(&g, &g.columns, TG_NR);
    while (g.rows > 4 * TG_MR && tg_grid_cells(&g) * others < 8) tg_grid_halve(&g, &g.rows, TG_MR);
    return g;
}

/* B is packed beforehand, so rows are split before columns: tasks for other columns would pack the same part of A
 * again. */
static inline tg_grid tg_grid_of_packed(int64_t m, int64_t n, int64_t others)
{
    tg_grid g = { .m = m, .n = n, .rows = 2 * ceil_div(m, ceil_div(m, TG_MC)), .columns = 2 * n };
    tg_grid_halve(&g, &g.rows, TG_MR);
    tg_grid_halve(&g, &g.columns, TG_NR);
    while (g.rows > 8 * TG_MR && tg_grid_cells(&g) * others < 16) tg_grid_halve(&g, &g.rows, TG_MR);
    while (g.columns > TG_NR && tg_grid_cells(&g) * others < 16) tg_grid_halve(&g, &g.columns, TG_NR);
    return g;
}
static inline tg_cell tg_grid_cell(const tg_grid *g, int64_t index)
{
    const int64_t m0 = index / g->across * g->rows, n0 = index % g->across * g->columns;
    const int64_t m1 = m0 + g->rows, n1 = n0 + g->columns;
    return (tg_cell){ m0, m1 < g->m ? m1 : g->m, n0, n1 < g->n ? n1 : g->n };
}
#endif
