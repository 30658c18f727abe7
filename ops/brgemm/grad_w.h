/* grad_w.h - the loop nest of backward-weights over a microkernel.
 *
 * gw is a product over pixels: its rows are (kw, channel of x), its columns output channels.  Pixels come in blocks; a
 * block's x is A, its gy is B, and each (panel, kh) of gw is one product over the block's lines, added to a sum.
 *
 * A brick runs over the pixels of a line, or, where lines are short and for microkernels that cannot read A so, over
 * images at one pixel.  Its rows are the channels of a tap, packed by load_a.  Where channels are few they are those of
 * all taps of a kernel line: of a line of pixels with A as the forward pass has it, where they lie side by side (not
 * `places`); of images by packing them so (`gather`).
 *
 * Microkernels that take pairs of bf16 read a line's pixels of each channel side by side, from any pixel on, so that
 * one packed line serves all taps.  With a stride every num-th pixel is a line of its own.
 *
 * The blocks are cut into `parts`, by the shape, each with sums of its own, which are added in order. */
#ifndef TG_GRAD_W_H
#define TG_GRAD_W_H
#include "nest_block.h"

enum { TG_TOTAL_ROWS = 64 }; /* rows of a panel that a task of the second phase adds up */

typedef struct {
    tg_nest n;                          /* of the forward pass: w is gw, y is gy */
    bool places, gather;                /* packed by load_a; channels of several taps */
    bool along;                         /* the places are pixels of a line ... */
    bool paired;                        /* ... side by side, for pairs of bf16, with zeros beyond the image's edges */
    bool mends;                         /* what is NaN may have met zeros beside a line: see mend.h */
    int64_t together;                   /* places: blocks of images that a block of pixels has side by side */
    int64_t image_blocks, pixel_blocks; /* ... of lines and columns; their product is cut into parts */
    int64_t parts, panels, panel_parts; /* panels of a task */
    int64_t rows;                       /* of a product */
    tg_places tile;     /* of nb images; or its A is a line of x, or every num-th pixel of one (paired) */
    size_t b_tile;      /* bytes of B for a tile's places, or a line of gy */
    int64_t across;     /* tiles of a line of A */
    int64_t depth;      /* rows of a panel of gw */
    int64_t b_panel;    /* bytes from panel to panel of B */
    size_t tiles_bytes; /* of A without what is behind it */
    size_t a_bytes, b_bytes, brick_bytes;
} tg_grad_w;

/* Lines whose taps are rows: packed of lines as the forward pass has them, with zeros beside them. */
static inline bool tg_gathers_lines(const tg_grad_w *g) { return g->paired && g->gather; }

tg_grad_w tg_grad_w_plan(tg_nest n);
tg_scratch tg_grad_w_scratch(const tg_grad_w *g);
int64_t tg_grad_w_tasks(const tg_grad_w *g, int phase);
void tg_grad_w_run(const tg_grad_w *g, const tg_task *t);
#endif
