/* block.c - see block.h.
 *
 * Stacked lines.  Tiles take 32 k at a step.  A kernel line of 5 taps of an image of one channel has 5, and a kernel
 * has five such lines: five steps, of 32 k each, for 25.  So for each line of outputs a line of A is packed that holds,
 * pixel by pixel, what all kernel lines read there, side by side.  The kernel then is one line of 5 taps of 5 channels,
 * which takes one step.  The weights lie in the same order (panels.h). */
#include "block.h"
#include <string.h>

/* The first input that outputs from `out` on may read. */
static int64_t first_input(const tg_axis *a, int64_t out)
{
    const int64_t at = tg_tap_position(a, out, a->step < 0 ? a->taps - 1 : 0);
    return tg_floor_div(at + a->den - 1, a->den);
}

tg_block tg_block_of(const tg_nest *n, const void *x, int64_t group, int64_t image, int64_t line, int64_t column)
{
    tg_block b = { .n = n, .x = x, .group = group, .image = image, .line0 = line, .column0 = column };
    b.images = imin(n->block.images, n->shape.images - image);
    b.line1 = imin(n->h.out, line + n->block.lines);
    b.column1 = imin(n->w_axis.out, column + n->block.columns);
    b.h0 = imax(first_input(&n->h, line), 0);
    b.w0 = first_input(&n->w_axis, column);
    if (n->block.images > 1) b.w0 = imax(b.w0, 0);
    return b;
}

const char *tg_pixel(const tg_block *b, int64_t image, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    const tg_nest_shape *s = &n->shape;
    const int64_t at = image * s->image + h * n->h.memory_stride * s->line + w * n->w_axis.memory_stride;
    return (const char *)b->x + (size_t)((at * s->groups + b->group) * n->p.in) * tg_dtype_size(s->x_dtype);
}

/* ---- a line of A ---- */

/* Copies the channels of some pixels to their planes. */
static void spread(const tg_nest *n, const char *from, int64_t pixels, char *to)
{
    const size_t bytes = TG_DEPTH * sizeof(uint16_t), plane = (size_t)n->a.plane * sizeof(uint16_t);
    const size_t stride = (size_t)(n->block.images * n->a.pitch) * sizeof(uint16_t);
    const int64_t in = n->p.in * (int64_t)sizeof(uint16_t), row = n->w_axis.memory_stride * n->shape.groups * in;
    for (int64_t p = 0; p < pixels; p++, from += row, to += stride)
        for (int64_t i = 0; i < in; i += (int64_t)bytes)
            memcpy(to + (size_t)i / bytes * plane, from + i, TG_DEPTH * sizeof(uint16_t));
}

/* The same if A is one plane.  Copies of a constant size need no call. */
static void copy_pixels(const tg_nest *n, const char *from, int64_t pixels, char *to)
{
    enum { BYTES = 16 };
    const size_t stride = (size_t)(n->block.images * n->a.pitch) * sizeof(uint16_t);
    const size_t in = (size_t)n->p.in * sizeof(uint16_t);
    const size_t row = (size_t)(n->w_axis.memory_stride * n->shape.groups) * in;
    for (int64_t p = 0; p < pixels; p++, from += row, to += stride)
        for (size_t i = 0; i < in; i += BYTES) memcpy(to + i, from + i, BYTES);
}

/* Pixels w to end - 1 of a line of an image, all inside. */
static void load_pixels(const tg_block *b, int64_t image, int64_t h, int64_t w, int64_t end, char *to)
{
    const tg_nest *n = b->n;
    const tg_nest_shape *s = &n->shape;
    const int64_t stride = n->block.images * n->a.pitch, in = n->p.in;
    const size_t size = tg_a_size(n);
    if (n->planes) {
        spread(n, tg_pixel(b, image, h, w), end - w, to);
        return;
    }
    if (stride == in && s->groups == 1 && n->w_axis.memory_stride == 1) {
        s->mk->load(tg_pixel(b, image, h, w), s->x_dtype, (end - w) * in, to);
        return;
    }
    if (s->mk->tiles && n->a.pitch == in && in % 8 == 0) {
        copy_pixels(n, tg_pixel(b, image, h, w), end - w, to);
        return;
    }
    for (; w < end; w++, to += (size_t)stride * size) {
        s->mk->load(tg_pixel(b, image, h, w), s->x_dtype, in, to);
        if (n->a.pitch > in) memset(to + (size_t)in * size, 0, (size_t)(n->a.pitch - in) * size);
    }
}

