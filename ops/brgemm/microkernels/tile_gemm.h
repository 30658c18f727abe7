/* tile_gemm.h - what a microkernel on AMX tiles offers for backward-weights: products of one macro-tile, 32 x 32 or
 * 16 x 64 sums.
 *
 * gw is a product that sums over images at one pixel, or over rows of a batch, TG_IMAGES at a time.  Its rows are
 * channels of gy, which is A; its columns are channels of x at one tap, which is B.  The loop nest packs both into
 * micro-panels:
 *
 *   A: [row][TG_IMAGES], gy transposed; a micro-panel has 32 rows, or 16 if gy has no more channels.
 *   B: [tile][TG_IMAGES / 2][16][2], x with pairs of images side by side, in tiles of 16 columns; a micro-panel has
 *      2 tiles, or 4 beside an A of 16 rows, so that the sums of all pairs of tiles fit into registers.
 *
 * A micro-panel of A is reread for every macro-tile in its row and is meant to stay in L1.  B streams from L2, which
 * runs at full speed only as long as B does not evict A. */
#ifndef TG_TILE_GEMM_H
#define TG_TILE_GEMM_H
#include "sizes.h"
#include <stdbool.h>
#include <stdint.h>

enum { TG_MACRO_TILE = 4 * TG_TILE * TG_TILE }; /* most sums of a macro-tile */

/* Where the operands of one batch element, TG_IMAGES k, lie: byte offsets from `a` and `b` of the product. */
typedef struct {
    int64_t a, b;
} tg_tile_step;

typedef struct {
    int m, n; /* m <= 32 and n <= 32, or m <= 16 and n <= 64 */
    const char *a, *b;
    int64_t b_stride; /* bytes from one tile of B to the next, which may belong to another pixel */
    float *c;         /* element (r, j) at r row + j */
    int64_t row;
    bool add; /* to what c holds */
    const tg_tile_step *step;
    int count; /* of steps; may be 0 */
} tg_tile_product;

typedef struct {
    /* Image i, channel j is from[i stride + j].  Packs k <= TG_IMAGES images and pads with zeros to TG_IMAGES.
     * `columns` is a multiple of TG_TILE; columns outside lead <= j < end become zeros. */
    void (*load_a)(const uint16_t *from, int64_t stride, int k, int rows, uint16_t *to);
    void (*load_b)(const uint16_t *from, int64_t stride, int k, int lead, int end, int columns, uint16_t *to);
    /* Prefetches `next`, the C of the next product, which has the same shape. */
    void (*run)(const tg_tile_product *p, const float *next);
    void (*leave)(void); /* after the last `run` of a task */
} tg_tile_gemm;

extern const tg_tile_gemm tg_tile_gemm_amx_bf16;
#endif
