/* microkernel_amx_bf16.c - the microkernel on AMX tiles: micro-tiles of 2 x 2 tiles of sums, or 4 x 1 if there are at
 * most 16 columns, or 1 x 4 over two panels that L1 holds: then A, which it does not hold, is read once for 64 columns.
 *
 * 2 x 2 needs half a cycle of loads per cycle of products, and with four sums no product waits for the one before.  The
 * rows of a line are cut into groups of one height, nearly rows / groups: a product takes less time with fewer rows,
 * and one tile configuration serves all groups.  The last group of a line slides back, overlapping the one before, if
 * the rows do not divide evenly.
 *
 * Tiles round to nearest even once per product and sum, even k and odd k separately, and flush denormals to zero. */
#include "amx.h"
#include "avx512_store.h"
#include <math.h>
#include <string.h>

enum { ROWS = 16, COLUMNS = TG_TILE, DEPTH = TG_DEPTH, TILE_ROW = 64, TILE = ROWS * TILE_ROW, PANEL_STEP = 2 * TILE };

static void load_amx_bf16(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- configuration: tiles 0 to 3 are sums, 4 and 5 A, 6 and 7 B ---- */

static _Thread_local int configured; /* rows of sums and of A; 0: not configured */

static void configure_amx_bf16(int rows)
{
    if (configured == rows) return;
    tg_tile_config config = { .palette = 1 };
    for (int t = 0; t < 8; t++) {
        config.row_bytes[t] = 64;
        config.rows[t] = (uint8_t)(t < 6 ? rows : ROWS);
    }
    TG_TILE_CONFIGURE(config);
    configured = rows;
}

static void leave_amx_bf16(void)
{
    _mm_sfence(); /* rows stored past the cache are visible when the task ends */
    if (configured) TG_TILE_RELEASE();
    configured = 0;
}

/* ---- products: 2 x 2 tiles of sums, 4 x 1 with few columns, fewer for what is left ---- */

enum { MOST_DOWN = 4, MOST_SUMS = 4, FIRST_LEVEL = 36 << 10, LEAST_FINISHED = 2 };

/* FP32 that tiles of sums are loaded from or stored to: where each row group begins. */
typedef struct {
    char *at[MOST_DOWN];
    int64_t row;
} sum_rows;

#define EACH_SUM(X)     X(0) X(1) X(2) X(3)
#define HAS(t)          ((t) < down * across)
#define AT(t, sum_rows) ((sum_rows).at[(t) / across] + (t) % across * TILE_ROW)
#define LOAD_SUM(t) \
    if (HAS(t)) TG_TILE_LOAD(t, AT(t, from), from.row);
#define ZERO_SUM(t) \
    if (HAS(t)) TG_TILE_ZERO(t);
#define STORE_SUM(t) \
    if (HAS(t)) TG_TILE_STORE(t, AT(t, to), to.row);

TG_INLINE void begin(int down, int across, sum_rows from)
{
    if (from.at[0]) {
        EACH_SUM(LOAD_SUM)
    } else {
        EACH_SUM(ZERO_SUM)
    }
}

TG_INLINE void put(int down, int across, sum_rows to){ EACH_SUM(STORE_SUM) }

/* 32 k of one row group. */
TG_INLINE void step_one(int across, const char *a, int64_t row, const char *b)
{
    TG_TILE_LOAD(4, a, row);
    TG_TILE_LOAD(6, b, TILE_ROW);
    TG_TILE_PRODUCT(0, 4, 6);
    if (across == 1) return;
    TG_TILE_LOAD(7, b + TILE, TILE_ROW);
    TG_TILE_PRODUCT(1, 4, 7);
}

/* 32 k of the second of two row groups, whose sums are tiles 2 and 3, or 1 if there is one column of tiles. */
TG_INLINE void step_second(int across, const char *a, int64_t row, const char *b)
{
    TG_TILE_LOAD(5, a, row);
    TG_TILE_LOAD(6, b, TILE_ROW);
    if (across == 1) {
        TG_TILE_PRODUCT(1, 5, 6);
        return;
    }
    TG_TILE_PRODUCT(2, 5, 6);
    TG_TILE_LOAD(7, b + TILE, TILE_ROW);
    TG_TILE_PRODUCT(3, 5, 7);
}

/* What streams through L1, in which the other operand is to stay: B if L1 cannot hold it, since several taps reread A;
 * A if only one tap reads it; or both. */
enum { NONE, A, B, BOTH };
#define LOAD_A(t, at) \
    if (passes == A) TG_TILE_STREAM(t, at, row); \
    else TG_TILE_LOAD(t, at, row)
#define LOAD_B(t, at) \
    if (passes >= B) TG_TILE_STREAM(t, at, TILE_ROW); \
    else TG_TILE_LOAD(t, at, TILE_ROW)

/* 32 k of 2 x 2 tiles.  A product with the same B as the one before takes as many cycles as A has rows, with another B
 * it takes 16.  But if both operands come from L2, their loads should be spread out. */
TG_INLINE void step_square(int passes, const char *const a[MOST_DOWN], int64_t row, const char *b)
{
    LOAD_B(6, b);
    LOAD_A(4, a[0]);
    TG_TILE_PRODUCT(0, 4, 6);
    if (passes == BOTH) {
        LOAD_B(7, b + TILE);
        TG_TILE_PRODUCT(1, 4, 7);
        LOAD_A(5, a[1]);
        TG_TILE_PRODUCT(2, 5, 6);
        TG_TILE_PRODUCT(3, 5, 7);
    } else {
        LOAD_A(5, a[1]);
        TG_TILE_PRODUCT(2, 5, 6);
        LOAD_B(7, b + TILE);
        TG_TILE_PRODUCT(3, 5, 7);
        TG_TILE_PRODUCT(1, 4, 7);
    }
}

/* 32 k of one row group and two panels. */
TG_INLINE void step_pair(int passes, const char *a, int64_t row, const char *b, const char *next)
{
    LOAD_A(4, a);
    TG_TILE_LOAD(6, b, TILE_ROW);
    TG_TILE_PRODUCT(0, 4, 6);
    TG_TILE_LOAD(7, b + TILE, TILE_ROW);
    TG_TILE_PRODUCT(1, 4, 7);
    TG_TILE_LOAD(6, next, TILE_ROW);
    TG_TILE_PRODUCT(2, 4, 6);
    TG_TILE_LOAD(7, next + TILE, TILE_ROW);
    TG_TILE_PRODUCT(3, 4, 7);
}

/* 32 k of `down` row groups, at a[0], a[1], ..., and 16 columns. */
TG_INLINE void step_narrow(int down, const char *const a[MOST_DOWN], int64_t row, const char *b)
{
    TG_TILE_LOAD(6, b, TILE_ROW);
    TG_TILE_LOAD(4, a[0], row);
    TG_TILE_PRODUCT(0, 4, 6);
    TG_TILE_LOAD(5, a[1], row);
    TG_TILE_PRODUCT(1, 5, 6);
    if (down == 2) return;
    TG_TILE_LOAD(4, a[2], row);
    TG_TILE_PRODUCT(2, 4, 6);
    TG_TILE_LOAD(5, a[3], row);
    TG_TILE_PRODUCT(3, 5, 6);
}

/* ---- row groups: each lies in one line ---- */

typedef struct {
    int count, of_line, rows;
} row_groups; /* in total, and per line; rows of each */

static row_groups row_groups_of(const tg_brgemm *p)
{
    const int of_line = (p->m + ROWS - 1) / ROWS;
    return (row_groups){ of_line * (1 + p->extra.count), of_line, (p->m + of_line - 1) / of_line };
}

/* Where a row group begins in A (bytes), `from` and c.  The last group of a line slides back to end with the line: its
 * first `again` rows belong to the group before, too. */
typedef struct {
    int again;
    int64_t a, from, c;
} group_start;

TG_INLINE group_start group_start_of(const tg_brgemm *p, row_groups b, int i)
{
    const int line = i / b.of_line, wanted = i % b.of_line * b.rows;
    const int row = wanted < p->m - b.rows ? wanted : p->m - b.rows;
    return (group_start){ wanted - row, 2 * (line * p->extra.a + row * p->row),
                          line * p->extra.from + row * p->from_row, line * p->extra.c + row * p->c_row };
}

/* ---- from sums to c ---- */

/* Sums that are still to be stored to c in bf16: a few rows at each step of the next product, which keeps the tile unit
 * busy. */
typedef struct {
    float sums[MOST_SUMS * ROWS * COLUMNS] __attribute__((aligned(64)));
    uint16_t *c[MOST_DOWN]; /* of each row group */
    const float *bias;
    int across, rows;       /* tiles side by side; rows of a group */
    int group, row, groups; /* the first that is left; how many groups there are */
} unfinished;

/* max returns its second operand if either is NaN. */
TG_INLINE __m512 added(const float *sums, const float *bias, __m512 least)
{
    const __m512 v = _mm512_load_ps(sums);
    return _mm512_max_ps(least, bias ? _mm512_add_ps(v, _mm512_loadu_ps(bias)) : v);
}

TG_INLINE void note(const tg_brgemm *p, __mmask16 nan)
{
    if (nan && p->nan) *p->nan = true;
}

/* 32 columns; `stride` floats from one row of sums to the next. */
TG_INLINE void finish_wide(const tg_brgemm *p, const float *sums, int stride, const float *bias, int rows, uint16_t *c)
{
    const __m512 least = _mm512_set1_ps(p->relu ? 0 : -INFINITY);
    const int64_t c_row = p->c_row;
    const bool stream = p->stream;
    __mmask16 nan = 0;
    for (int r = 0; r < rows; r++, sums += stride, c += c_row) {
        const __m512 low = added(sums, bias, least), high = added(sums + COLUMNS, bias ? bias + COLUMNS : NULL, least);
        const __m512i row = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        nan |= _mm512_cmp_ps_mask(low, high, _CMP_UNORD_Q);
        if (stream) _mm512_stream_si512((void *)c, row);
        else _mm512_storeu_si512(c, row);
    }
    note(p, nan);
}

TG_INLINE void finish_narrow(const tg_brgemm *p, const float *sums, const float *bias, int rows, uint16_t *c)
{
    const __m512 least = _mm512_set1_ps(p->relu ? 0 : -INFINITY);
    const int64_t c_row = p->c_row;
    __mmask16 nan = 0;
    for (int r = 0; r < rows; r++, sums += COLUMNS, c += c_row) {
        const __m512 v = added(sums, bias, least);
        nan |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        _mm256_storeu_si256((void *)c, (__m256i)_mm512_cvtneps_pbh(v));
    }
    note(p, nan);
}

/* Up to `most` rows of what is left, of one row group. */
TG_INLINE void finish_some(const tg_brgemm *p, unfinished *u, int most)
{
    const int left = u->rows - u->row, rows = most < left ? most : left;
    const float *sums = u->sums + (u->group * u->rows + u->row) * u->across * COLUMNS;
    uint16_t *c = u->c[u->group] + u->row * p->c_row;
    const int width = u->across * COLUMNS;
    if (u->across > 1) finish_wide(p, sums, width, u->bias, rows, c);
    if (u->across == 4)
        finish_wide(p, sums + 2 * COLUMNS, width, u->bias ? u->bias + 2 * COLUMNS : NULL, rows, c + 2 * COLUMNS);
    if (u->across == 1) finish_narrow(p, sums, u->bias, rows, c);
    u->row += rows;
    if (rows < left) return;
    u->row = 0;
    u->group++;
}

TG_INLINE void finish_rest(const tg_brgemm *p, unfinished *u)
{
    while (u->group < u->groups) finish_some(p, u, ROWS);
}

/* Stores any rows of sums to c. */
TG_INLINE void finish(const tg_brgemm *p, const float *sums, int across, int rows, int64_t at)
{
    __mmask16 nan = 0;
    for (int r = 0; r < rows; r++, sums += COLUMNS * across)
#pragma GCC unroll 4
        for (int v = 0; v < across; v++) {
            const int column = COLUMNS * v;
            const __mmask16 mask = mask_of(p->n - column);
            const __m512 row = finished(_mm512_load_ps(sums + COLUMNS * v), p, column, mask);
            nan |= _mm512_mask_cmp_ps_mask(mask, row, row, _CMP_UNORD_Q);
            store(p, at + r * p->c_row + column, row, mask);
        }
    note(p, nan);
}

/* Rows of `from` that lack columns: tiles load them from a buffer. */
TG_INLINE void gather(const tg_brgemm *p, int across, int rows, int64_t at, float *sums)
{
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < across; v++)
            _mm512_store_ps(
                sums + (i * across + v) * COLUMNS,
                _mm512_maskz_loadu_ps(mask_of(p->n - COLUMNS * v), p->from + at + i * p->from_row + COLUMNS * v));
}

