/* gemm_vector.c - see gemm.h. The innermost loop keeps TG_MR x 2 vectors of the result in registers. */
#include "bf16.h"
#include "gemm.h"
#include <string.h>

/* Loads and stores may be unaligned. */
typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * TG_LANES)));

/* Computes v here, not earlier: the sums fill the registers, and a value made earlier would spill one. */
#if defined __x86_64__
#define HERE(v) __asm__ volatile("" : "+v"(v))
#else
#define HERE(v) (void)(v)
#endif

/* Where a tile is stored: rows of C, the columns that exist, what is added. */
typedef struct {
    float *const *rows;
    int64_t column; /* of the tile's first column */
    int columns;    /* 1 .. TG_NR */
    bool add, relu;
    const float *bias; /* of the tile's first column, or NULL */
} gemm_target;

TG_INLINE vec relu_lanes(vec v) { return (vec)((mask)v & ~(mask)(v < 0)); } /* NaN stays NaN: it is not below 0 */

TG_INLINE vec finish_lanes(vec v, const gemm_target *t, const float *to, int lane)
{
    if (t->add) v += *(const vec *)(to + lane);
    if (t->bias) v += *(const vec *)(t->bias + lane);
    return t->relu ? relu_lanes(v) : v;
}

/* The last columns of C: vectors would reach beyond its row, so values go through a buffer. */
static __attribute__((noinline)) void store_some(const gemm_target *t, int rows, const float *tile)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < t->columns; i++) {
            float *to = t->rows[r] + t->column + i, v = tile[r * TG_NR + i];
            if (t->add) v += *to;
            if (t->bias) v += t->bias[i];
            *to = t->relu && v < 0 ? 0 : v;
        }
}

/* rows x vecs accumulators over a depth of k. Element (r, t) of A is at a[r across + t along]. */
TG_INLINE void gemm_tile(int rows, int vecs, int64_t across, int along, int64_t k, const float *a, const float *b,
                         const gemm_target *to)
{
    vec sum[TG_MR][TG_VECS];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) sum[r][v] = (vec){ 0 };
#pragma GCC unroll 2
    for (int64_t t = 0; t < k; t++, a += along, b += vecs * TG_LANES) {
        vec y[TG_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) y[v] = *(const vec *)(b + v * TG_LANES);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            vec x = a[r * across] - (vec){ 0 };
            HERE(x);
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) sum[r][v] += x * y[v];
        }
    }
    float buffer[TG_MR * TG_NR];
    const bool whole = to->columns == vecs * TG_LANES;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            float *const at = to->rows[r] + to->column;
            if (whole) *(vec *)(at + v * TG_LANES) = finish_lanes(sum[r][v], to, at, v * TG_LANES);
            else *(vec *)(buffer + r * TG_NR + v * TG_LANES) = sum[r][v];
        }
    if (!whole) store_some(to, rows, buffer);
}

/* Compiled heights: a panel of fewer rows is covered by two or three of them. `most` is what fits in registers. */
#define TILE(name, vecs, most, across, along) \
    static int name(int rows, int64_t k, const float *a, int64_t pitch, const float *b, const gemm_target *to) \
    { \
        (void)pitch; \
        if (most >= 12 && rows >= 12) return gemm_tile(12, vecs, across, along, k, a, b, to), 12; \
        if (most >= 8 && rows >= 8) return gemm_tile(8, vecs, across, along, k, a, b, to), 8; \
        if (most >= 6 && rows >= 6) return gemm_tile(6, vecs, across, along, k, a, b, to), 6; \
        if (rows >= 4) return gemm_tile(4, vecs, across, along, k, a, b, to), 4; \
        if (rows >= 2) return gemm_tile(2, vecs, across, along, k, a, b, to), 2; \
        return gemm_tile(1, vecs, across, along, k, a, b, to), 1; \
    }
#define TILES(vecs, most) TILE(rows_##vecs, vecs, most, pitch, 1) TILE(columns_##vecs, vecs, most, 1, TG_MR)
typedef int gemm_microkernel(int, int64_t, const float *, int64_t, const float *, const gemm_target *);
TILES(1, TG_MR)
TILES(2, TG_MR)
#if defined __AVX512F__
TILES(3, 8)
TILES(4, 6)
static gemm_microkernel *const tiles[2][TG_VECS] = { { rows_1, rows_2, rows_3, rows_4 },
                                                     { columns_1, columns_2, columns_3, columns_4 } };
#else
static gemm_microkernel *const tiles[2][TG_VECS] = { { rows_1, rows_2 }, { columns_1, columns_2 } };
#endif

