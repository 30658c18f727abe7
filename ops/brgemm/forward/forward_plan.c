/* forward_plan.c - how forward and backward-data are cut: by shape, never by the number of threads. */
#include "block.h"
#include "forward.h"
#include "mend.h"

enum {
    ROWS = 256,        /* of a task: so many that widening a panel for them is noise */
    TILES_ROWS = 1024, /* the same for tiles, which are so fast that the start of a task shows */
    LEAST_ROWS = 64,
    WHOLE_ROWS = 32,         /* a line is cut into multiples of two tiles */
    TASKS = 32,              /* wanted, to be shared by threads */
    FEW_TASKS = 16,          /* with fewer, panels are cut, too, though several tasks then read the same A */
    TRANSPOSED_ROWS = 64,    /* rows of y^T of a task: its sums stay in the cache */
    FEW_IMAGES = 6,          /* rows are not images if there are fewer */
    A_BYTES = 640 << 10,     /* most of A, which shares L2 with a k-block of B */
    B_BYTES = 400 << 10,     /* most of a k-block of B */
    TWO_BYTES = 32 << 10,    /* most of two panels that L1 holds beside A */
    STREAM_BYTES = 10 << 20, /* outputs from this size on are stored past the cache */
    STACKED_CHANNELS = 4,    /* most channels of x whose kernel lines are stacked */
};

/* ---- the form of the weights: it must not depend on the number of images ---- */

/* Widened runs can be entered at any tap. */
static bool packs_merged(const tg_nest *n)
{
    return tg_taps_are_neighbours(&n->w_axis) && !(n->shape.mk->element == TG_BF16 && tg_short_lines(n));
}

/* Stacked lines need at most half the steps: x has few channels, and tiles would be mostly zeros. */
static bool stacking_pays(const tg_nest *n)
{
    const tg_nest_shape *s = &n->shape;
    const int64_t lines = n->h.taps, in = s->in, run = n->w_axis.taps * in;
    if (!s->mk->tiles || s->backward || s->groups * s->joined > 1 || in > STACKED_CHANNELS || lines > TG_STACKED_LINES)
        return false;
    if (lines < 2 || n->w_axis.taps == 1 || n->w_axis.step != 1 || tg_short_lines(n)) return false;
    return 2 * ceil_div(lines * run, TG_DEPTH) <= lines * ceil_div(run, TG_DEPTH);
}

static void key_of(const tg_nest *n, int32_t key[TG_LAYOUT_KEY])
{
    const tg_nest_shape *s = &n->shape;
    const tg_panels_form form = {
        .columns = s->mk->panel,
        .tiles = s->mk->tiles,
        .backward = s->backward,
        .merged = packs_merged(n),
        .stacked = n->stacked,
        .groups = s->groups * s->joined,
        .classes = n->w_axis.den,
        .dilation = tg_magnitude(n->w_axis.step),
    };
    tg_panels_key(s->w, &form, key);
}

static void choose_weights(tg_nest *n)
{
    int32_t key[TG_LAYOUT_KEY];
    n->stacked = packs_merged(n) && stacking_pays(n);
    key_of(n, key);
    n->p = tg_panels_of(n->shape.w, key);
    if (!n->stacked) return;
    n->p.kernel[0] = 1;
    n->p.in *= n->h.taps;
    n->h = (tg_axis){ .in = n->h.out, .out = n->h.out, .taps = 1, .num = 1, .step = 1, .den = 1, .memory_stride = 1 };
}

/* ---- blocks and tasks ---- */

/* Rows are images, or pixels of a line. */
static void choose_rows(tg_nest *n)
{
    const tg_nest_shape *s = &n->shape;
    const bool images = tg_short_lines(n) && s->images >= FEW_IMAGES;
    n->block.images = images ? ceil_div(s->images, ceil_div(s->images, s->mk->images)) : 1;
    n->planes = s->mk->tiles && n->p.in % TG_DEPTH == 0 && (n->p.in > TG_DEPTH || n->block.images > 1);
    n->merged = n->block.images == 1 && packs_merged(n) && !n->planes;
}

/* A task takes all panels, so that it reads its weights from memory once. */
static void cut_transposed(tg_forward *f)
{
    tg_nest_cut(&f->nest, 1, TRANSPOSED_ROWS);
    f->image_blocks = f->panel_parts = 1;
    f->panels = f->nest.p.count;
}

/* Enough rows, of whole lines if they are not too long; then enough tasks, if need be by cutting panels. */
static void cut(tg_forward *f)
{
    tg_nest *const n = &f->nest;
    const int64_t phases = n->h.den * n->w_axis.den, width = n->w_axis.out, images = n->block.images;
    const int64_t all = n->shape.images * n->h.out * width * n->shape.groups;
    const int64_t blocks = ceil_div(TASKS, n->p.count);
    const int64_t most = n->shape.mk->tiles ? TILES_ROWS : ROWS;
    const int64_t rows = imax(LEAST_ROWS, imin(most, ceil_div(all, blocks))) * phases;
    int64_t columns = ceil_div(width, ceil_div(width, imax(rows, 2 * ROWS * (n->h.out > 1)))), lines = 1;
    while (tg_nest_block_bytes(n, 1, columns) > A_BYTES && columns > LEAST_ROWS) columns = ceil_div(columns, 2);
    columns = imin(width, ceil_div(columns, WHOLE_ROWS) * WHOLE_ROWS);
    while (lines < n->h.out && lines * columns * images < rows && tg_nest_block_bytes(n, lines + 1, columns) <= A_BYTES)
        lines++;
    tg_nest_cut(n, lines, columns);
    f->image_blocks = ceil_div(n->shape.images, images);
    f->panels = ceil_div(n->p.count, imin(n->p.count, ceil_div(FEW_TASKS, tg_forward_blocks(f))));
    f->panel_parts = ceil_div(n->p.count, f->panels);
    f->shared = f->panel_parts > 1 && !n->direct;
}

