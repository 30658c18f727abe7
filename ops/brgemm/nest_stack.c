/* nest_stack.c - kernel lines as channels, where x has few channels and tiles would be mostly zeros.
 *
 * Tiles take 32 k at a step.  A kernel line of 5 taps of an image of one channel has 5, and a kernel has five such
 * lines: five steps, of 32 k each, for 25.  So a line of A is packed for a line of outputs: pixel by pixel what its
 * kernel lines meet there, side by side.  Then the kernel is one line of 5 taps of 5 channels, and a step does it.  The
 * weights lie in this order, too (panels.h). */
#include "nest_block.h"
#include <string.h>

enum { CHANNELS = 4, LINES = 16 }; /* at most, of x and of a kernel */

bool tg_stacking_pays(const tg_nest *n)
{
    const int64_t lines = n->h.taps, in = lines > 1 ? n->w->dim[3] : 0, run = n->w_axis.taps * in;
    if (!n->mk->tiles || n->backward || n->groups * n->joined > 1 || in > CHANNELS || lines > LINES) return false;
    if (lines < 2 || n->w_axis.taps == 1 || n->w_axis.step != 1 || tg_short_lines(n)) return false;
    return 2 * ceil_div(lines * run, TG_DEPTH) <= lines * ceil_div(run, TG_DEPTH);
}

void tg_stack_lines(tg_nest *n)
{
    n->lines_of_x = n->h;
    n->p.kernel[0] = 1;
    n->p.in *= n->h.taps;
    n->h = (tg_axis){ .in = n->h.out, .out = n->h.out, .taps = 1, .num = 1, .step = 1, .den = 1, .apart = 1 };
}

/* Lines of x from a pixel on; those that lie outside of it are others, masked. */
typedef struct {
    const uint16_t *from[LINES];
    uint16_t mask[LINES];
} lines_of_x;

/* Pixels of all lines, from each its channels, a pixel after another.  Inlined with constants. */
static inline __attribute__((always_inline)) void stack(const lines_of_x *x, int64_t lines, int64_t in, int64_t pixels,
                                                        uint16_t *restrict to)
{
    const uint16_t *from[LINES];
    uint16_t mask[LINES];
    for (int64_t k = 0; k < lines; k++) from[k] = x->from[k], mask[k] = x->mask[k];
    for (int64_t w = 0; w < pixels; w++)
        for (int64_t k = 0; k < lines; k++, to += in)
            for (int64_t c = 0; c < in; c++) to[c] = from[k][w * in + c] & mask[k];
}

void tg_stacked_line(const tg_block *b, int64_t line, char *to)
{
    const tg_nest *n = b->n;
    const tg_axis *h = &n->lines_of_x;
    const int64_t lines = h->taps, in = n->w->dim[3];
    const int64_t start = imax(b->w0, 0), pixels = imax(0, imin(b->w0 + n->span[1], n->w_axis.in) - start);
    const int64_t left = pixels ? (start - b->w0) * n->p.in : 0, inside = pixels * n->p.in;
    uint16_t *const row = (uint16_t *)(void *)to;
    const uint16_t *const image = (const uint16_t *)tg_ptr(n->x) + b->image * n->image * in;
    lines_of_x x;
    for (int64_t k = 0; k < lines; k++) {
        int64_t at;
        x.mask[k] = tg_meets(h, line, k, &at) ? 0xffff : 0;
        x.from[k] = image + ((x.mask[k] ? at : 0) * n->line + (pixels ? start : 0)) * in;
    }
    memset(row, 0, (size_t)left * sizeof *row);
    if (in == 1 && lines == 5) stack(&x, 5, 1, pixels, row + left);
    else if (in == 3 && lines == 3) stack(&x, 3, 3, pixels, row + left);
    else stack(&x, lines, in, pixels, row + left);
    memset(row + left + inside, 0, (size_t)(n->a_line - left - inside) * sizeof *row);
}