/* ---- a micro-tile ---- */

typedef struct {
    const tg_brgemm *p;
    prefetcher *prefetcher;
    row_groups all;
    const tg_batch_element *batch;
    int count;
    unfinished *last, *next; /* what is stored along the way; where this micro-tile may leave its sums */
} work;

/* Batch elements of only one of two lines come first.  Returns how many. */
static int __attribute__((noinline)) multiply_lines(int across, const work *w, const group_start at[MOST_DOWN])
{
    const tg_brgemm *p = w->p;
    const int64_t row = 2 * p->row, chunk = 2 * (DEPTH + p->gap), depth = (p->k + DEPTH - 1) / DEPTH;
    int q = 0;
    for (; q < w->count && w->batch[q].line; q++) {
        const bool second = w->batch[q].line == 2;
        const char *a = (const char *)w->batch[q].a + at[second].a, *b = w->batch[q].b;
        for (int64_t k = 0; k < depth; k++, a += chunk, b += PANEL_STEP)
            (second ? step_second : step_one)(across, a, row, b);
    }
    return q;
}

/* All products; at each step also stores some of the sums that the micro-tile before left. */
TG_INLINE void multiply(int down, int across, int passes, const work *w, const group_start at[MOST_DOWN])
{
    const tg_brgemm *p = w->p;
    const int64_t row = 2 * p->row, chunk = 2 * (DEPTH + p->gap), depth = (p->k + DEPTH - 1) / DEPTH;
    const int steps = w->count * (int)depth, enough = steps ? down * ROWS / steps + 1 : 0;
    const int speed = enough < LEAST_FINISHED ? LEAST_FINISHED : enough;
    for (int q = down == 2 ? multiply_lines(across, w, at) : 0; q < w->count; q++) {
        const char *a[MOST_DOWN], *b = w->batch[q].b;
        for (int i = 0; i < down; i++) a[i] = (const char *)w->batch[q].a + at[i].a;
        for (int64_t k = 0; k < depth; k++, b += PANEL_STEP) {
            if (across == 4) step_pair(passes, a[0], row, b, b + p->next);
            else if (down == 1) step_one(across, a[0], row, b);
            else if (across == 2) step_square(passes, a, row, b);
            else step_narrow(down, a, row, b);
            for (int i = 0; i < down; i++) a[i] += chunk;
            prefetch_some(w->prefetcher);
            if (w->last->group < w->last->groups) finish_some(p, w->last, speed);
        }
    }
    finish_rest(p, w->last);
}

