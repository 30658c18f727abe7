/* microkernel_avx2.c - the microkernel in FP32 with AVX2: micro-tiles of 6 x 2 vectors of
 * sums, or 12 x 1 for the last columns. */
#define SUFFIX avx2
#include "microkernel_f32.h"
#include "prefetch.h"

/* ---- bf16 and back ---- */

TG_INLINE __m256 widened(__m128i bits)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

/* Rounds to nearest even; a NaN keeps its upper bits and becomes quiet. */
TG_INLINE __m128i narrowed(__m256 v)
{
    const __m256i u = _mm256_castps_si256(v), upper = _mm256_srli_epi32(u, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i even = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), bits = _mm256_blendv_epi8(even, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
}

static void NAMED(load)(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    const uint16_t *bits = from;
    float *f = to;
    int64_t i = 0;
    if (dtype == TG_F32) {
        memcpy(to, from, (size_t)n * sizeof *f);
        return;
    }
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(f + i, widened(_mm_loadu_si128((const void *)(bits + i))));
    for (; i < n; i++) f[i] = tg_bf16_to_f32(bits[i]);
}

/* A copy of unknown length compiles to `rep movs`, which takes 30 cycles to start. */
TG_INLINE void load_16(const void *from, tg_dtype dtype, int n, float *to)
{
    if (n == 16 && dtype == TG_F32) {
        memcpy(to, from, 16 * sizeof *to);
        return;
    }
    NAMED(load)(from, dtype, n, to);
    if (n < 16) memset(to + n, 0, (size_t)(16 - n) * sizeof *to);
}

/* A vector holds 8 columns of two k; the lower halves of its words belong to the even k. */
static void NAMED(widen)(const void *from, int64_t k, void *to)
{
    const char *pair = from;
    float *b = to;
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000);
    for (int64_t i = 0; i < k; i += 2, pair += 4 * TG_PANEL, b += 2 * TG_PANEL)
        for (int v = 0; v < 8; v++) {
            const __m256i two = _mm256_loadu_si256((const void *)(pair + 32 * v));
            _mm256_storeu_ps(b + 8 * v, _mm256_castsi256_ps(_mm256_slli_epi32(two, 16)));
            _mm256_storeu_ps(b + 8 * v + TG_PANEL, _mm256_castsi256_ps(_mm256_and_si256(two, upper)));
        }
}

/* ---- the product ---- */

/* The first n of 8 lanes. */
TG_INLINE __m256i lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* n: how many of 8 columns exist */
TG_INLINE __m256 finished(__m256 v, const tg_brgemm *p, int column, int n)
{
    if (p->bias) v = _mm256_add_ps(v, _mm256_maskload_ps(p->bias + column, lanes(n)));
    return p->relu ? _mm256_max_ps(_mm256_setzero_ps(), v) : v; /* max returns its second operand if either is NaN */
}

TG_INLINE void store(const tg_brgemm *p, int64_t at, __m256 v, int n)
{
    if (p->store == TG_F32) {
        float *c = (float *)p->c + at;
        if (n >= 8) _mm256_storeu_ps(c, v);
        else _mm256_maskstore_ps(c, lanes(n), v);
    } else {
        uint16_t *c = (uint16_t *)p->c + at, some[8];
        _mm_storeu_si128((void *)(n >= 8 ? c : some), narrowed(v));
        if (n < 8) memcpy(c, some, (size_t)n * sizeof *c);
    }
}

typedef struct {
    const tg_brgemm *p;
    const tg_batch_element *batch;
    int count, column; /* the micro-tile's first column */
    tg_row_offsets at; /* and row */
    prefetcher *prefetcher;
} work;

/* `times` products per sum, of one batch element.  across: rows of A are adjacent. */
TG_INLINE void add_products(int rows, int vecs, bool across, const tg_brgemm *p, const float *a, const float *b,
                            int64_t times, __m256 sum[12][2])
{
    const int64_t row = across ? 1 : p->row, step = across ? p->step : 1;
#pragma GCC unroll 2
    for (int64_t i = 0; i < times; i++, a += step, b += TG_PANEL) {
        __m256 y[2];
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) y[v] = _mm256_loadu_ps(b + 8 * v);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_broadcast_ss(a + r * row);
            HERE(x);
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) sum[r][v] = _mm256_fmadd_ps(x, y[v], sum[r][v]);
        }
    }
}

