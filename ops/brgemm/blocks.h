/* blocks.h - backward-weights on tiles: what a microkernel offers whose products are blocks of 32 x 32 sums.
 *
 * gw is a product over places (images at one pixel, or rows of a matrix), TG_IMAGES at a time: its rows are channels
 * of gy, which is A, its columns channels of x at a tap, which is B.  Both are packed by the nest, strip by strip:
 *
 *   A: [row][TG_IMAGES], gy transposed; a strip has 32 rows, or 16 where gy has no more channels.
 *   B: [tile][TG_IMAGES / 2][16][2], x with pairs of images side by side, in tiles of 16 columns; a strip has 2 tiles,
 *      or 4 beside a strip of 16 rows: sums for all their pairs fit into registers.
 *
 * A block's A is read once for each block of its row of blocks and is meant to stay in the first level of the cache; B
 * streams through from the second, which it does at full speed only while it does not drive out A. */
#ifndef TG_BLOCKS_H
#define TG_BLOCKS_H
#include "op.h"

enum {
    TG_IMAGES = 32,
    TG_TILE = 16,        /* rows and columns of a tile of sums */
    TG_A_TILE = 16 * 64, /* bytes of A for 16 rows, and of B for 16 columns */
    TG_B_TILE = 16 * 64,
    TG_BLOCK_SUMS = 4 * TG_TILE * TG_TILE, /* most of a block */
};

/* Where the operands of TG_IMAGES k are: bytes behind the `a` and the `b` of a block. */
typedef struct {
    int64_t a, b;
} tg_step;

typedef struct {
    int m, n; /* m <= 32 and n <= 32, or m <= 16 and n <= 64 */
    const char *a, *b;
    int64_t apart; /* bytes of B from a tile to the next: they may belong to two pixels */
    float *c;      /* element (r, j) at r row + j */
    int64_t row;
    bool add; /* to what is there */
    const tg_step *step;
    int count; /* any, also 0 */
} tg_block_product;

typedef struct {
    /* Place i, channel j: from[i stride + j]; k <= TG_IMAGES of them, and zeros.  `columns`: a multiple of TG_TILE;
     * those that are not lead <= j < end are zeros. */
    void (*load_a)(const uint16_t *from, int64_t stride, int k, int rows, uint16_t *to);
    void (*load_b)(const uint16_t *from, int64_t stride, int k, int lead, int end, int columns, uint16_t *to);
    /* The block at `next`, of the same shape, is fetched to be computed next. */
    void (*run)(const tg_block_product *p, const float *next);
    void (*leave)(void); /* after the last `run` of a task */
} tg_blocks;

extern const tg_blocks tg_blocks_amx_bf16;
#endif