/* Row groups i to i + down - 1. */
TG_INLINE void microtile(int down, int across, int passes, const work *w, int i)
{
    const tg_brgemm *p = w->p;
    unfinished *const u = w->next;
    const int rows = w->all.rows, width = COLUMNS * across;
    const bool whole = width <= p->n;
    sum_rows buffer = { .row = 4 * width }, from = { .row = 4 * p->from_row }, to = { .row = 4 * p->c_row };
    group_start at[MOST_DOWN];
    bool again = false;
    for (int d = 0; d < down; d++) {
        at[d] = group_start_of(p, w->all, i + d);
        again |= at[d].again > 0;
        buffer.at[d] = (char *)(u->sums + d * rows * width);
        from.at[d] = p->from ? (char *)(uintptr_t)(p->from + at[d].from) : NULL;
        to.at[d] = (char *)((float *)p->c + at[d].c);
        if (p->from && !whole) gather(p, across, rows, at[d].from, u->sums + d * rows * width);
    }
    /* tiles can be stored to c directly, but must not add to an overlapping row twice */
    const bool plain = p->store == TG_F32 && !p->bias && !p->relu && whole && !(p->from && again);
    begin(down, across, p->from && !whole ? buffer : from);
    multiply(down, across, passes, w, at);
    put(down, across, plain ? to : buffer);
    if (plain) return;
    if (p->store == TG_BF16 && whole) {
        u->bias = p->bias;
        u->across = across;
        u->rows = rows;
        u->group = u->row = 0;
        u->groups = down;
        for (int d = 0; d < down; d++) u->c[d] = (uint16_t *)p->c + at[d].c;
        return;
    }
    for (int d = 0; d < down; d++)
        finish(p, u->sums + (d * rows + at[d].again) * width, across, rows - at[d].again,
               at[d].c + at[d].again * p->c_row);
}