/* Zeros for bytes of a line, in all planes. */
static void clear(const tg_nest *n, char *line, size_t start, size_t end)
{
    for (int64_t i = 0; i < (n->planes ? n->p.in : 1); i += TG_DEPTH, line += (size_t)n->a.plane * tg_a_size(n))
        memset(line + start, 0, end - start);
}

static void load_line(const tg_block *b, int64_t h, char *to)
{
    const tg_nest *n = b->n;
    const size_t size = tg_a_size(n), stride = (size_t)(n->block.images * n->a.pitch) * size;
    const int64_t start = imax(b->w0, 0), end = imin(b->w0 + n->a.columns, n->w_axis.in);
    const int64_t inside = end > start ? end - start : 0, left = inside ? start - b->w0 : 0;
    clear(n, to, 0, (size_t)left * stride);
    for (int64_t i = 0; i < b->images && inside; i++)
        load_pixels(b, b->image + i, h, start, end, to + (size_t)left * stride + (size_t)(i * n->a.pitch) * size);
    clear(n, to, (size_t)(left + inside) * stride, (size_t)n->a.line * size);
}

/* ---- the same with kernel lines stacked ---- */

/* Lines of x from a pixel on; a line outside the image is another one, masked. */
typedef struct {
    const uint16_t *from[TG_STACKED_LINES];
    uint16_t mask[TG_STACKED_LINES];
} lines_of_x;

/* Pixel by pixel, the channels of each line.  Inlined with constants. */
TG_INLINE void stack(const lines_of_x *x, int64_t lines, int64_t in, int64_t pixels, uint16_t *restrict to)
{
    const uint16_t *from[TG_STACKED_LINES];
    uint16_t mask[TG_STACKED_LINES];
    for (int64_t k = 0; k < lines; k++) from[k] = x->from[k], mask[k] = x->mask[k];
    for (int64_t w = 0; w < pixels; w++)
        for (int64_t k = 0; k < lines; k++, to += in)
            for (int64_t c = 0; c < in; c++) to[c] = from[k][w * in + c] & mask[k];
}

/* The line of A for a line of outputs. */
static void load_stacked_line(const tg_block *b, int64_t line, char *to)
{
    const tg_nest *n = b->n;
    const tg_axis *h = &n->shape.h;
    const int64_t lines = h->taps, in = n->shape.in;
    const int64_t start = imax(b->w0, 0), pixels = imax(0, imin(b->w0 + n->a.columns, n->w_axis.in) - start);
    const int64_t left = pixels ? (start - b->w0) * n->p.in : 0, inside = pixels * n->p.in;
    uint16_t *const row = (uint16_t *)(void *)to;
    const uint16_t *const image = (const uint16_t *)b->x + b->image * n->shape.image * in;
    lines_of_x x;
    for (int64_t k = 0; k < lines; k++) {
        int64_t at;
        x.mask[k] = tg_meets(h, line, k, &at) ? 0xffff : 0;
        x.from[k] = image + ((x.mask[k] ? at : 0) * n->shape.line + (pixels ? start : 0)) * in;
    }
    memset(row, 0, (size_t)left * sizeof *row);
    if (in == 1 && lines == 5) stack(&x, 5, 1, pixels, row + left);
    else if (in == 3 && lines == 3) stack(&x, 3, 3, pixels, row + left);
    else stack(&x, lines, in, pixels, row + left);
    memset(row + left + inside, 0, (size_t)(n->a.line - left - inside) * sizeof *row);
}

void tg_block_load(tg_block *b, char *to)
{
    const tg_nest *n = b->n;
    b->a = to;
    if (n->direct) {
        b->a = tg_pixel(b, b->image, b->h0, b->w0);
        return;
    }
    for (int64_t i = 0; i < n->a.lines && b->h0 + i < n->h.in; i++) {
        char *const line = to + (size_t)(i * n->a.line) * tg_a_size(n);
        if (n->stacked) load_stacked_line(b, b->h0 + i, line);
        else load_line(b, b->h0 + i, line);
    }
}
