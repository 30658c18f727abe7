/* pack_joined.c - see pack_joined.h.  A group has at most TG_DEPTH channels, so it is one panel, two tiles wide. */
#include "pack_joined.h"
#include "ints.h"
#include <string.h>

enum { COLUMNS = 2 * TG_TILE };

static uint16_t *element(uint16_t *panel, size_t k, size_t column)
{
    const size_t tile = k / TG_DEPTH * 2 + column / TG_TILE, word = k % TG_DEPTH / 2 * TG_TILE + column % TG_TILE;
    return panel + 2 * (tile * TG_TILE * TG_TILE + word) + k % 2;
}

/* Columns j0 to j1 - 1, all in one tile. */
static void clear_columns(uint16_t *panel, int64_t depth, int64_t j0, int64_t j1)
{
    for (int64_t k = 0; k < depth; k += 2)
        memset(element(panel, (size_t)k, (size_t)j0), 0, 2 * sizeof *panel * (size_t)(j1 - j0));
}

static void clear_k(uint16_t *panel, int64_t k)
{
    for (size_t j = 0; j < COLUMNS; j++) *element(panel, (size_t)k, j) = 0;
}

static void clear_pair(uint16_t *panel, int64_t k)
{
    for (size_t j = 0; j < COLUMNS; j += TG_TILE) memset(element(panel, (size_t)k, j), 0, 2 * sizeof *panel * TG_TILE);
}

/* Forward, rows of w are columns: n elements of a row, at one tap, from some k on. */
static void put_column(uint16_t *panel, int64_t k, int64_t column, const uint16_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) *element(panel, (size_t)(k + i), (size_t)column) = from[i];
}

/* Backward, rows of w are k: n elements, from some column on. */
static void put_k(uint16_t *panel, int64_t k, int64_t column, const uint16_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) *element(panel, (size_t)k, (size_t)(column + i)) = from[i];
}

static uint16_t *panel_of(const tg_panels *p, int64_t group, void *to)
{
    return (uint16_t *)to + group * p->depth * COLUMNS;
}

/* The last row of a group also clears the columns after it. */
static void pack_forward(const tg_panels *p, const uint16_t *w, int64_t n, int64_t r0, int64_t r1, void *to)
{
    const int64_t taps = p->kernel[0] * p->kernel[1], own = p->out / p->joined;
    for (int64_t o = r0, next; o < r1; o = next) {
        const int64_t group = o / p->out, j = o % p->out;
        const int64_t end = imin(imin(p->out, j + r1 - o), round_up(j + 1, TG_TILE));
        next = o + end - j;
        clear_columns(panel_of(p, group, to), p->depth, j, end < p->out ? end : round_up(end, TG_TILE));
        if (end == p->out && end <= TG_TILE) clear_columns(panel_of(p, group, to), p->depth, TG_TILE, COLUMNS);
    }
    for (int64_t tap = 0; tap < taps; tap++) {
        const int64_t k = tg_tap_range_of(p, tap / p->kernel[1], tap % p->kernel[1]).k;
        for (int64_t o = r0; o < r1; o++) {
            const int64_t j = o % p->out;
            put_column(panel_of(p, o / p->out, to), k + j / own * n, j, w + (o * taps + tap) * n, n);
        }
    }
}

/* The last row of a group also clears the padding of k after it. */
static void pack_backward(const tg_panels *p, const uint16_t *w, int64_t n, int64_t r0, int64_t r1, void *to)
{
    const int64_t taps = p->kernel[0] * p->kernel[1], own = p->in / p->joined;
    for (int64_t tap = 0; tap < taps; tap++) {
        const tg_tap_range at = tg_tap_range_of(p, tap / p->kernel[1], tap % p->kernel[1]);
        bool cleared = false;
        for (int64_t o = r0; o < r1; o++) {
            uint16_t *const panel = panel_of(p, o / p->in, to);
            const int64_t row = o % p->in, k = at.k + row;
            if (k % 2 == 0 && o + 1 < r1 && row + 1 < p->in) clear_pair(panel, k), cleared = true;
            else if (!cleared) clear_k(panel, k);
            else cleared = false;
            put_k(panel, k, row / own * n, w + (o * taps + tap) * n, n);
            for (int64_t i = 0; i < at.pad && row == p->in - 1; i++) clear_k(panel, k + 1 + i);
        }
    }
}

void tg_pack_joined(const tg_panels *p, const tg_tensor *w, int64_t r0, int64_t r1, void *to)
{
    if (p->backward) pack_backward(p, tg_ptr(w), w->dim[3], r0, r1, to);
    else pack_forward(p, tg_ptr(w), w->dim[3], r0, r1, to);
}
