/* winograd_grad_w.c - backward-weights by Winograd's algorithm: see winograd.h.
 *
 * Tiles are taken in rounds: gy and x are transformed, then multiplied point by point into sums S that persist from
 * round to round.  At the end, 36 sums become 9 taps.  With few channels a task does all of this for a part of the
 * tiles, in its cache, and the parts' taps are added.  With many, S is as large as the cache, so the phases of a round
 * are cut into tasks.
 *
 * What is not finite would spread over all taps of a weight.  So if the gradient is not finite, the direct kernel,
 * whose phases follow, computes it again; otherwise its tasks do nothing. */
#include "winograd.h"
#include <math.h>
#include <string.h>

enum {
    TILE = 4,
    POINTS = (TILE + 2) * (TILE + 2),
    PART_FLOATS = 192 << 10, /* most of S: a larger one is computed in phases */
    PARTS = 32,              /* at most */
    PART_ROUND = 64,         /* tiles */
    ROUND_FLOATS = 2 << 20,  /* wanted for D and E of a round in phases ... */
    ROUND = 128,             /* ... but at least this many tiles */
    DEPTH = 192,             /* most tiles of a product: panels of D and E stay in the cache */
    CHUNK = 16,              /* tiles, or output channels at the end, of a task */
    LINE = 16, /* floats of a cache line, put between points, which would otherwise map to one cache set */
};

/* ---- the cut ---- */

static int64_t grid_of(const tg_nest_shape *s, int64_t grid[2])
{
    grid[0] = ceil_div(s->h.out, TILE);
    grid[1] = ceil_div(s->w_axis.out, TILE);
    return s->images * grid[0] * grid[1];
}

/* Of `rows` tiles, or sums, for all panels of the channels. */
static tg_point_layout layout_of(int64_t rows, int64_t channels, int64_t pitch)
{
    const int64_t panel = rows * pitch;
    return (tg_point_layout){ ceil_div(channels, TG_PANEL) * panel + LINE, panel, pitch };
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

bool tg_winograd_grad_w_pays(const tg_winograd_shape *shape)
{
    const tg_nest_shape *s = &shape->nest;
    const int64_t in[2] = { s->h.in, s->w_axis.in }, out[2] = { s->h.out, s->w_axis.out };
    int64_t grid[2];
    return tg_winograd_cost(TG_WINOGRAD_GRAD_W, grid_of(s, grid), s->in, s->out) <
           tg_direct_cost(in, out, shape->pad, s->images);
}

tg_winograd_grad_w tg_winograd_grad_w_plan(const tg_winograd_shape *shape)
{
    tg_winograd_grad_w g = { .shape = *shape, .in = shape->nest.in, .out = shape->nest.out };
    g.tiles = grid_of(&shape->nest, g.grid);
    cut(&g);
    g.d = layout_of(g.round, g.in, TG_PANEL);
    g.e = layout_of(g.round, g.out, imin(TG_PANEL, ceil_div(g.out, LINE) * LINE));
    g.s = layout_of(g.out, g.in, TG_PANEL);
    g.direct = tg_grad_w_plan(&shape->nest);
    return g;
}

static int64_t floats(const tg_winograd_grad_w *g) { return POINTS * (g->d.point + g->e.point + g->s.point); }
static int64_t products(const tg_winograd_grad_w *g)
{
    return POINTS * ceil_div(g->in, TG_PANEL) * ceil_div(g->out, TG_PANEL);
}
static int64_t weights(const tg_winograd_grad_w *g) { return g->out * 9 * g->in; }

static int64_t chunks(const tg_winograd_grad_w *g) { return ceil_div(g->out, CHUNK); }

/* The first bytes of shared scratch: for each chunk of the gradient, whether it is not finite. */
static size_t flags(const tg_winograd_grad_w *g) { return tg_aligned(chunks(g)); }

tg_scratch tg_winograd_grad_w_scratch(const tg_winograd_grad_w *g)
{
    const size_t size = (size_t)floats(g) * sizeof(float), parts = (size_t)(g->parts * weights(g)) * sizeof(float);
    const size_t worker = g->parts ? size : 0, shared = g->parts ? parts : size;
    const tg_scratch its = tg_grad_w_scratch(&g->direct);
    return (tg_scratch){ .worker = its.worker > worker ? its.worker : worker,
                         .shared = flags(g) + (its.shared > shared ? its.shared : shared) };
}

/* The phase that makes gw; those of the direct kernel follow. */
static int last_phase(const tg_winograd_grad_w *g) { return g->parts ? 1 : (int)(2 * g->rounds); }

int64_t tg_winograd_grad_w_tasks(const tg_winograd_grad_w *g, int phase)
{
    const int last = last_phase(g);
    if (phase > last) return tg_grad_w_tasks(&g->direct, phase - last - 1);
    if (phase == last) return chunks(g);
    if (g->parts) return g->parts;
    return phase % 2 ? products(g) : 2 * ceil_div(g->round, CHUNK);
}

/* ---- steps ---- */

typedef struct {
    float *d, *e, *s;
} buffers;

static buffers buffers_in(const tg_winograd_grad_w *g, float *f)
{
    return (buffers){ f, f + POINTS * g->d.point, f + POINTS * (g->d.point + g->e.point) };
}

/* Transforms x, or gy, of the tiles from first to end - 1, of the round that begins with tile `round`. */
static void transform(const tg_winograd_grad_w *g, const tg_grad_w_data *data, bool of_x, int64_t round, int64_t first,
                      int64_t end, buffers to)
{
    const tg_nest_shape *s = &g->shape.nest;
    tg_tiled from = { .tile = TILE, .grid = { g->grid[0], g->grid[1] } };
    if (of_x) {
        from.data = data->x, from.dtype = s->x_dtype;
        from.h = s->h.in, from.w = s->w_axis.in, from.channels = g->in;
        from.pad[0] = g->shape.pad[0], from.pad[1] = g->shape.pad[1];
    } else {
        from.data = data->gy, from.dtype = s->y_dtype;
        from.h = s->h.out, from.w = s->w_axis.out, from.channels = g->out;
    }
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->grid, TILE, t, end);
        if (of_x) tg_winograd_input(&from, &r, g->d, to.d + (t - round) * g->d.pitch);
        else tg_winograd_kernel_input(&from, &r, g->e, to.e + (t - round) * g->e.pitch);
    }
}

