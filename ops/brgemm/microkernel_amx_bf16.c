/* microkernel_amx_bf16.c - the microkernel on tiles: 2 x 2 tiles of sums, or 4 x 1 where there are 16 columns or
 * fewer, or 1 x 4 over two panels that the first level of the cache holds: then A, which it does not, is read once for
 * 64 columns.
 *
 * 2 x 2 needs half a cycle of loads for one of products, and with four sums none waits for the one before.  Blocks of
 * rows are of one height, nearly a line's rows / blocks: the time of a product falls with its rows, and one
 * configuration serves all.  The last block of a line slides back if it must.
 *
 * Tiles round to nearest even once a product and sum, even k and odd k apart, and denormals count as zeros. */
#include "avx512.h"
#include "tiles.h"
#include <math.h>
#include <string.h>

enum { ROWS = 16, COLUMNS = TG_TILE, DEPTH = TG_DEPTH, TILE_ROW = 64, TILE = ROWS * TILE_ROW, PANEL_STEP = 2 * TILE };

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- configuration: tiles 0 .. 3 are sums, 4 and 5 A, 6 and 7 B ---- */

static _Thread_local int configured; /* rows of sums and of A; 0: no configuration */

static void configure(int rows)
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

static void leave(void)
{
    _mm_sfence(); /* rows that were written past the cache are there when the task is over */
    if (configured) TG_TILE_RELEASE();
    configured = 0;
}

/* ---- the product: 2 x 2 tiles of sums, 4 x 1 where there are few columns, or what is left ---- */

enum { MOST_DOWN = 4, MOST_SUMS = 4, FIRST_LEVEL = 36 << 10, LEAST_FINISHED = 2 };

/* f32 that tiles of sums come from or go to: where each block of rows begins. */
typedef struct {
    char *at[MOST_DOWN];
    int64_t row;
} place;

#define EACH_SUM(X)  X(0) X(1) X(2) X(3)
#define HAS(t)       ((t) < down * across)
#define AT(t, place) ((place).at[(t) / across] + (t) % across * TILE_ROW)
#define LOAD_SUM(t) \
    if (HAS(t)) TG_TILE_LOAD(t, AT(t, from), from.row);
#define ZERO_SUM(t) \
    if (HAS(t)) TG_TILE_ZERO(t);
#define STORE_SUM(t) \
    if (HAS(t)) TG_TILE_STORE(t, AT(t, to), to.row);

INLINE void begin(int down, int across, place from)
{
    if (from.at[0]) {
        EACH_SUM(LOAD_SUM)
    } else {
        EACH_SUM(ZERO_SUM)
    }
}

INLINE void put(int down, int across, place to){ EACH_SUM(STORE_SUM) }

/* 32 k of one block of rows */
INLINE void step_one(int across, const char *a, int64_t row, const char *b)
{
    TG_TILE_LOAD(4, a, row);
    TG_TILE_LOAD(6, b, TILE_ROW);
    TG_TILE_PRODUCT(0, 4, 6);
    if (across == 1) return;
    TG_TILE_LOAD(7, b + TILE, TILE_ROW);
    TG_TILE_PRODUCT(1, 4, 7);
}

/* 32 k of one of two blocks of rows, whose sums are tiles 2 and 3, or 1 if there is one column of tiles */
INLINE void step_second(int across, const char *a, int64_t row, const char *b)
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

/* What passes through the first level of the cache, where the other operand is to stay: B that it cannot hold, for A is
 * met by several taps; or else A that is met by one; or both. */
enum { NONE, A, B, BOTH };
#define LOAD_A(t, at) \
    if (passes == A) TG_TILE_STREAM(t, at, row); \
    else TG_TILE_LOAD(t, at, row)
#define LOAD_B(t, at) \
    if (passes >= B) TG_TILE_STREAM(t, at, TILE_ROW); \
    else TG_TILE_LOAD(t, at, TILE_ROW)

