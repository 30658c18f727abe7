/* microkernel_amx_bf16.c - the microkernel on tiles: 2 x 2 tiles of sums, or 1 x 4 where one block of rows is left.
 *
 * 2 x 2 needs half a cycle of loads for one of products, and a panel's half stays in the first level of the cache while
 * rows go by.  Blocks of rows are of one height, nearly m / blocks: the time of a product falls with its rows, and one
 * configuration serves all.  The last block slides back if it must, and what it repeats is not written again.
 *
 * Tiles round to nearest even once a product and sum, even k and odd k apart, and denormals count as zeros. */
#include "avx512.h"
#include "tiles.h"
#include <string.h>

enum { ROWS = 16, COLUMNS = 16, DEPTH = 32, PAIR_BYTES = 4 * TG_PANEL, STEP_BYTES = DEPTH / 2 * PAIR_BYTES };

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
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

/* f32 that tiles of sums come from or go to; `down` bytes from one block of rows to the next. */
typedef struct { char *at; int64_t row, down; } place;

#define EACH_SUM(X) X(0) X(1) X(2) X(3)
#define HAS(t) (two ? (t) % 2 < columns : (t) < columns)
#define AT(t, place) ((place).at + (two ? (t) / 2 * (place).down + (t) % 2 * 64 : (t) * 64))
#define LOAD_SUM(t) if (HAS(t)) TG_TILE_LOAD(t, AT(t, from), from.row);
#define ZERO_SUM(t) if (HAS(t)) TG_TILE_ZERO(t);
#define STORE_SUM(t) if (HAS(t)) TG_TILE_STORE(t, AT(t, to), to.row);

INLINE void begin(bool two, int columns, place from)
{
    if (from.at) { EACH_SUM(LOAD_SUM) }
    else { EACH_SUM(ZERO_SUM) }
}

INLINE void put(bool two, int columns, place to) { EACH_SUM(STORE_SUM) }

/* 32 k.  A is `down` bytes from one block of rows to the next. */
INLINE void step(bool two, int columns, const char *a, int64_t row, int64_t down, const char *b)
{
    TG_TILE_LOAD(6, b, PAIR_BYTES);
    TG_TILE_LOAD(4, a, row);
    TG_TILE_PRODUCT(0, 4, 6);
    if (columns > 1) {
        TG_TILE_LOAD(7, b + 64, PAIR_BYTES);
        TG_TILE_PRODUCT(1, 4, 7);
    }
    if (two) {
        TG_TILE_LOAD(5, a + down, row);
        TG_TILE_PRODUCT(2, 5, 6);
        if (columns > 1) TG_TILE_PRODUCT(3, 5, 7);
        return;
    }
    if (columns > 2) {
        TG_TILE_LOAD(6, b + 128, PAIR_BYTES);
        TG_TILE_PRODUCT(2, 4, 6);
    }
    if (columns > 3) {
        TG_TILE_LOAD(7, b + 192, PAIR_BYTES);
        TG_TILE_PRODUCT(3, 4, 7);
    }
}

/* Two blocks of rows at r0 and r1 (or one, r0 = r1), and columns j .., of which some may lie beyond n. */
typedef struct { int rows, r0, r1, j, pitch; bool whole; } area;

INLINE place in_memory(const float *m, int64_t row, const area *w)
{
    return (place){ (char *)(uintptr_t)(m + w->r0 * row + w->j), 4 * row, 4 * row * (w->r1 - w->r0) };
}

INLINE place in_buffer(float *sums, const area *w)
{
    return (place){ (char *)sums, 4 * w->pitch, 4 * w->pitch * w->rows };
}

/* `from` where columns are missing: tiles load them from a buffer. */
INLINE void gather(const tg_brgemm *p, const area *w, int rows, float *sums)
{
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < w->pitch; v += COLUMNS) {
            const float *from = p->from + (i < w->rows ? w->r0 + i : w->r1 + i - w->rows) * p->from_row + w->j + v;
            _mm512_store_ps(sums + i * w->pitch + v, _mm512_maskz_loadu_ps(mask_of(p->n - w->j - v), from));
        }
}

