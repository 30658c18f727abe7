/* microkernel_amx_bf16.c - the microkernel on tiles: 2 x 2 tiles of sums, or 1 x 4 where one block of rows is left.
 *
 * 2 x 2 needs half a cycle of loads for one of products, and a panel's half stays in the first level of the cache while
 * rows go by.  Blocks of rows are of one height, nearly m / blocks: the time of a product falls with its rows, and one
 * configuration serves all.  The last block slides back if it must, and what it repeats is not written again.
 *
 * Tiles round to nearest even once a product and sum, even k and odd k apart, and denormals count as zeros. */
#include "avx512.h"
#include "pack_images.h"
#include "tiles.h"
#include <math.h>
#include <string.h>

enum { ROWS = 16, COLUMNS = TG_TILE, DEPTH = TG_DEPTH, TILE_ROW = 64, TILE = ROWS * TILE_ROW, PANEL_STEP = 2 * TILE };

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- backward-weights: one tile deep ---- */

static tg_places places_of(int rows, int k)
{
    (void)k;
    return (tg_places){ .a_bytes = (size_t)rows * TG_IMAGES * 2, .b_bytes = 2 * PANEL_STEP, .row = TG_IMAGES, .step = 1,
                        .k = TG_IMAGES };
}

static void load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    (void)dtype;
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    tg_pack_images_b(from, stride, k, n, TG_IMAGES / 2, TILE_ROW / 2, TILE / 2, to);
}

/* ---- configuration: tiles 0 .. 3 are sums, 4 and 5 A, 6 and 7 B ---- */

static _Thread_local int configured;                    /* rows of sums and of A; 0: no configuration */

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
    if (configured) TG_TILE_RELEASE();
    configured = 0;
}

/* ---- the product: two blocks of rows and up to two of columns, or one and up to four ---- */

/* f32 that tiles of sums come from or go to: where the first block of rows and the second begin. */
typedef struct { char *at[2]; int64_t row; } place;

#define EACH_SUM(X) X(0) X(1) X(2) X(3)
#define HAS(t) (two ? (t) % 2 < columns : (t) < columns)
#define AT(t, place) (two ? (place).at[(t) / 2] + (t) % 2 * 64 : (place).at[0] + (t) * 64)
#define LOAD_SUM(t) if (HAS(t)) TG_TILE_LOAD(t, AT(t, from), from.row);
#define ZERO_SUM(t) if (HAS(t)) TG_TILE_ZERO(t);
#define STORE_SUM(t) if (HAS(t)) TG_TILE_STORE(t, AT(t, to), to.row);

INLINE void begin(bool two, int columns, place from)
{
    if (from.at[0]) { EACH_SUM(LOAD_SUM) }
    else { EACH_SUM(ZERO_SUM) }
}

INLINE void put(bool two, int columns, place to) { EACH_SUM(STORE_SUM) }

/* 32 k.  The blocks of rows are at a[0] and a[1], columns 32 .. of B `panel` bytes behind the first ones. */
INLINE void step(bool two, int columns, const char *a0, const char *a1, int64_t row, const char *b, int64_t panel)
{
    TG_TILE_LOAD(6, b, TILE_ROW);
    TG_TILE_LOAD(4, a0, row);
    TG_TILE_PRODUCT(0, 4, 6);
    if (columns > 1) {
        TG_TILE_LOAD(7, b + TILE, TILE_ROW);
        TG_TILE_PRODUCT(1, 4, 7);
    }
    if (two) {
        TG_TILE_LOAD(5, a1, row);
        TG_TILE_PRODUCT(2, 5, 6);
        if (columns > 1) TG_TILE_PRODUCT(3, 5, 7);
        return;
    }
    if (columns > 2) {
        TG_TILE_LOAD(6, b + panel, TILE_ROW);
        TG_TILE_PRODUCT(2, 4, 6);
    }
    if (columns > 3) {
        TG_TILE_LOAD(7, b + panel + TILE, TILE_ROW);
        TG_TILE_PRODUCT(3, 4, 7);
    }
}

/* ---- blocks of rows: each lies in one line ---- */

typedef struct { int count, of_line, rows; } blocks;        /* in all, and of a line; rows of each */

static blocks blocks_of(const tg_brgemm *p)
{
    const int of_line = (p->m + ROWS - 1) / ROWS;
    return (blocks){ of_line * (1 + p->further), of_line, (p->m + of_line - 1) / of_line };
}

/* Row 0 of a block.  The last one of a line slides back to end with it, and repeats some rows. */
typedef struct { int row, again; int64_t a, from, c; } spot;

