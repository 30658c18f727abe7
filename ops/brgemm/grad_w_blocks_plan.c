/* grad_w_blocks_plan.c - how backward-weights over blocks is cut: by its shape, never by the number of threads. */
#include "grad_w_blocks.h"
#include "mend.h"

enum {
    CHUNK = 20, /* pixels: 40 KiB of a strip of A */
    TASKS = 16, /* by cutting lines ... */
    BLOCKS = 8, /* ... and, if need be, strips, which are packed several times then */
    PART = 64,  /* least pixels of a part: its sums are noise beside them */
    HALO = 3,   /* least lines of a part, in kernels: it packs some of its neighbour's */
    LEAST_STRIPS = 4,
    BLOCK_BYTES = 640 << 10, /* most of a task's sums; A, B and they share the second level of the cache */
    B_BYTES = 688 << 10,     /* most of kept lines of x, before they are cut into stripes, then strips */
    SUM_BYTES = 16 << 20,    /* most of all parts of gw */
};

static int64_t piece(int64_t n, int64_t most) { return ceil_div(n, ceil_div(n, most)); }

/* One line of pixels, each of which meets itself, is as many images. */
static void pixels_to_images(tg_nest *n)
{
    tg_axis *const w = &n->w_axis;
    if (n->images > 1 || n->h.in > 1 || n->h.out > 1 || n->h.taps > 1 || w->taps > 1) return;
    if (w->in != w->out || w->off || w->num > 1) return;
    n->images = w->in;
    n->image = w->apart;
    w->in = w->out = 1;
}

static void choose_shape(tg_grad_w_blocks *g)
{
    const tg_nest *n = &g->n;
    g->rows = g->out > TG_TILE ? 2 * TG_TILE : TG_TILE;
    g->wide = TG_BLOCK_SUMS / TG_TILE / g->rows;
    g->gather = g->in < TG_TILE && n->w_axis.taps > 1 && n->groups * n->joined == 1 && tg_neighbours(&n->w_axis);
    g->width = g->gather ? n->w_axis.taps * g->in : g->in;
    g->taps = g->gather ? 1 : n->w_axis.taps;
    g->merged = g->width == TG_TILE && g->taps > 1 && n->joined == 1;
    g->mends = (g->gather || g->merged) && tg_meets_padding(&n->w_axis);
    g->tiles = g->merged ? 1 : imin(g->wide, ceil_div(g->width, TG_TILE));
    g->a_strips = ceil_div(g->out, g->rows);
    g->b_strips = ceil_div(g->width, tg_b_columns(g));
    g->blocks = g->b_strips * ceil_div(g->taps, tg_tap_step(g));
}

/* So many columns of gy, and tiles of x or of gathered taps for them. */
static void set_stripe(tg_grad_w_blocks *g, int64_t columns)
{
    const tg_axis *w = &g->n.w_axis;
    g->stripe = columns;
    g->across = g->gather ? columns : (columns - 1) * w->num + (g->taps - 1) * w->step + 1;
    if (!g->merged && !g->gather) g->across = imin(g->across, w->in);
}

/* Of the lines that a chunk meets, the last one is less than `ring` behind the first.  At the beginning of an image the
 * kernel may lie `above` it. */
static void choose_lines(tg_grad_w_blocks *g)
{
    const tg_axis *h = &g->n.h;
    const int64_t width = g->n.w_axis.out, lines = imax(1, imin(CHUNK / width, tg_all_lines(g)));
    const int64_t images = ceil_div(lines - 1, h->out);
    g->chunk = width > CHUNK ? piece(width, CHUNK) : lines * width;
    const int64_t kernel = (h->taps - 1) * h->step + 1, above = imax(0, -h->off - kernel);
    g->ring = (lines - 1) * h->num + kernel + images * (imax(0, h->in - h->out * h->num) + above);
    set_stripe(g, width);
    if (g->b_strips * g->ring * g->across * tg_b_tile(g) > B_BYTES) set_stripe(g, imin(width, g->chunk));
}

