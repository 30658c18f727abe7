/* winograd_plan.c - how a convolution by Winograd's algorithm is cut, and one task of it.  See winograd.h. */
#include "mend.h"
#include "winograd.h"

enum {
    D_FLOATS = 256 << 10,   /* most of D: it shares the second level of the cache with M and a panel of U */
    U_FLOATS = 1 << 20,     /* a larger U is read once a round, and not once a task */
    ROUND_FLOATS = 4 << 20, /* wanted of D and M of a round ... */
    ROUND = 128,            /* ... but so many tiles at least */
    BLOCK = 128,            /* most tiles of a task */
    STRIP = 16,             /* tiles of a task that transforms alone */
    TASKS = 32,             /* wanted, to be shared by threads */
    LINE = 16,              /* floats of a line of the cache: between points, lest they fall into one set */
};

/* ---- the cut ---- */

static int64_t grid_of(const tg_winograd *g, int tile, int64_t grid[2])
{
    for (int i = 0; i < 2; i++) grid[i] = ceil_div(g->y->dim[1 + i], tile);
    return g->x->dim[0] * grid[0] * grid[1];
}

static void choose_tile(tg_winograd *g)
{
    double least = tg_direct_cost(g->x->dim + 1, g->y->dim + 1, g->pad, g->x->dim[0]);
    for (int tile = 2; tile <= TG_MAX_TILE; tile += 2) {
        int64_t grid[2];
        const double cost =
            tg_winograd_cost(tile == 2 ? TG_WINOGRAD_2 : TG_WINOGRAD_4, grid_of(g, tile, grid), g->in, g->out);
        if (cost >= least) continue;
        least = cost;
        g->tile = tile;
    }
}

/* A task makes all of some tiles and panels. */
static void cut_whole(tg_winograd *g)
{
    g->round = g->tiles;
    g->rounds = 1;
    g->blocks = ceil_div(g->tiles, imax(1, imin(BLOCK, D_FLOATS / (g->points * g->d.pitch))));
    g->block = ceil_div(g->tiles, g->blocks);
    g->blocks = ceil_div(g->tiles, g->block);
    g->share = ceil_div(g->panels, imin(g->panels, ceil_div(TASKS, g->blocks)));
    g->shares = ceil_div(g->panels, g->share);
    g->d.point = g->block * g->d.pitch + LINE;
    g->m = (tg_point_places){ .point = g->block * TG_PANEL + LINE, .pitch = TG_PANEL };
}

/* A task transforms some tiles, or multiplies a point's with a panel. */
static void cut_phases(tg_winograd *g)
{
    const int64_t most = imax(ROUND, ROUND_FLOATS / (g->points * (g->in + g->out)));
    g->rounds = ceil_div(g->tiles, most);
    g->round = ceil_div(g->tiles, g->rounds);
    g->rounds = ceil_div(g->tiles, g->round);
    g->block = STRIP;
    g->blocks = ceil_div(g->round, STRIP);
    g->d.point = g->round * g->d.pitch + LINE;
    g->m = (tg_point_places){ .panel = g->round * TG_PANEL, .pitch = TG_PANEL };
    g->m.point = g->panels * g->m.panel + LINE;
}

void tg_winograd_plan(tg_winograd *g)
{
    g->in = g->x->dim[3];
    g->out = g->y->dim[3];
    choose_tile(g);
    if (!g->tile) return;
    g->points = tg_points_of(g->tile);
    g->tiles = grid_of(g, g->tile, g->grid);
    g->panels = ceil_div(g->out, TG_PANEL);
    g->d = (tg_point_places){ .panel = TG_PANEL, .pitch = ceil_div(g->in, LINE) * LINE };
    g->phased = g->points * g->in * g->out > U_FLOATS;
    if (g->phased) cut_phases(g);
    else cut_whole(g);
}

