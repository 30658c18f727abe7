/* nest_run.c - one task of a nest: packs its block of the input, unless tasks before have, then sweeps it panel by
 * panel, slab by slab. */
#include "mend.h"

enum {
    MOST_AHEAD = 256 << 10, /* bytes fetched for the next task: more would drive out what is in use */
    NEAR = 32 << 10,        /* x that is read where it lies is fetched so far ahead of the first panel */
};

typedef struct {
    const tg_nest *n;
    tg_block block;
    char *widened; /* a slab of the panel */
    float *sums;   /* of the block, between slabs */
    float *turned; /* the block's rows of y^T */
    tg_brick *bricks;
    int64_t panel, next;     /* the first, and bytes to the other one of the product, or 0 */
    int64_t kh0, kh1, k0, k; /* the slab: kernel lines; of a kernel of one tap, channels */
    bool first, last;        /* of the panel's slabs */
    const char *weights;     /* the slab, as B */
    const char *ahead;       /* what will be read next */
    int64_t ahead_bytes;     /* for each row of a product */
    bool near;               /* of the first panel alone */
    bool nan;                /* tiles: an output is */
} sweep;

/* ---- B ---- */

static void set_slab(sweep *s, int64_t i)
{
    const tg_nest *n = s->n;
    const bool split = n->p.kernel[0] * n->p.kernel[1] == 1;
    s->kh0 = split ? 0 : i * n->slab_lines;
    s->kh1 = split ? 1 : imin(s->kh0 + n->slab_lines, n->p.kernel[0]);
    s->k0 = split ? i * n->slab_k : 0;
    s->k = split ? imin(n->slab_k, n->p.in - s->k0) : 0;
    s->first = i == 0;
    s->last = i == n->slabs - 1;
}

static void set_weights(sweep *s, const char *packed)
{
    const tg_nest *n = s->n;
    const int64_t k = (s->block.group * n->p.count + s->panel) * n->p.depth + s->kh0 * n->p.line + s->k0;
    s->weights = packed + (size_t)(k * n->p.columns) * tg_dtype_size(n->w->dtype);
    if (n->mk->element == n->w->dtype) return;
    const int64_t rest = n->p.line - s->k0, lines = s->kh1 - s->kh0;
    n->mk->widen(s->weights, lines > 1 ? lines * n->p.line : imin(n->slab_k, rest), s->widened);
    s->weights = s->widened;
}

/* ---- bricks ---- */

/* Rows that begin at an output pixel are images, or every den-th pixel of the line.  Further lines of rows begin at
 * every den-th pixel, or line, from there; all meet the input through the same taps, or they are a pair of any. */
typedef struct {
    int64_t oh, ow, lines;
    bool pair;
} start;

/* The taps of a kernel line that rows beginning at an output column meet on input line h. */
static int line_bricks(const sweep *s, int64_t kh, int64_t h, int64_t ow, tg_brick *to)
{
    const tg_nest *n = s->n;
    const tg_axis *a = &n->w_axis;
    const int64_t apart = n->p.merged ? n->p.in : tg_run_depth(&n->p, n->p.in);
    const size_t size = tg_a_size(n);
    int count = 0;
    int64_t k = -1;
    for (int64_t i = 0; i < a->taps; i++) {
        const int64_t kw = n->backward ? a->taps - 1 - i : i, w = tg_floor_div(tg_place(a, ow, kw), a->den);
        if (!tg_of_phase(a, ow, kw)) continue;
        k = k < 0 ? (kh - s->kh0) * n->p.line + tg_class_start(&n->p, tg_class_of(&n->p, kw)) : k + apart;
        if (n->nb > 1 && (w < 0 || w >= a->in)) continue;
        to[count++] = (tg_brick){ .a = tg_a_at(&s->block, h, w) + (size_t)(s->k0 / TG_DEPTH * n->plane) * size,
                                  .b = s->weights + (size_t)(k * n->p.columns) * size };
        if (n->merged) break;
    }
    return count;
}

/* Bricks of the second line of a pair alone: their A is that of the first line, though it lies outside. */
static void only_second(const sweep *s, tg_brick *brick, int count)
{
    const size_t line = (size_t)(s->n->h.num * s->n->a_line) * tg_a_size(s->n);
    for (int i = 0; i < count; i++) brick[i].a = (const void *)((uintptr_t)brick[i].a - line);
}