typedef void microtile_function(const work *, int);
#define MICROTILE(name, down, across, passes) \
    static void name(const work *w, int i) { microtile(down, across, passes, w, i); }
MICROTILE(microtile_1x1, 1, 1, NONE)
MICROTILE(microtile_1x2, 1, 2, NONE)
MICROTILE(microtile_2x1, 2, 1, NONE)
MICROTILE(microtile_4x1, 4, 1, NONE)
MICROTILE(microtile_1x4, 1, 4, NONE)
MICROTILE(microtile_1x4_a, 1, 4, A)
MICROTILE(microtile_2x2, 2, 2, NONE)
MICROTILE(microtile_2x2_a, 2, 2, A)
MICROTILE(microtile_2x2_b, 2, 2, B)
MICROTILE(microtile_2x2_both, 2, 2, BOTH)

TG_INLINE prefetcher prefetch_of(const tg_brgemm *p, row_groups all, int64_t steps)
{
    return prefetch_in(&p->prefetch, (p->next ? all.count : (all.count + 1) / 2) * steps);
}

/* Computes a micro-tile; the next one stores the sums that it leaves. */
TG_INLINE void run_microtile(work *w, microtile_function *compute, int i)
{
    unfinished *const done = w->last;
    compute(w, i);
    w->last = w->next;
    w->next = done;
}

