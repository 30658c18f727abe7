/* grad_w_tiles_plan.c - how backward-weights on tiles is cut: by shape, never by the number of threads. */
#include "grad_w.h"
#include "grad_w_tiles.h"
#include "mend.h"

enum {
    CHUNK = 20, /* most pixels: 40 KiB of a micro-panel of A */
    TASKS = 16, /* wanted, by cutting lines ... */
    BLOCKS = 8, /* ... and, if need be, micro-panels, which are then packed several times */
    PART = 64,  /* least pixels of a part, beside which its sums are noise */
    HALO = 3,   /* least lines of a part, in kernel heights, as it also packs lines of its neighbours */
    LEAST_PANELS = 4,
    BLOCK_BYTES = 640 << 10, /* most of a task's sums, which share L2 with A and B */
    B_BYTES = 688 << 10,     /* most of the kept lines of x, before they are cut into stripes, then micro-panels */
    SUM_BYTES = 16 << 20,    /* most of all parts of gw */
};

static int64_t piece(int64_t n, int64_t most) { return ceil_div(n, ceil_div(n, most)); }

/* One line of pixels, each of which reads only itself, counts as images of one pixel. */
static void pixels_to_images(tg_nest *n)
{
    tg_axis *const w = &n->w_axis;
    if (n->shape.images > 1 || n->h.in > 1 || n->h.out > 1 || n->h.taps > 1 || w->taps > 1) return;
    if (w->in != w->out || w->off || w->num > 1) return;
    n->shape.images = w->in;
    n->shape.image = w->memory_stride;
    w->in = w->out = 1;
    n->shape.w_axis = *w;
}

static void choose_shape(tg_grad_w_tiles *g)
{
    const tg_nest *n = &g->n;
    g->rows = g->out > TG_TILE ? 2 * TG_TILE : TG_TILE;
    g->wide = TG_MACRO_TILE / TG_TILE / g->rows;
    g->gather = g->in < TG_TILE && n->w_axis.taps > 1 && n->shape.groups * n->shape.joined == 1 &&
                tg_taps_are_neighbours(&n->w_axis);
    g->width = g->gather ? n->w_axis.taps * g->in : g->in;
    g->taps = g->gather ? 1 : n->w_axis.taps;
    g->merged = g->width == TG_TILE && g->taps > 1 && n->shape.joined == 1;
    g->mends = (g->gather || g->merged) && tg_meets_padding(&n->w_axis);
    g->tiles = g->merged ? 1 : imin(g->wide, ceil_div(g->width, TG_TILE));
    g->all.a = ceil_div(g->out, g->rows);
    g->all.b = ceil_div(g->width, tg_b_columns(g));
    g->all.macro = g->all.b * ceil_div(g->taps, tg_tap_step(g));
}

/* Stripes of this many columns of gy, and the tiles of x, or of gathered taps, that they read. */
static void set_stripe(tg_grad_w_tiles *g, int64_t columns)
{
    const tg_axis *w = &g->n.w_axis;
    g->stripe = columns;
    g->ring.across = g->gather ? columns : (columns - 1) * w->num + (g->taps - 1) * w->step + 1;
    if (!g->merged && !g->gather) g->ring.across = imin(g->ring.across, w->in);
}

/* The lines that a chunk reads, from the first to the last, fit into the ring.  At the beginning of an image the kernel
 * may lie `above` it. */
static void choose_lines(tg_grad_w_tiles *g)
{
    const tg_axis *h = &g->n.h;
    const int64_t width = g->n.w_axis.out, lines = imax(1, imin(CHUNK / width, tg_all_lines(g)));
    const int64_t images = ceil_div(lines - 1, h->out);
    g->chunk = width > CHUNK ? piece(width, CHUNK) : lines * width;
    const int64_t kernel = (h->taps - 1) * h->step + 1, above = imax(0, -h->off - kernel);
    g->ring.lines = (lines - 1) * h->num + kernel + images * (imax(0, h->in - h->out * h->num) + above);
    set_stripe(g, width);
    if (g->all.b * g->ring.lines * g->ring.across * tg_b_tile(g) > B_BYTES) set_stripe(g, imin(width, g->chunk));
}

