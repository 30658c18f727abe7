/* winograd_grad_w.c - backward-weights by Winograd's algorithm.  See winograd.h.
 *
 * Tiles are taken in rounds: gy and x are transformed, then multiplied, point by point, into sums S that stay from
 * round to round.  At the end 36 sums become 9 taps.  Few channels: a task does all of this for a part of the tiles, in
 * its cache, and the parts' taps are added.  Many: the phases of a round are cut into tasks, as S is as large as the
 * cache.
 *
 * What is not finite would spread over all taps of a weight.  So if the gradient is not finite the direct kernel, whose
 * phases follow, makes it again; otherwise its tasks do nothing. */
#include "grad_w.h"
#include "winograd.h"
#include <math.h>
#include <string.h>

enum {
    TILE = 4,
    POINTS = (TILE + 2) * (TILE + 2),
    PART_FLOATS = 192 << 10, /* of S: more is cut into phases */
    PARTS = 32,              /* at most */
    PART_ROUND = 64,         /* tiles */
    ROUND_FLOATS = 2 << 20,  /* wanted of D and E of a round in phases ... */
    ROUND = 128,             /* ... but so many tiles at least */
    DEPTH = 192,             /* most tiles of a product: panels of D and E stay in the cache */
    STRIP = 16,              /* tiles, or output channels at the end, of a task */
    LINE = 16,               /* floats of a line of the cache: between points, lest they fall into one set */
};

/* ---- the cut ---- */

static tg_tiled tiled(const tg_tensor *t, const int64_t pad[2], const tg_tensor *gy)
{
    return (tg_tiled){ t, TILE, { pad[0], pad[1] }, { ceil_div(gy->dim[1], TILE), ceil_div(gy->dim[2], TILE) } };
}

/* Of `rows` tiles or sums of all panels of some channels. */
static tg_point_places places(int64_t rows, int64_t channels, int64_t pitch)
{
    const int64_t panel = rows * pitch;
    return (tg_point_places){ ceil_div(channels, TG_PANEL) * panel + LINE, panel, pitch };
}

static void cut(tg_winograd_grad_w *g)
{
    const int64_t sums = POINTS * g->out * ceil_div(g->in, TG_PANEL) * TG_PANEL;
    const int64_t most = imax(ROUND, ROUND_FLOATS / (POINTS * (g->in + g->out)));
    g->parts = sums > PART_FLOATS ? 0 : imin(PARTS, ceil_div(g->tiles, PART_ROUND));
    g->rounds = ceil_div(g->tiles, g->parts ? PART_ROUND : most);
    g->round = ceil_div(g->tiles, g->rounds);
    g->rounds = ceil_div(g->tiles, g->round);
    if (g->parts) g->parts = ceil_div(g->rounds, ceil_div(g->rounds, g->parts));
}

void tg_winograd_grad_w_plan(tg_winograd_grad_w *g)
{
    const int64_t images = g->x->dim[0];
    g->in = g->x->dim[3];
    g->out = g->gy->dim[3];
    g->tiled_gy = tiled(g->gy, (const int64_t[]){ 0, 0 }, g->gy);
    g->tiled_x = tiled(g->x, g->pad, g->gy);
    g->tiles = images * g->tiled_gy.grid[0] * g->tiled_gy.grid[1];
    g->pays = tg_winograd_cost(TG_WINOGRAD_GRAD_W, g->tiles, g->in, g->out) <
              tg_direct_cost(g->x->dim + 1, g->gy->dim + 1, g->pad, images);
    cut(g);
    g->d = places(g->round, g->in, TG_PANEL);
    g->e = places(g->round, g->out, imin(TG_PANEL, ceil_div(g->out, LINE) * LINE));
    g->s = places(g->out, g->in, TG_PANEL);
}

static int64_t floats(const tg_winograd_grad_w *g) { return POINTS * (g->d.point + g->e.point + g->s.point); }
static int64_t products(const tg_winograd_grad_w *g)
{
    return POINTS * ceil_div(g->in, TG_PANEL) * ceil_div(g->out, TG_PANEL);
}
static int64_t weights(const tg_winograd_grad_w *g) { return g->out * 9 * g->in; }

static int64_t strips(const tg_winograd_grad_w *g) { return ceil_div(g->out, STRIP); }

/* Of shared scratch: for each strip of the gradient, whether it is spoiled; then all else. */
static size_t flags(const tg_winograd_grad_w *g) { return tg_aligned(strips(g)); }

tg_scratch tg_winograd_grad_w_scratch(const tg_winograd_grad_w *g)
{
    const size_t size = (size_t)floats(g) * sizeof(float), parts = (size_t)(g->parts * weights(g)) * sizeof(float);
    const size_t worker = g->parts ? size : 0, shared = g->parts ? parts : size;
    const tg_grad_w direct = tg_grad_w_plan(g->nest);
    const tg_scratch its = tg_grad_w_scratch(&direct);
    return (tg_scratch){ .worker = its.worker > worker ? its.worker : worker,
                         .shared = flags(g) + (its.shared > shared ? its.shared : shared) };
}

/* Makes gw; those of the direct kernel follow. */
static int last_phase(const tg_winograd_grad_w *g) { return g->parts ? 1 : (int)(2 * g->rounds); }

int64_t tg_winograd_grad_w_tasks(const tg_winograd_grad_w *g, int phase)
{
    const int last = last_phase(g);
    if (phase > last) {
        const tg_grad_w direct = tg_grad_w_plan(g->nest);
        return tg_grad_w_tasks(&direct, phase - last - 1);
    }
    if (phase == last) return strips(g);
    if (g->parts) return g->parts;
    return phase % 2 ? products(g) : 2 * ceil_div(g->round, STRIP);
}