/* All rows of a block against one panel of B; `pitch` is their stride if they are not columns. */
static void gemm_row_tiles(const tg_gemm *g, int m, int64_t k, const float *a, int64_t pitch, const float *b,
                           gemm_target to)
{
    gemm_microkernel *const compute = tiles[g->by_columns][(to.columns - 1) / TG_LANES];
    for (int r = 0; r < m;) {
        const int left = TG_MR - r % TG_MR < m - r ? TG_MR - r % TG_MR : m - r;
        const float *at = a + (g->by_columns ? tg_column_place(r, 0) : r * pitch);
        const int done = compute(left, k, at, pitch, b, &to);
        to.rows += done;
        r += done;
    }
}

/* One k-block of depth KC: packs its A, and packs or finds its panels of B. */
static void gemm_k_block(const tg_gemm *g, tg_cell c, int64_t k0, float *const *rows, float *scratch)
{
    const int64_t k1 = k0 + TG_KC < g->k ? k0 + TG_KC : g->k;
    const tg_matrix *in_place = g->pack_a ? NULL : g->a;
    const float *a = in_place ? (const float *)in_place->at + c.m0 * in_place->row + k0 : scratch;
    float *const own_b = scratch + TG_GEMM_A;
    gemm_target to = { .rows = rows, .add = k0 > 0, .relu = k1 == g->k && g->relu };
    if (g->pack_a) g->pack_a(g->a, c.m0, c.m1, k0, k1, scratch);
    for (int64_t n = c.n0; n < c.n1; n += TG_NR) {
        const int64_t end = n + TG_NR < c.n1 ? n + TG_NR : c.n1;
        const float *b = g->packed_b ? g->packed_b + n * g->k + k0 * tg_panel_width(end - n) : own_b;
        if (!g->packed_b) g->pack_b(g->b, k0, k1, n, end, own_b);
        to.column = n;
        to.columns = (int)(end - n);
        to.bias = k1 == g->k && g->bias ? g->bias + n : NULL;
        gemm_row_tiles(g, (int)(c.m1 - c.m0), k1 - k0, a, in_place ? in_place->row : TG_PITCH, b, to);
    }
}

void tg_gemm_block(const tg_gemm *g, tg_cell c, float *const *rows, float *scratch)
{
    int64_t k0 = 0;
    do {
        gemm_k_block(g, c, k0, rows, scratch);
        k0 += TG_KC;
    } while (k0 < g->k);
}

/* ---- packing matrices ---- */

/* n elements from element i on */
TG_INLINE void copy_row(const tg_matrix *m, int64_t i, int64_t n, float *to)
{
    if (m->is_bf16) tg_widen(tg_at(m->at, true, i), true, n, to);
    else memcpy(to, (const float *)m->at + i, (size_t)n * sizeof *to);
}

void tg_pack_rows(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to)
{
    const tg_matrix *m = matrix;
    for (int64_t i = m0; i < m1; i++, to += TG_PITCH) copy_row(m, i * m->row + k0, k1 - k0, to);
}

