/* grad_w.h - the loop nest of backward-weights over a microkernel.
 *
 * gw is a product that sums over pixels: its rows are (kw, channel of x), its columns output channels.  Pixels come in
 * blocks; a block's x is A, its gy is B, and each (panel, kh) of gw is one product over the block's lines, added to a
 * sum.
 *
 * A batch element runs over the pixels of a line; or over images at one pixel if lines are short, or if the microkernel
 * cannot read A along a line.  Its rows are the channels of a tap, packed by load_a.  With few channels they are those
 * of all taps of a kernel line: for pixels of a line A is as the forward pass has it, where taps lie side by side (not
 * `packs`); for images they are packed so (`gather`).
 *
 * Microkernels that take pairs of bf16 keep a line's pixels of each channel side by side and read them from any pixel
 * on, so one packed line serves all taps.  With a stride, every num-th pixel belongs to the same line.
 *
 * The blocks are cut into parts, by shape; each has sums of its own, which are added in order. */
#ifndef TG_GRAD_W_H
#define TG_GRAD_W_H
#include "block.h"

enum { TG_TOTAL_ROWS = 64 }; /* rows of a panel that a task of the second phase adds up */

typedef struct {
    tg_nest n;                          /* of the forward pass: w is gw, y is gy */
    bool packs, gather;                 /* packed by load_a; channels of several taps */
    bool along;                         /* k are pixels of a line ... */
    bool paired;                        /* ... side by side, for pairs of bf16, with zeros beyond the image's edges */
    bool mends;                         /* NaNs may come from zeros beside a line: see mend.h */
    int64_t together;                   /* blocks of images that a block of pixels has side by side */
    int64_t image_blocks, pixel_blocks; /* ... of lines and columns; their product is cut into parts */
    int64_t parts, panels, panel_parts; /* panels of a task; how many such shares */
    int64_t rows;                       /* of a product */
    int64_t depth;                      /* rows of a panel of gw */
    tg_packed_sizes packed; /* a piece of A: block.images at a pixel, a line, or every num-th pixel of one */
    struct {
        int64_t across;         /* pieces of a line of A */
        size_t a_bytes, b_line; /* of all pieces of A; of a piece of B: images at a pixel, or a line of gy */
        int64_t b_panel;        /* bytes from panel to panel of B */
    } pieces;
    struct {
        size_t a, b, batch;
    } bytes; /* of a worker's scratch */
} tg_grad_w;

/* Gathered lines: packed from lines as the forward pass has them, with zeros beside them. */
static inline bool tg_gathers_lines(const tg_grad_w *g) { return g->paired && g->gather; }

/* The shape of the forward pass, simplified, and the panels of gw. */
tg_nest tg_grad_w_nest(const tg_nest_shape *shape);
tg_grad_w tg_grad_w_plan(const tg_nest_shape *shape);
tg_scratch tg_grad_w_scratch(const tg_grad_w *g);
int64_t tg_grad_w_tasks(const tg_grad_w *g, int phase);
void tg_grad_w_run(const tg_grad_w *g, const tg_grad_w_data *d, const tg_task *t);
#endif
