/* microkernel_avx512.c - the microkernel in FP32 with AVX-512: 6 x 4, 8 x 3, 12 x 2 or 16 x 1 vectors of sums.
 *
 * Any such block of 16 or more sums reaches the processor's peak with B in the second level of the cache. */
#include "microkernel_f32.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- bf16 and back ---- */

INLINE __m512 widened(__m256i bits)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/* To nearest even; a NaN keeps its upper bits and becomes quiet. */
INLINE __m256i narrowed(__m512 v)
{
    const __m512i u = _mm512_castps_si512(v), upper = _mm512_srli_epi32(u, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i even = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(even, nan, upper, _mm512_set1_epi32(0x40)));
}

enum { AHEAD = 1024 };                  /* elements: further than the processor fetches by itself */

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    const uint16_t *bits = from;
    float          *f = to;
    int64_t         i = 0;
    if (dtype == TG_F32) {
        memcpy(to, from, (size_t)n * sizeof *f);
        return;
    }
    for (; i + 32 <= n; i += 32) {
        __builtin_prefetch(bits + i + AHEAD);
        _mm512_storeu_ps(f + i, widened(_mm256_loadu_si256((const void *)(bits + i))));
        _mm512_storeu_ps(f + i + 16, widened(_mm256_loadu_si256((const void *)(bits + i + 16))));
    }
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(f + i, widened(_mm256_loadu_si256((const void *)(bits + i))));
    if (i < n) {
        const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
        _mm512_mask_storeu_ps(f + i, rest, widened(_mm256_maskz_loadu_epi16(rest, bits + i)));
    }
}

INLINE void load_16(const void *from, tg_dtype dtype, int n, float *to)
{
    const __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (dtype == TG_F32) _mm512_storeu_ps(to, _mm512_maskz_loadu_ps(mask, from));
    else if (n == 16) _mm512_storeu_ps(to, widened(_mm256_loadu_si256(from)));
    else _mm512_storeu_ps(to, widened(_mm256_maskz_loadu_epi16(mask, from)));
}

/* 16 columns of two k lie in one vector: the lower halves belong to the even k. */
static void widen(const void *from, int64_t k, void *to)
{
    const char   *pair = from;
    float        *b = to;
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (int64_t i = 0; i < k; i += 2, pair += 4 * TG_PANEL, b += 2 * TG_PANEL)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            const __m512i two = _mm512_loadu_si512(pair + 64 * v);
            _mm512_storeu_ps(b + 16 * v, _mm512_castsi512_ps(_mm512_slli_epi32(two, 16)));
            _mm512_storeu_ps(b + 16 * v + TG_PANEL, _mm512_castsi512_ps(_mm512_and_si512(two, upper)));
        }
}

/* ---- the product ---- */

INLINE __mmask16 mask_of(int columns) { return columns >= 16 ? 0xffff : (__mmask16)((1u << columns) - 1); }

INLINE __m512 finished(__m512 v, const tg_brgemm *p, int column, __mmask16 mask)
{
    if (p->bias) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, p->bias + column));
    return p->relu ? _mm512_max_ps(_mm512_setzero_ps(), v) : v;       /* the second operand if either is a NaN */
}

/* Whole vectors are stored without a mask: masked stores are slow on some processors. */
INLINE void store(const tg_brgemm *p, int64_t at, __m512 v, __mmask16 mask)
{
    if (p->store == TG_F32) {
        float *c = (float *)p->c + at;
        if (mask == 0xffff) _mm512_storeu_ps(c, v);
        else _mm512_mask_storeu_ps(c, mask, v);
    } else {
        uint16_t *c = (uint16_t *)p->c + at;
        if (mask == 0xffff) _mm256_storeu_si256((void *)c, narrowed(v));
        else _mm256_mask_storeu_epi16(c, mask, narrowed(v));
    }
}

/* The rows of C are fetched to be written while the sums are computed. */
INLINE void prefetch_rows(int rows, const tg_brgemm *p, int r0)
{
    const size_t size = p->store == TG_F32 ? sizeof(float) : sizeof(uint16_t);
    const char  *c = (const char *)p->c + (size_t)(r0 * p->c_row) * size;
    for (int r = 0; r < rows; r++, c += (size_t)p->c_row * size)
        for (size_t i = 0; i < (size_t)p->n * size; i += 64) __builtin_prefetch(c + i, 1);
}

/* rows x vecs sums; the last vector has the columns of `last`.  across: rows of A are next to each other. */
INLINE void block(int rows, int vecs, bool across, const tg_brgemm *p, int r0, const tg_brick *brick, int count)
{
    const __mmask16 last = mask_of(p->n - 16 * (vecs - 1));
    const int64_t   row = across ? 1 : p->row, step = across ? p->step : 1;
    __m512          sum[16][4];
    prefetch_rows(rows, p, r0);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] = !p->from ? _mm512_setzero_ps()
                                 : _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff,
                                                         p->from + (r0 + r) * p->from_row + 16 * v);
    for (int i = 0; i < count; i++) {
        const float *a = (const float *)brick[i].a + r0 * row, *b = brick[i].b;
        for (int64_t k = 0; k < p->k; k++, a += step, b += TG_PANEL) {
            __m512 y[4];
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) y[v] = _mm512_loadu_ps(b + 16 * v);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const __m512 x = _mm512_set1_ps(a[r * row]);
#pragma GCC unroll 4
                for (int v = 0; v < vecs; v++) sum[r][v] = _mm512_fmadd_ps(x, y[v], sum[r][v]);
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
        if (p->row == 1) block(rows, vecs, true, p, r0, brick, count); \
        else block(rows, vecs, false, p, r0, brick, count); \
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

TG_MICROKERNEL_F32(avx512, TG_ISA_AVX512);