/* Row by row of memory, distributing its pieces to all panels. */
void tg_pack_columns(const void *matrix, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *to)
{
    const tg_matrix *m = matrix;
    const int64_t whole = (m1 - m0) / TG_MR * TG_MR, rest = m1 - m0 - whole;
    int64_t from = k0 * m->column + m0;
    for (int64_t k = 0; k < k1 - k0; k++, from += m->column) {
        float *panel = to + k * TG_MR;
        for (int64_t i = 0; i < whole; i += TG_MR, panel += TG_KC * TG_MR) copy_row(m, from + i, TG_MR, panel);
        copy_row(m, from + whole, rest, panel);
    }
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
#if defined __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (int32_t __attribute__((vector_size(16)))){ i, j, k, l })
#endif

/* to[j pitch + i] = from[i row + j], 4 x 4 */
TG_INLINE void transpose4(const float *from, int64_t row, float *to, int64_t pitch)
{
    const quad a = *(const quad *)from, b = *(const quad *)(from + row);
    const quad c = *(const quad *)(from + 2 * row), d = *(const quad *)(from + 3 * row);
    const quad ab0 = SHUFFLE(a, b, 0, 4, 1, 5), ab1 = SHUFFLE(a, b, 2, 6, 3, 7);
    const quad cd0 = SHUFFLE(c, d, 0, 4, 1, 5), cd1 = SHUFFLE(c, d, 2, 6, 3, 7);
    *(quad *)to = SHUFFLE(ab0, cd0, 0, 1, 4, 5);
    *(quad *)(to + pitch) = SHUFFLE(ab0, cd0, 2, 3, 6, 7);
    *(quad *)(to + 2 * pitch) = SHUFFLE(ab1, cd1, 0, 1, 4, 5);
    *(quad *)(to + 3 * pitch) = SHUFFLE(ab1, cd1, 2, 3, 6, 7);
}

/* The same for a square block as wide as a vector: each step exchanges, between two rows, the lanes whose number has
 * the bit `step` set or clear. */
TG_INLINE vec exchanged(vec a, vec b, int step, bool high)
{
    mask from; /* 0 .. lanes - 1: of a; then b's */
    for (int i = 0; i < TG_LANES; i++) {
        const bool own = !(i & step) != high;
        from[i] = own ? (high ? TG_LANES : 0) + i : high ? i + step : TG_LANES + i - step;
    }
#if defined __clang__
    vec to;
    for (int i = 0; i < TG_LANES; i++) to[i] = from[i] < TG_LANES ? a[from[i]] : b[from[i] - TG_LANES];
    return to;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

TG_INLINE void transpose_lanes(const float *from, int64_t row, float *to, int64_t pitch)
{
    vec t[TG_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < TG_LANES; i++) {
        __builtin_prefetch(from + i * row + 4 * TG_LANES);
        t[i] = *(const vec *)(from + i * row);
    }
#pragma GCC unroll 4
    for (int step = 1; step < TG_LANES; step *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < TG_LANES; i++) {
            if (i & step) continue;
            const vec a = t[i], b = t[i + step];
            t[i] = exchanged(a, b, step, false);
            t[i + step] = exchanged(a, b, step, true);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < TG_LANES; i++) *(vec *)(to + i * pitch) = t[i];
}

static void transpose_some(const float *from, int64_t row, int64_t depth, int64_t columns, float *to, int64_t width)
{
    const int64_t whole = columns / 4 * 4, deep = depth / 4 * 4;
    for (int64_t j = 0; j < whole; j += 4)
        for (int64_t i = 0; i < deep; i += 4) transpose4(from + j * row + i, row, to + i * width + j, width);
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = j < whole ? deep : 0; i < depth; i++) to[i * width + j] = from[j * row + i];
}

/* A vector's width of rows of memory at a time, each from beginning to end: processors cannot prefetch more streams at
 * once. */
void tg_pack_transposed(const float *from, int64_t row, int64_t depth, int64_t columns, float *to, int64_t width)
{
    const int64_t deep = depth / TG_LANES * TG_LANES;
    int64_t j = 0;
    for (; j + TG_LANES <= columns; j += TG_LANES, from += TG_LANES * row, to += TG_LANES) {
        for (int64_t k = 0; k < deep; k += TG_LANES) transpose_lanes(from + k, row, to + k * width, width);
        transpose_some(from + deep, row, depth - deep, TG_LANES, to + deep * width, width);
    }
    transpose_some(from, row, depth, columns - j, to, width);
}

/* The same for bf16, some of whose rows are widened first. */
static void transpose_halves(const tg_matrix *m, int64_t first, int64_t depth, int64_t columns, float *to,
                             int64_t width)
{
    enum { DEPTH = 128, PITCH = DEPTH + 16 };
    float room[TG_LANES * PITCH];
    for (int64_t j = 0; j < columns; j += TG_LANES)
        for (int64_t k = 0; k < depth; k += DEPTH) {
            const int64_t some = columns - j < TG_LANES ? columns - j : TG_LANES;
            const int64_t n = depth - k < DEPTH ? depth - k : DEPTH;
            for (int64_t i = 0; i < some; i++) copy_row(m, first + (j + i) * m->column + k, n, room + i * PITCH);
            tg_pack_transposed(room, PITCH, n, some, to + k * width + j, width);
        }
}

/* Rows of memory are rows of B. */
static void pack_straight(const tg_matrix *m, int64_t first, int64_t depth, int64_t columns, float *to, int64_t width)
{
    for (int64_t k = 0; k < depth; k++, first += m->row, to += width)
        if (columns == TG_NR) {
            const char *const ahead = tg_at(m->at, m->is_bf16, first + 16 * m->row);
            for (int i = 0; i < TG_NR * (m->is_bf16 ? 2 : 4); i += 64) __builtin_prefetch(ahead + i);
            copy_row(m, first, TG_NR, to);
        } else copy_row(m, first, columns, to);
}

void tg_pack_panel(const void *matrix, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to)
{
    const tg_matrix *m = matrix;
    const int64_t first = k0 * m->row + n0 * m->column, columns = n1 - n0, width = tg_panel_width(columns);
    if (columns < width) memset(to, 0, sizeof *to * (size_t)((k1 - k0) * width));
    if (m->column == 1) pack_straight(m, first, k1 - k0, columns, to, width);
    else if (m->is_bf16) transpose_halves(m, first, k1 - k0, columns, to, width);
    else tg_pack_transposed((const float *)m->at + first, m->column, k1 - k0, columns, to, width);
}