/* ---- steps ---- */

typedef struct {
    float *d, *e, *s;
} room;

static room room_in(const tg_winograd_grad_w *g, float *f)
{
    return (room){ f, f + POINTS * g->d.point, f + POINTS * (g->d.point + g->e.point) };
}

/* x or gy of the tiles from first to end, of the round that begins with `round`. */
static void transform(const tg_winograd_grad_w *g, bool of_x, int64_t round, int64_t first, int64_t end, room to)
{
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->tiled_gy.grid, TILE, t, end);
        if (of_x) tg_winograd_input(&g->tiled_x, &r, g->d, to.d + (t - round) * g->d.pitch);
        else tg_winograd_kernel_input(&g->tiled_gy, &r, g->e, to.e + (t - round) * g->e.pitch);
    }
}

/* Sums of a point, 64 output channels and 64 input channels: begun by a first round, or gone on with. */
static void multiply(const tg_winograd_grad_w *g, bool begin, int64_t tiles, int64_t index, room at)
{
    const int64_t out = tg_digit(&index, ceil_div(g->out, TG_PANEL)), in = tg_digit(&index, ceil_div(g->in, TG_PANEL));
    const float *a = at.e + index * g->e.point + out * g->e.panel, *b = at.d + index * g->d.point + in * g->d.panel;
    float *const sums = at.s + index * g->s.point + in * g->s.panel + out * TG_PANEL * g->s.pitch;
    tg_brgemm p = {
        .m = (int)imin(g->out - out * TG_PANEL, TG_PANEL),
        .n = (int)imin(g->in - in * TG_PANEL, TG_PANEL),
        .row = 1,
        .step = g->e.pitch,
        .from = begin ? NULL : sums,
        .from_row = TG_PANEL,
        .c = sums,
        .c_row = TG_PANEL,
        .store = TG_F32,
    };
    for (int64_t k = 0; k < tiles; k += DEPTH) {
        const tg_brick brick = { .a = a + k * g->e.pitch, .b = b + k * TG_PANEL };
        p.k = imin(DEPTH, tiles - k);
        g->mk->run(&p, &brick, 1);
        p.from = sums;
    }
}

/* ---- a task ---- */

/* Taps of a part of the tiles: some rounds. */
static void run_part(const tg_winograd_grad_w *g, int64_t part, float *scratch, float *taps)
{
    const int64_t rounds = ceil_div(g->rounds, g->parts), first = part * rounds * g->round;
    const room r = room_in(g, scratch);
    for (int64_t t = first; t < imin(g->tiles, first + rounds * g->round); t += g->round) {
        const int64_t end = imin(g->tiles, t + g->round);
        transform(g, true, t, t, end, r);
        transform(g, false, t, t, end, r);
        for (int64_t i = 0; i < products(g); i++) multiply(g, t == first, end - t, i, r);
    }
    tg_winograd_taps(g, 0, g->out, r.s, taps);
}

/* The parts' taps of some output channels, added in their order. */
static void add_parts(const tg_winograd_grad_w *g, int64_t first, int64_t end, const float *taps)
{
    const int64_t at = first * 9 * g->in, n = (end - first) * 9 * g->in;
    float *const gw = (float *)tg_ptr(g->gw) + at;
    memcpy(gw, taps + at, (size_t)n * sizeof *gw);
    for (int64_t part = 1; part < g->parts; part++) {
        const float *from = taps + part * weights(g) + at;
        for (int64_t i = 0; i < n; i++) gw[i] += from[i];
    }
}

/* Strips 2 i are x's, 2 i + 1 gy's of the same tiles. */
static void run_phase(const tg_winograd_grad_w *g, const tg_task *t, float *shared)
{
    const int64_t round = t->phase / 2 * g->round, end = imin(g->tiles, round + g->round);
    const int64_t first = round + t->index / 2 * STRIP;
    const room r = room_in(g, shared);
    if (t->phase % 2) multiply(g, round == 0, end - round, t->index, r);
    else transform(g, t->index % 2 == 0, round, first, imin(end, first + STRIP), r);
}

static bool all_finite(const float *f, int64_t n)
{
    int odd = 0;
    for (int64_t i = 0; i < n; i++) odd |= !(fabsf(f[i]) < INFINITY);
    return !odd;
}

/* Some output channels of gw; false: they are spoiled. */
static bool run_last(const tg_winograd_grad_w *g, int64_t strip, float *shared)
{
    const int64_t first = strip * STRIP, end = imin(g->out, first + STRIP), row = 9 * g->in;
    float *const gw = tg_ptr(g->gw);
    if (g->parts) add_parts(g, first, end, shared);
    else tg_winograd_taps(g, first, end, room_in(g, shared).s, gw);
    return all_finite(gw + first * row, (end - first) * row);
}

static void run_direct(const tg_winograd_grad_w *g, const tg_task *t, int phase, float *shared)
{
    const tg_grad_w direct = tg_grad_w_plan(g->nest);
    tg_task its = *t;
    its.phase = phase;
    its.shared = shared;
    tg_grad_w_run(&direct, &its);
}

void tg_winograd_grad_w_run(const tg_winograd_grad_w *g, const tg_task *t)
{
    const int last = last_phase(g);
    char *const spoiled = t->shared;
    float *const shared = (float *)(void *)(spoiled + flags(g));
    if (t->phase > last) {
        if (memchr(spoiled, true, (size_t)strips(g))) run_direct(g, t, t->phase - last - 1, shared);
    } else if (t->phase == last) spoiled[t->index] = !run_last(g, t->index, shared);
    else if (g->parts) run_part(g, t->index, t->scratch, shared + t->index * weights(g));
    else run_phase(g, t, shared);
}
