/* avx512_microtiles.h - the microkernels with sums in 512-bit vectors: micro-tiles of 6 x 4 vectors, 8 x 3, 12 x 2 or
 * 16 x 1.
 *
 * Any micro-tile of 16 or more vectors of sums reaches the processor's peak with B in L2.  The file that includes this
 * has defined SUFFIX (named.h) and what is multiplied:
 *
 *     typedef ... element;                 of A and B
 *     typedef ... operand;                 a vector of B, or as many copies of A
 *     enum { TAKEN, ACROSS };              k that an operand holds; whether rows of A may be adjacent
 *     TG_INLINE operand from_a(const element *a), from_b(const element *b);
 *     TG_INLINE operand last_of_a(const element *a);              for TAKEN 2: a[0], and 0 for a[1]
 *     TG_INLINE __m512  add(__m512 sum, operand x, operand y);
 *
 * A micro-tile of 16 x 1 needs a load per product, and loads bound it.  If rows of A are neighbouring pixels of a line
 * and a batch element is 3 or 5 taps of it, rows overlap: then an element of A is loaded once for all taps (1.2 times
 * as fast on 16 channels). */
#ifndef TG_AVX512_MICROTILES_H
#define TG_AVX512_MICROTILES_H
#include "avx512_store.h"
#include "named.h"

typedef struct {
    const tg_brgemm *p;
    const tg_batch_element *batch;
    int count;
    tg_row_offsets at; /* the micro-tile's first row */
    prefetcher *prefetcher;
} work;

/* ---- products ---- */

TG_INLINE void add_product(int rows, int vecs, int64_t row, bool last, const element *a, const element *b,
                           __m512 sum[16][4])
{
    operand y[4];
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) y[v] = from_b(b + 16 * TAKEN * v);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        operand x = last ? last_of_a(a + r * row) : from_a(a + r * row);
        HERE(x);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) sum[r][v] = add(sum[r][v], x, y[v]);
    }
}

/* k products per sum, of one batch element. */
TG_INLINE void add_products(int rows, int vecs, bool across, const tg_brgemm *p, const element *a, const element *b,
                            int64_t k, __m512 sum[16][4])
{
    const int64_t row = across ? 1 : p->row, step = across ? p->step : TAKEN;
#pragma GCC unroll 2
    for (int64_t i = 0; i < k / TAKEN; i++, a += step, b += TAKEN * TG_PANEL)
        add_product(rows, vecs, row, false, a, b, sum);
    if (k % TAKEN) add_product(rows, vecs, row, true, a, b, sum);
}

TG_INLINE void add_batch(int rows, int vecs, bool across, const work *w, __m512 sum[16][4])
{
    const tg_brgemm *p = w->p;
    const int64_t step = across ? p->step : 1;
    for (int i = 0; i < w->count; i++) {
        const element *a = (const element *)w->batch[i].a + w->at.a, *b = w->batch[i].b;
        for (int64_t k = 0; k < p->k; k += TG_DEPTH) {
            const int64_t left = p->k - k < TG_DEPTH ? p->k - k : TG_DEPTH;
            prefetch_some(w->prefetcher);
            add_products(rows, vecs, across, p, a + k * step, b + k * TG_PANEL, left, sum);
        }
    }
}

/* Each batch element is `taps` taps. */
TG_INLINE void add_overlapping(int rows, int taps, const work *w, __m512 sum[16][4])
{
    const int64_t row = w->p->row;
    for (int i = 0; i < w->count; i++) {
        const element *a = (const element *)w->batch[i].a + w->at.a, *b = w->batch[i].b;
        prefetch_some(w->prefetcher);
        for (const element *end = a + row; a < end; a += TAKEN, b += TAKEN * TG_PANEL) {
            operand y[5];
            const element *pixel = a;
#pragma GCC unroll 5
            for (int t = 0; t < taps; t++) y[t] = from_b(b + t * row * TG_PANEL);
#pragma GCC unroll 20
            for (int r = 0; r < rows + taps - 1; r++, pixel += row) {
                const operand x = from_a(pixel);
#pragma GCC unroll 5
                for (int t = 0; t < taps; t++)
                    if (r >= t && r - t < rows) sum[r - t][0] = add(sum[r - t][0], x, y[t]);
            }
        }
    }
}

TG_INLINE void accumulate(int rows, int vecs, const work *w, __m512 sum[16][4])
{
    const tg_brgemm *p = w->p;
    const bool pixels = vecs == 1 && p->step == 1 && p->row % TAKEN == 0;
    if (ACROSS && p->row == 1) add_batch(rows, vecs, true, w, sum);
    else if (pixels && p->k == 3 * p->row) add_overlapping(rows, 3, w, sum);
    else if (pixels && p->k == 5 * p->row) add_overlapping(rows, 5, w, sum);
    else add_batch(rows, vecs, false, w, sum);
}

/* ---- micro-tiles ---- */

