/* nest_block.h - a block of outputs of a nest, and its A. */
#ifndef TG_NEST_BLOCK_H
#define TG_NEST_BLOCK_H
#include "nest.h"
#include "ints.h"

typedef struct {
    const tg_nest *n;
    int64_t group;
    int64_t image, images;                  /* first, and how many */
    int64_t line0, line1, column0, column1; /* of outputs */
    int64_t h0, w0;                         /* the input line and column that A begins with; w0 may lie outside */
    const char *a;                          /* input (h0, w0) */
} tg_block;

/* The block that begins with these images, this output line and column. */
tg_block tg_block_of(const tg_nest *n, int64_t group, int64_t image, int64_t line, int64_t column);
/* Packs A into `to`, unless x itself is A. */
void tg_block_load(tg_block *b, char *to);
const char *tg_pixel(const tg_block *b, int64_t image, int64_t h, int64_t w); /* of x, inside, in memory */

/* Most axes have den 1, and a division takes as long as 20 additions. */
static inline int64_t tg_floor_div(int64_t a, int64_t b) { return b == 1 ? a : a >= 0 ? a / b : -((b - 1 - a) / b); }

/* index runs over `count` values fastest: takes that digit off. */
static inline int64_t tg_digit(int64_t *index, int64_t count)
{
    const int64_t i = *index % count;
    *index /= count;
    return i;
}

/* 64 bytes may be read behind. */
static inline size_t tg_aligned(int64_t bytes) { return (size_t)(bytes + 127) / 64 * 64; }

/* ---- steps of planning ---- */

void tg_nest_simplify(tg_nest *n);        /* drops pixels that nobody reads, joins lines */
void tg_nest_simplify_grad_w(tg_nest *n); /* the same, where w is gw: of its panels the shape alone matters */
bool tg_neighbours(const tg_axis *w);     /* taps of a class meet neighbouring pixels */
bool tg_short_lines(const tg_nest *n);    /* rows should be images */
void tg_nest_choose_a(tg_nest *n);        /* nb, merged and p are set */
void tg_nest_cut_outputs(tg_nest *n, int64_t lines, int64_t columns); /* of a block, at most; and A's size */

/* ---- kernel lines as channels (nest_stack.c) ---- */

bool tg_stacking_pays(const tg_nest *n);
void tg_stack_lines(tg_nest *n);
void tg_stacked_line(const tg_block *b, int64_t line, char *to); /* loads A for a line of outputs */

/* ---- along an axis ---- */

static inline int64_t tg_place(const tg_axis *a, int64_t out, int64_t tap)
{
    return out * a->num + a->off + tap * a->step;
}

/* Of strides (den 1): the tap of output o is input (o + shift) num + a rest that is not negative. */
static inline int64_t tg_shift(const tg_axis *a, int64_t tap) { return tg_floor_div(tg_place(a, 0, tap), a->num); }

/* The input that an output meets through a tap; false: none. */
static inline bool tg_meets(const tg_axis *a, int64_t out, int64_t tap, int64_t *in)
{
    const int64_t at = tg_place(a, out, tap);
    *in = tg_floor_div(at, a->den);
    return at >= 0 && *in < a->in && *in * a->den == at;
}

/* It would meet one if the input went on beyond its edges. */
static inline bool tg_of_phase(const tg_axis *a, int64_t out, int64_t tap)
{
    const int64_t at = tg_place(a, out, tap);
    return tg_floor_div(at, a->den) * a->den == at;
}

/* A's element type, and input (h, w) in A, which may be a zero beside a line. */
static inline size_t tg_a_size(const tg_nest *n)
{
    return n->mk->element == TG_BF16 ? sizeof(uint16_t) : sizeof(float);
}
static inline const char *tg_a_at(const tg_block *b, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    return b->a + (size_t)((h - b->h0) * n->a_line + (w - b->w0) * n->nb * n->pitch) * tg_a_size(n);
}
#endif