/* 32 k of 2 x 2 tiles.  A product with the B of the one before takes as many cycles as A has rows, with another 16. But
 * where both come from the second level of the cache, their loads should lie apart. */
INLINE void step_square(int passes, const char *const a[MOST_DOWN], int64_t row, const char *b)
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

/* 32 k of one block of rows and two panels */
INLINE void step_pair(int passes, const char *a, int64_t row, const char *b, const char *next)
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

/* 32 k of several blocks of rows, at a[0] .., and 16 columns */
INLINE void step_narrow(int down, const char *const a[MOST_DOWN], int64_t row, const char *b)
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

/* ---- blocks of rows: each lies in one line ---- */

typedef struct {
    int count, of_line, rows;
} blocks; /* in all, and of a line; rows of each */

static blocks blocks_of(const tg_brgemm *p)
{
    const int of_line = (p->m + ROWS - 1) / ROWS;
    return (blocks){ of_line * (1 + p->further), of_line, (p->m + of_line - 1) / of_line };
}

/* Where a block of rows begins in A (bytes), `from` and c.  The last block of a line slides back to end with it: some
 * of its rows are there again. */
typedef struct {
    int again;
    int64_t a, from, c;
} spot;

INLINE spot spot_of(const tg_brgemm *p, blocks b, int i)
{
    const int line = i / b.of_line, wanted = i % b.of_line * b.rows;
    const int row = wanted < p->m - b.rows ? wanted : p->m - b.rows;
    return (spot){ wanted - row, 2 * (line * p->a_line + row * p->row), line * p->from_line + row * p->from_row,
                   line * p->c_line + row * p->c_row };
}

/* ---- what becomes of sums ---- */

/* Sums that are still to become rows of c in bf16: a few at each step of the next product, which keeps the tiles' unit
 * busy meanwhile. */
typedef struct {
    float sums[MOST_SUMS * ROWS * COLUMNS] __attribute__((aligned(64)));
    uint16_t *c[MOST_DOWN]; /* of each block of rows */
    const float *bias;
    int across, rows;       /* tiles side by side; rows of a block */
    int block, row, blocks; /* the first that is left; how many there are */
} unfinished;

/* The second operand of max if either is a NaN. */
INLINE __m512 added(const float *sums, const float *bias, __m512 least)
{
    const __m512 v = _mm512_load_ps(sums);
    return _mm512_max_ps(least, bias ? _mm512_add_ps(v, _mm512_loadu_ps(bias)) : v);
}

INLINE void note(const tg_brgemm *p, __mmask16 nan)
{
    if (nan && p->nan) *p->nan = true;
}

/* 32 columns, of rows that lie `apart`. */
INLINE void finish_wide(const tg_brgemm *p, const float *sums, int apart, const float *bias, int rows, uint16_t *c)
{
    const __m512 least = _mm512_set1_ps(p->relu ? 0 : -INFINITY);
    const int64_t c_row = p->c_row;
    const bool stream = p->stream;
    __mmask16 nan = 0;
    for (int r = 0; r < rows; r++, sums += apart, c += c_row) {
        const __m512 low = added(sums, bias, least), high = added(sums + COLUMNS, bias ? bias + COLUMNS : NULL, least);
        const __m512i row = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        nan |= _mm512_cmp_ps_mask(low, high, _CMP_UNORD_Q);
        if (stream) _mm512_stream_si512((void *)c, row);
        else _mm512_storeu_si512(c, row);
    }
    note(p, nan);
}

INLINE void finish_narrow(const tg_brgemm *p, const float *sums, const float *bias, int rows, uint16_t *c)
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