/* The bricks of a kernel line and a pair, if both lines meet them, or if only one does. */
static int pair_bricks(const sweep *s, start at, int64_t kh, bool by_both, tg_brick *to)
{
    const tg_axis *a = &s->n->h;
    int64_t h, next;
    const bool first = tg_meets(a, at.oh, kh, &h), second = tg_meets(a, at.oh + a->den, kh, &next);
    if (!(first || second) || (first && second) != by_both) return 0;
    const int found = line_bricks(s, kh, first ? h : next, at.ow, to);
    for (int i = 0; i < found; i++) to[i].line = by_both ? 0 : first ? 1 : 2;
    if (!first) only_second(s, to, found);
    return found;
}

static int bricks_of(const sweep *s, start at)
{
    int count = 0;
    int64_t h;
    for (int64_t kh = s->kh0; kh < s->kh1 && at.pair; kh++) count += pair_bricks(s, at, kh, false, s->bricks + count);
    for (int64_t kh = s->kh0; kh < s->kh1; kh++)
        if (at.pair) count += pair_bricks(s, at, kh, true, s->bricks + count);
        else if (tg_meets(&s->n->h, at.oh, kh, &h)) count += line_bricks(s, kh, h, at.ow, s->bricks + count);
    return count;
}

/* k of each brick: of a run of taps, of a tap, or of a slab of one. */
static int64_t brick_k(const sweep *s, int64_t ow)
{
    const tg_axis *a = &s->n->w_axis;
    int64_t taps = 0;
    if (s->k) return s->k;
    if (!s->n->merged) return s->n->p.in;
    for (int64_t kw = 0; kw < a->taps; kw++) taps += tg_of_phase(a, ow, kw);
    return taps * s->n->p.in;
}

/* ---- products ---- */

/* The last slab finishes the sums and stores them in y. */
static void store_in_y(const sweep *s, start at, tg_brgemm *g)
{
    const tg_nest *n = s->n;
    const bool images = n->nb > 1;
    const int64_t channels = n->p.out * n->groups, line = n->w_axis.out * channels;
    const int64_t first = s->block.group * n->p.out + s->panel * n->p.columns;
    const int64_t place = (s->block.image * n->h.out + at.oh) * line + at.ow * channels + first;
    g->c = (char *)tg_ptr(n->y) + (size_t)place * tg_dtype_size(n->y->dtype);
    g->c_row = images ? n->h.out * line : n->w_axis.den * channels;
    g->c_line = images ? n->w_axis.den * channels : n->h.den * line;
    g->store = n->y->dtype;
    g->bias = n->bias ? (const float *)tg_ptr(n->bias) + first : NULL;
    g->relu = n->relu;
    g->stream = n->stream && channels % 32 == 0 && (uintptr_t)g->c % 64 == 0;
}

/* Or leaves them in f32, to be turned. */
static void store_turned(const sweep *s, start at, tg_brgemm *g)
{
    const int64_t rows = s->n->p.out;
    g->c = s->turned + (at.ow - s->block.column0) * rows + s->panel * s->n->p.columns;
    g->c_row = rows;
}

static void product(sweep *s, start at)
{
    const tg_nest *n = s->n;
    const tg_block *b = &s->block;
    const bool images = n->nb > 1;
    const int64_t columns = n->p.columns, pixel = n->nb * columns, line = n->columns * pixel;
    float *const sums = s->sums + (at.oh - b->line0) * line + (at.ow - b->column0) * pixel;
    const int64_t rows = images ? b->images : ceil_div(b->column1 - at.ow, n->w_axis.den);
    tg_brgemm g = {
        .m = (int)rows,
        .next = s->next,
        .n = (int)imin(n->p.out - s->panel * columns, s->next ? 2 * columns : columns),
        .k = brick_k(s, at.ow),
        .row = images ? n->pitch : n->w_axis.num * n->pitch,
        .step = 1,
        .gap = n->plane - TG_DEPTH,
        .further = (int)at.lines - 1,
        .a_line = images ? n->w_axis.num * n->nb * n->pitch : n->h.num * n->a_line,
        .from = s->first ? NULL : sums,
        .c = sums,
        .store = TG_F32,
    };
    g.from_row = g.c_row = images ? columns : n->w_axis.den * columns;
    g.from_line = g.c_line = images ? n->w_axis.den * pixel : n->h.den * line;
    if (s->last) (n->turned ? store_turned : store_in_y)(s, at, &g);
    g.nan = n->mends ? &s->nan : NULL;
    g.ahead = s->ahead;
    g.ahead_bytes = s->ahead_bytes * rows * at.lines;
    s->ahead += g.ahead_bytes;
    n->mk->run(&g, s->bricks, bricks_of(s, at));
}