static void cut_strips(tg_grad_w_blocks *g, int64_t a, int64_t b)
{
    g->a_part = piece(g->a_strips, a);
    g->b_part = piece(g->b_strips, b);
    g->a_parts = ceil_div(g->a_strips, g->a_part);
    g->b_parts = ceil_div(g->b_strips, g->b_part);
}

static bool fits(const tg_grad_w_blocks *g)
{
    const int64_t taps = g->n.h.taps * g->n.w_axis.taps, rows = g->a_part * g->rows;
    const int64_t columns = g->gather ? g->depth : g->b_part * tg_b_columns(g) * taps;
    return rows * columns * (int64_t)sizeof(float) <= BLOCK_BYTES;
}

/* A power of two, which two or four threads share evenly. */
static int64_t most_parts(const tg_grad_w_blocks *g)
{
    const int64_t sums = g->n.groups * g->a_strips * g->n.h.taps * g->blocks * TG_BLOCK_SUMS * (int64_t)sizeof(float);
    const int64_t least = imax(ceil_div(PART, g->n.w_axis.out), (g->n.h.taps - 1) * HALO);
    const int64_t most = imin(tg_all_lines(g) / least, SUM_BYTES / sums);
    int64_t parts = 1;
    while (2 * parts <= most && parts < TASKS) parts *= 2;
    return parts;
}

/* Strips of a task: few enough for the cache, and for some tasks where pixels are few. */
static void choose_parts(tg_grad_w_blocks *g)
{
    const int64_t most = most_parts(g);
    cut_strips(g, g->a_strips, g->b_strips);
    while (g->b_part > 1 && g->b_part * g->ring * g->across * tg_b_tile(g) > B_BYTES)
        cut_strips(g, g->a_part, ceil_div(g->b_part, 2));
    while (g->a_part + g->b_part > 2) {
        const bool few = g->a_parts * g->b_parts * g->n.groups * most < BLOCKS;
        if (fits(g) && (!few || imax(g->a_part, g->b_part) <= LEAST_STRIPS)) break;
        if (g->a_part >= g->b_part) cut_strips(g, ceil_div(g->a_part, 2), g->b_part);
        else cut_strips(g, g->a_part, ceil_div(g->b_part, 2));
    }
    g->parts = imin(most, ceil_div(TASKS, g->a_parts * g->b_parts * g->n.groups));
    g->direct = g->parts == 1 && g->n.joined == 1;
}

tg_grad_w_blocks tg_grad_w_blocks_plan(tg_nest n)
{
    tg_grad_w_blocks g = { .n = n };
    tg_nest_simplify_grad_w(&g.n);
    pixels_to_images(&g.n);
    g.n.nb = imin(g.n.images, TG_IMAGES);
    g.in = g.n.p.in;
    g.out = g.n.p.out;
    g.depth = g.n.h.taps * g.n.w_axis.taps * g.in;
    choose_shape(&g);
    choose_lines(&g);
    choose_parts(&g);
    g.a_bytes = tg_aligned(g.a_part * g.chunk * tg_a_tile(&g));
    g.b_bytes = tg_aligned(g.b_part * g.ring * g.across * tg_b_tile(&g));
    g.step_bytes = tg_aligned(n.h.taps * g.taps * g.chunk * (int64_t)sizeof(tg_step));
    g.count_bytes = tg_aligned(n.h.taps * g.taps * (int64_t)sizeof(int32_t));
    return g;
}

static int64_t sum_blocks(const tg_grad_w_blocks *g)
{
    return g->direct ? 0 : g->parts * g->n.groups * g->a_strips * g->n.h.taps * g->blocks;
}

tg_scratch tg_grad_w_blocks_scratch(const tg_grad_w_blocks *g)
{
    return (tg_scratch){ .shared = (size_t)sum_blocks(g) * TG_BLOCK_SUMS * sizeof(float),
                         .worker = g->a_bytes + g->b_bytes + g->step_bytes + g->count_bytes };
}

int64_t tg_grad_w_blocks_tasks(const tg_grad_w_blocks *g, int phase)
{
    if (phase == 0) return g->n.groups * g->parts * g->a_parts * g->b_parts;
    return phase == 1 && !g->direct ? g->n.groups * g->a_strips * g->n.h.taps : 0;
}