/* A k-block of B is some kernel lines; of a kernel of one tap it is some channels. */
static void choose_k_blocks(tg_forward *f)
{
    const tg_panels *p = &f->nest.p;
    const int64_t row = p->columns * (int64_t)tg_a_size(&f->nest), line = p->line;
    const int64_t lines = imax(1, B_BYTES / (line * row)), taps = p->kernel[0] * p->kernel[1];
    const int64_t times = taps == 1 ? ceil_div(line * row, B_BYTES) : ceil_div(p->kernel[0], lines);
    f->k_block.lines = taps == 1 ? 1 : ceil_div(p->kernel[0], times);
    f->k_block.k = taps == 1 ? ceil_div(ceil_div(line, times), TG_DEPTH) * TG_DEPTH : line;
    f->k_block.count = taps == 1 ? ceil_div(line, f->k_block.k) : ceil_div(p->kernel[0], f->k_block.lines);
}

/* Tiles: panels so small that two of them stay in L1 while A comes from L2. */
static bool takes_two(const tg_forward *f)
{
    const int64_t panel = f->nest.p.depth * f->nest.p.columns * (int64_t)tg_dtype_size(TG_BF16);
    return f->nest.shape.mk->tiles && f->k_block.count == 1 && 2 * panel <= TWO_BYTES;
}

static void choose_scratch(tg_forward *f)
{
    const tg_nest *n = &f->nest;
    const int64_t size = (int64_t)tg_a_size(n), columns = n->p.columns;
    const int64_t pixels = n->block.lines * n->block.columns * n->block.images;
    if (n->shape.mk->element != n->shape.w->dtype)
        f->bytes.widened = tg_aligned(f->k_block.lines * imax(f->k_block.k, 2) * columns * size);
    if (f->k_block.count > 1) f->bytes.sums = tg_aligned(pixels * columns * (int64_t)sizeof(float));
    if (n->shape.transposed) f->bytes.transposed = tg_aligned(n->block.columns * n->p.out * (int64_t)sizeof(float));
    f->bytes.batch = tg_aligned(n->p.kernel[0] * n->p.kernel[1] * (int64_t)sizeof(tg_batch_element));
}

/* Products read zeros beside the image, after a run of taps the pixels that follow it, or channels of other groups. */
static bool meets_padding(const tg_nest *n)
{
    const bool after = n->shape.mk->tiles && n->merged && n->w_axis.taps > 1 && n->p.in % TG_DEPTH;
    if (n->shape.joined > 1) return true;
    if (n->block.images > 1) return false;
    return after || tg_meets_padding(&n->w_axis) || (n->stacked && tg_meets_padding(&n->shape.h));
}

tg_forward tg_forward_plan(const tg_nest_shape *shape)
{
    tg_forward f = { .nest = tg_nest_of(shape) };
    tg_nest *const n = &f.nest;
    choose_weights(n);
    choose_rows(n);
    tg_nest_choose_a(n);
    if (shape->transposed) cut_transposed(&f);
    else cut(&f);
    choose_k_blocks(&f);
    f.two = takes_two(&f);
    choose_scratch(&f);
    f.mends = meets_padding(n);
    const int64_t y = n->shape.images * n->h.out * n->w_axis.out * n->shape.groups * n->p.out;
    f.stream = y * (int64_t)tg_dtype_size(n->shape.y_dtype) >= STREAM_BYTES;
    return f;
}

/* ---- what a kernel reports ---- */

void tg_forward_key(const tg_forward *f, int32_t key[TG_LAYOUT_KEY]) { key_of(&f->nest, key); }

int64_t tg_forward_blocks(const tg_forward *f)
{
    const tg_nest *n = &f->nest;
    return n->shape.groups * f->image_blocks * n->blocks.lines * n->blocks.columns;
}

int64_t tg_forward_tasks(const tg_forward *f, int phase)
{
    if (phase > f->shared) return 0;
    return tg_forward_blocks(f) * (phase == f->shared ? f->panel_parts : 1);
}

int64_t tg_forward_makes(const tg_forward *f)
{
    const tg_nest *n = &f->nest;
    const int64_t line = n->w_axis.out * n->p.out, images = n->shape.images;
    if (n->shape.groups > 1 || n->shape.transposed || f->panel_parts > 1) return 0;
    if (n->blocks.columns > 1) return n->h.out == 1 && images == 1 ? n->block.columns * n->p.out : 0;
    if (n->blocks.lines == 1) return n->block.images * n->h.out * line;
    if (n->block.images > 1 || (images > 1 && n->h.out % n->block.lines)) return 0;
    return n->block.lines * line;
}

tg_scratch tg_forward_scratch(const tg_forward *f)
{
    const size_t rest = f->bytes.widened + f->bytes.sums + f->bytes.batch + f->bytes.transposed, a = f->nest.a.bytes;
    if (f->shared) return (tg_scratch){ .shared = (size_t)tg_forward_blocks(f) * a, .worker = rest };
    return (tg_scratch){ .worker = a + rest };
}
