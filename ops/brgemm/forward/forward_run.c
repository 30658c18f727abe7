/* forward_run.c - one task of forward or backward-data: packs its block of the input, unless an earlier phase has, then
 * goes through the weights panel by panel, k-block by k-block. */
#include "block.h"
#include "forward.h"
#include "mend.h"

enum {
    MOST_PREFETCHED = 256 << 10, /* bytes prefetched for the next task: more would evict what is in use */
    NEAR = 32 << 10,             /* how far ahead the first panel prefetches x that is read where it lies */
};

typedef struct {
    const tg_forward *f;
    const tg_nest *n; /* of f */
    const tg_nest_data *d;
    tg_block block;
    char *widened;     /* a k-block of the panel */
    float *sums;       /* of the block, between k-blocks */
    float *transposed; /* the block's rows of y^T */
    tg_batch_element *batch;
    int64_t panel, next;     /* the first panel of the product, and bytes to the second one, or 0 */
    int64_t kh0, kh1, k0, k; /* the k-block: kernel lines; channels, for a kernel of one tap */
    bool first, last;        /* of the panel's k-blocks */
    const char *weights;     /* the k-block, as B */
    tg_prefetch prefetch;    /* bytes: per row of a product */
    bool near;               /* only the first panel prefetches */
    bool stream, nan;        /* y is stored past the cache; tiles: some output is NaN */
} sweep;

/* ---- B ---- */

static void set_k_block(sweep *s, int64_t i)
{
    const tg_forward *f = s->f;
    const tg_panels *p = &s->n->p;
    const bool split = p->kernel[0] * p->kernel[1] == 1;
    s->kh0 = split ? 0 : i * f->k_block.lines;
    s->kh1 = split ? 1 : imin(s->kh0 + f->k_block.lines, p->kernel[0]);
    s->k0 = split ? i * f->k_block.k : 0;
    s->k = split ? imin(f->k_block.k, p->in - s->k0) : 0;
    s->first = i == 0;
    s->last = i == f->k_block.count - 1;
}

static void set_weights(sweep *s, const char *packed)
{
    const tg_panels *p = &s->n->p;
    const tg_nest_shape *shape = &s->n->shape;
    const int64_t k = (s->block.group * p->count + s->panel) * p->depth + s->kh0 * p->line + s->k0;
    s->weights = packed + (size_t)(k * p->columns) * tg_dtype_size(shape->w->dtype);
    if (shape->mk->element == shape->w->dtype) return;
    const int64_t rest = p->line - s->k0, lines = s->kh1 - s->kh0;
    shape->mk->widen(s->weights, lines > 1 ? lines * p->line : imin(s->f->k_block.k, rest), s->widened);
    s->weights = s->widened;
}

/* ---- the batch of a product ---- */

/* The rows of a product.  From output pixel (oh, ow) on they are images, or every den-th pixel of the line.  Extra
 * lines of rows begin at every den-th pixel, or line, from there.  All use the same taps; or they are a pair of lines
 * that need not. */
typedef struct {
    int64_t oh, ow, lines;
    bool pair;
} start;

/* The taps of a kernel line that rows from an output column on read on input line h. */
static int line_batch(const sweep *s, int64_t kh, int64_t h, int64_t ow, tg_batch_element *to)
{
    const tg_nest *n = s->n;
    const tg_axis *a = &n->w_axis;
    const int64_t stride = n->p.merged ? n->p.in : tg_run_depth(&n->p, n->p.in);
    const size_t size = tg_a_size(n);
    int count = 0;
    int64_t k = -1;
    for (int64_t i = 0; i < a->taps; i++) {
        const int64_t kw = n->shape.backward ? a->taps - 1 - i : i,
                      w = tg_floor_div(tg_tap_position(a, ow, kw), a->den);
        if (!tg_of_phase(a, ow, kw)) continue;
        k = k < 0 ? (kh - s->kh0) * n->p.line + tg_class_start(&n->p, tg_class_of(&n->p, kw)) : k + stride;
        if (n->block.images > 1 && (w < 0 || w >= a->in)) continue;
        to[count++] =
            (tg_batch_element){ .a = tg_a_at(&s->block, h, w) + (size_t)(s->k0 / TG_DEPTH * n->a.plane) * size,
                                .b = s->weights + (size_t)(k * n->p.columns) * size };
        if (n->merged) break;
    }
    return count;
}

