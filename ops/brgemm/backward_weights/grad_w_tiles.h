/* grad_w_tiles.h - the loop nest of backward-weights on tiles (tile_gemm.h), of convolutions and of linear layers.
 *
 * A tile of A or B holds one pixel of TG_IMAGES images; a plain product of matrices counts its pixels as images. Images
 * are taken block.images at a time, and the lines of such groups of images follow each other: line q OH + oh of gy is
 * line oh of group q, line q IH + h of x likewise.  A task multiplies some micro-panels of A by some of B over a part
 * of the lines.  It packs each line of x once and keeps those that later lines of gy need.  Of gy it packs a *chunk*,
 * as many pixels as a micro-panel may have to take up most of L1, and multiplies it by all its taps.  A chunk is some
 * lines or, if they are long, a piece of one.  If the kept lines would not stay in L2, the task goes through its lines
 * in stripes one piece wide.
 *
 * B's columns are the channels of a tap; if they are few, those of all taps of a kernel line (`gather`, packed so); if
 * they are exactly a tile, a macro-tile takes several taps (`merged`: tiles of neighbouring pixels; zeros at the
 * edges).
 *
 * Sums lie in scratch, macro-tile by macro-tile, and the second phase adds up the parts.  If there is only one part,
 * sums lie in gw itself (`direct`). */
#ifndef TG_GRAD_W_TILES_H
#define TG_GRAD_W_TILES_H
#include "block.h"

typedef struct {
    tg_nest n; /* of the forward pass: w is gw, y is gy; x and gy are bf16 */
    bool gather, merged, direct;
    bool mends;             /* NaNs may come from zeros beside a line: see mend.h */
    int64_t in, out, depth; /* channels of a group; elements of a row of gw */
    int64_t width, taps;    /* columns of a tap; taps of a kernel line, 1 if gathered */
    int64_t rows;           /* of a micro-panel of A */
    int64_t tiles, wide;    /* of a micro-panel of B, of a macro-tile */
    int64_t chunk, stripe;  /* pixels; columns of gy */
    struct {
        int64_t lines, across; /* lines of x that are kept; tiles of a line */
    } ring;
    struct {
        int64_t a, b, macro; /* micro-panels of A and of B; macro-tiles of a micro-panel of A and a kernel line */
    } all;
    struct {
        int64_t a, b;
    } task; /* micro-panels of a task ... */
    struct {
        int64_t a, b, lines;
    } parts; /* ... and how many such parts there are, times parts of the lines */
    struct {
        size_t a, b, steps, counts;
    } bytes; /* of a worker's scratch */
} tg_grad_w_tiles;

tg_grad_w_tiles tg_grad_w_tiles_plan(const tg_nest_shape *shape);
tg_scratch tg_grad_w_tiles_scratch(const tg_grad_w_tiles *g);
int64_t tg_grad_w_tiles_tasks(const tg_grad_w_tiles *g, int phase);
void tg_grad_w_tiles_run(const tg_grad_w_tiles *g, const tg_grad_w_data *d, const tg_task *t);

/* ---- sizes ---- */

static inline int64_t tg_b_columns(const tg_grad_w_tiles *g) { return g->tiles * TG_TILE; }   /* of a micro-panel */
static inline int64_t tg_a_tile(const tg_grad_w_tiles *g) { return g->rows * 2 * TG_IMAGES; } /* bytes */
static inline int64_t tg_b_tile(const tg_grad_w_tiles *g) { return g->tiles * TG_B_TILE; }
static inline int64_t tg_all_lines(const tg_grad_w_tiles *g)
{
    return ceil_div(g->n.shape.images, g->n.block.images) * g->n.h.out;
}

/* Taps from one macro-tile of a kernel line to the next. */
static inline int64_t tg_tap_step(const tg_grad_w_tiles *g) { return g->merged ? g->wide : 1; }
#endif
