/* nest_plan.c - how a nest is cut: by its shape, never by the number of threads. */
#include "mend.h"

enum {
    ROWS = 256,        /* of a task: so many that widening a panel for them is noise */
    TILES_ROWS = 1024, /* the same for tiles, which take so little time that a task's start shows */
    LEAST_ROWS = 64,
    WHOLE_ROWS = 32,         /* a line is cut into multiples of so many: two tiles */
    TASKS = 32,              /* wanted, to be shared by threads */
    FEW_TASKS = 16,          /* with fewer, panels are cut, too: but then several tasks read the same A */
    TURNED_ROWS = 64,        /* of y^T, of a task: its sums stay in the cache */
    FEW_IMAGES = 6,          /* rows are not images if there are fewer */
    A_BYTES = 640 << 10,     /* most of A: it shares the second level of the cache with a slab of B */
    B_BYTES = 400 << 10,     /* most of a slab of B */
    TWO_BYTES = 32 << 10,    /* most of two panels that the first level of the cache holds beside A */
    STREAM_BYTES = 10 << 20, /* least of an output that is written past the cache */
};

static int64_t positive(int64_t a) { return a < 0 ? -a : a; }

/* Inputs that so many outputs of an axis meet, from the first to the last. */
static int64_t span_of(const tg_axis *a, int64_t outputs)
{
    return ((outputs - 1) * a->num + (a->taps - 1) * positive(a->step)) / a->den + 1;
}

/* One tap, through which output o meets input o num.  (A transpose may have outputs beyond the last input.) */
static bool met_by_all(const tg_axis *a)
{
    return a->taps == 1 && a->den == 1 && !a->off && (a->out - 1) * a->num < a->in;
}

/* A strided axis of one tap reads every num-th pixel: as if there were no others. */
static void skip_unread(tg_axis *a)
{
    if (!met_by_all(a)) return;
    a->apart *= a->num;
    a->num = 1;
    a->in = a->out;
}

/* Lines behind each other are one line. */
static void flatten(tg_nest *n)
{
    tg_axis *h = &n->h, *w = &n->w_axis;
    if (h->taps > 1 || w->taps > 1 || h->off || w->off || h->num > 1 || w->num > 1 || h->den > 1 || w->den > 1) return;
    if (h->apart > 1 || w->apart > 1 || h->in != h->out || w->in != w->out) return;
    w->in = w->out = n->images * h->in * w->in;
    h->in = h->out = n->images = 1;
    n->line = n->image = w->in;
}

void tg_nest_simplify(tg_nest *n)
{
    skip_unread(&n->h);
    skip_unread(&n->w_axis);
    flatten(n);
}

void tg_nest_simplify_grad_w(tg_nest *n)
{
    int32_t key[TG_LAYOUT_KEY];
    tg_nest_simplify(n);
    tg_panels_key(n->w, n->mk, false, true, false, n->groups * n->joined, 1, 1, key);
    n->p = tg_panels_of(n->w, key);
}

/* Consecutive taps of a class meet neighbouring pixels. */
bool tg_neighbours(const tg_axis *w)
{
    return w->taps == 1 || w->den == 1 ? w->taps == 1 || positive(w->step) == 1 : w->den % positive(w->step) == 0;
}

bool tg_short_lines(const tg_nest *n) { return ceil_div(n->w_axis.out, n->w_axis.den) <= n->mk->short_line; }

/* How weights lie must not depend on the number of images.  Widened runs can be entered at any tap. */
static bool packs_merged(const tg_nest *n)
{
    return tg_neighbours(&n->w_axis) && !(n->mk->element == TG_BF16 && tg_short_lines(n));
}

/* Rows are images, or pixels of a line. */
static void choose_rows(tg_nest *n)
{
    const bool images = tg_short_lines(n) && n->images >= FEW_IMAGES;
    n->nb = images ? ceil_div(n->images, ceil_div(n->images, n->mk->images)) : 1;
    n->planes = n->mk->tiles && n->p.in % TG_DEPTH == 0 && (n->p.in > TG_DEPTH || n->nb > 1);
    n->merged = n->nb == 1 && packs_merged(n) && !n->planes;
}

