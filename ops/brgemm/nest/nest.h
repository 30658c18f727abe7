/* nest.h - convolutions and linear layers as one problem: its shape, and the part of a plan that all loop nests share.
 *
 * Each output pixel is a sum over taps of input pixels times weights.  Along an axis, output o reads through tap k the
 * input (o num + off + k step) / den if that is an integer inside the image.  Forward, num is the stride and den 1;
 * backward, num is 1 and den the stride, so outputs fall into den phases that use different taps.  A linear layer is
 * one line of pixels.
 *
 * The rows of a product are pixels of an output line or, if lines are short, images at one pixel.  With pixels, the
 * input's lines are padded with zero columns; with images, taps outside the image are skipped.  Kernel lines outside
 * the image are skipped either way. */
#ifndef TG_NEST_H
#define TG_NEST_H
#include "ints.h"
#include "microkernel.h"
#include "panels.h"

enum { TG_STACKED_LINES = 16 }; /* most kernel lines that are stacked */

typedef struct {
    int64_t in, out, taps;       /* pixels, pixels, taps */
    int64_t num, off, step, den; /* see above */
    int64_t memory_stride;       /* pixels of memory from one input pixel to the next */
} tg_axis;

/* What a call asks for.  In backward-weights it is the forward pass: w is gw, y is gy. */
typedef struct {
    const tg_microkernel *mk;
    const tg_tensor *w; /* its shape and dtype count, not its elements */
    tg_dtype x_dtype, y_dtype;
    bool backward, relu;
    bool transposed; /* y^T is computed: see forward.h */
    int64_t in, out; /* channels of a group */
    int64_t images, groups;
    int64_t joined;      /* groups of w in each group: see panels.h */
    int64_t line, image; /* of x in memory: pixels from one line to the next, from one image to the next */
    tg_axis h, w_axis;
} tg_nest_shape;

/* Where a run finds the operands of forward and backward-data, ... */
typedef struct {
    const void *x, *w;
    const float *bias; /* or NULL */
    void *y;
} tg_nest_data;

/* ... and of backward-weights. */
typedef struct {
    const void *gy, *x;
    float *gw;
} tg_grad_w_data;

/* The part of a plan that all loop nests share: blocks of outputs, and A, the input of a block. */
typedef struct {
    tg_nest_shape shape; /* simplified */
    tg_axis h, w_axis;   /* of the shape; if kernel lines are stacked, h maps output lines to lines of A, 1 to 1 */
    tg_panels p;
    bool merged;  /* a run of taps is one batch element */
    bool stacked; /* kernel lines count as channels: see block.c */
    bool direct;  /* A is x itself */
    bool planes;  /* A lies in planes of TG_DEPTH channels */
    struct {
        int64_t images; /* 1: rows are pixels of a line */
        int64_t lines, columns;
    } block; /* of outputs: its size ... */
    struct {
        int64_t lines, columns;
    } blocks; /* ... and how many cover an image */
    struct {
        int64_t lines, columns;     /* of input */
        int64_t pitch, line, plane; /* elements from pixel to pixel of an image, line to line, plane to plane */
        size_t bytes;               /* 0 if direct */
    } a;
} tg_nest;

/* ---- planning, in this order ---- */

/* The shape without pixels that nobody reads and, where possible, as a single line. */
tg_nest tg_nest_of(const tg_nest_shape *shape);
void tg_nest_choose_a(tg_nest *n); /* wants block.images, merged, planes and p */
/* Blocks of at most this many lines and columns; sets block, blocks and a. */
void tg_nest_cut(tg_nest *n, int64_t lines, int64_t columns);
/* Bytes of A that such a block reads.  An A that is not packed counts only for tiles, which reread it for each panel;
 * the other microkernels take so few rows at a time that it does not matter. */
int64_t tg_nest_block_bytes(const tg_nest *n, int64_t lines, int64_t columns);

/* Neighbouring taps of a class read neighbouring pixels. */
bool tg_taps_are_neighbours(const tg_axis *w);
bool tg_short_lines(const tg_nest *n); /* lines are so short that rows should be images */

static inline int64_t tg_magnitude(int64_t a) { return a < 0 ? -a : a; }

/* index counts through `count` values fastest: returns that digit and removes it. */
static inline int64_t tg_digit(int64_t *index, int64_t count)
{
    const int64_t i = *index % count;
    *index /= count;
    return i;
}

/* Rounded up to a cache line; another 64 bytes may be read. */
static inline size_t tg_aligned(int64_t bytes) { return (size_t)(bytes + 127) / 64 * 64; }

/* ---- along an axis ---- */

/* Most axes have den 1, and a division takes as long as 20 additions. */
static inline int64_t tg_floor_div(int64_t a, int64_t b) { return b == 1 ? a : a >= 0 ? a / b : -((b - 1 - a) / b); }

/* The input that output `out` reads through a tap, times den. */
static inline int64_t tg_tap_position(const tg_axis *a, int64_t out, int64_t tap)
{
    return out * a->num + a->off + tap * a->step;
}

/* With den 1: the tap of output o is input (o + shift) num + a remainder >= 0. */
static inline int64_t tg_shift(const tg_axis *a, int64_t tap)
{
    return tg_floor_div(tg_tap_position(a, 0, tap), a->num);
}

/* The input that an output reads through a tap; false if there is none. */
static inline bool tg_meets(const tg_axis *a, int64_t out, int64_t tap, int64_t *in)
{
    const int64_t at = tg_tap_position(a, out, tap);
    *in = tg_floor_div(at, a->den);
    return at >= 0 && *in < a->in && *in * a->den == at;
}

/* The output would read one if the input were unbounded. */
static inline bool tg_of_phase(const tg_axis *a, int64_t out, int64_t tap)
{
    const int64_t at = tg_tap_position(a, out, tap);
    return tg_floor_div(at, a->den) * a->den == at;
}
#endif