/* Prefetches the rows of C for writing while their sums are computed. */
TG_INLINE void prefetch_rows(int rows, const work *w)
{
    const size_t size = w->p->store == TG_F32 ? sizeof(float) : sizeof(uint16_t);
    const char *c = (const char *)w->p->c + (size_t)w->at.c * size;
    for (int r = 0; r < rows; r++, c += (size_t)w->p->c_row * size)
        for (size_t i = 0; i < (size_t)w->p->n * size; i += 64) __builtin_prefetch(c + i, 1);
}

TG_INLINE void begin(int rows, int vecs, const work *w, __mmask16 last, __m512 sum[16][4])
{
    const float *from = w->p->from ? w->p->from + w->at.from : NULL;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            sum[r][v] =
                from ? _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff, from + 16 * v) : _mm512_setzero_ps();
        if (from) from += w->p->from_row;
    }
}

/* Adds the bias, then applies relu; max returns its second operand if either is NaN. */
TG_INLINE void finish(int rows, int vecs, const tg_brgemm *p, __mmask16 last, __m512 sum[16][4])
{
    if (p->bias) {
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            const __m512 bias = _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff, p->bias + 16 * v);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) sum[r][v] = _mm512_add_ps(sum[r][v], bias);
        }
    }
    if (!p->relu) return;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) sum[r][v] = _mm512_max_ps(_mm512_setzero_ps(), sum[r][v]);
}

TG_INLINE void store_rows(int rows, int vecs, tg_dtype dtype, const work *w, __mmask16 last, __m512 sum[16][4])
{
    const size_t size = dtype == TG_F32 ? sizeof(float) : sizeof(uint16_t);
    char *c = (char *)w->p->c + (size_t)w->at.c * size;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++, c += (size_t)w->p->c_row * size)
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            store_vector(c + 16 * size * (size_t)v, dtype, sum[r][v], v == vecs - 1 ? last : 0xffff);
}

/* `last`: the mask of the last vector. */
TG_INLINE void microtile(int rows, int vecs, const work *w)
{
    const tg_brgemm *p = w->p;
    const __mmask16 last = mask_of(p->n - 16 * (vecs - 1));
    __m512 sum[16][4];
    prefetch_rows(rows, w);
    begin(rows, vecs, w, last, sum);
    accumulate(rows, vecs, w, sum);
    finish(rows, vecs, p, last, sum);
    if (p->store == TG_F32) store_rows(rows, vecs, TG_F32, w, last, sum);
    else store_rows(rows, vecs, TG_BF16, w, last, sum);
}

typedef void microtile_function(const work *);
#define MICROTILE(rows, vecs) \
    static void NAMED(microtile_##rows##x##vecs)(const work *w) { microtile(rows, vecs, w); }
#define MICROTILES_6(X, vecs)  X(1, vecs) X(2, vecs) X(3, vecs) X(4, vecs) X(5, vecs) X(6, vecs)
#define MICROTILES_8(X, vecs)  MICROTILES_6(X, vecs) X(7, vecs) X(8, vecs)
#define MICROTILES_12(X, vecs) MICROTILES_8(X, vecs) X(9, vecs) X(10, vecs) X(11, vecs) X(12, vecs)
#define MICROTILES_16(X, vecs) MICROTILES_12(X, vecs) X(13, vecs) X(14, vecs) X(15, vecs) X(16, vecs)
MICROTILES_16(MICROTILE, 1)
MICROTILES_12(MICROTILE, 2)
MICROTILES_8(MICROTILE, 3)
MICROTILES_6(MICROTILE, 4)

/* Cache lines are prefetched with each TG_DEPTH k of a batch element. */
TG_INLINE prefetcher prefetch_of(const tg_brgemm *p, int count, int most_rows)
{
    const int64_t microtiles = (int64_t)(1 + p->extra.count) * ((p->m + most_rows - 1) / most_rows);
    const int64_t times = microtiles * count * ((p->k + TG_DEPTH - 1) / TG_DEPTH);
    return prefetch_in(&p->prefetch, times);
}

#define NAME(rows, vecs) NAMED(microtile_##rows##x##vecs),
static void NAMED(brgemm)(const tg_brgemm *p, const tg_batch_element *batch, int count)
{
    static microtile_function *const microtiles[4][16] = {
        { MICROTILES_16(NAME, 1) }, { MICROTILES_12(NAME, 2) }, { MICROTILES_8(NAME, 3) }, { MICROTILES_6(NAME, 4) }
    };
    static const int most_rows[4] = { 16, 12, 8, 6 };
    const int v = (p->n - 1) / 16;
    prefetcher f = prefetch_of(p, count, most_rows[v]);
    work w = { .p = p, .batch = batch, .count = count, .prefetcher = &f };
    for (int line = 0; line <= p->extra.count; line++)
        for (int r = 0, rows; r < p->m; r += rows) {
            rows = tg_next_rows(p->m - r, most_rows[v]);
            w.at = tg_row_offsets_at(p, line, r);
            microtiles[v][rows - 1](&w);
        }
}
#endif
