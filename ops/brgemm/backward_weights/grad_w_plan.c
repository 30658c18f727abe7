/* grad_w_plan.c - how backward-weights is cut: by shape, never by the number of threads. */
#include "grad_w.h"
#include "mend.h"

enum {
    PIXELS = 1024, /* of a block: so many that sums are rarely read and written */
    TASKS = 32,
    FEW_IMAGES = 6,
    FEW_CHANNELS = 16,
    BLOCK_BYTES = 512 << 10, /* most of A and of a panel's B */
    SUM_BYTES = 16 << 20,    /* most of all parts of gw */
};

tg_nest tg_grad_w_nest(const tg_nest_shape *shape)
{
    tg_nest n = tg_nest_of(shape);
    const tg_nest_shape *s = &n.shape;
    int32_t key[TG_LAYOUT_KEY];
    const tg_panels_form form = {
        .columns = s->mk->panel,
        .tiles = s->mk->tiles,
        .merged = true,
        .groups = s->groups * s->joined,
        .classes = 1,
        .dilation = 1,
    };
    tg_panels_key(s->w, &form, key);
    n.p = tg_panels_of(s->w, key);
    return n;
}

static void choose_mode(tg_grad_w *g)
{
    tg_nest *const n = &g->n;
    const tg_nest_shape *s = &n->shape;
    const tg_microkernel *mk = s->mk;
    const bool few = n->p.in < FEW_CHANNELS;
    const bool runs = tg_taps_are_neighbours(&n->w_axis) && n->w_axis.taps > 1 && s->groups == 1;
    const bool lines = mk->lines || (mk->load_line && (!few || runs));
    const bool images = !lines || (tg_short_lines(n) && s->images >= FEW_IMAGES);
    g->packs = images || !few || mk->load_line;
    g->along = g->packs && !images;
    g->paired = g->along && mk->load_line;
    n->block.images = 1;
    if (images && mk->max_k < TG_MAX_K) n->block.images = imin(s->images, mk->max_k);
    else if (images) n->block.images = ceil_div(s->images, ceil_div(s->images, mk->images));
    n->merged = tg_taps_are_neighbours(&n->w_axis);
    g->gather = (images || g->paired) && few && runs;
    g->mends = (!g->packs || g->gather || g->paired) && tg_meets_padding(&n->w_axis);
    g->rows = (g->packs ? g->gather : n->merged) ? n->p.kernel[1] * n->p.in : n->p.in;
}

static bool k_is_images(const tg_grad_w *g) { return g->packs && !g->along; }

static int64_t pixels_across(const tg_grad_w *g) { return imin(g->n.a.columns, g->n.w_axis.in); }

/* Pieces of an input line of a block: one of all its pixels, or of every num-th; or one for each input column; or, if
 * gathered, for each output column. */
static int64_t pieces_across(const tg_grad_w *g)
{
    if (g->along) return g->paired && !g->gather ? g->n.w_axis.num : 1;
    return g->gather ? g->n.block.columns : pixels_across(g);
}

/* Pixels of all taps side by side, and one more to make odd columns even; or, gathered, a row for each tap. */
static tg_packed_sizes paired_sizes(const tg_grad_w *g)
{
    const tg_axis *a = &g->n.w_axis;
    const int64_t width = g->n.block.columns, columns = width + width % 2;
    const int64_t shifts = tg_shift(a, a->taps - 1) - tg_shift(a, 0);
    const int64_t row = ceil_div(columns + (g->gather ? 0 : shifts), 2) * 2;
    return (tg_packed_sizes){ .a_bytes = tg_aligned(g->rows * row * (int64_t)sizeof(uint16_t)), .row = row, .step = 1 };
}

/* Pieces of a block. */
static int64_t a_pieces(const tg_grad_w *g) { return g->together * g->n.a.lines * pieces_across(g); }
static int64_t b_pieces(const tg_grad_w *g)
{
    return g->together * g->n.block.lines * (k_is_images(g) ? g->n.block.columns : 1);
}

/* The lines from which gathered ones are packed lie after the pieces. */
static size_t a_bytes(const tg_grad_w *g)
{
    const size_t pieces = (size_t)a_pieces(g) * g->packed.a_bytes;
    if (!g->packs) return g->n.a.bytes;
    return tg_gathers_lines(g) ? pieces + g->n.a.bytes : pieces;
}