/* Elements of the second line of a pair alone: their A is given for the first line, though it may lie outside. */
static void only_second(const sweep *s, tg_batch_element *batch, int count)
{
    const size_t line = (size_t)(s->n->h.num * s->n->a.line) * tg_a_size(s->n);
    for (int i = 0; i < count; i++) batch[i].a = (const void *)((uintptr_t)batch[i].a - line);
}

/* The elements of a kernel line and a pair, if both lines use them, or if only one does. */
static int pair_batch(const sweep *s, start at, int64_t kh, bool by_both, tg_batch_element *to)
{
    const tg_axis *a = &s->n->h;
    int64_t h, next;
    const bool first = tg_meets(a, at.oh, kh, &h), second = tg_meets(a, at.oh + a->den, kh, &next);
    if (!(first || second) || (first && second) != by_both) return 0;
    const int found = line_batch(s, kh, first ? h : next, at.ow, to);
    for (int i = 0; i < found; i++) to[i].line = by_both ? 0 : first ? 1 : 2;
    if (!first) only_second(s, to, found);
    return found;
}

static int batch_of(const sweep *s, start at)
{
    int count = 0;
    int64_t h;
    for (int64_t kh = s->kh0; kh < s->kh1 && at.pair; kh++) count += pair_batch(s, at, kh, false, s->batch + count);
    for (int64_t kh = s->kh0; kh < s->kh1; kh++)
        if (at.pair) count += pair_batch(s, at, kh, true, s->batch + count);
        else if (tg_meets(&s->n->h, at.oh, kh, &h)) count += line_batch(s, kh, h, at.ow, s->batch + count);
    return count;
}

/* k of each element: of a run of taps, of a tap, or of a k-block of one. */
static int64_t element_k(const sweep *s, int64_t ow)
{
    const tg_axis *a = &s->n->w_axis;
    int64_t taps = 0;
    if (s->k) return s->k;
    if (!s->n->merged) return s->n->p.in;
    for (int64_t kw = 0; kw < a->taps; kw++) taps += tg_of_phase(a, ow, kw);
    return taps * s->n->p.in;
}

/* ---- products ---- */

/* The last k-block finishes the sums and stores them to y. */
static void store_to_y(const sweep *s, start at, tg_brgemm *g)
{
    const tg_nest *n = s->n;
    const tg_nest_shape *shape = &n->shape;
    const bool images = n->block.images > 1;
    const int64_t channels = n->p.out * shape->groups, line = n->w_axis.out * channels;
    const int64_t first = s->block.group * n->p.out + s->panel * n->p.columns;
    const int64_t place = (s->block.image * n->h.out + at.oh) * line + at.ow * channels + first;
    g->c = (char *)s->d->y + (size_t)place * tg_dtype_size(shape->y_dtype);
    g->c_row = images ? n->h.out * line : n->w_axis.den * channels;
    g->extra.c = images ? n->w_axis.den * channels : n->h.den * line;
    g->store = shape->y_dtype;
    g->bias = s->d->bias ? s->d->bias + first : NULL;
    g->relu = shape->relu;
    g->stream = s->stream && channels % 32 == 0 && (uintptr_t)g->c % 64 == 0;
}

/* Or leaves them in f32, to be transposed. */
static void store_sums(const sweep *s, start at, tg_brgemm *g)
{
    const int64_t rows = s->n->p.out;
    g->c = s->transposed + (at.ow - s->block.column0) * rows + s->panel * s->n->p.columns;
    g->c_row = rows;
}

