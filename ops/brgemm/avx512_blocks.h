/* avx512_blocks.h - the blocks of a microkernel with sums in vectors: 6 x 4, 8 x 3, 12 x 2 or 16 x 1 of them.
 *
 * Any block of 16 or more sums reaches the processor's peak with B in the second level of the cache.  The file that
 * includes this has said how bricks are added to the sums of a block whose first row of A is r0:
 *
 *     INLINE void accumulate(int rows, int vecs, const tg_brgemm *p, int r0, const tg_brick *brick, int count,
 *                            __m512 sum[16][4]); */
#ifndef TG_AVX512_BLOCKS_H
#define TG_AVX512_BLOCKS_H
#include "avx512.h"

/* The rows of C are fetched to be written while their sums are computed. */
INLINE void fetch_rows(int rows, const tg_brgemm *p, int r0)
{
    const size_t size = p->store == TG_F32 ? sizeof(float) : sizeof(uint16_t);
    const char  *c = (const char *)p->c + (size_t)(r0 * p->c_row) * size;
    for (int r = 0; r < rows; r++, c += (size_t)p->c_row * size)
        for (size_t i = 0; i < (size_t)p->n * size; i += 64) __builtin_prefetch(c + i, 1);
}

/* The last vector has the columns of `last`. */
INLINE void block(int rows, int vecs, const tg_brgemm *p, int r0, const tg_brick *brick, int count)
{
    const __mmask16 last = mask_of(p->n - 16 * (vecs - 1));
    __m512          sum[16][4];
    fetch_rows(rows, p, r0);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = !p->from ? _mm512_setzero_ps()
                                 : _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff,
                                                         p->from + (r0 + r) * p->from_row + 16 * v);
    accumulate(rows, vecs, p, r0, brick, count, sum);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            const __mmask16 mask = v == vecs - 1 ? last : 0xffff;
            store(p, (r0 + r) * p->c_row + 16 * v, finished(sum[r][v], p, 16 * v, mask), mask);
        }
}

typedef void block_function(const tg_brgemm *, int, const tg_brick *, int);
#define BLOCK(rows, vecs) \
    static void block_##rows##_##vecs(const tg_brgemm *p, int r0, const tg_brick *brick, int count) \
    { \
        block(rows, vecs, p, r0, brick, count); \
    }
#define BLOCKS_6(X, vecs) X(1, vecs) X(2, vecs) X(3, vecs) X(4, vecs) X(5, vecs) X(6, vecs)
#define BLOCKS_8(X, vecs) BLOCKS_6(X, vecs) X(7, vecs) X(8, vecs)
#define BLOCKS_12(X, vecs) BLOCKS_8(X, vecs) X(9, vecs) X(10, vecs) X(11, vecs) X(12, vecs)
#define BLOCKS_16(X, vecs) BLOCKS_12(X, vecs) X(13, vecs) X(14, vecs) X(15, vecs) X(16, vecs)
BLOCKS_16(BLOCK, 1)
BLOCKS_12(BLOCK, 2)
BLOCKS_8(BLOCK, 3)
BLOCKS_6(BLOCK, 4)

#define NAME(rows, vecs) block_##rows##_##vecs,
static void run(const tg_brgemm *p, const tg_brick *brick, int count)
{
    static block_function *const blocks[4][16] = { { BLOCKS_16(NAME, 1) }, { BLOCKS_12(NAME, 2) },
                                                   { BLOCKS_8(NAME, 3) }, { BLOCKS_6(NAME, 4) } };
    static const int most_rows[4] = { 16, 12, 8, 6 };
    const int        v = (p->n - 1) / 16;
    for (int r = 0, rows; r < p->m; r += rows) {
        rows = tg_next_rows(p->m - r, most_rows[v]);
        blocks[v][rows - 1](p, r, brick, count);
    }
}
#endif