INLINE spot spot_of(const tg_brgemm *p, blocks b, int i)
{
    const int line = i / b.of_line, wanted = i % b.of_line * b.rows;
    const int row = wanted < p->m - b.rows ? wanted : p->m - b.rows;
    return (spot){ row, wanted - row, 2 * (line * p->a_line + row * p->row), line * p->from_line + row * p->from_row,
                   line * p->c_line + row * p->c_row };
}

/* ---- what becomes of sums ---- */

/* Sums of two blocks of rows that are still to become rows of c in bf16: a few at each step of the next product, which
 * keeps the tiles' unit busy meanwhile. */
typedef struct {
    float        sums[2 * ROWS * 2 * COLUMNS] __attribute__((aligned(64)));
    uint16_t    *c[2];
    const float *bias;
    int          rows, next, end;       /* of a block; the first one that is left of both, and how many both have */
} unfinished;

/* Rows of 32 columns. */
INLINE void finish_rows(const tg_brgemm *p, const float *sums, const float *bias, int rows, uint16_t *c)
{
    const __m512  least = _mm512_set1_ps(p->relu ? 0 : -INFINITY);
    const int64_t c_row = p->c_row;
    const bool    stream = p->stream;
    for (int r = 0; r < rows; r++, sums += 2 * COLUMNS, c += c_row) {
        __m512 low = _mm512_load_ps(sums), high = _mm512_load_ps(sums + COLUMNS);
        if (bias) {
            low = _mm512_add_ps(low, _mm512_loadu_ps(bias));
            high = _mm512_add_ps(high, _mm512_loadu_ps(bias + COLUMNS));
        }
        /* the second operand of max if either is a NaN */
        const __m512i row = (__m512i)_mm512_cvtne2ps_pbh(_mm512_max_ps(least, high), _mm512_max_ps(least, low));
        if (stream) _mm512_stream_si512((void *)c, row);
        else _mm512_storeu_si512(c, row);
    }
}

/* Some of what is left, of one block. */
INLINE void finish_some(const tg_brgemm *p, unfinished *u, int most)
{
    const int block = u->next >= u->rows, end = block ? u->end : u->rows, first = u->next;
    const int rows = first + most < end ? most : end - first;
    finish_rows(p, u->sums + first * 2 * COLUMNS, u->bias, rows, u->c[block] + (first - block * u->rows) * p->c_row);
    u->next += rows;
}

INLINE void finish_rest(const tg_brgemm *p, unfinished *u)
{
    while (u->next < u->end) finish_some(p, u, ROWS);
}

/* Rows of sums become rows of c. */
INLINE void finish(const tg_brgemm *p, const float *sums, int columns, int rows, int64_t at, int j)
{
    for (int r = 0; r < rows; r++, sums += COLUMNS * columns)
#pragma GCC unroll 4
        for (int v = 0; v < columns; v++) {
            const int       column = j + COLUMNS * v;
            const __mmask16 mask = mask_of(p->n - column);
            store(p, at + r * p->c_row + column, finished(_mm512_load_ps(sums + COLUMNS * v), p, column, mask), mask);
        }
}

/* Rows of `from` where columns are missing: tiles load them from a buffer. */
INLINE void gather(const tg_brgemm *p, int columns, int rows, int64_t at, int j, float *sums)
{
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < columns; v++)
            _mm512_store_ps(sums + (i * columns + v) * COLUMNS,
                            _mm512_maskz_loadu_ps(mask_of(p->n - j - COLUMNS * v),
                                                  p->from + at + i * p->from_row + j + COLUMNS * v));
}

INLINE place in_memory(const float *m, int64_t row, int64_t at0, int64_t at1)
{
    return (place){ { (char *)(uintptr_t)(m + at0), (char *)(uintptr_t)(m + at1) }, 4 * row };
}

INLINE place in_buffer(float *sums, int columns, int rows)
{
    return (place){ { (char *)sums, (char *)(sums + rows * columns * COLUMNS) }, 4 * columns * COLUMNS };
}

