/* nest_block.c - see nest_block.h. */
#include "nest_block.h"
#include <string.h>

/* The first input that outputs from `out` on may meet. */
static int64_t first_met(const tg_axis *a, int64_t out)
{
    const int64_t at = tg_place(a, out, a->step < 0 ? a->taps - 1 : 0);
    return tg_floor_div(at + a->den - 1, a->den);
}

tg_block tg_block_of(const tg_nest *n, int64_t group, int64_t image, int64_t line, int64_t column)
{
    tg_block b = { .n = n, .group = group, .image = image, .line0 = line, .column0 = column };
    b.images = imin(n->nb, n->images - image);
    b.line1 = imin(n->h.out, line + n->lines);
    b.column1 = imin(n->w_axis.out, column + n->columns);
    b.h0 = imax(first_met(&n->h, line), 0);
    b.w0 = first_met(&n->w_axis, column);
    if (n->nb > 1) b.w0 = imax(b.w0, 0);
    return b;
}

const char *tg_pixel(const tg_block *b, int64_t image, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    const int64_t at = image * n->image + h * n->h.apart * n->line + w * n->w_axis.apart;
    return (const char *)tg_ptr(n->x) + (size_t)((at * n->groups + b->group) * n->p.in) * tg_dtype_size(n->x->dtype);
}

/* Channels of some pixels, to their planes. */
static void spread(const tg_nest *n, const char *from, int64_t pixels, char *to)
{
    const size_t bytes = TG_DEPTH * sizeof(uint16_t), plane = (size_t)n->plane * sizeof(uint16_t);
    const size_t apart = (size_t)(n->nb * n->pitch) * sizeof(uint16_t);
    const int64_t in = n->p.in * (int64_t)sizeof(uint16_t), row = n->w_axis.apart * n->groups * in;
    for (int64_t p = 0; p < pixels; p++, from += row, to += apart)
        for (int64_t i = 0; i < in; i += (int64_t)bytes)
            memcpy(to + (size_t)i / bytes * plane, from + i, TG_DEPTH * sizeof(uint16_t));
}

/* The same where A is one plane.  Some bytes of a constant number are copied without a call. */
static void copy_pixels(const tg_nest *n, const char *from, int64_t pixels, char *to)
{
    enum { BYTES = 16 };
    const size_t apart = (size_t)(n->nb * n->pitch) * sizeof(uint16_t), in = (size_t)n->p.in * sizeof(uint16_t);
    const size_t row = (size_t)(n->w_axis.apart * n->groups) * in;
    for (int64_t p = 0; p < pixels; p++, from += row, to += apart)
        for (size_t i = 0; i < in; i += BYTES) memcpy(to + i, from + i, BYTES);
}

/* Pixels w .. end - 1 of a line of an image, which lie inside. */
static void load_pixels(const tg_block *b, int64_t image, int64_t h, int64_t w, int64_t end, char *to)
{
    const tg_nest *n = b->n;
    const int64_t apart = n->nb * n->pitch, in = n->p.in;
    const size_t size = tg_a_size(n);
    if (n->planes) {
        spread(n, tg_pixel(b, image, h, w), end - w, to);
        return;
    }
    if (apart == in && n->groups == 1 && n->w_axis.apart == 1) {
        n->mk->load(tg_pixel(b, image, h, w), n->x->dtype, (end - w) * in, to);
        return;
    }
    if (n->mk->tiles && n->pitch == in && in % 8 == 0) {
        copy_pixels(n, tg_pixel(b, image, h, w), end - w, to);
        return;
    }
    for (; w < end; w++, to += (size_t)apart * size) {
        n->mk->load(tg_pixel(b, image, h, w), n->x->dtype, in, to);
        if (n->pitch > in) memset(to + (size_t)in * size, 0, (size_t)(n->pitch - in) * size);
    }
}

/* Bytes of a line, in all planes. */
static void clear(const tg_nest *n, char *line, size_t start, size_t end)
{
    for (int64_t i = 0; i < (n->planes ? n->p.in : 1); i += TG_DEPTH, line += (size_t)n->plane * tg_a_size(n))
        memset(line + start, 0, end - start);
}

static void load_line(const tg_block *b, int64_t h, char *to)
{
    const tg_nest *n = b->n;
    const size_t size = tg_a_size(n), apart = (size_t)(n->nb * n->pitch) * size;
    const int64_t start = imax(b->w0, 0), end = imin(b->w0 + n->span[1], n->w_axis.in);
    const int64_t inside = end > start ? end - start : 0, left = inside ? start - b->w0 : 0;
    clear(n, to, 0, (size_t)left * apart);
    for (int64_t i = 0; i < b->images && inside; i++)
        load_pixels(b, b->image + i, h, start, end, to + (size_t)left * apart + (size_t)(i * n->pitch) * size);
    clear(n, to, (size_t)(left + inside) * apart, (size_t)n->a_line * size);
}

void tg_block_load(tg_block *b, char *to)
{
    const tg_nest *n = b->n;
    b->a = to;
    if (n->direct) {
        b->a = tg_pixel(b, b->image, b->h0, b->w0);
        return;
    }
    for (int64_t i = 0; i < n->span[0] && b->h0 + i < n->h.in; i++)
        (n->stacked ? tg_stacked_line : load_line)(b, b->h0 + i, to + (size_t)(i * n->a_line) * tg_a_size(n));
}