static void brgemm_amx_bf16(const tg_brgemm *p, const tg_batch_element *batch, int count)
{
    const int64_t steps = count * ((p->k + DEPTH - 1) / DEPTH);
    const bool narrow = p->n <= COLUMNS, met_once = count == 1;
    microtile_function *const pair = met_once ? microtile_1x4_a : microtile_1x4;
    const bool passes = steps * PANEL_STEP > FIRST_LEVEL;
    microtile_function *const square = met_once ? passes ? microtile_2x2_both : microtile_2x2_a
                                       : passes ? microtile_2x2_b
                                                : microtile_2x2;
    unfinished buffers[2];
    prefetcher f = prefetch_of(p, row_groups_of(p), steps);
    work w = { p, &f, row_groups_of(p), batch, count, &buffers[0], &buffers[1] };
    int i = 0;
    buffers[0].group = buffers[0].groups = buffers[1].group = buffers[1].groups = 0;
    configure_amx_bf16(w.all.rows);
    for (; p->next && i < w.all.count; i++) run_microtile(&w, pair, i);
    for (; narrow && i + 3 < w.all.count; i += 4) run_microtile(&w, microtile_4x1, i);
    for (; i + 1 < w.all.count; i += 2) run_microtile(&w, narrow ? microtile_2x1 : square, i);
    if (i < w.all.count) run_microtile(&w, narrow ? microtile_1x1 : microtile_1x2, i);
    finish_rest(p, w.last);
}

const tg_microkernel tg_microkernel_amx_bf16 = {
    .name = "amx_bf16",
    .isa = TG_ISA_AMX,
    .element = TG_BF16,
    .panel = 2 * COLUMNS,
    .tiles = true,
    .depth = DEPTH,
    .images = 2 * ROWS,
    .short_line = 12,
    .load = load_amx_bf16,
    .run = brgemm_amx_bf16,
    .leave = leave_amx_bf16,
    .tile_gemm = &tg_tile_gemm_amx_bf16,
};
