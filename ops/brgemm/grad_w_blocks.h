/* grad_w_blocks.h - the loop nest of backward-weights over blocks (blocks.h): of convolutions and of linear layers.
 *
 * A tile of A or B is one pixel of TG_IMAGES images; what is but a product of matrices has as many images as pixels.
 * Images are taken nb at a time, and their lines lie behind each other: line q OH + oh of gy is line oh of the q-th nb
 * images, line q IH + h of x likewise.  A task adds up some strips of A by some strips of B over a part of the lines.
 * It packs each line of x once and keeps those that further lines of gy need.  Of gy it packs a *chunk*, so many
 * pixels that a strip of them fits in the first level of the cache beside little else, and multiplies it by all its
 * taps.  A chunk is some lines or, where they are long, a piece of one.  Where kept lines would not stay in the second
 * level, the task goes through its lines in stripes of a piece.
 *
 * B's columns are the channels of a tap; where they are few, those of all taps of a kernel line (`gather`, packed so);
 * where they are just a tile, a block takes several taps (`merged`: tiles of neighbouring pixels; zeros at the edges).
 *
 * Sums lie in scratch, block by block.  The second phase adds up the parts; where there is but one, sums lie in gw
 * itself (`direct`). */
#ifndef TG_GRAD_W_BLOCKS_H
#define TG_GRAD_W_BLOCKS_H
#include "nest_block.h"

typedef struct {
    tg_nest n; /* of the forward pass: w is gw, y is gy; x and gy are bf16 */
    bool gather, merged, direct;
    bool mends;                /* what is NaN may have met zeros beside a line: see mend.h */
    int64_t in, out, depth;    /* channels of a group; numbers of a row of gw */
    int64_t width, taps;       /* columns of a tap; taps of a kernel line, 1 if gathered */
    int64_t rows, tiles, wide; /* of a strip of A; tiles of a strip of B, of a block */
    int64_t a_strips, b_strips;
    int64_t chunk, stripe;                           /* pixels; columns of gy */
    int64_t ring;                                    /* lines of x that are kept */
    int64_t across;                                  /* tiles of a line */
    int64_t a_part, b_part, a_parts, b_parts, parts; /* strips of a task; how many, and parts of lines */
    int64_t blocks;                                  /* of a strip of A and a kernel line */
    size_t a_bytes, b_bytes, step_bytes, count_bytes;
} tg_grad_w_blocks;

tg_grad_w_blocks tg_grad_w_blocks_plan(tg_nest n);
tg_scratch tg_grad_w_blocks_scratch(const tg_grad_w_blocks *g);
int64_t tg_grad_w_blocks_tasks(const tg_grad_w_blocks *g, int phase);
void tg_grad_w_blocks_run(const tg_grad_w_blocks *g, const tg_task *t);

/* ---- sizes ---- */

static inline int64_t tg_b_columns(const tg_grad_w_blocks *g) { return g->tiles * TG_TILE; }   /* of a strip */
static inline int64_t tg_a_tile(const tg_grad_w_blocks *g) { return g->rows * 2 * TG_IMAGES; } /* bytes */
static inline int64_t tg_b_tile(const tg_grad_w_blocks *g) { return g->tiles * TG_B_TILE; }
static inline int64_t tg_all_lines(const tg_grad_w_blocks *g) { return ceil_div(g->n.images, g->n.nb) * g->n.h.out; }

/* Blocks of a kernel line begin with every so many-th tap. */
static inline int64_t tg_tap_step(const tg_grad_w_blocks *g) { return g->merged ? g->wide : 1; }
#endif