static size_t floats(const tg_winograd *g, tg_point_places at)
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
    if (!g->phased) return phase == 0 ? g->blocks * g->shares : 0;
    if (phase >= 3 * g->rounds) return 0;
    return phase % 3 == 1 ? g->points * g->panels : g->blocks;
}

/* ---- a task ---- */

/* D of tiles, the first of which is d's. */
static void input(const tg_winograd *g, int64_t first, int64_t end, float *d)
{
    const tg_tiled x = { g->x, g->tile, { g->pad[0], g->pad[1] }, { g->grid[0], g->grid[1] } };
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->grid, g->tile, t, end);
        tg_winograd_input(&x, &r, g->d, d + (t - first) * g->d.pitch);
    }
}

/* M of a point and a panel */
static void multiply(const tg_winograd *g, int64_t tiles, const float *d, const float *u, int64_t point, int64_t panel,
                     float *m)
{
    const tg_brick brick = { .a = d + point * g->d.point, .b = u + (point * g->panels + panel) * g->in * TG_PANEL };
    const tg_brgemm p = {
        .m = (int)tiles,
        .n = (int)imin(g->out - panel * TG_PANEL, TG_PANEL),
        .k = g->in,
        .row = g->d.pitch,
        .step = 1,
        .c = m + point * g->m.point,
        .c_row = TG_PANEL,
        .store = TG_F32,
    };
    g->mk->run(&p, &brick, 1);
}

static void mend(const tg_winograd *g, const tg_tile_run *r, int64_t panel)
{
    const int64_t lines[2] = { r->h, imin(g->y->dim[1], r->h + g->tile) };
    const int64_t columns[2] = { r->w, imin(g->y->dim[2], r->w + r->tiles * g->tile) };
    tg_mend_pixels(&g->nest, r->image, lines, columns, panel * TG_PANEL, imin(g->out, (panel + 1) * TG_PANEL));
}

/* y of a panel of tiles, the first of which is m's. */
static void output(const tg_winograd *g, int64_t first, int64_t end, int64_t panel, const float *m)
{
    tg_tile_run r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = tg_tile_run_of(g->grid, g->tile, t, end);
        if (tg_winograd_output(g, &r, panel * TG_PANEL, m + (t - first) * g->m.pitch)) mend(g, &r, panel);
    }
}

/* Tasks of one share of the panels follow each other: they read the same weights. */
static void run_whole(const tg_winograd *g, const tg_task *t)
{
    int64_t share = t->index;
    const int64_t first = tg_digit(&share, g->blocks) * g->block, end = imin(g->tiles, first + g->block);
    float *const d = t->scratch, *const m = d + g->points * g->d.point;
    input(g, first, end, d);
    for (int64_t panel = share * g->share; panel < imin(g->panels, (share + 1) * g->share); panel++) {
        for (int64_t point = 0; point < g->points; point++) multiply(g, end - first, d, t->packed, point, panel, m);
        output(g, first, end, panel, m);
    }
}

static void run_phase(const tg_winograd *g, const tg_task *t)
{
    const int64_t round = t->phase / 3 * g->round, end = imin(g->tiles, round + g->round);
    float *const d = t->shared, *const m = d + g->points * g->d.point;
    if (t->phase % 3 == 1) {
        int64_t point = t->index;
        const int64_t panel = tg_digit(&point, g->panels);
        multiply(g, end - round, d, t->packed, point, panel, m + panel * g->m.panel);
        return;
    }
    const int64_t first = round + t->index * g->block, last = imin(end, first + g->block), at = first - round;
    if (t->phase % 3 == 0) {
        input(g, first, last, d + at * g->d.pitch);
        return;
    }
    for (int64_t panel = 0; panel < g->panels; panel++)
        output(g, first, last, panel, m + panel * g->m.panel + at * g->m.pitch);
}

void tg_winograd_run(const tg_winograd *g, const tg_task *t)
{
    if (g->phased) run_phase(g, t);
    else run_whole(g, t);
}