static void product(sweep *s, start at)
{
    const tg_nest *n = s->n;
    const tg_block *b = &s->block;
    const bool images = n->block.images > 1;
    const int64_t columns = n->p.columns, pixel = n->block.images * columns, line = n->block.columns * pixel;
    float *const sums = s->sums + (at.oh - b->line0) * line + (at.ow - b->column0) * pixel;
    const int64_t rows = images ? b->images : ceil_div(b->column1 - at.ow, n->w_axis.den);
    tg_brgemm g = {
        .m = (int)rows,
        .next = s->next,
        .n = (int)imin(n->p.out - s->panel * columns, s->next ? 2 * columns : columns),
        .k = element_k(s, at.ow),
        .row = images ? n->a.pitch : n->w_axis.num * n->a.pitch,
        .step = 1,
        .gap = n->a.plane - TG_DEPTH,
        .extra = { .count = (int)at.lines - 1 },
        .from = s->first ? NULL : sums,
        .c = sums,
        .store = TG_F32,
    };
    g.extra.a = images ? n->w_axis.num * n->block.images * n->a.pitch : n->h.num * n->a.line;
    g.from_row = g.c_row = images ? columns : n->w_axis.den * columns;
    g.extra.from = g.extra.c = images ? n->w_axis.den * pixel : n->h.den * line;
    if (s->last && n->shape.transposed) store_sums(s, at, &g);
    else if (s->last) store_to_y(s, at, &g);
    g.nan = s->f->mends ? &s->nan : NULL;
    g.prefetch = s->prefetch;
    g.prefetch.bytes *= rows * at.lines;
    s->prefetch.at += g.prefetch.bytes;
    n->shape.mk->run(&g, s->batch, batch_of(s, at));
}

/* Which of the taps k0 to k1 - 1 of an axis read an input: the first, and how many. */
typedef struct {
    int64_t first, count;
} used;

static used used_by(const tg_axis *a, int64_t out, int64_t k0, int64_t k1)
{
    used u = { 0, 0 };
    int64_t in;
    for (int64_t k = k0; k < k1; k++)
        if (tg_meets(a, out, k, &in) && !u.count++) u.first = k;
    return u;
}

/* How many outputs before `end`, every den-th from `out` on, use the same taps. */
static int64_t alike(const tg_axis *a, int64_t out, int64_t end, int64_t k0, int64_t k1)
{
    const used first = used_by(a, out, k0, k1);
    int64_t n = 1;
    for (; (out += a->den) < end; n++) {
        const used u = used_by(a, out, k0, k1);
        if (u.first != first.first || u.count != first.count) break;
    }
    return n;
}

/* The lines of one product, every den-th from oh on: those that use the same taps, or a pair.  Tiles take two lines of
 * few pixels at a time, so if such lines are odd in number the last one is paired with the line after it. */
static start start_of(const sweep *s, int64_t oh, int64_t ow)
{
    const tg_axis *h = &s->n->h;
    start at = { .oh = oh, .ow = ow, .lines = 1 };
    at.lines = alike(h, oh, s->block.line1, s->kh0, s->kh1);
    if (!s->n->shape.mk->tiles) return at;
    const int64_t pixels = ceil_div(s->block.column1 - ow, s->n->w_axis.den), next = oh + at.lines * h->den;
    if (at.lines % 2 == 0 || pixels > TG_TILE || s->next || next >= s->block.line1) return at;
    at.pair = at.lines == 1;
    at.lines += at.pair ? 1 : -1;
    return at;
}

/* Rows are pixels; a product takes lines that use the same taps, or pairs. */
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

/* Rows are images; a product takes pixels of a line that use the same taps. */
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

/* ---- a task ---- */

/* Its block of outputs, and the first of its panels.  Groups follow each other, as their channels lie side by side: a
 * processor fetches cache lines in pairs, and may prefetch the rest of a page. */
static tg_block block_of(const tg_forward *f, const tg_nest_data *d, int64_t task, int64_t *panel)
{
    const tg_nest *n = &f->nest;
    *panel = tg_digit(&task, f->panel_parts) * f->panels;
    const int64_t group = tg_digit(&task, n->shape.groups);
    const int64_t column = tg_digit(&task, n->blocks.columns), line = tg_digit(&task, n->blocks.lines);
    return tg_block_of(n, d->x, group, task * n->block.images, line * n->block.lines, column * n->block.columns);
}

static int64_t panel_bytes(const tg_nest *n)
{
    return n->p.depth * n->p.columns * (int64_t)tg_dtype_size(n->shape.w->dtype);
}

/* Prefetches x itself, if tiles read it where it lies and it lies in one piece. */
static void prefetch_near(sweep *s)
{
    s->near = true;
    s->prefetch.at = s->block.a + NEAR;
    s->prefetch.bytes = s->n->a.pitch * (int64_t)tg_a_size(s->n);
}

/* Prefetches what the next task will read: its weights if they are different ones, otherwise its part of x if that lies
 * in one piece. */