/* Rows of sums become rows of c. */
INLINE void finish(const tg_brgemm *p, const float *sums, int columns, int rows, int r0, int j)
{
    for (int r = 0; r < rows; r++, sums += COLUMNS * columns)
#pragma GCC unroll 4
        for (int v = 0; v < columns; v++) {
            const int       column = j + COLUMNS * v;
            const __mmask16 mask = mask_of(p->n - column);
            store(p, (r0 + r) * p->c_row + column, finished(_mm512_load_ps(sums + COLUMNS * v), p, column, mask), mask);
        }
}

/* Of m rows in blocks of `rows`, the first one of block i: the last block slides back to end with m. */
static int first_row(const tg_brgemm *p, int rows, int i) { return i * rows < p->m - rows ? i * rows : p->m - rows; }

/* Blocks of rows i (and i + 1), columns j .. */
INLINE void block(bool two, int columns, const tg_brgemm *p, int rows, int i, int j, const tg_brick *brick, int count)
{
    float         sums[2 * ROWS * 2 * COLUMNS] __attribute__((aligned(64)));
    const int     last = i + two;
    const area    w = { rows, first_row(p, rows, i), first_row(p, rows, last), j, COLUMNS * columns,
                        j + COLUMNS * columns <= p->n };
    const int     again = last * rows - w.r1;           /* rows of the last block that the one before it has */
    const int64_t row = 2 * p->row, depth = p->k;
    /* tiles can leave c as it is to be, but must not add to a row twice */
    const bool    plain = p->store == TG_F32 && !p->bias && !p->relu && w.whole && !(p->from && again);
    if (p->from && !w.whole) gather(p, &w, rows * (1 + two), sums);
    begin(two, columns, !p->from ? (place){ NULL, 0, 0 } : w.whole ? in_memory(p->from, p->from_row, &w)
                                                                   : in_buffer(sums, &w));
    for (int q = 0; q < count; q++) {
        const char *a = (const char *)brick[q].a + w.r0 * row, *b = (const char *)brick[q].b + 4 * j;
        for (int64_t k = 0; k < depth; k += DEPTH, a += 2 * DEPTH, b += STEP_BYTES)
            step(two, columns, a, row, (w.r1 - w.r0) * row, b);
    }
    put(two, columns, plain ? in_memory(p->c, p->c_row, &w) : in_buffer(sums, &w));
    if (plain) return;
    if (two) finish(p, sums, columns, rows, w.r0, j);
    finish(p, sums + (two * rows + again) * w.pitch, columns, rows - again, w.r1 + again, j);
}

typedef void block_function(const tg_brgemm *, int, int, int, const tg_brick *, int);
#define BLOCK(two, columns) \
    static void block_##two##_##columns(const tg_brgemm *p, int rows, int i, int j, const tg_brick *brick, int count) \
    { \
        block(two, columns, p, rows, i, j, brick, count); \
    }
BLOCK(0, 1) BLOCK(0, 2) BLOCK(0, 3) BLOCK(0, 4) BLOCK(1, 1) BLOCK(1, 2)

static void run(const tg_brgemm *p, const tg_brick *brick, int count)
{
    static block_function *const one[4] = { block_0_1, block_0_2, block_0_3, block_0_4 };
    const int blocks = (p->m + ROWS - 1) / ROWS, rows = (p->m + blocks - 1) / blocks;
    configure(rows);
    for (int j = 0; j < p->n; j += 2 * COLUMNS)
        for (int i = 0; i + 1 < blocks; i += 2)
            (p->n - j > COLUMNS ? block_1_2 : block_1_1)(p, rows, i, j, brick, count);
    if (blocks % 2) one[(p->n - 1) / COLUMNS](p, rows, blocks - 1, 0, brick, count);
}

const tg_microkernel tg_microkernel_amx_bf16 = {
    .name = "amx_bf16", .isa = TG_ISA_AMX, .element = TG_BF16, .depth = DEPTH, .images = 2 * ROWS, .short_line = ROWS,
    .load = load, .run = run, .leave = leave, .blocks = &tg_blocks_amx_bf16,
};