/* Some rows of what is left, of one block. */
INLINE void finish_some(const tg_brgemm *p, unfinished *u, int most)
{
    const int left = u->rows - u->row, rows = most < left ? most : left;
    const float *sums = u->sums + (u->block * u->rows + u->row) * u->across * COLUMNS;
    uint16_t *c = u->c[u->block] + u->row * p->c_row;
    const int width = u->across * COLUMNS;
    if (u->across > 1) finish_wide(p, sums, width, u->bias, rows, c);
    if (u->across == 4)
        finish_wide(p, sums + 2 * COLUMNS, width, u->bias ? u->bias + 2 * COLUMNS : NULL, rows, c + 2 * COLUMNS);
    if (u->across == 1) finish_narrow(p, sums, u->bias, rows, c);
    u->row += rows;
    if (rows < left) return;
    u->row = 0;
    u->block++;
}

INLINE void finish_rest(const tg_brgemm *p, unfinished *u)
{
    while (u->block < u->blocks) finish_some(p, u, ROWS);
}

/* Any rows of sums become rows of c. */
INLINE void finish(const tg_brgemm *p, const float *sums, int across, int rows, int64_t at)
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

/* Rows of `from` where columns are missing: tiles load them from a buffer. */
INLINE void gather(const tg_brgemm *p, int across, int rows, int64_t at, float *sums)
{
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < across; v++)
            _mm512_store_ps(
                sums + (i * across + v) * COLUMNS,
                _mm512_maskz_loadu_ps(mask_of(p->n - COLUMNS * v), p->from + at + i * p->from_row + COLUMNS * v));
}

/* ---- a block of sums ---- */

typedef struct {
    const tg_brgemm *p;
    prefetch *ahead;
    blocks all;
    const tg_brick *brick;
    int count;
    unfinished *last, *next; /* what is finished on the way, and what may get something */
} work;

/* Bricks that only one of two blocks of rows meets stand first.  Returns how many. */
static int __attribute__((noinline)) multiply_lines(int across, const work *w, const spot at[MOST_DOWN])
{
    const tg_brgemm *p = w->p;
    const int64_t row = 2 * p->row, chunk = 2 * (DEPTH + p->gap), depth = (p->k + DEPTH - 1) / DEPTH;
    int q = 0;
    for (; q < w->count && w->brick[q].line; q++) {
        const bool second = w->brick[q].line == 2;
        const char *a = (const char *)w->brick[q].a + at[second].a, *b = w->brick[q].b;
        for (int64_t k = 0; k < depth; k++, a += chunk, b += PANEL_STEP)
            (second ? step_second : step_one)(across, a, row, b);
    }
    return q;
}

/* All products, and some of what is left of the block before at each step. */
INLINE void multiply(int down, int across, int passes, const work *w, const spot at[MOST_DOWN])
{
    const tg_brgemm *p = w->p;
    const int64_t row = 2 * p->row, chunk = 2 * (DEPTH + p->gap), depth = (p->k + DEPTH - 1) / DEPTH;
    const int steps = w->count * (int)depth, enough = steps ? down * ROWS / steps + 1 : 0;
    const int speed = enough < LEAST_FINISHED ? LEAST_FINISHED : enough;
    for (int q = down == 2 ? multiply_lines(across, w, at) : 0; q < w->count; q++) {
        const char *a[MOST_DOWN], *b = w->brick[q].b;
        for (int i = 0; i < down; i++) a[i] = (const char *)w->brick[q].a + at[i].a;
        for (int64_t k = 0; k < depth; k++, b += PANEL_STEP) {
            if (across == 4) step_pair(passes, a[0], row, b, b + p->next);
            else if (down == 1) step_one(across, a[0], row, b);
            else if (across == 2) step_square(passes, a, row, b);
            else step_narrow(down, a, row, b);
            for (int i = 0; i < down; i++) a[i] += chunk;
            prefetch_some(w->ahead);
            if (w->last->block < w->last->blocks) finish_some(p, w->last, speed);
        }
    }
    finish_rest(p, w->last);
}