static void prefetch_next_task(sweep *s, const char *weights, int64_t task)
{
    const tg_nest *n = s->n;
    const tg_forward *f = s->f;
    const tg_block *now = &s->block;
    if (n->stacked || task < 0 || task >= tg_forward_blocks(f) * f->panel_parts) return;
    if (n->direct && n->h.out == 1 && f->panel_parts == 1) {
        prefetch_near(s);
        return;
    }
    int64_t panel;
    const tg_block b = block_of(f, s->d, task, &panel);
    const bool same_pixels = b.image == now->image && b.line0 == now->line0 && b.column0 == now->column0;
    const char *end;
    if (f->panel_parts > 1) {
        const int64_t size = panel_bytes(n);
        s->prefetch.at = weights + (b.group * n->p.count + panel) * size;
        end = s->prefetch.at + imin(f->panels, n->p.count - panel) * size;
    } else if (!same_pixels && n->block.images == 1 && (n->blocks.columns == 1 || n->h.out == 1)) {
        const int64_t line = b.h0 + imin(n->a.lines, n->h.in - b.h0) - 1;
        s->prefetch.at = tg_pixel(&b, b.image, b.h0, imax(b.w0, 0));
        end = tg_pixel(&b, b.image, line, imin(b.w0 + n->a.columns, n->w_axis.in) - 1);
    } else {
        return;
    }
    if (end - s->prefetch.at > MOST_PREFETCHED) return;
    const int64_t rows = (now->line1 - now->line0) * (now->column1 - now->column0) * now->images;
    s->prefetch.bytes = ceil_div(end - s->prefetch.at, rows * f->panels * f->k_block.count);
}

static void mend(const sweep *s, int64_t panel0, int64_t panel1)
{
    const tg_nest *n = s->n;
    const tg_block *b = &s->block;
    const tg_output_range r = {
        .group = b->group,
        .images = { b->image, b->image + b->images },
        .lines = { b->line0, b->line1 },
        .columns = { b->column0, b->column1 },
        .channels = { panel0 * n->p.columns, imin(n->p.out, panel1 * n->p.columns) },
    };
    tg_mend_outputs(&n->shape, s->d, &r, !n->shape.mk->tiles);
}

static void sweep_panels(sweep *s, const char *weights, int64_t panel)
{
    const tg_forward *f = s->f;
    const tg_panels *p = &s->n->p;
    const tg_microkernel *mk = s->n->shape.mk;
    const int64_t end = imin(p->count, panel + f->panels);
    for (s->panel = panel; s->panel < end; s->panel += s->next ? 2 : 1) {
        const bool two = f->two && s->panel + 1 < end && (s->panel + 2) * p->columns <= p->out;
        s->next = two ? panel_bytes(s->n) : 0;
        for (int64_t i = 0; i < f->k_block.count; i++) {
            set_k_block(s, i);
            set_weights(s, weights);
            if (s->n->block.images > 1) sweep_images(s);
            else sweep_lines(s);
        }
        if (s->near) s->prefetch.bytes = 0;
    }
    if (mk->leave) mk->leave();
    if (f->mends && (s->nan || !mk->tiles)) mend(s, panel, end);
}

void tg_forward_run(const tg_forward *f, const tg_nest_data *d, bool read_at_once, const tg_task *t)
{
    int64_t panel;
    char *scratch = t->scratch;
    char *const shared = t->shared;
    const size_t a_bytes = f->nest.a.bytes;
    if (f->shared && t->phase == 0) {
        tg_block b = block_of(f, d, t->index * f->panel_parts, &panel);
        tg_block_load(&b, shared + (size_t)t->index * a_bytes);
        return;
    }
    sweep s = { .f = f, .n = &f->nest, .d = d, .block = block_of(f, d, t->index, &panel) };
    s.stream = f->stream && !read_at_once;
    if (f->shared) {
        s.block.a = shared + (size_t)(t->index / f->panel_parts) * a_bytes;
    } else {
        tg_block_load(&s.block, scratch);
        scratch += a_bytes;
    }
    s.widened = scratch;
    s.sums = (float *)(void *)(scratch += f->bytes.widened);
    s.batch = (tg_batch_element *)(void *)(scratch += f->bytes.sums);
    s.transposed = (float *)(void *)(scratch + f->bytes.batch);
    prefetch_next_task(&s, t->packed, t->index + t->step);
    sweep_panels(&s, t->packed, panel);
    if (f->nest.shape.transposed)
        tg_store_transposed(&f->nest.shape, d, s.transposed, s.block.column0, s.block.column1);
}
