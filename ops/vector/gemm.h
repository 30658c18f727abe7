/* gemm.h - the product of two matrices, in blocks: what matmul, linear and the convolutions are made of.
 *
 * A block of the result is computed by one task.  Its operands are copied, KC deep at a time, into the layouts that the
 * innermost loop reads with constant distances; a `pack` function does that, and so decides what the matrices are: rows
 * and columns in memory, or an image seen through the taps of a kernel (patches.h).  The depth is walked in order, so
 * the bits of the result depend on the cuts only. */
#ifndef TG_GEMM_H
#define TG_GEMM_H
#include "vector.h"

#if defined __AVX512F__
enum { TG_LANES = 16, TG_MR = 12 };     /* 12 x 2 accumulators, of 32 registers */
#elif defined __AVX2__
enum { TG_LANES = 8, TG_MR = 6 };       /* 6 x 2 of 16 */
#else
enum { TG_LANES = 4, TG_MR = 4 };       /* 4 x 2 of 16: products need one more without fused multiply-add */
#endif

enum {
    TG_NR = 2 * TG_LANES,               /* columns of a panel of B */
    TG_MC = 192,                        /* most rows of a block; a multiple of every TG_MR */
    TG_NC = 256,                        /* most columns of a block whose B is packed by its task */
    TG_KC = 256,                        /* depth packed at a time */
    TG_PITCH = TG_KC + 16,              /* of A packed by rows: lines do not fall into one set of the cache */
};

typedef struct tg_gemm tg_gemm;
struct tg_gemm {
    int64_t k;                          /* depth; 0: the product is 0 */
    const void *a, *b;                  /* for the two functions */
    /* Element (m, k) of A, m0 <= m < m1, k0 <= k < k1, goes to to[(m - m0) TG_PITCH + k - k0]; or, by columns, to
     * to[tg_column_place(m - m0, k - k0)]. */
    void (*pack_a)(const void *a, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to);
    bool  by_columns;
    /* Element (k, n) of B, n0 <= n < n1 <= n0 + TG_NR, goes to to[(k - k0) TG_NR + n - n0]; what lies beyond n1 is finite. */
    void (*pack_b)(const void *b, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to);
    const float *packed_b;              /* or all of B, packed so: panel p at p k TG_NR; NULL: pack_b is called */
    const float *bias;                  /* [n] or NULL: added at the end */
    bool  relu;                         /* then max(., 0) */
    bool  add;                          /* the product is added to what is there */
};

static inline int64_t tg_column_place(int64_t m, int64_t k) { return m / TG_MR * TG_KC * TG_MR + k * TG_MR + m % TG_MR; }

/* Panels of A by rows and of B that a task needs at once, in floats; b: it packs B itself. */
enum { TG_GEMM_A = TG_MC * TG_PITCH, TG_GEMM_B = TG_KC * TG_NC };
static inline size_t tg_gemm_scratch(bool b) { return (TG_GEMM_A + (b ? TG_GEMM_B : 0)) * sizeof(float); }

/* C[m, n] for m0 <= m < m1 (at most TG_MC of them), n0 <= n < n1 (n0 a multiple of TG_NR; at most TG_NC of them if B is
 * not packed).  Column 0 of row m lies at rows[m - m0]. */
#define tg_gemm_block TG_JOIN(tg_gemm_block, TG_VECTOR_SUFFIX)
void tg_gemm_block(const tg_gemm *g, int64_t m0, int64_t m1, int64_t n0, int64_t n1, float *const *rows, float *scratch);

/* Matrices in memory: element (i, j) at at[i row + j column], one of the two distances 1. */
typedef struct { const float *at; int64_t row, column; } tg_matrix;
#define tg_pack_rows    TG_JOIN(tg_pack_rows, TG_VECTOR_SUFFIX)
#define tg_pack_columns TG_JOIN(tg_pack_columns, TG_VECTOR_SUFFIX)
#define tg_pack_panel   TG_JOIN(tg_pack_panel, TG_VECTOR_SUFFIX)
void tg_pack_rows   (const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to);   /* column = 1 */
void tg_pack_columns(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to);   /* row = 1 */
void tg_pack_panel  (const void *matrix, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to);   /* either */

static inline int64_t tg_div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* A result of m x n cut into tasks: by its shape only.  `other` tasks for each block are to come on top. */
typedef struct { int64_t m, n, rows, columns, down, across; } tg_grid;       /* blocks of rows x columns; down x across */
static inline tg_grid tg_grid_of(int64_t m, int64_t n, int64_t most_columns, int64_t other)
{
    enum { ENOUGH = 16 };               /* tasks for a small machine to share; each costs a copy of its operands */
    int64_t rows = tg_div_up(m, tg_div_up(m, TG_MC)), columns = n < most_columns ? n : most_columns;
    while (tg_div_up(m, rows) * tg_div_up(n, columns) * other < ENOUGH && columns > 2 * TG_NR) columns = tg_div_up(columns, 2);
    while (tg_div_up(m, rows) * tg_div_up(n, columns) * other < ENOUGH && rows > 4 * TG_MR) rows = tg_div_up(rows, 2);
    rows = tg_div_up(rows, TG_MR) * TG_MR;
    columns = tg_div_up(columns, TG_NR) * TG_NR;
    return (tg_grid){ m, n, rows, columns, tg_div_up(m, rows), tg_div_up(n, columns) };
}
typedef struct { int64_t m0, m1, n0, n1; } tg_cell;
static inline tg_cell tg_grid_cell(const tg_grid *g, int64_t index)
{
    int64_t m0 = index / g->across * g->rows, n0 = index % g->across * g->columns;
    return (tg_cell){ m0, m0 + g->rows < g->m ? m0 + g->rows : g->m, n0, n0 + g->columns < g->n ? n0 + g->columns : g->n };
}
#endif