/* The taps k0 .. k1 - 1 of an axis that meet an input: the first, and how many. */
typedef struct {
    int64_t first, count;
} met;

static met met_by(const tg_axis *a, int64_t out, int64_t k0, int64_t k1)
{
    met m = { 0, 0 };
    int64_t in;
    for (int64_t k = k0; k < k1; k++)
        if (tg_meets(a, out, k, &in) && !m.count++) m.first = k;
    return m;
}

/* How many outputs before `end`, every den-th from `out` on, meet the input through the same taps. */
static int64_t alike(const tg_axis *a, int64_t out, int64_t end, int64_t k0, int64_t k1)
{
    const met first = met_by(a, out, k0, k1);
    int64_t n = 1;
    for (; (out += a->den) < end; n++) {
        const met m = met_by(a, out, k0, k1);
        if (m.first != first.first || m.count != first.count) break;
    }
    return n;
}

/* Lines that are one product, every den-th from oh on: those that are alike, or a pair.  Tiles take two lines of few
 * pixels at a time, so if such lines are odd in number the last one waits for the next line. */
static start start_of(const sweep *s, int64_t oh, int64_t ow)
{
    const tg_axis *h = &s->n->h;
    start at = { .oh = oh, .ow = ow, .lines = 1 };
    at.lines = alike(h, oh, s->block.line1, s->kh0, s->kh1);
    if (!s->n->mk->tiles) return at;
    const int64_t pixels = ceil_div(s->block.column1 - ow, s->n->w_axis.den), next = oh + at.lines * h->den;
    if (at.lines % 2 == 0 || pixels > TG_TILE || s->next || next >= s->block.line1) return at;
    at.pair = at.lines == 1;
    at.lines += at.pair ? 1 : -1;
    return at;
}

/* Rows are pixels: lines that are alike, or pairs. */
static void sweep_lines(sweep *s)
{
    const tg_nest *n = s->n;
    const tg_block *b = &s->block;
    for (int64_t ow = b->column0; ow < imin(b->column1, b->column0 + n->w_axis.den); ow++)
        for (int64_t phase = b->line0; phase < imin(b->line1, b->line0 + n->h.den); phase++)
            for (int64_t oh = phase, lines; oh < b->line1; oh += lines * n->h.den) {
                const start at = start_of(s, oh, ow);
                lines = at.lines;
                product(s, at);
            }
}

/* Rows are images: pixels of a line that are alike. */
static void sweep_images(sweep *s)
{
    const tg_nest *n = s->n;
    const tg_block *b = &s->block;
    const int64_t den = n->w_axis.den;
    for (int64_t oh = b->line0; oh < b->line1; oh++)
        for (int64_t phase = b->column0; phase < imin(b->column1, b->column0 + den); phase++)
            for (int64_t ow = phase, pixels; ow < b->column1; ow += pixels * den) {
                pixels = alike(&n->w_axis, ow, b->column1, 0, n->w_axis.taps);
                product(s, (start){ .oh = oh, .ow = ow, .lines = pixels });
            }
}

/* A task: a block of outputs, and where its panels begin.  Groups come one after the other, as their channels lie side
 * by side: a processor fetches lines of memory in pairs, and a page's all together. */
static tg_block block_of(const tg_nest *n, int64_t task, int64_t *panel)
{
    *panel = tg_digit(&task, n->blocks[3]) * n->panels;
    const int64_t group = tg_digit(&task, n->groups);
    const int64_t column = tg_digit(&task, n->blocks[2]), line = tg_digit(&task, n->blocks[1]);
    return tg_block_of(n, group, task * n->nb, line * n->lines, column * n->columns);
}

