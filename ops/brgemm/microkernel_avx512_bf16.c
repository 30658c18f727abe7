/* microkernel_avx512_bf16.c - the microkernel with vdpbf16ps: pairs of bf16 products added to FP32 sums.
 *
 * Blocks are those of the one in FP32.  Each sum rounds twice a pair, to nearest even, and denormals count as zeros,
 * whatever the thread's mode.  AMD's processors do twice the products of FP32 this way, Intel's only half of them. */
#include "avx512.h"
#include "pack_images.h"
#include "split.h"
#include <string.h>

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- backward-weights ---- */

static tg_places places_of(int rows, int k)
{
    const int pairs = (k + 1) / 2;
    return (tg_places){ (size_t)rows * TG_IMAGES * 2, (size_t)pairs * TG_PANEL * 4, TG_IMAGES, 1, 2 * pairs };
}

static void load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    (void)dtype;
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    tg_pack_images_b(from, stride, k, n, (k + 1) / 2, to);
}

/* ---- the product ---- */

/* k and k + 1 of a row of A, for all columns */
INLINE __m512i pair_of(const uint16_t *a)
{
    int32_t both;
    memcpy(&both, a, sizeof both);
    return _mm512_set1_epi32(both);
}

/* rows x vecs sums; the last vector has the columns of `last`. */
INLINE void block(int rows, int vecs, const tg_brgemm *p, int r0, const tg_brick *brick, int count)
{
    const __mmask16 last = mask_of(p->n - 16 * (vecs - 1));
    const int64_t   row = p->row;
    __m512          sum[16][4];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = !p->from ? _mm512_setzero_ps()
                                 : _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff,
                                                         p->from + (r0 + r) * p->from_row + 16 * v);
    for (int i = 0; i < count; i++) {
        const uint16_t *a = (const uint16_t *)brick[i].a + r0 * row, *b = brick[i].b;
        for (int64_t k = 0; k < p->k; k += 2, a += 2, b += 2 * TG_PANEL) {
            __m512i y[4];
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) y[v] = _mm512_loadu_si512(b + 32 * v);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const __m512i x = pair_of(a + r * row);
#pragma GCC unroll 4
                for (int v = 0; v < vecs; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)x, (__m512bh)y[v]);
            }
        }
    }
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
static block_function *const blocks[4][16] = { { BLOCKS_16(NAME, 1) }, { BLOCKS_12(NAME, 2) }, { BLOCKS_8(NAME, 3) },
                                               { BLOCKS_6(NAME, 4) } };
static const int most_rows[4] = { 16, 12, 8, 6 };

static void run(const tg_brgemm *p, const tg_brick *brick, int count)
{
    const int v = (p->n - 1) / 16;
    for (int r = 0, rows; r < p->m; r += rows) {
        rows = tg_next_rows(p->m - r, most_rows[v]);
        blocks[v][rows - 1](p, r, brick, count);
    }
}

const tg_microkernel tg_microkernel_avx512_bf16 = {
    .name = "avx512_bf16", .isa = TG_ISA_AVX512_BF16, .element = TG_BF16, .depth = 2, .images = 16, .places = TG_IMAGES,
    .load = load, .places_of = places_of, .load_a = load_a, .load_b = load_b, .run = run,
};
