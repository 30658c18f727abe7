/* tile_gemm_amx_bf16.c - see tile_gemm.h: macro-tiles of 2 x 2 tiles of sums, or 1 x 4.
 *
 * B and the sums are loaded with the hint that they do not belong in L1.  Without it 32 KiB of A do not survive there,
 * and tiles are loaded at two thirds of the speed at which they are multiplied.  Tiles are configured to the
 * macro-tile's shape, so nothing beyond its edges is computed or touched. */
#include "amx.h"
#include "pack_images.h"
#include "tile_gemm.h"

enum { ROWS = 16, ROW_BYTES = 64, PAIRS = TG_IMAGES / 2 };

static void tile_gemm_load_a(const uint16_t *from, int64_t stride, int k, int rows, uint16_t *to)
{
    tg_pack_images_a(from, stride, k, 0, rows, rows, to);
}

/* ---- configuration: tiles 0 to 3 are sums, 4 is A, 5 A or B, 6 and 7 B; 1, 3 and 7 have the last columns ---- */

static _Thread_local int configured; /* shape; 0: not configured */

static void shape(tg_tile_config *config, int tile, int rows, int row_bytes)
{
    config->rows[tile] = (uint8_t)rows;
    config->row_bytes[tile] = (uint16_t)row_bytes;
}

static void tile_gemm_configure(int m, int n)
{
    tg_tile_config config = { .palette = 1 };
    const bool two = m > ROWS;
    const int low = two ? m - ROWS : m, last = 4 * ((n - 1) % TG_TILE + 1);
    if (configured == 256 * m + n) return;
    for (int t = 0; t < 4; t++)
        shape(&config, t, two && t < 2 ? ROWS : low, t == 3 || (two && t == 1) ? last : ROW_BYTES);
    shape(&config, 4, two ? ROWS : low, ROW_BYTES);
    shape(&config, 5, two ? low : PAIRS, ROW_BYTES);
    shape(&config, 6, PAIRS, ROW_BYTES);
    shape(&config, 7, PAIRS, last);
    TG_TILE_CONFIGURE(config);
    configured = 256 * m + n;
}

static void tile_gemm_leave(void)
{
    if (configured) TG_TILE_RELEASE();
    configured = 0;
}

/* ---- macro-tiles ---- */

/* For each tile of sums: X(tile, rows below, columns to the right).  The last tile of a row is number 3 or 1. */
#define EACH_OF_TWO(columns, X) \
    if ((columns) > 1) { \
        X(0, 0, 0) X(2, ROWS, 0) \
    } \
    X(1, 0, TG_TILE *((columns)-1)) X(3, ROWS, TG_TILE *((columns)-1))
#define EACH_OF_ONE(columns, X) \
    if ((columns) > 1) { \
        X(0, 0, 0) \
    } \
    if ((columns) > 2) { \
        X(1, 0, TG_TILE) \
    } \
    if ((columns) > 3) { \
        X(2, 0, 2 * TG_TILE) \
    } \
    X(3, 0, TG_TILE *((columns)-1))
#define EACH(two, columns, X) \
    if (two) { \
        EACH_OF_TWO(columns, X) \
    } else { \
        EACH_OF_ONE(columns, X) \
    }
#define ZERO(t, down, right)  TG_TILE_ZERO(t);
#define LOAD(t, down, right)  TG_TILE_STREAM(t, p->c + (down)*p->row + (right), row);
#define STORE(t, down, right) TG_TILE_STORE(t, p->c + (down)*p->row + (right), row);

TG_INLINE void step_two(int columns, const char *a, const char *b, int64_t b_stride)
{
    if (columns > 1) TG_TILE_STREAM(6, b, ROW_BYTES);
    TG_TILE_LOAD(4, a, ROW_BYTES);
    if (columns > 1) TG_TILE_PRODUCT(0, 4, 6);
    TG_TILE_STREAM(7, b + (columns - 1) * b_stride, ROW_BYTES);
    TG_TILE_PRODUCT(1, 4, 7);
    TG_TILE_LOAD(5, a + TG_A_TILE, ROW_BYTES);
    if (columns > 1) TG_TILE_PRODUCT(2, 5, 6);
    TG_TILE_PRODUCT(3, 5, 7);
}

TG_INLINE void step_one(int columns, const char *a, const char *b, int64_t b_stride)
{
    TG_TILE_LOAD(4, a, ROW_BYTES);
    if (columns > 1) {
        TG_TILE_STREAM(5, b, ROW_BYTES);
        TG_TILE_PRODUCT(0, 4, 5);
    }
    if (columns > 2) {
        TG_TILE_STREAM(6, b + b_stride, ROW_BYTES);
        TG_TILE_PRODUCT(1, 4, 6);
    }
    if (columns > 3) {
        TG_TILE_STREAM(5, b + 2 * b_stride, ROW_BYTES);
        TG_TILE_PRODUCT(2, 4, 5);
    }
    TG_TILE_STREAM(7, b + (columns - 1) * b_stride, ROW_BYTES);
    TG_TILE_PRODUCT(3, 4, 7);
}

/* Prefetches a row of each tile of sums. */
TG_INLINE void prefetch_sums(bool two, int columns, const float *row, int64_t b_stride)
{
    for (int j = 0; j < columns; j++) {
        __builtin_prefetch(row + j * TG_TILE, 1);
        if (two) __builtin_prefetch(row + ROWS * b_stride + j * TG_TILE, 1);
    }
}

TG_INLINE void macro_tile(bool two, int columns, const tg_tile_product *p, const float *next)
{
    const int64_t row = p->row * (int64_t)sizeof *p->c;
    const tg_tile_step *step = p->step;
    if (p->add) {
        EACH(two, columns, LOAD)
    } else {
        EACH(two, columns, ZERO)
    }
    for (int i = 0; i < p->count; i++) {
        if (i < ROWS) prefetch_sums(two, columns, next + i * p->row, p->row);
        if (two) step_two(columns, p->a + step[i].a, p->b + step[i].b, p->b_stride);
        else step_one(columns, p->a + step[i].a, p->b + step[i].b, p->b_stride);
    }
    EACH(two, columns, STORE)
}

static void tile_gemm_run(const tg_tile_product *p, const float *next)
{
    const bool two = p->m > ROWS;
    tile_gemm_configure(p->m, p->n);
    switch ((p->n - 1) / TG_TILE + 1) {
    case 1: two ? macro_tile(true, 1, p, next) : macro_tile(false, 1, p, next); break;
    case 2: two ? macro_tile(true, 2, p, next) : macro_tile(false, 2, p, next); break;
    case 3: macro_tile(false, 3, p, next); break;
    default: macro_tile(false, 4, p, next);
    }
}

const tg_tile_gemm tg_tile_gemm_amx_bf16 = {
    .load_a = tile_gemm_load_a, .load_b = tg_pack_images_tiles, .run = tile_gemm_run, .leave = tile_gemm_leave
};
