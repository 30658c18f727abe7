/* winograd_plan.c - how a convolution by Winograd's algorithm is cut, and one task of it.  See winograd.h. */
#include "nest_block.h"
#include "winograd.h"

enum {
    D_FLOATS = 256 << 10,               /* most of D: it shares the second level of the cache with M and a panel of U */
    BLOCK = 128,                        /* most tiles of a task */
    TASKS = 32,                         /* wanted, to be shared by threads */
    LINE = 16,                          /* floats of a line of the cache: between points, lest they fall into one set */
};

/* ---- the cut ---- */

/* Pairs of an output and a tap that meet an input, along an axis. */
static int64_t meetings(int64_t in, int64_t out, int64_t pad)
{
    int64_t n = 0;
    for (int64_t tap = 0; tap < 3; tap++)
        n += tg_most(0, tg_least(out, in + pad - tap) - tg_most(0, pad - tap));
    return n;
}

bool tg_winograd_saves(const tg_winograd *g)
{
    int64_t direct = 1, points = TG_POINTS;
    for (int i = 0; i < 2; i++) {
        const int64_t in = g->x->dim[1 + i], out = g->y->dim[1 + i];
        direct *= meetings(in, out, g->pad[i]);
        points *= tg_div_up(out, 2);
    }
    return 4 * direct >= 5 * points;
}

void tg_winograd_plan(tg_winograd *g)
{
    g->in = g->x->dim[3];
    g->out = g->y->dim[3];
    for (int i = 0; i < 2; i++) g->grid[i] = tg_div_up(g->y->dim[1 + i], 2);
    g->tiles = g->x->dim[0] * g->grid[0] * g->grid[1];
    g->pitch = tg_div_up(g->in, LINE) * LINE;
    g->blocks = tg_div_up(g->tiles, tg_most(1, tg_least(BLOCK, D_FLOATS / (TG_POINTS * g->pitch))));
    g->block = tg_div_up(g->tiles, g->blocks);
    g->blocks = tg_div_up(g->tiles, g->block);
    g->panels = tg_div_up(g->out, TG_PANEL);
    g->share = tg_div_up(g->panels, tg_least(g->panels, tg_div_up(TASKS, g->blocks)));
    g->shares = tg_div_up(g->panels, g->share);
    g->d_point = g->block * g->pitch + LINE;
    g->m_point = g->block * TG_PANEL + LINE;
}

tg_scratch tg_winograd_scratch(const tg_winograd *g)
{
    return (tg_scratch){ .worker = TG_POINTS * (size_t)(g->d_point + g->m_point) * sizeof(float) };
}

int64_t tg_winograd_tasks(const tg_winograd *g) { return g->blocks * g->shares; }

/* ---- a task ---- */

/* The tiles from `first` on, of those before `end` that stand on its line. */
static tg_tile_run run_of(const tg_winograd *g, int64_t first, int64_t end)
{
    int64_t       rest = first;
    const int64_t column = tg_digit(&rest, g->grid[1]), line = tg_digit(&rest, g->grid[0]);
    return (tg_tile_run){ rest, 2 * line, 2 * column, tg_least(g->grid[1] - column, end - first) };
}

/* M of a panel */
static void multiply(const tg_winograd *g, int64_t tiles, const float *d, const float *u, int64_t panel, float *m)
{
    tg_brgemm p = { .m = (int)tiles, .n = (int)tg_least(g->out - panel * TG_PANEL, TG_PANEL), .k = g->in,
                    .row = g->pitch, .step = 1, .c_row = TG_PANEL, .store = TG_F32 };
    for (int64_t i = 0; i < TG_POINTS; i++) {
        const tg_brick brick = { .a = d + i * g->d_point, .b = u + (i * g->panels + panel) * g->in * TG_PANEL };
        p.c = m + i * g->m_point;
        g->mk->run(&p, &brick, 1);
    }
}

/* Tasks of one share of the panels follow each other: they read the same weights. */
void tg_winograd_run(const tg_winograd *g, const float *u, int64_t task, void *scratch)
{
    const int64_t first = tg_digit(&task, g->blocks) * g->block, end = tg_least(g->tiles, first + g->block);
    const int64_t panel0 = task * g->share, panel1 = tg_least(g->panels, panel0 + g->share);
    float *const  d = scratch, *const m = d + TG_POINTS * g->d_point;
    tg_tile_run   r;
    for (int64_t t = first; t < end; t += r.tiles) {
        r = run_of(g, t, end);
        tg_winograd_input(g, &r, d + (t - first) * g->pitch);
    }
    for (int64_t panel = panel0; panel < panel1; panel++) {
        multiply(g, end - first, d, u, panel, m);
        for (int64_t t = first; t < end; t += r.tiles) {
            r = run_of(g, t, end);
            tg_winograd_output(g, &r, panel * TG_PANEL, m + (t - first) * TG_PANEL);
        }
    }
}
