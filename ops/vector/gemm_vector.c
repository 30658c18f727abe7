/* gemm_vector.c - see gemm.h.  The innermost loop keeps TG_MR x 2 vectors of the result in registers. */
#include "gemm.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* A vector may lie anywhere in memory. */
typedef float   vec  __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * TG_LANES)));

/* How a tile goes out: rows of C, the columns of it that exist, what is added. */
typedef struct {
    float *const *rows;
    int64_t       column;               /* of the tile's first */
    int           columns;              /* 1 .. TG_NR */
    bool          add, relu;
    const float  *bias;                 /* of the tile's first column, or NULL */
} target;

INLINE vec positive(vec v) { return (vec)((mask)v & ~(mask)(v < 0)); }       /* a NaN stays: it is not below 0 */

INLINE vec finished(vec v, const target *t, const float *to, int lane)
{
    if (t->add) v += *(const vec *)(to + lane);
    if (t->bias) v += *(const vec *)(t->bias + lane);
    return t->relu ? positive(v) : v;
}

/* The last columns of C: vectors would reach beyond its row, so the values go through a buffer. */
static __attribute__((noinline)) void store_some(const target *t, int rows, const float *tile)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < t->columns; i++) {
            float *to = t->rows[r] + t->column + i, v = tile[r * TG_NR + i];
            if (t->add) v += *to;
            if (t->bias) v += t->bias[i];
            *to = t->relu && v < 0 ? 0 : v;
        }
}

/* rows x vecs accumulators over a depth of k.  Element (r, t) of A lies at a[r across + t along]. */
INLINE void tile(int rows, int vecs, int across, int along, int64_t k, const float *a, const float *b, const target *to)
{
    vec sum[TG_MR][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = (vec){ 0 };
    for (int64_t t = 0; t < k; t++, a += along, b += TG_NR) {
        const vec left = *(const vec *)b, right = vecs > 1 ? *(const vec *)(b + TG_LANES) : (vec){ 0 };
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            sum[r][0] += a[r * across] * left;
            if (vecs > 1) sum[r][1] += a[r * across] * right;
        }
    }
    if (to->columns == vecs * TG_LANES) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float *at = to->rows[r] + to->column;
            *(vec *)at = finished(sum[r][0], to, at, 0);
            if (vecs > 1) *(vec *)(at + TG_LANES) = finished(sum[r][1], to, at, TG_LANES);
        }
        return;
    }
    float buffer[TG_MR * TG_NR];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        *(vec *)(buffer + r * TG_NR) = sum[r][0];
        if (vecs > 1) *(vec *)(buffer + r * TG_NR + TG_LANES) = sum[r][1];
    }
    store_some(to, rows, buffer);
}

/* Heights that are compiled: a panel of fewer rows is taken in two or three of them. */
#define TILE(name, vecs, across, along) \
    static int name(int rows, int64_t k, const float *a, const float *b, const target *to) \
    { \
        if (TG_MR >= 12 && rows >= 12) return tile(12, vecs, across, along, k, a, b, to), 12; \
        if (TG_MR >= 8 && rows >= 8) return tile(8, vecs, across, along, k, a, b, to), 8; \
        if (TG_MR >= 6 && rows >= 6) return tile(6, vecs, across, along, k, a, b, to), 6; \
        if (rows >= 4) return tile(4, vecs, across, along, k, a, b, to), 4; \
        if (rows >= 2) return tile(2, vecs, across, along, k, a, b, to), 2; \
        return tile(1, vecs, across, along, k, a, b, to), 1; \
    }
TILE(rows_wide, 2, TG_PITCH, 1)
TILE(rows_narrow, 1, TG_PITCH, 1)
TILE(columns_wide, 2, 1, TG_MR)
TILE(columns_narrow, 1, 1, TG_MR)

/* All rows of a block against one panel of B. */
static void sweep(const tg_gemm *g, int m, int64_t k, const float *a, const float *b, target to)
{
    const bool narrow = to.columns <= TG_LANES;
    for (int r = 0; r < m;) {
        const int left = TG_MR - r % TG_MR < m - r ? TG_MR - r % TG_MR : m - r;
        const float *at = a + (g->by_columns ? tg_column_place(r, 0) : (int64_t)r * TG_PITCH);
        int done = g->by_columns ? (narrow ? columns_narrow : columns_wide)(left, k, at, b, &to)
                                 : (narrow ? rows_narrow : rows_wide)(left, k, at, b, &to);
        to.rows += done;
        r += done;
    }
}