/* Sums of a point, 64 output channels and 64 input channels: begun by the first round, continued by others. */
static void multiply(const tg_winograd_grad_w *g, bool begin, int64_t tiles, int64_t index, buffers at)
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
        const tg_batch_element batch = { .a = a + k * g->e.pitch, .b = b + k * TG_PANEL };
        p.k = imin(DEPTH, tiles - k);
        g->shape.nest.mk->run(&p, &batch, 1);
        p.from = sums;
    }
}

/* ---- a task ---- */

/* Taps of a part of the tiles: some rounds. */
static void run_part(const tg_winograd_grad_w *g, const tg_grad_w_data *data, int64_t part, float *scratch, float *taps)
{
    const int64_t rounds = ceil_div(g->rounds, g->parts), first = part * rounds * g->round;
    const buffers r = buffers_in(g, scratch);
    for (int64_t t = first; t < imin(g->tiles, first + rounds * g->round); t += g->round) {
        const int64_t end = imin(g->tiles, t + g->round);
        transform(g, data, true, t, t, end, r);
        transform(g, data, false, t, t, end, r);
        for (int64_t i = 0; i < products(g); i++) multiply(g, t == first, end - t, i, r);
    }
    tg_winograd_taps(g, 0, g->out, r.s, taps);
}

/* The parts' taps of some output channels, added in their order. */
static void add_parts(const tg_winograd_grad_w *g, int64_t first, int64_t end, const float *taps, float *all)
{
    const int64_t at = first * 9 * g->in, n = (end - first) * 9 * g->in;
    float *const gw = all + at;
    memcpy(gw, taps + at, (size_t)n * sizeof *gw);
    for (int64_t part = 1; part < g->parts; part++) {
        const float *from = taps + part * weights(g) + at;
        for (int64_t i = 0; i < n; i++) gw[i] += from[i];
    }
}

/* Chunk 2 i is x's, 2 i + 1 gy's of the same tiles. */
static void run_phase(const tg_winograd_grad_w *g, const tg_grad_w_data *data, const tg_task *t, float *shared)
{
    const int64_t round = t->phase / 2 * g->round, end = imin(g->tiles, round + g->round);
    const int64_t first = round + t->index / 2 * CHUNK;
    const buffers r = buffers_in(g, shared);
    if (t->phase % 2) multiply(g, round == 0, end - round, t->index, r);
    else transform(g, data, t->index % 2 == 0, round, first, imin(end, first + CHUNK), r);
}

static bool all_finite(const float *f, int64_t n)
{
    int odd = 0;
    for (int64_t i = 0; i < n; i++) odd |= !(fabsf(f[i]) < INFINITY);
    return !odd;
}

/* Makes some output channels of gw; false if they are not finite. */
static bool run_last(const tg_winograd_grad_w *g, int64_t chunk, float *shared, float *gw)
{
    const int64_t first = chunk * CHUNK, end = imin(g->out, first + CHUNK), row = 9 * g->in;
    if (g->parts) add_parts(g, first, end, shared, gw);
    else tg_winograd_taps(g, first, end, buffers_in(g, shared).s, gw);
    return all_finite(gw + first * row, (end - first) * row);
}

static void run_direct(const tg_winograd_grad_w *g, const tg_grad_w_data *data, const tg_task *t, int phase,
                       float *shared)
{
    tg_task its = *t;
    its.phase = phase;
    its.shared = shared;
    tg_grad_w_run(&g->direct, data, &its);
}

void tg_winograd_grad_w_run(const tg_winograd_grad_w *g, const tg_grad_w_data *data, const tg_task *t)
{
    const int last = last_phase(g);
    char *const spoiled = t->shared;
    float *const shared = (float *)(void *)(spoiled + flags(g));
    if (t->phase > last) {
        if (memchr(spoiled, true, (size_t)chunks(g))) run_direct(g, data, t, t->phase - last - 1, shared);
    } else if (t->phase == last) {
        spoiled[t->index] = !run_last(g, t->index, shared, data->gw);
    } else if (g->parts) {
        run_part(g, data, t->index, t->scratch, shared + t->index * weights(g));
    } else {
        run_phase(g, data, t, shared);
    }
}