static void cut_panels(tg_grad_w_tiles *g, int64_t a, int64_t b)
{
    g->task.a = piece(g->all.a, a);
    g->task.b = piece(g->all.b, b);
    g->parts.a = ceil_div(g->all.a, g->task.a);
    g->parts.b = ceil_div(g->all.b, g->task.b);
}

static bool fits(const tg_grad_w_tiles *g)
{
    const int64_t taps = g->n.h.taps * g->n.w_axis.taps, rows = g->task.a * g->rows;
    const int64_t columns = g->gather ? g->depth : g->task.b * tg_b_columns(g) * taps;
    return rows * columns * (int64_t)sizeof(float) <= BLOCK_BYTES;
}

/* A power of two, which two or four threads share evenly. */
static int64_t most_parts(const tg_grad_w_tiles *g)
{
    const int64_t sums =
        g->n.shape.groups * g->all.a * g->n.h.taps * g->all.macro * TG_MACRO_TILE * (int64_t)sizeof(float);
    const int64_t least = imax(ceil_div(PART, g->n.w_axis.out), (g->n.h.taps - 1) * HALO);
    const int64_t most = imin(tg_all_lines(g) / least, SUM_BYTES / sums);
    int64_t parts = 1;
    while (2 * parts <= most && parts < TASKS) parts *= 2;
    return parts;
}

/* Micro-panels of a task: few enough to fit the cache and, if pixels are few, to make enough tasks. */
static void choose_parts(tg_grad_w_tiles *g)
{
    const int64_t most = most_parts(g);
    cut_panels(g, g->all.a, g->all.b);
    while (g->task.b > 1 && g->task.b * g->ring.lines * g->ring.across * tg_b_tile(g) > B_BYTES)
        cut_panels(g, g->task.a, ceil_div(g->task.b, 2));
    while (g->task.a + g->task.b > 2) {
        const bool few = g->parts.a * g->parts.b * g->n.shape.groups * most < BLOCKS;
        if (fits(g) && (!few || imax(g->task.a, g->task.b) <= LEAST_PANELS)) break;
        if (g->task.a >= g->task.b) cut_panels(g, ceil_div(g->task.a, 2), g->task.b);
        else cut_panels(g, g->task.a, ceil_div(g->task.b, 2));
    }
    g->parts.lines = imin(most, ceil_div(TASKS, g->parts.a * g->parts.b * g->n.shape.groups));
    g->direct = g->parts.lines == 1 && g->n.shape.joined == 1;
}

tg_grad_w_tiles tg_grad_w_tiles_plan(const tg_nest_shape *shape)
{
    tg_grad_w_tiles g = { .n = tg_grad_w_nest(shape) };
    pixels_to_images(&g.n);
    g.n.block.images = imin(g.n.shape.images, TG_IMAGES);
    g.in = g.n.p.in;
    g.out = g.n.p.out;
    g.depth = g.n.h.taps * g.n.w_axis.taps * g.in;
    choose_shape(&g);
    choose_lines(&g);
    choose_parts(&g);
    g.bytes.a = tg_aligned(g.task.a * g.chunk * tg_a_tile(&g));
    g.bytes.b = tg_aligned(g.task.b * g.ring.lines * g.ring.across * tg_b_tile(&g));
    g.bytes.steps = tg_aligned(g.n.h.taps * g.taps * g.chunk * (int64_t)sizeof(tg_tile_step));
    g.bytes.counts = tg_aligned(g.n.h.taps * g.taps * (int64_t)sizeof(int32_t));
    return g;
}

static int64_t sum_tiles(const tg_grad_w_tiles *g)
{
    return g->direct ? 0 : g->parts.lines * g->n.shape.groups * g->all.a * g->n.h.taps * g->all.macro;
}

tg_scratch tg_grad_w_tiles_scratch(const tg_grad_w_tiles *g)
{
    return (tg_scratch){ .shared = (size_t)sum_tiles(g) * TG_MACRO_TILE * sizeof(float),
                         .worker = g->bytes.a + g->bytes.b + g->bytes.steps + g->bytes.counts };
}

int64_t tg_grad_w_tiles_tasks(const tg_grad_w_tiles *g, int phase)
{
    if (phase == 0) return g->n.shape.groups * g->parts.lines * g->parts.a * g->parts.b;
    return phase == 1 && !g->direct ? g->n.shape.groups * g->all.a * g->n.h.taps : 0;
}