static int64_t panel_bytes(const tg_nest *n) { return n->p.depth * n->p.columns * (int64_t)tg_dtype_size(n->w->dtype); }

/* x itself, if tiles read it where it lies, in one piece. */
static void look_near(sweep *s)
{
    const tg_block *b = &s->block;
    s->near = true;
    s->ahead = b->a + NEAR;
    s->ahead_bytes = s->n->pitch * (int64_t)tg_a_size(s->n);
}

/* What a following task will read is fetched meanwhile: its weights if they are others, else its part of x where that
 * lies in one piece. */
static void look_ahead(sweep *s, const char *weights, int64_t task)
{
    const tg_nest *n = s->n;
    const tg_block *now = &s->block;
    if (n->stacked || task < 0 || task >= tg_nest_blocks(n) * n->blocks[3]) return;
    if (n->direct && n->h.out == 1 && n->blocks[3] == 1) {
        look_near(s);
        return;
    }
    int64_t panel;
    const tg_block b = block_of(n, task, &panel);
    const bool same_pixels = b.image == now->image && b.line0 == now->line0 && b.column0 == now->column0;
    const char *end;
    if (n->blocks[3] > 1) {
        const int64_t size = panel_bytes(n);
        s->ahead = weights + (b.group * n->p.count + panel) * size;
        end = s->ahead + imin(n->panels, n->p.count - panel) * size;
    } else if (!same_pixels && n->nb == 1 && (n->blocks[2] == 1 || n->h.out == 1)) {
        const int64_t line = b.h0 + imin(n->span[0], n->h.in - b.h0) - 1;
        s->ahead = tg_pixel(&b, b.image, b.h0, imax(b.w0, 0));
        end = tg_pixel(&b, b.image, line, imin(b.w0 + n->span[1], n->w_axis.in) - 1);
    } else {
        return;
    }
    if (end - s->ahead > MOST_AHEAD) return;
    const int64_t rows = (now->line1 - now->line0) * (now->column1 - now->column0) * now->images;
    s->ahead_bytes = ceil_div(end - s->ahead, rows * n->panels * n->slabs);
}

static void sweep_panels(sweep *s, const char *weights, int64_t panel)
{
    const tg_nest *n = s->n;
    const int64_t end = imin(n->p.count, panel + n->panels);
    for (s->panel = panel; s->panel < end; s->panel += s->next ? 2 : 1) {
        const bool two = n->two && s->panel + 1 < end && (s->panel + 2) * n->p.columns <= n->p.out;
        s->next = two ? panel_bytes(n) : 0;
        for (int64_t i = 0; i < n->slabs; i++) {
            set_slab(s, i);
            set_weights(s, weights);
            if (n->nb > 1) sweep_images(s);
            else sweep_lines(s);
        }
        if (s->near) s->ahead_bytes = 0;
    }
    if (n->mk->leave) n->mk->leave();
    if (n->mends && (s->nan || !n->mk->tiles)) tg_mend_outputs(&s->block, panel, end, n->mk->tiles);
}

void tg_nest_run(const tg_nest *n, const tg_task *t)
{
    int64_t panel;
    char *room = t->scratch;
    char *const shared = t->shared;
    if (n->shared && t->phase == 0) {
        tg_block b = block_of(n, t->index * n->blocks[3], &panel);
        tg_block_load(&b, shared + (size_t)t->index * n->a_bytes);
        return;
    }
    sweep s = { .n = n, .block = block_of(n, t->index, &panel) };
    if (n->shared) {
        s.block.a = shared + (size_t)(t->index / n->blocks[3]) * n->a_bytes;
    } else {
        tg_block_load(&s.block, room);
        room += n->a_bytes;
    }
    s.widened = room;
    s.sums = (float *)(void *)(room + n->b_bytes);
    s.bricks = (tg_brick *)(void *)(room + n->b_bytes + n->c_bytes);
    s.turned = (float *)(void *)(room + n->b_bytes + n->c_bytes + n->brick_bytes);
    look_ahead(&s, t->packed, t->index + t->step);
    sweep_panels(&s, t->packed, panel);
    if (n->turned) tg_finish_turned(n, s.turned, s.block.column0, s.block.column1);
}
