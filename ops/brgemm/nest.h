/* nest.h - the loop nest of forward and backward-data convolutions, and of linear layers, over a microkernel.
 *
 * All are one problem: each output pixel is a sum over taps of input pixels times weights, where along an axis output
 * o meets, through tap k, input (o num + off + k step) / den if that is whole and inside.  Forward num is the stride
 * and den 1; backward num is 1 and den the stride, so outputs fall into den phases that meet different taps.  A linear
 * layer is one line of pixels.
 *
 * Rows of a product are pixels of an output line, or, where lines are short, images at one pixel.  In the first case
 * zero columns stand beside the input's lines; in the second, taps that meet no pixel are left out, as lines are in
 * both.
 *
 * A linear layer on a batch of some rows may be `turned`: y^T = w x^T.  Weights are the large operand there, and as A
 * they are read where they lie: nothing is packed of them for this pass, neither here nor by updates, whose packing
 * goes to memory.  So `x` is the weights and `w` the batch, packed as weights would be.  A task's sums, some rows of
 * y^T in f32, lie in its scratch; it turns them, adds the bias and rounds.  For tiles only. */
#ifndef TG_NEST_H
#define TG_NEST_H
#include "panels.h"

typedef struct {
    int64_t in, out, taps; /* pixels; taps */
    int64_t num, off, step, den;
    int64_t apart; /* pixels of memory from one input pixel to the next */
} tg_axis;

typedef struct {
    const tg_microkernel *mk;
    const tg_tensor *x, *w, *bias, *y; /* what is read, the weights, NULL or a bias, what is written */
    bool turned;                       /* y^T is computed (linear layers): see below */
    bool relu, backward;
    bool read_at_once; /* y is, by an epilogue */
    int64_t images, groups;
    int64_t joined;      /* groups of w in each: see panels.h */
    int64_t line, image; /* of x in memory, in pixels: columns of a line, pixels of an image */
    tg_axis h, w_axis;
    /* derived by tg_nest_plan */
    tg_panels p;
    bool merged;                       /* a run of taps is one product */
    bool stacked;                      /* kernel lines count as channels (nest_stack.c) ... */
    tg_axis lines_of_x;                /* ... and output lines meet those of x so */
    bool direct;                       /* A is x itself */
    bool shared;                       /* A is packed beforehand, as several tasks read it */
    bool stream;                       /* y is so large that it would leave the cache before it is read */
    bool planes;                       /* A lies in planes of TG_DEPTH channels */
    bool mends;                        /* outputs that are NaN may have met padding: see mend.h */
    int64_t nb;                        /* images of a block of rows; 1: rows are pixels of a line */
    int64_t lines, columns, panels;    /* of outputs, of a task */
    int64_t blocks[4];                 /* of images, lines, columns, panels: tasks are groups x these */
    int64_t span[2];                   /* lines and columns of A */
    int64_t pitch, a_line, plane;      /* elements of A from pixel to pixel of an image, line to line, of a plane */
    bool two;                          /* two panels, where there are, are one product */
    int64_t slab_lines, slab_k, slabs; /* kernel lines, and k of a line, taken at a time; how many times */
    size_t a_bytes, b_bytes, c_bytes, brick_bytes, turned_bytes;
} tg_nest;

void tg_nest_key(const tg_nest *n, int32_t key[TG_LAYOUT_KEY]); /* of a planned nest */
void tg_nest_plan(tg_nest *n);
int64_t tg_nest_blocks(const tg_nest *n); /* of outputs, each with all panels */
tg_scratch tg_nest_scratch(const tg_nest *n);
int64_t tg_nest_tasks(const tg_nest *n, int phase);
int64_t tg_nest_makes(const tg_nest *n); /* consecutive numbers of y, of a task; 0: they are not */
void tg_nest_run(const tg_nest *n, const tg_task *t);
/* Columns n0 .. n1 - 1 of y, from those rows of y^T. */
void tg_finish_turned(const tg_nest *n, const float *sums, int64_t n0, int64_t n1);
#endif
