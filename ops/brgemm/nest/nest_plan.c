/* nest_plan.c - the shape of a loop nest simplified, and its blocks: cut by shape, never by the number of threads. */
#include "block.h"

/* Inputs from the first to the last that this many outputs of an axis read. */
static int64_t span_of(const tg_axis *a, int64_t outputs)
{
    return ((outputs - 1) * a->num + (a->taps - 1) * tg_magnitude(a->step)) / a->den + 1;
}

/* One tap, through which output o reads input o num.  (A transposed convolution may have outputs beyond the last
 * input.) */
static bool single_tap(const tg_axis *a)
{
    return a->taps == 1 && a->den == 1 && !a->off && (a->out - 1) * a->num < a->in;
}

/* ---- the shape, simplified ---- */

/* A strided axis of one tap reads every num-th pixel: the others might as well not exist. */
static void skip_unread(tg_axis *a)
{
    if (!single_tap(a)) return;
    a->memory_stride *= a->num;
    a->num = 1;
    a->in = a->out;
}

/* Consecutive lines, and images, become one line. */
static void flatten(tg_nest_shape *s)
{
    tg_axis *h = &s->h, *w = &s->w_axis;
    if (h->taps > 1 || w->taps > 1 || h->off || w->off || h->num > 1 || w->num > 1 || h->den > 1 || w->den > 1) return;
    if (h->memory_stride > 1 || w->memory_stride > 1 || h->in != h->out || w->in != w->out) return;
    w->in = w->out = s->images * h->in * w->in;
    h->in = h->out = s->images = 1;
    s->line = s->image = w->in;
}

tg_nest tg_nest_of(const tg_nest_shape *shape)
{
    tg_nest n = { .shape = *shape };
    skip_unread(&n.shape.h);
    skip_unread(&n.shape.w_axis);
    flatten(&n.shape);
    n.h = n.shape.h;
    n.w_axis = n.shape.w_axis;
    return n;
}

bool tg_taps_are_neighbours(const tg_axis *w)
{
    if (w->taps == 1) return true;
    return w->den == 1 ? tg_magnitude(w->step) == 1 : w->den % tg_magnitude(w->step) == 0;
}

bool tg_short_lines(const tg_nest *n) { return ceil_div(n->w_axis.out, n->w_axis.den) <= n->shape.mk->short_line; }

/* ---- A and blocks ---- */

void tg_nest_choose_a(tg_nest *n)
{
    const tg_nest_shape *s = &n->shape;
    const tg_axis *w = &n->w_axis;
    const int64_t in = n->p.in, depth = s->mk->depth;
    const bool run = n->merged && w->taps > 1;
    n->direct = n->block.images == 1 && s->x_dtype == s->mk->element && single_tap(w) && in % depth == 0;
    n->planes = n->planes && !n->direct;
    n->a.pitch = n->planes ? TG_DEPTH : run ? in : ceil_div(in, depth) * depth;
    if (!n->direct) return;
    n->a.pitch = in * s->groups * w->memory_stride;
    n->a.line = in * s->groups * s->line * n->h.memory_stride;
}

int64_t tg_nest_block_bytes(const tg_nest *n, int64_t lines, int64_t columns)
{
    const int64_t size = (int64_t)tg_a_size(n), images = n->block.images;
    if (n->direct) return n->shape.mk->tiles ? lines * columns * n->p.in * size : 0;
    const int64_t span = span_of(&n->w_axis, columns), across = images > 1 ? imin(n->w_axis.in, span) : span;
    const int64_t pixels = imin(n->h.in, span_of(&n->h, lines)) * across * images;
    return pixels * imax(n->a.pitch, n->planes ? n->p.in : 0) * size;
}

void tg_nest_cut(tg_nest *n, int64_t lines, int64_t columns)
{
    const int64_t images = n->block.images, planes = n->planes ? n->p.in / TG_DEPTH : 1;
    n->blocks.lines = ceil_div(n->h.out, lines);
    n->block.lines = ceil_div(n->h.out, n->blocks.lines);
    n->block.columns = imin(n->w_axis.out, ceil_div(columns, n->w_axis.den) * n->w_axis.den);
    n->blocks.columns = ceil_div(n->w_axis.out, n->block.columns);
    n->a.lines = imin(n->h.in, span_of(&n->h, n->block.lines));
    n->a.columns = span_of(&n->w_axis, n->block.columns);
    if (images > 1) n->a.columns = imin(n->a.columns, n->w_axis.in);
    if (!n->direct) n->a.line = n->a.columns * images * n->a.pitch + TG_DEPTH;
    n->a.plane = n->planes ? n->a.lines * n->a.line : TG_DEPTH;
    n->a.bytes = n->direct ? 0 : tg_aligned(planes * n->a.lines * n->a.line * (int64_t)tg_a_size(n));
}