/* Blocks of rows i .. */
INLINE void block(int down, int across, int passes, const work *w, int i)
{
    const tg_brgemm *p = w->p;
    unfinished *const u = w->next;
    const int rows = w->all.rows, width = COLUMNS * across;
    const bool whole = width <= p->n;
    place buffer = { .row = 4 * width }, from = { .row = 4 * p->from_row }, to = { .row = 4 * p->c_row };
    spot at[MOST_DOWN];
    bool again = false;
    for (int d = 0; d < down; d++) {
        at[d] = spot_of(p, w->all, i + d);
        again |= at[d].again > 0;
        buffer.at[d] = (char *)(u->sums + d * rows * width);
        from.at[d] = p->from ? (char *)(uintptr_t)(p->from + at[d].from) : NULL;
        to.at[d] = (char *)((float *)p->c + at[d].c);
        if (p->from && !whole) gather(p, across, rows, at[d].from, u->sums + d * rows * width);
    }
    /* tiles can leave c as it is to be, but must not add to a row twice */
    const bool plain = p->store == TG_F32 && !p->bias && !p->relu && whole && !(p->from && again);
    begin(down, across, p->from && !whole ? buffer : from);
    multiply(down, across, passes, w, at);
    put(down, across, plain ? to : buffer);
    if (plain) return;
    if (p->store == TG_BF16 && whole) {
        u->bias = p->bias;
        u->across = across;
        u->rows = rows;
        u->block = u->row = 0;
        u->blocks = down;
        for (int d = 0; d < down; d++) u->c[d] = (uint16_t *)p->c + at[d].c;
        return;
    }
    for (int d = 0; d < down; d++)
        finish(p, u->sums + (d * rows + at[d].again) * width, across, rows - at[d].again,
               at[d].c + at[d].again * p->c_row);
}

typedef void block_function(const work *, int);
#define BLOCK(name, down, across, passes) \
    static void name(const work *w, int i) { block(down, across, passes, w, i); }
BLOCK(block_1_1, 1, 1, NONE)
BLOCK(block_1_2, 1, 2, NONE)
BLOCK(block_2_1, 2, 1, NONE)
BLOCK(block_4_1, 4, 1, NONE)
BLOCK(block_1_4, 1, 4, NONE)
BLOCK(block_1_4_a, 1, 4, A)
BLOCK(block_2_2, 2, 2, NONE)
BLOCK(block_2_2_a, 2, 2, A)
BLOCK(block_2_2_b, 2, 2, B)
BLOCK(block_2_2_both, 2, 2, BOTH)

INLINE prefetch ahead_of(const tg_brgemm *p, blocks all, int64_t steps)
{
    return prefetch_in(p, (p->next ? all.count : (all.count + 1) / 2) * steps);
}

/* A block, and what it leaves is what the next one finishes. */
INLINE void go(work *w, block_function *run_block, int i)
{
    unfinished *const done = w->last;
    run_block(w, i);
    w->last = w->next;
    w->next = done;
}

static void run(const tg_brgemm *p, const tg_brick *brick, int count)
{
    const int64_t steps = count * ((p->k + DEPTH - 1) / DEPTH);
    const bool narrow = p->n <= COLUMNS, met_once = count == 1;
    block_function *const pair = met_once ? block_1_4_a : block_1_4;
    const bool passes = steps * PANEL_STEP > FIRST_LEVEL;
    block_function *const square = met_once ? passes ? block_2_2_both : block_2_2_a : passes ? block_2_2_b : block_2_2;
    unfinished room[2];
    prefetch f = ahead_of(p, blocks_of(p), steps);
    work w = { p, &f, blocks_of(p), brick, count, &room[0], &room[1] };
    int i = 0;
    room[0].block = room[0].blocks = room[1].block = room[1].blocks = 0;
    configure(w.all.rows);
    for (; p->next && i < w.all.count; i++) go(&w, pair, i);
    for (; narrow && i + 3 < w.all.count; i += 4) go(&w, block_4_1, i);
    for (; i + 1 < w.all.count; i += 2) go(&w, narrow ? block_2_1 : square, i);
    if (i < w.all.count) go(&w, narrow ? block_1_1 : block_1_2, i);
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
    .load = load,
    .run = run,
    .leave = leave,
    .blocks = &tg_blocks_amx_bf16,
};