/* One depth of KC: its A is packed, its panels of B are packed or found. */
static void layer(const tg_gemm *g, tg_cell c, int64_t k0, float *const *rows, float *scratch)
{
    const int64_t k1 = k0 + TG_KC < g->k ? k0 + TG_KC : g->k;
    const bool    last = k1 == g->k;
    float *const  a = scratch, *const own_b = scratch + TG_GEMM_A;
    g->pack_a(g->a, c.m0, c.m1, k0, k1, a);
    for (int64_t n = c.n0; n < c.n1; n += TG_NR) {
        const int64_t end = n + TG_NR < c.n1 ? n + TG_NR : c.n1;
        const float  *b = g->packed_b ? g->packed_b + n * g->k + k0 * TG_NR : own_b;
        if (!g->packed_b) g->pack_b(g->b, k0, k1, n, end, own_b);
        sweep(g, (int)(c.m1 - c.m0), k1 - k0, a, b,
              (target){ rows, n, (int)(end - n), g->add || k0 > 0, last && g->relu, last && g->bias ? g->bias + n : NULL });
    }
}

void tg_gemm_block(const tg_gemm *g, int64_t m0, int64_t m1, int64_t n0, int64_t n1, float *const *rows, float *scratch)
{
    int64_t k0 = 0;
    do {
        layer(g, (tg_cell){ m0, m1, n0, n1 }, k0, rows, scratch);
        k0 += TG_KC;
    } while (k0 < g->k);
}

/* ---- packing matrices ---- */

void tg_pack_rows(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to)
{
    const tg_matrix *m = matrix;
    for (int64_t i = m0; i < m1; i++, to += TG_PITCH)
        memcpy(to, m->at + i * m->row + k0, sizeof *to * (size_t)(k1 - k0));
}

void tg_pack_columns(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to)
{
    const tg_matrix *m = matrix;
    for (int64_t i = m0; i < m1; i += TG_MR, to += TG_KC * TG_MR) {
        const float *from = m->at + k0 * m->column + i;
        const int64_t rows = i + TG_MR < m1 ? TG_MR : m1 - i;
        for (int64_t k = 0; k < k1 - k0; k++, from += m->column)
            if (rows == TG_MR) memcpy(to + k * TG_MR, from, TG_MR * sizeof *to);
            else memcpy(to + k * TG_MR, from, sizeof *to * (size_t)rows);
    }
}

typedef float   quad  __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t quads __attribute__((vector_size(16)));

/* to[j pitch + i] = from[i row + j], 4 x 4 */
INLINE void transpose4(const float *from, int64_t row, float *to, int64_t pitch)
{
    const quad a = *(const quad *)from, b = *(const quad *)(from + row);
    const quad c = *(const quad *)(from + 2 * row), d = *(const quad *)(from + 3 * row);
    const quad ab0 = __builtin_shuffle(a, b, (quads){ 0, 4, 1, 5 }), ab1 = __builtin_shuffle(a, b, (quads){ 2, 6, 3, 7 });
    const quad cd0 = __builtin_shuffle(c, d, (quads){ 0, 4, 1, 5 }), cd1 = __builtin_shuffle(c, d, (quads){ 2, 6, 3, 7 });
    *(quad *)to = __builtin_shuffle(ab0, cd0, (quads){ 0, 1, 4, 5 });
    *(quad *)(to + pitch) = __builtin_shuffle(ab0, cd0, (quads){ 2, 3, 6, 7 });
    *(quad *)(to + 2 * pitch) = __builtin_shuffle(ab1, cd1, (quads){ 0, 1, 4, 5 });
    *(quad *)(to + 3 * pitch) = __builtin_shuffle(ab1, cd1, (quads){ 2, 3, 6, 7 });
}

/* Columns of B that lie in rows of memory. */
static void pack_transposed(const float *from, int64_t row, int64_t depth, int64_t columns, float *to)
{
    const int64_t whole = columns / 4 * 4, deep = depth / 4 * 4;
    for (int64_t j = 0; j < whole; j += 4) {
        for (int64_t k = 0; k < deep; k += 4) transpose4(from + j * row + k, row, to + k * TG_NR + j, TG_NR);
        for (int64_t k = deep; k < depth; k++)
            for (int64_t i = j; i < j + 4; i++) to[k * TG_NR + i] = from[i * row + k];
    }
    for (int64_t j = whole; j < columns; j++)
        for (int64_t k = 0; k < depth; k++) to[k * TG_NR + j] = from[j * row + k];
}

void tg_pack_panel(const void *matrix, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to)
{
    const tg_matrix *m = matrix;
    const float     *from = m->at + k0 * m->row + n0 * m->column;
    const int64_t    columns = n1 - n0;
    if (columns < TG_NR) memset(to, 0, sizeof *to * (size_t)((k1 - k0) * TG_NR));
    if (m->column != 1) {
        pack_transposed(from, m->column, k1 - k0, columns, to);
        return;
    }
    for (int64_t k = k0; k < k1; k++, from += m->row, to += TG_NR)
        if (columns == TG_NR) memcpy(to, from, TG_NR * sizeof *to);
        else memcpy(to, from, sizeof *to * (size_t)columns);
}