void tg_nest_choose_a(tg_nest *n)
{
    const tg_axis *w = &n->w_axis;
    const tg_dtype dtype = n->x->dtype;
    const int64_t in = n->p.in, depth = n->mk->depth;
    const bool run = n->merged && w->taps > 1;
    n->direct = n->nb == 1 && dtype == n->mk->element && met_by_all(w) && in % depth == 0;
    n->planes = n->planes && !n->direct;
    n->pitch = n->planes ? TG_DEPTH : run ? in : ceil_div(in, depth) * depth;
    if (!n->direct) return;
    n->pitch = in * n->groups * w->apart;
    n->a_line = in * n->groups * n->line * n->h.apart;
}

/* Bytes of A with this many output lines and columns.  What is not packed counts for tiles, as it is read again for
 * each panel; others take so few rows that it does not matter. */
static int64_t a_bytes(const tg_nest *n, int64_t lines, int64_t columns)
{
    if (n->direct) return n->mk->tiles ? lines * columns * n->p.in * (int64_t)tg_dtype_size(n->mk->element) : 0;
    const int64_t span = span_of(&n->w_axis, columns), across = n->nb > 1 ? imin(n->w_axis.in, span) : span;
    const int64_t pixels = imin(n->h.in, span_of(&n->h, lines)) * across * n->nb;
    return pixels * imax(n->pitch, n->planes ? n->p.in : 0) * (int64_t)tg_dtype_size(n->mk->element);
}

void tg_nest_cut_outputs(tg_nest *n, int64_t lines, int64_t columns)
{
    n->blocks[1] = ceil_div(n->h.out, lines);
    n->lines = ceil_div(n->h.out, n->blocks[1]);
    n->columns = imin(n->w_axis.out, ceil_div(columns, n->w_axis.den) * n->w_axis.den);
    n->blocks[2] = ceil_div(n->w_axis.out, n->columns);
    n->span[0] = imin(n->h.in, span_of(&n->h, n->lines));
    n->span[1] = span_of(&n->w_axis, n->columns);
    if (n->nb > 1) n->span[1] = imin(n->span[1], n->w_axis.in);
    if (!n->direct) n->a_line = n->span[1] * n->nb * n->pitch + TG_DEPTH;
    n->plane = n->planes ? n->span[0] * n->a_line : TG_DEPTH;
    const int64_t planes = n->planes ? n->p.in / TG_DEPTH : 1;
    n->a_bytes = n->direct ? 0 : tg_aligned(planes * n->span[0] * n->a_line * (int64_t)tg_a_size(n));
}

/* A task takes all panels, so that it reads its weights from memory once. */
static void cut_turned(tg_nest *n)
{
    tg_nest_cut_outputs(n, 1, TURNED_ROWS);
    n->blocks[0] = n->blocks[3] = 1;
    n->panels = n->p.count;
}

/* Enough rows, of whole lines if they are not too long; then enough tasks, if need be by cutting panels. */
static void cut(tg_nest *n)
{
    const int64_t phases = n->h.den * n->w_axis.den, width = n->w_axis.out;
    const int64_t all = n->images * n->h.out * width * n->groups;
    const int64_t blocks = ceil_div(TASKS, n->p.count);
    const int64_t most = n->mk->tiles ? TILES_ROWS : ROWS;
    const int64_t rows = imax(LEAST_ROWS, imin(most, ceil_div(all, blocks))) * phases;
    int64_t columns = ceil_div(width, ceil_div(width, imax(rows, 2 * ROWS * (n->h.out > 1)))), lines = 1;
    while (a_bytes(n, 1, columns) > A_BYTES && columns > LEAST_ROWS) columns = ceil_div(columns, 2);
    columns = imin(width, ceil_div(columns, WHOLE_ROWS) * WHOLE_ROWS);
    while (lines < n->h.out && lines * columns * n->nb < rows && a_bytes(n, lines + 1, columns) <= A_BYTES) lines++;
    tg_nest_cut_outputs(n, lines, columns);
    n->blocks[0] = ceil_div(n->images, n->nb);
    const int64_t tasks = n->groups * n->blocks[0] * n->blocks[1] * n->blocks[2];
    n->panels = ceil_div(n->p.count, imin(n->p.count, ceil_div(FEW_TASKS, tasks)));
    n->blocks[3] = ceil_div(n->p.count, n->panels);
    n->shared = n->blocks[3] > 1 && !n->direct;
}

