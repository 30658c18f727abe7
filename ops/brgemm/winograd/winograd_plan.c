/* winograd_plan.c - how a convolution by Winograd's algorithm is cut, and one task of it: see winograd.h. */
#include "mend.h"
#include "winograd.h"

enum {
    D_FLOATS = 256 << 10,   /* most of D, which shares L2 with M and a panel of U */
    U_FLOATS = 1 << 20,     /* a larger U is read once per round instead of once per task */
    ROUND_FLOATS = 4 << 20, /* wanted for D and M of a round ... */
    ROUND = 128,            /* ... but at least this many tiles */
    CHUNK = 128,            /* most tiles of a task */
    TRANSFORM_CHUNK = 16,   /* tiles of a task that only transforms */
    TASKS = 32,             /* wanted, to be shared by threads */
    LINE = 16,              /* floats of a cache line, put between points, which would otherwise map to one cache set */
};

/* ---- the cut ---- */

static int64_t grid_of(const tg_nest_shape *s, int tile, int64_t grid[2])
{
    grid[0] = ceil_div(s->h.out, tile);
    grid[1] = ceil_div(s->w_axis.out, tile);
    return s->images * grid[0] * grid[1];
}

int tg_winograd_tile(const tg_winograd_shape *shape)
{
    const tg_nest_shape *s = &shape->nest;
    const int64_t in[2] = { s->h.in, s->w_axis.in }, out[2] = { s->h.out, s->w_axis.out };
    double least = tg_direct_cost(in, out, shape->pad, s->images);
    int best = 0;
    for (int tile = 2; tile <= TG_MAX_TILE; tile += 2) {
        int64_t grid[2];
        const tg_winograd_kind kind = tile == 2 ? TG_WINOGRAD_2 : TG_WINOGRAD_4;
        const double cost = tg_winograd_cost(kind, grid_of(s, tile, grid), s->in, s->out);
        if (cost >= least) continue;
        least = cost;
        best = tile;
    }
    return best;
}

/* A task makes all of some tiles and panels. */
static void cut_whole(tg_winograd *g)
{
    g->round = g->tiles;
    g->rounds = 1;
    g->chunks = ceil_div(g->tiles, imax(1, imin(CHUNK, D_FLOATS / (g->points * g->d.pitch))));
    g->chunk = ceil_div(g->tiles, g->chunks);
    g->chunks = ceil_div(g->tiles, g->chunk);
    g->share = ceil_div(g->panels, imin(g->panels, ceil_div(TASKS, g->chunks)));
    g->shares = ceil_div(g->panels, g->share);
    g->d.point = g->chunk * g->d.pitch + LINE;
    g->m = (tg_point_layout){ .point = g->chunk * TG_PANEL + LINE, .pitch = TG_PANEL };
}

/* A task transforms some tiles, or multiplies those of a point by a panel. */
static void cut_phases(tg_winograd *g)
{
    const tg_nest_shape *s = &g->shape.nest;
    const int64_t most = imax(ROUND, ROUND_FLOATS / (g->points * (s->in + s->out)));
    g->rounds = ceil_div(g->tiles, most);
    g->round = ceil_div(g->tiles, g->rounds);
    g->rounds = ceil_div(g->tiles, g->round);
    g->chunk = TRANSFORM_CHUNK;
    g->chunks = ceil_div(g->round, TRANSFORM_CHUNK);
    g->d.point = g->round * g->d.pitch + LINE;
    g->m = (tg_point_layout){ .panel = g->round * TG_PANEL, .pitch = TG_PANEL };
    g->m.point = g->panels * g->m.panel + LINE;
}

tg_winograd tg_winograd_plan(const tg_winograd_shape *shape)
{
    tg_winograd g = { .shape = *shape, .tile = tg_winograd_tile(shape) };
    const tg_nest_shape *s = &shape->nest;
    if (!g.tile) return g;
    g.points = tg_points_of(g.tile);
    g.tiles = grid_of(s, g.tile, g.grid);
    g.panels = ceil_div(s->out, TG_PANEL);
    g.d = (tg_point_layout){ .panel = TG_PANEL, .pitch = ceil_div(s->in, LINE) * LINE };
    g.phased = g.points * s->in * s->out > U_FLOATS;
    if (g.phased) cut_phases(&g);
    else cut_whole(&g);
    return g;
}

static size_t floats(const tg_winograd *g, tg_point_layout at)
{
    return (size_t)(g->points * at.point) * sizeof(float);
}

tg_scratch tg_winograd_scratch(const tg_winograd *g)
{
    const size_t size = floats(g, g->d) + floats(g, g->m);
    return g->phased ? (tg_scratch){ .shared = size } : (tg_scratch){ .worker = size };
}