/* Bytes of A and of one panel's B. */
static size_t block_bytes(const tg_grad_w *g) { return a_bytes(g) + (size_t)b_pieces(g) * g->pieces.b_line; }

static void cut_pixels(tg_grad_w *g, int64_t lines, int64_t columns)
{
    tg_nest *const n = &g->n;
    const tg_microkernel *mk = n->shape.mk;
    tg_nest_cut(n, lines, columns);
    g->packed = g->paired ? paired_sizes(g)
                          : mk->packed_sizes((int)g->rows, (int)(g->along ? pixels_across(g) : n->block.images));
    g->pieces.b_line =
        mk->packed_sizes((int)g->rows, (int)(k_is_images(g) ? n->block.images : n->block.columns)).b_bytes;
}

static int64_t pixels_of(const tg_nest *n) { return n->block.lines * n->block.columns * n->block.images; }

/* Enough pixels: first lines, then images. */
static void choose_block(tg_grad_w *g)
{
    tg_nest *const n = &g->n;
    const bool images = k_is_images(g);
    const int64_t width = n->w_axis.out, columns = images ? width : ceil_div(width, ceil_div(width, PIXELS));
    const int64_t most = images ? ceil_div(n->shape.images, n->block.images) : 1;
    g->together = 1;
    cut_pixels(g, 1, columns);
    for (int64_t lines = 2; lines <= n->h.out && pixels_of(n) < PIXELS; lines++) {
        cut_pixels(g, lines, columns);
        if (block_bytes(g) <= BLOCK_BYTES) continue;
        cut_pixels(g, lines - 1, columns);
        break;
    }
    const int64_t pixels = pixels_of(n);
    while (g->together < most && g->together * pixels < PIXELS && block_bytes(g) < BLOCK_BYTES / 2) g->together++;
    g->pixel_blocks = n->blocks.lines * n->blocks.columns;
}

/* Blocks of images: of whole ones, and what is left over. */
static void choose_images(tg_grad_w *g)
{
    const tg_nest *n = &g->n;
    const int64_t whole = n->shape.images / n->block.images;
    g->image_blocks = ceil_div(whole, g->together) + (n->shape.images % n->block.images > 0);
}

static void choose_parts(tg_grad_w *g)
{
    const int64_t groups = g->n.shape.groups, count = g->n.p.count;
    const int64_t all = groups * count * g->depth * TG_PANEL * (int64_t)sizeof(float);
    const int64_t most = imax(1, SUM_BYTES / all), wanted = ceil_div(TASKS, groups);
    g->parts = imin(imin(wanted, most), g->image_blocks * g->pixel_blocks);
    g->panel_parts = imin(count, ceil_div(wanted, g->parts));
    g->panels = ceil_div(count, g->panel_parts);
    g->panel_parts = ceil_div(count, g->panels);
}

static void choose_scratch(tg_grad_w *g)
{
    g->pieces.across = pieces_across(g);
    g->pieces.a_bytes = (size_t)a_pieces(g) * g->packed.a_bytes;
    g->pieces.b_panel = b_pieces(g) * (int64_t)g->pieces.b_line;
    g->bytes.a = tg_aligned((int64_t)a_bytes(g));
    g->bytes.b = tg_aligned(g->panels * g->pieces.b_panel);
    g->bytes.batch = tg_aligned(b_pieces(g) * (int64_t)sizeof(tg_batch_element));
}

tg_grad_w tg_grad_w_plan(const tg_nest_shape *shape)
{
    tg_grad_w g = { .n = tg_grad_w_nest(shape) };
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
    const int64_t sums = g->parts * g->n.shape.groups * g->n.p.count * g->depth * TG_PANEL;
    return (tg_scratch){ .shared = (size_t)sums * sizeof(float), .worker = g->bytes.a + g->bytes.b + g->bytes.batch };
}

int64_t tg_grad_w_tasks(const tg_grad_w *g, int phase)
{
    const int64_t groups = g->n.shape.groups;
    if (phase == 0) return groups * g->parts * g->panel_parts;
    return phase == 1 ? groups * g->n.p.count * ceil_div(g->depth, TG_TOTAL_ROWS) : 0;
}