/* A slab of B is some kernel lines, or of a kernel of one tap some channels. */
static void choose_slabs(tg_nest *n)
{
    const int64_t row = n->p.columns * (int64_t)tg_dtype_size(n->mk->element), line = n->p.line;
    const int64_t lines = imax(1, B_BYTES / (line * row)), taps = n->p.kernel[0] * n->p.kernel[1];
    const int64_t times = taps == 1 ? ceil_div(line * row, B_BYTES) : ceil_div(n->p.kernel[0], lines);
    n->slab_lines = taps == 1 ? 1 : ceil_div(n->p.kernel[0], times);
    n->slab_k = taps == 1 ? ceil_div(ceil_div(line, times), TG_DEPTH) * TG_DEPTH : line;
    n->slabs = taps == 1 ? ceil_div(line, n->slab_k) : ceil_div(n->p.kernel[0], n->slab_lines);
}

/* Tiles: panels so small that two of them stay in the first level while A comes from the second. */
static bool takes_two(const tg_nest *n)
{
    const int64_t panel = n->p.depth * n->p.columns * (int64_t)tg_dtype_size(TG_BF16);
    return n->mk->tiles && n->slabs == 1 && 2 * panel <= TWO_BYTES;
}

static void choose_scratch(tg_nest *n)
{
    const int64_t size = (int64_t)tg_dtype_size(n->mk->element);
    const bool widened = n->mk->element != n->w->dtype;
    n->b_bytes = widened ? tg_aligned(n->slab_lines * imax(n->slab_k, 2) * n->p.columns * size) : 0;
    n->c_bytes = n->slabs > 1 ? tg_aligned(n->lines * n->columns * n->nb * n->p.columns * (int64_t)sizeof(float)) : 0;
    n->turned_bytes = n->turned ? tg_aligned(n->columns * n->p.out * (int64_t)sizeof(float)) : 0;
    n->brick_bytes = tg_aligned(n->p.kernel[0] * n->p.kernel[1] * (int64_t)sizeof(tg_brick));
}

/* Zeros beside the image, or beyond the end of a run of taps what follows it, or what belongs to other groups. */
static bool meets_padding(const tg_nest *n)
{
    if (n->joined > 1) return true;
    const bool behind = n->mk->tiles && n->merged && n->w_axis.taps > 1 && n->p.in % TG_DEPTH;
    return n->nb == 1 && (behind || tg_meets_padding(&n->w_axis) || (n->stacked && tg_meets_padding(&n->lines_of_x)));
}

void tg_nest_plan(tg_nest *n)
{
    int32_t key[TG_LAYOUT_KEY];
    tg_nest_simplify(n);
    n->stacked = packs_merged(n) && tg_stacking_pays(n);
    tg_nest_key(n, key);
    n->p = tg_panels_of(n->w, key);
    if (n->stacked) tg_stack_lines(n);
    choose_rows(n);
    tg_nest_choose_a(n);
    (n->turned ? cut_turned : cut)(n);
    choose_slabs(n);
    n->two = takes_two(n);
    choose_scratch(n);
    n->mends = meets_padding(n);
    n->stream = !n->read_at_once && tg_count(n->y) * (int64_t)tg_dtype_size(n->y->dtype) >= STREAM_BYTES;
}

void tg_nest_key(const tg_nest *n, int32_t key[TG_LAYOUT_KEY])
{
    tg_panels_key(n->w, n->mk, n->backward, packs_merged(n), n->stacked, n->groups * n->joined, n->w_axis.den,
                  positive(n->w_axis.step), key);
}

int64_t tg_nest_blocks(const tg_nest *n) { return n->groups * n->blocks[0] * n->blocks[1] * n->blocks[2]; }

int64_t tg_nest_tasks(const tg_nest *n, int phase)
{
    if (phase > n->shared) return 0;
    return tg_nest_blocks(n) * (phase == n->shared ? n->blocks[3] : 1);
}

int64_t tg_nest_makes(const tg_nest *n)
{
    const int64_t line = n->w_axis.out * n->p.out;
    if (n->groups > 1 || n->turned || n->blocks[3] > 1) return 0;
    if (n->blocks[2] > 1) return n->h.out == 1 && n->images == 1 ? n->columns * n->p.out : 0;
    if (n->blocks[1] == 1) return n->nb * n->h.out * line;
    return n->nb == 1 && (n->images == 1 || n->h.out % n->lines == 0) ? n->lines * line : 0;
}

tg_scratch tg_nest_scratch(const tg_nest *n)
{
    const size_t rest = n->b_bytes + n->c_bytes + n->brick_bytes + n->turned_bytes;
    if (n->shared) return (tg_scratch){ .shared = (size_t)tg_nest_blocks(n) * n->a_bytes, .worker = rest };
    return (tg_scratch){ .worker = n->a_bytes + rest };
}
