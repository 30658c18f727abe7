/* grad_w_plan.c - how backward-weights is cut: by its shape, never by the number of threads. */
#include "grad_w.h"
#include "mend.h"

enum {
    PIXELS = 1024, /* of a block: so many that sums are read and written rarely */
    TASKS = 32,
    FEW_IMAGES = 6,
    FEW_CHANNELS = 16,
    BLOCK_BYTES = 512 << 10, /* most of A and of a panel's B */
    SUM_BYTES = 16 << 20,    /* most of all parts of gw */
};

static void choose_mode(tg_grad_w *g)
{
    tg_nest *const n = &g->n;
    const bool few = n->p.in < FEW_CHANNELS;
    const bool runs = tg_neighbours(&n->w_axis) && n->w_axis.taps > 1 && n->groups == 1;
    const bool lines = n->mk->lines || (n->mk->load_line && (!few || runs));
    const bool images = !lines || (tg_short_lines(n) && n->images >= FEW_IMAGES);
    g->places = images || !few || n->mk->load_line;
    g->along = g->places && !images;
    g->paired = g->along && n->mk->load_line;
    n->nb = 1;
    if (images && n->mk->places < TG_MAX_PLACES) n->nb = imin(n->images, n->mk->places);
    else if (images) n->nb = ceil_div(n->images, ceil_div(n->images, n->mk->images));
    n->merged = tg_neighbours(&n->w_axis);
    g->gather = (images || g->paired) && few && runs;
    g->mends = (!g->places || g->gather || g->paired) && tg_meets_padding(&n->w_axis);
    g->rows = (g->places ? g->gather : n->merged) ? n->p.kernel[1] * n->p.in : n->p.in;
}

static int64_t pixels_across(const tg_grad_w *g) { return imin(g->n.span[1], g->n.w_axis.in); }

/* Tiles of an input line of a block: one of all its pixels or of every num-th, one each of input columns, or if
 * gathered of output columns. */
static int64_t tiles_across(const tg_grad_w *g)
{
    if (g->along) return g->paired && !g->gather ? g->n.w_axis.num : 1;
    return g->gather ? g->n.columns : pixels_across(g);
}

/* Pixels of all taps side by side, and one more to make odd columns even; or, gathered, a row for each tap. */
static tg_places paired_tile(const tg_grad_w *g)
{
    const tg_axis *a = &g->n.w_axis;
    const int64_t columns = g->n.columns + g->n.columns % 2, shifts = tg_shift(a, a->taps - 1) - tg_shift(a, 0);
    const int64_t row = ceil_div(columns + (g->gather ? 0 : shifts), 2) * 2;
    return (tg_places){ .a_bytes = tg_aligned(g->rows * row * (int64_t)sizeof(uint16_t)), .row = row, .step = 1 };
}

/* Tiles of a block. */
static int64_t a_tiles(const tg_grad_w *g) { return g->together * g->n.span[0] * tiles_across(g); }
static int64_t b_tiles(const tg_grad_w *g)
{
    return g->together * g->n.lines * (g->places && !g->along ? g->n.columns : 1);
}

/* What gathered lines are packed of lies behind the tiles. */
static size_t a_bytes(const tg_grad_w *g)
{
    const size_t tiles = (size_t)a_tiles(g) * g->tile.a_bytes;
    if (!g->places) return g->n.a_bytes;
    return tg_gathers_lines(g) ? tiles + g->n.a_bytes : tiles;
}

/* Bytes of A and of one panel's B. */
static size_t block_bytes(const tg_grad_w *g) { return a_bytes(g) + (size_t)b_tiles(g) * g->b_tile; }

static void cut_pixels(tg_grad_w *g, int64_t lines, int64_t columns)
{
    tg_nest *n = &g->n;
    tg_nest_cut_outputs(n, lines, columns);
    g->tile = g->paired ? paired_tile(g) : n->mk->places_of((int)g->rows, (int)(g->along ? pixels_across(g) : n->nb));
    g->b_tile = n->mk->places_of((int)g->rows, (int)(g->places && !g->along ? n->nb : n->columns)).b_bytes;
}

/* Enough pixels: first lines, then images. */
static void choose_block(tg_grad_w *g)
{
    tg_nest *n = &g->n;
    const bool images = g->places && !g->along;
    const int64_t width = n->w_axis.out, columns = images ? width : ceil_div(width, ceil_div(width, PIXELS));
    const int64_t most = images ? ceil_div(n->images, n->nb) : 1;
    g->together = 1;
    cut_pixels(g, 1, columns);
    for (int64_t lines = 2; lines <= n->h.out && n->lines * n->columns * n->nb < PIXELS; lines++) {
        cut_pixels(g, lines, columns);
        if (block_bytes(g) <= BLOCK_BYTES) continue;
        cut_pixels(g, lines - 1, columns);
        break;
    }
    const int64_t pixels = n->lines * n->columns * n->nb;
    while (g->together < most && g->together * pixels < PIXELS && block_bytes(g) < BLOCK_BYTES / 2) g->together++;
    g->pixel_blocks = n->blocks[1] * n->blocks[2];
}

/* Blocks of images: of whole ones, and what is left over. */
static void choose_images(tg_grad_w *g)
{
    const tg_nest *n = &g->n;
    const int64_t whole = n->images / n->nb;
    g->image_blocks = ceil_div(whole, g->together) + (n->images % n->nb > 0);
}

static void choose_parts(tg_grad_w *g)
{
    tg_nest *n = &g->n;
    const int64_t all = n->groups * n->p.count * g->depth * TG_PANEL * (int64_t)sizeof(float);
    const int64_t most = imax(1, SUM_BYTES / all), wanted = ceil_div(TASKS, n->groups);
    g->parts = imin(imin(wanted, most), g->image_blocks * g->pixel_blocks);
    g->panel_parts = imin(n->p.count, ceil_div(wanted, g->parts));
    g->panels = ceil_div(n->p.count, g->panel_parts);
    g->panel_parts = ceil_div(n->p.count, g->panels);
}

static void choose_scratch(tg_grad_w *g)
{
    g->a_bytes = tg_aligned((int64_t)a_bytes(g));
    g->across = tiles_across(g);
    g->tiles_bytes = (size_t)a_tiles(g) * g->tile.a_bytes;
    g->b_panel = b_tiles(g) * (int64_t)g->b_tile;
    g->b_bytes = tg_aligned(g->panels * g->b_panel);
    g->brick_bytes = tg_aligned(b_tiles(g) * (int64_t)sizeof(tg_brick));
}

tg_grad_w tg_grad_w_plan(tg_nest n)
{
    tg_grad_w g = { .n = n };
    tg_nest_simplify_grad_w(&g.n);
    g.depth = g.n.p.kernel[0] * g.n.p.kernel[1] * g.n.p.in;
    choose_mode(&g);
    tg_nest_choose_a(&g.n);
    choose_block(&g);
    choose_images(&g);
    choose_parts(&g);
    choose_scratch(&g);
    return g;
}

tg_scratch tg_grad_w_scratch(const tg_grad_w *g)
{
    const int64_t sums = g->parts * g->n.groups * g->n.p.count * g->depth * TG_PANEL;
    return (tg_scratch){ .shared = (size_t)sums * sizeof(float), .worker = g->a_bytes + g->b_bytes + g->brick_bytes };
}

int64_t tg_grad_w_tasks(const tg_grad_w *g, int phase)
{
    if (phase == 0) return g->n.groups * g->parts * g->panel_parts;
    return phase == 1 ? g->n.groups * g->n.p.count * ceil_div(g->depth, TG_TOTAL_ROWS) : 0;
}