TG_INLINE void add_batch(int rows, int vecs, bool across, const work *w, __m256 sum[12][2])
{
    const tg_brgemm *p = w->p;
    const int64_t step = across ? p->step : 1;
    for (int i = 0; i < w->count; i++) {
        const float *a = (const float *)w->batch[i].a + w->at.a, *b = (const float *)w->batch[i].b + w->column;
        for (int64_t k = 0; k < p->k; k += TG_DEPTH) {
            prefetch_some(w->prefetcher);
            add_products(rows, vecs, across, p, a + k * step, b + k * TG_PANEL,
                         p->k - k < TG_DEPTH ? p->k - k : TG_DEPTH, sum);
        }
    }
}

TG_INLINE void microtile(int rows, int vecs, const work *w)
{
    const tg_brgemm *p = w->p;
    const int j = w->column, n = p->n - j; /* columns that exist */
    const float *from = p->from ? p->from + w->at.from + j : NULL;
    __m256 sum[12][2];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            sum[r][v] =
                !from ? _mm256_setzero_ps() : _mm256_maskload_ps(from + r * p->from_row + 8 * v, lanes(n - 8 * v));
    if (p->row == 1) add_batch(rows, vecs, true, w, sum);
    else add_batch(rows, vecs, false, w, sum);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            store(p, w->at.c + r * p->c_row + j + 8 * v, finished(sum[r][v], p, j + 8 * v, n - 8 * v), n - 8 * v);
}

typedef void microtile_function(const work *);
#define MICROTILE(rows, vecs) \
    static void NAMED(microtile_##rows##x##vecs)(const work *w) { microtile(rows, vecs, w); }
#define MICROTILES_6(X, vecs) X(1, vecs) X(2, vecs) X(3, vecs) X(4, vecs) X(5, vecs) X(6, vecs)
#define MICROTILES_12(X, vecs) \
    MICROTILES_6(X, vecs) X(7, vecs) X(8, vecs) X(9, vecs) X(10, vecs) X(11, vecs) X(12, vecs)
MICROTILES_12(MICROTILE, 1)
MICROTILES_6(MICROTILE, 2)

#define NAME(rows, vecs) NAMED(microtile_##rows##x##vecs),
static microtile_function *const microtiles[2][12] = { { MICROTILES_12(NAME, 1) }, { MICROTILES_6(NAME, 2) } };

enum { FIRST_LEVEL = 24 << 10 }; /* most bytes of a panel that stays in L1 beside A */

/* Rows r to r + rows - 1 of a line, 16 columns or the last 8. */
static void run_microtile(work *w, int line, int r, int rows)
{
    w->at = tg_row_offsets_at(w->p, line, r);
    microtiles[w->p->n - w->column > 8][rows - 1](w);
}

/* With a panel that fits into L1, rows of A are read once for all its columns. */
static void run_rows(work *w, int line, int columns)
{
    const tg_brgemm *p = w->p;
    for (int r = 0, rows; r < p->m; r += rows) {
        rows = tg_next_rows(p->m - r, 6);
        for (w->column = 0; w->column < columns; w->column += 16) run_microtile(w, line, r, rows);
    }
}

static void NAMED(brgemm_line)(work *w, int line)
{
    const tg_brgemm *p = w->p;
    const int wide = p->n - (p->n % 16 <= 8 ? p->n % 16 : 0);
    const bool small = p->k * w->count * p->n * (int64_t)sizeof(float) <= FIRST_LEVEL;
    if (small) run_rows(w, line, wide);
    for (w->column = small ? (wide + 15) / 16 * 16 : 0; w->column < p->n; w->column += 16) {
        const int most = p->n - w->column > 8 ? 6 : 12;
        for (int r = 0, rows; r < p->m; r += rows) {
            rows = tg_next_rows(p->m - r, most);
            run_microtile(w, line, r, rows);
        }
    }
}

/* Cache lines are prefetched with each TG_DEPTH k of a batch element. */
static int64_t times(const tg_brgemm *p, int count)
{
    const int64_t microtiles_of_line = (int64_t)((p->n + 15) / 16) * ((p->m + 5) / 6);
    return (1 + p->extra.count) * microtiles_of_line * count * ((p->k + TG_DEPTH - 1) / TG_DEPTH);
}

static void NAMED(brgemm)(const tg_brgemm *p, const tg_batch_element *batch, int count)
{
    prefetcher f = prefetch_in(&p->prefetch, times(p, count));
    work w = { .p = p, .batch = batch, .count = count, .prefetcher = &f };
    for (int line = 0; line <= p->extra.count; line++) NAMED(brgemm_line)(&w, line);
}

TG_MICROKERNEL_F32(avx2, TG_ISA_AVX2);