/* Blocks of rows i (and i + 1), columns j ..; what `last` has left is finished on the way, `next` may get something. */
INLINE void block(bool two, int columns, const tg_brgemm *p, blocks all, int i, int j, const tg_brick *brick, int count,
                  unfinished *last, unfinished *next)
{
    const int     width = COLUMNS * columns, rows = all.rows;
    const spot    s0 = spot_of(p, all, i), s1 = two ? spot_of(p, all, i + 1) : s0;
    const bool    whole = j + width <= p->n, again = s0.again || s1.again;
    const int64_t row = 2 * p->row, chunk = 2 * (DEPTH + p->gap), panel = (p->k + DEPTH - 1) / DEPTH * PANEL_STEP;
    /* tiles can leave c as it is to be, but must not add to a row twice */
    const bool    plain = p->store == TG_F32 && !p->bias && !p->relu && whole && !(p->from && again);
    const bool    later = p->store == TG_BF16 && whole && columns == 2;
    const int     steps = count * (int)((p->k + DEPTH - 1) / DEPTH), speed = steps ? 2 * ROWS / steps + 1 : 1;
    place         from = { .at = { NULL } };
    if (p->from && whole) from = in_memory(p->from + j, p->from_row, s0.from, s1.from);
    else if (p->from) {
        from = in_buffer(next->sums, columns, rows);
        gather(p, columns, rows, s0.from, j, next->sums);
        if (two) gather(p, columns, rows, s1.from, j, next->sums + rows * width);
    }
    begin(two, columns, from);
    for (int q = 0; q < count; q++) {
        const char *a0 = (const char *)brick[q].a + s0.a, *a1 = (const char *)brick[q].a + s1.a;
        const char *b = (const char *)brick[q].b + j / (2 * COLUMNS) * panel;
        for (int64_t k = 0; k < p->k; k += DEPTH, a0 += chunk, a1 += chunk, b += PANEL_STEP) {
            step(two, columns, a0, a1, row, b, panel);
            if (last->next < last->end) finish_some(p, last, speed);
        }
    }
    finish_rest(p, last);
    put(two, columns, plain ? in_memory((float *)p->c + j, p->c_row, s0.c, s1.c) : in_buffer(next->sums, columns, rows));
    if (plain) return;
    if (later) {
        next->c[0] = (uint16_t *)p->c + s0.c + j;
        next->c[1] = (uint16_t *)p->c + s1.c + j;
        next->bias = p->bias ? p->bias + j : NULL;
        next->rows = rows;
        next->next = 0;
        next->end = two ? 2 * rows : rows;
        return;
    }
    finish(p, next->sums + s0.again * width, columns, rows - s0.again, s0.c + s0.again * p->c_row, j);
    if (two)
        finish(p, next->sums + (rows + s1.again) * width, columns, rows - s1.again, s1.c + s1.again * p->c_row, j);
}

/* ---- memory that will be read soon: some lines of it at each block ---- */

typedef struct { const char *at, *end; int64_t step; } ahead;

INLINE ahead ahead_of(const tg_brgemm *p, blocks all)
{
    const int64_t pairs = all.count / 2 * ((p->n + 2 * COLUMNS - 1) / (2 * COLUMNS));
    return (ahead){ p->ahead, p->ahead + p->ahead_bytes, (p->ahead_bytes / (pairs + !pairs) + 63) / 64 * 64 };
}

INLINE void fetch(ahead *f)
{
    const char *const end = f->end - f->at > f->step ? f->at + f->step : f->end;
    for (; f->at < end; f->at += 64) _mm_prefetch(f->at, _MM_HINT_T1);
}

typedef void block_function(const tg_brgemm *, blocks, int, int, const tg_brick *, int, unfinished *, unfinished *);
#define BLOCK(two, columns) \
    static void block_##two##_##columns(const tg_brgemm *p, blocks all, int i, int j, const tg_brick *brick, \
                                        int count, unfinished *last, unfinished *next) \
    { \
        block(two, columns, p, all, i, j, brick, count, last, next); \
    }
BLOCK(0, 1) BLOCK(0, 2) BLOCK(0, 3) BLOCK(0, 4) BLOCK(1, 1) BLOCK(1, 2)

static void run(const tg_brgemm *p, const tg_brick *brick, int count)
{
    static block_function *const one[4] = { block_0_1, block_0_2, block_0_3, block_0_4 };
    const blocks all = blocks_of(p);
    unfinished   room[2];
    int          now = 0;
    room[0].next = room[0].end = room[1].next = room[1].end = 0;
    ahead        fetched = ahead_of(p, all);
    configure(all.rows);
    for (int j = 0; j < p->n; j += 2 * COLUMNS)
        for (int i = 0; i + 1 < all.count; i += 2, now = !now) {
            fetch(&fetched);
            (p->n - j > COLUMNS ? block_1_2 : block_1_1)(p, all, i, j, brick, count, &room[!now], &room[now]);
        }
    if (all.count % 2) {
        one[(p->n - 1) / COLUMNS](p, all, all.count - 1, 0, brick, count, &room[!now], &room[now]);
        now = !now;
    }
    finish_rest(p, &room[!now]);
}

const tg_microkernel tg_microkernel_amx_bf16 = {
    .name = "amx_bf16", .isa = TG_ISA_AMX, .element = TG_BF16, .panel = 2 * COLUMNS, .tiles = true, .depth = DEPTH,
    .images = 2 * ROWS, .short_line = 12, .places = TG_IMAGES, .load = load, .places_of = places_of, .load_a = load_a, .load_b = load_b, .run = run,
    .leave = leave,
};