int64_t tg_winograd_tasks(const tg_winograd *g, int phase)
{
    if (!g->phased) return phase == 0 ? g->chunks * g->shares : 0;
    if (phase >= 3 * g->rounds) return 0;
    return phase % 3 == 1 ? g->points * g->panels : g->chunks;
}

/* ---- a task ---- */

/* D of tiles, the first of which is d's. */
static void input(const tg_winograd *g, const tg_nest_data *data, int64_t first, int64_t end, float *d)
{
    const tg_nest_shape *s = &g->shape.nest;
    const tg_tiled x = {
        .data = data->x,
        .dtype = s->x_dtype,
        .h = s->h.in,
        .w = s->w_axis.in,
        .channels = s->in,
        .tile = g->tile,
        .pad = { g->shape.pad[0], g->shape.pad[1] },
        .grid = { g->grid[0], g->grid[1] },
    };
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->grid, g->tile, t, end);
        tg_winograd_input(&x, &r, g->d, d + (t - first) * g->d.pitch);
    }
}

/* M of a point and a panel. */
static void multiply(const tg_winograd *g, int64_t tiles, const float *d, const float *u, int64_t point, int64_t panel,
                     float *m)
{
    const tg_nest_shape *s = &g->shape.nest;
    const tg_batch_element batch = { .a = d + point * g->d.point,
                                     .b = u + (point * g->panels + panel) * s->in * TG_PANEL };
    const tg_brgemm p = {
        .m = (int)tiles,
        .n = (int)imin(s->out - panel * TG_PANEL, TG_PANEL),
        .k = s->in,
        .row = g->d.pitch,
        .step = 1,
        .c = m + point * g->m.point,
        .c_row = TG_PANEL,
        .store = TG_F32,
    };
    s->mk->run(&p, &batch, 1);
}

static void mend(const tg_winograd *g, const tg_nest_data *data, const tg_tile_run *r, int64_t panel)
{
    const tg_nest_shape *s = &g->shape.nest;
    const tg_output_range range = {
        .images = { r->image, r->image + 1 },
        .lines = { r->h, imin(s->h.out, r->h + g->tile) },
        .columns = { r->w, imin(s->w_axis.out, r->w + r->tiles * g->tile) },
        .channels = { panel * TG_PANEL, imin(s->out, (panel + 1) * TG_PANEL) },
    };
    tg_mend_outputs(s, data, &range, false);
}

/* y of a panel of tiles, the first of which is m's. */
static void output(const tg_winograd *g, const tg_nest_data *data, int64_t first, int64_t end, int64_t panel,
                   const float *m)
{
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->grid, g->tile, t, end);
        if (tg_winograd_output(g, data, &r, panel * TG_PANEL, m + (t - first) * g->m.pitch)) mend(g, data, &r, panel);
    }
}

/* Tasks of one share of the panels follow each other, as they read the same weights. */
static void run_whole(const tg_winograd *g, const tg_nest_data *data, const tg_task *t)
{
    int64_t share = t->index;
    const int64_t first = tg_digit(&share, g->chunks) * g->chunk, end = imin(g->tiles, first + g->chunk);
    float *const d = t->scratch, *const m = d + g->points * g->d.point;
    input(g, data, first, end, d);
    for (int64_t panel = share * g->share; panel < imin(g->panels, (share + 1) * g->share); panel++) {
        for (int64_t point = 0; point < g->points; point++) multiply(g, end - first, d, t->packed, point, panel, m);
        output(g, data, first, end, panel, m);
    }
}

static void run_phase(const tg_winograd *g, const tg_nest_data *data, const tg_task *t)
{
    const int64_t round = t->phase / 3 * g->round, end = imin(g->tiles, round + g->round);
    float *const d = t->shared, *const m = d + g->points * g->d.point;
    if (t->phase % 3 == 1) {
        int64_t point = t->index;
        const int64_t panel = tg_digit(&point, g->panels);
        multiply(g, end - round, d, t->packed, point, panel, m + panel * g->m.panel);
        return;
    }
    const int64_t first = round + t->index * g->chunk, last = imin(end, first + g->chunk), at = first - round;
    if (t->phase % 3 == 0) {
        input(g, data, first, last, d + at * g->d.pitch);
        return;
    }
    for (int64_t panel = 0; panel < g->panels; panel++)
        output(g, data, first, last, panel, m + panel * g->m.panel + at * g->m.pitch);
}

void tg_winograd_run(const tg_winograd *g, const tg_nest_data *data, const tg_task *t)
{
    if (g->phased) run_phase(g, data, t);
    else run_whole(g, data, t);
}
