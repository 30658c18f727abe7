/* grad_w_tiles_run.c - one task of backward-weights on tiles; then the total of the parts. */
#include "grad_w_tiles.h"
#include "mend.h"
#include <string.h>

typedef struct {
    const tg_grad_w_tiles *g;
    const tg_grad_w_data *d;
    const tg_tile_gemm *mk;
    int64_t group, part;
    int64_t a0, a1, b0, b1; /* micro-panels */
    char *a, *b;
    tg_tile_step *steps;      /* of each kernel line and tap: room for those of a chunk */
    int32_t *count;           /* ... and how many */
    float *sums;              /* all of this part */
    int64_t column0, column1; /* of gy: the stripe */
    int64_t w0;               /* of x: the column that lines of B begin with; it may be outside */
    int64_t next;             /* the next line of x to pack */
    bool started;             /* the sums hold something */
} task;

/* Pixels of gy, counted through all lines: part of one line, or whole lines. */
typedef struct {
    int64_t start, end;
} chunk;

/* ---- packing ---- */

static int images_of(const tg_grad_w_tiles *g, int64_t q)
{
    return (int)imin(g->n.block.images, g->n.shape.images - q * g->n.block.images);
}

/* The tile of column w of x or, gathered, of gy. */
static char *b_tile(const task *t, int64_t line, int64_t w)
{
    const tg_grad_w_tiles *g = t->g;
    return t->b + (line % g->ring.lines * g->ring.across + w - (g->gather ? t->column0 : t->w0)) * tg_b_tile(g);
}

static int64_t b_panel_bytes(const tg_grad_w_tiles *g) { return g->ring.lines * g->ring.across * tg_b_tile(g); }

static void load_b_tile(const task *t, const uint16_t *from, int64_t images, int64_t lead, int64_t end, char *to)
{
    const tg_grad_w_tiles *g = t->g;
    const int64_t stride = g->n.shape.image * g->n.shape.groups * g->in;
    for (int64_t s = t->b0; s < t->b1; s++, to += b_panel_bytes(g)) {
        const int64_t first = s * tg_b_columns(g), columns = imin(tg_b_columns(g), g->width - first);
        t->mk->load_b(from + first, stride, (int)images, (int)(lead - first), (int)(end - first),
                      (int)ceil_div(columns, TG_TILE) * TG_TILE, (uint16_t *)(void *)to);
    }
}

/* Packs line number `line` of x.  If the channels are whole tiles, tiles follow each other as channels do.  A gathered
 * tile has what the taps of column i of gy read. */
static void load_line(const task *t, int64_t line)
{
    const tg_grad_w_tiles *g = t->g;
    const tg_nest *n = &g->n;
    const tg_block b = { .n = n, .x = t->d->x, .group = t->group };
    const int64_t q = line / n->h.in, stride = n->shape.groups * n->w_axis.memory_stride * g->in,
                  images = images_of(g, q);
    const int64_t start = g->gather ? t->column0 : imax(t->w0, 0);
    const int64_t end = g->gather ? t->column1 : imin(t->w0 + g->ring.across, n->w_axis.in);
    const uint16_t *const from = (const uint16_t *)(const void *)tg_pixel(&b, q * n->block.images, line % n->h.in, 0);
    char *to = b_tile(t, line, start);
    if (g->in == tg_b_columns(g) && stride == g->in) {
        const int columns = (int)(imax(0, end - start) * stride);
        t->mk->load_b(from + start * stride, n->shape.image * stride, (int)images, 0, columns, columns,
                      (uint16_t *)(void *)to);
        return;
    }
    for (int64_t i = start; i < end; i++, to += tg_b_tile(g)) {
        const int64_t w = g->gather ? tg_tap_position(&n->w_axis, i, 0) : i;
        load_b_tile(t, from + w * stride, images, imin(g->width, imax(0, -w) * g->in),
                    imin(g->width, imax(0, n->w_axis.in - w) * g->in), to);
    }
}

/* Packs the lines of x that the chunk reads, from the first to the last; its ends may read no line of an image. */
static void load_b(task *t, chunk c)
{
    const tg_nest *n = &t->g->n;
    const tg_axis *h = &n->h;
    const int64_t line0 = c.start / n->w_axis.out, line1 = (c.end - 1) / n->w_axis.out;
    const int64_t first = imin(h->in, imax(0, tg_tap_position(h, line0 % h->out, 0)));
    const int64_t last = imin(h->in - 1, imax(-1, tg_tap_position(h, line1 % h->out, h->taps - 1)));
    t->next = imax(t->next, line0 / h->out * h->in + first);
    for (; t->next <= line1 / h->out * h->in + last; t->next++) load_line(t, t->next);
}

static char *a_panel(const task *t, int64_t panel) { return t->a + (panel - t->a0) * t->g->chunk * tg_a_tile(t->g); }

static int rows_of(const tg_grad_w_tiles *g, int64_t panel) { return (int)imin(g->rows, g->out - panel * g->rows); }

/* Packs `pixels` of a line, from column `ow` on, to tiles from number `at` on. */
static void load_a_line(const task *t, int64_t line, int64_t ow, int64_t pixels, int64_t at)
{
    const tg_grad_w_tiles *g = t->g;
    const tg_nest *n = &g->n;
    const int64_t q = line / n->h.out, pixel = n->shape.groups * g->out, image = n->h.out * n->w_axis.out * pixel;
    const int64_t place = (q * n->block.images * n->h.out + line % n->h.out) * n->w_axis.out + ow;
    const uint16_t *from = (const uint16_t *)t->d->gy + place * pixel + t->group * g->out;
    char *to = t->a + at * tg_a_tile(g);
    if (g->out == g->rows && pixel == g->out) {
        t->mk->load_a(from, image, images_of(g, q), (int)(pixels * pixel), (uint16_t *)(void *)to);
        return;
    }
    for (int64_t i = 0; i < pixels; i++, from += pixel, to += tg_a_tile(g))
        for (int64_t s = t->a0; s < t->a1; s++)
            t->mk->load_a(from + s * g->rows, image, images_of(g, q), rows_of(g, s),
                          (uint16_t *)(void *)(to + (s - t->a0) * g->chunk * tg_a_tile(g)));
}

static void load_a(const task *t, chunk c)
{
    const int64_t width = t->g->n.w_axis.out;
    for (int64_t i = c.start, next; i < c.end; i = next) {
        next = imin(c.end, (i / width + 1) * width);
        load_a_line(t, i / width, i % width, next - i, i - c.start);
    }
}

/* ---- products ---- */

/* Pairs the pixels of a chunk with those that a tap reads; returns how many. */
static int steps_of(const task *t, chunk c, int64_t kh, int64_t kw, tg_tile_step *to)
{
    const tg_grad_w_tiles *g = t->g;
    const tg_nest *n = &g->n;
    int64_t line = c.start / n->w_axis.out, ow = c.start % n->w_axis.out, h, w;
    bool inside = tg_meets(&n->h, line % n->h.out, kh, &h);
    int count = 0;
    for (int64_t i = c.start; i < c.end; i++, ow++) {
        if (ow == n->w_axis.out) {
            ow = 0;
            inside = tg_meets(&n->h, ++line % n->h.out, kh, &h);
        }
        const bool meets = tg_meets(&n->w_axis, ow, kw, &w);
        if (g->gather) w = ow;
        if (!inside || !(meets || g->gather || g->merged)) continue;
        to[count++] =
            (tg_tile_step){ (i - c.start) * tg_a_tile(g), b_tile(t, line / n->h.out * n->h.in + h, w) - t->b };
    }
    return count;
}

static void make_steps(task *t, chunk c)
{
    const tg_grad_w_tiles *g = t->g;
    for (int64_t kh = 0; kh < g->n.h.taps; kh++)
        for (int64_t kw = 0; kw < g->taps; kw += tg_tap_step(g)) {
            const int64_t i = kh * g->taps + kw;
            t->count[i] = steps_of(t, c, kh, kw, t->steps + i * g->chunk);
        }
}

/* Micro-panel a times micro-panel b at tap (kh, kw). */
static tg_tile_product product_of(const task *t, int64_t a, int64_t kh, int64_t kw, int64_t b)
{
    const tg_grad_w_tiles *g = t->g;
    const int64_t first = b * tg_b_columns(g);
    const int64_t block = (a * g->n.h.taps + kh) * g->all.macro + b * g->taps + kw / tg_tap_step(g);
    tg_tile_product p = {
        .m = rows_of(g, a),
        .a = a_panel(t, a),
        .b_stride = TG_B_TILE,
        .b = t->b + (b - t->b0) * b_panel_bytes(g),
        .add = t->started,
    };
    p.n = (int)imin(tg_b_columns(g), g->width - first);
    if (g->merged) {
        p.n = (int)imin(g->wide, g->taps - kw) * TG_TILE;
        p.b_stride = g->n.w_axis.step * tg_b_tile(g);
    }
    p.row = g->direct ? g->depth : TG_TILE * (g->merged ? g->wide : g->tiles);
    p.c = t->sums + block * TG_MACRO_TILE;
    if (g->direct)
        p.c = t->d->gw + (t->group * g->out + a * g->rows) * g->depth + (kh * g->n.w_axis.taps + kw) * g->in + first;
    p.step = t->steps + (kh * g->taps + kw) * g->chunk;
    p.count = t->count[kh * g->taps + kw];
    return p;
}

static void add_chunk(task *t, chunk c)
{
    const tg_grad_w_tiles *g = t->g;
    tg_tile_product last = { .c = NULL };
    load_b(t, c);
    load_a(t, c);
    make_steps(t, c);
    for (int64_t a = t->a0; a < t->a1; a++)
        for (int64_t kh = 0; kh < g->n.h.taps; kh++)
            for (int64_t kw = 0; kw < g->taps; kw += tg_tap_step(g))
                for (int64_t b = t->b0; b < t->b1; b++) {
                    const tg_tile_product p = product_of(t, a, kh, kw, b);
                    if (last.c) t->mk->run(&last, p.c);
                    last = p;
                }
    t->mk->run(&last, last.c);
    t->started = true;
}

/* Adds the task's lines line0 to line1 - 1 of gy, in the stripe from column `column` on. */
static void add_stripe(task *t, int64_t line0, int64_t line1, int64_t column)
{
    const tg_grad_w_tiles *g = t->g;
    const int64_t width = g->n.w_axis.out, lines = imax(1, g->chunk / width);
    t->column0 = column;
    t->column1 = imin(width, column + g->stripe);
    t->w0 = tg_tap_position(&g->n.w_axis, column, 0);
    if (!g->merged) t->w0 = imax(0, t->w0);
    else memset(t->b, 0, g->bytes.b);
    t->next = 0;
    for (int64_t line = line0; line < line1; line += lines) {
        const int64_t last = (imin(line1, line + lines) - 1) * width;
        for (; column < t->column1; column += g->chunk)
            add_chunk(t, (chunk){ line * width + column, last + imin(t->column1, column + g->chunk) });
        column = t->column0;
    }
}

/* Repairs the columns of a kernel line of gw in these micro-panels. */
static void mend_rows(const tg_grad_w_tiles *g, const tg_grad_w_data *d, int64_t group, int64_t a, int64_t b0,
                      int64_t b1, int64_t kh)
{
    const int64_t line = g->n.w_axis.taps * g->in;
    const int64_t first = g->merged ? 0 : b0 * tg_b_columns(g);
    const int64_t end = g->merged ? line : imin(line, b1 * tg_b_columns(g));
    for (int64_t r = 0; r < rows_of(g, a); r++)
        tg_mend_grad_w(&g->n.shape, d, group, a * g->rows + r, kh * line + first, kh * line + end);
}

static void mend_panels(const task *t)
{
    for (int64_t a = t->a0; a < t->a1; a++)
        for (int64_t kh = 0; kh < t->g->n.h.taps; kh++) mend_rows(t->g, t->d, t->group, a, t->b0, t->b1, kh);
}

static void add_lines(const tg_grad_w_tiles *g, const tg_grad_w_data *d, const tg_task *of)
{
    int64_t index = of->index;
    const int64_t a = tg_digit(&index, g->parts.a), b = tg_digit(&index, g->parts.b);
    const int64_t part = tg_digit(&index, g->parts.lines), group = index, all = tg_all_lines(g);
    char *const scratch = of->scratch;
    task t = {
        .g = g, .d = d, .mk = g->n.shape.mk->tile_gemm, .group = group, .a = scratch, .b = scratch + g->bytes.a
    };
    t.steps = (tg_tile_step *)(void *)(t.b + g->bytes.b);
    t.count = (int32_t *)(void *)(scratch + g->bytes.a + g->bytes.b + g->bytes.steps);
    t.a0 = a * g->task.a, t.a1 = imin(g->all.a, t.a0 + g->task.a);
    t.b0 = b * g->task.b, t.b1 = imin(g->all.b, t.b0 + g->task.b);
    t.sums = (float *)of->shared +
             (part * g->n.shape.groups + group) * g->all.a * g->n.h.taps * g->all.macro * TG_MACRO_TILE;
    for (int64_t column = 0; column < g->n.w_axis.out; column += g->stripe)
        add_stripe(&t, all * part / g->parts.lines, all * (part + 1) / g->parts.lines, column);
    t.mk->leave();
    if (g->direct && g->mends) mend_panels(&t);
}

/* ---- the total ---- */

/* Adds up `rows` x n elements of gw from a macro-tile of each part. */
static void total_tile(const float *tile, int64_t row, int64_t parts, int64_t stride, int64_t rows, int64_t n,
                       float *gw, int64_t gw_row)
{
    for (int64_t r = 0; r < rows; r++, tile += row, gw += gw_row) {
        const float *from = tile;
        memcpy(gw, from, (size_t)n * sizeof *gw);
        for (int64_t part = 1; part < parts; part++) {
            from += stride;
            for (int64_t j = 0; j < n; j++) gw[j] += from[j];
        }
    }
}

/* The same of joined groups, which are one micro-panel by one: of each row, the channels of its own group. */
static void total_joined(const tg_grad_w_tiles *g, const float *tile, int64_t row, int64_t stride, int64_t kh,
                         float *gw)
{
    const int64_t in = g->in / g->n.shape.joined, out = g->out / g->n.shape.joined, taps = g->n.h.taps * g->taps;
    for (int64_t kw = 0; kw < g->taps; kw++, tile += TG_MACRO_TILE)
        for (int64_t r = 0; r < g->out; r++)
            total_tile(tile + r * row + r / out * in, row, g->parts.lines, stride, 1, in,
                       gw + (r * taps + kh * g->taps + kw) * in, in);
}

/* A micro-panel's rows of gw, at one kernel line. */
static void total(const tg_grad_w_tiles *g, const tg_grad_w_data *d, const tg_task *t)
{
    int64_t index = t->index;
    const int64_t kh = tg_digit(&index, g->n.h.taps), panel = tg_digit(&index, g->all.a), group = index;
    const int64_t row = TG_TILE * (g->merged ? g->wide : g->tiles), columns = tg_b_columns(g), in = g->in;
    const int64_t stride = g->n.shape.groups * g->all.a * g->n.h.taps * g->all.macro * TG_MACRO_TILE;
    const float *tile =
        (const float *)t->shared + ((group * g->all.a + panel) * g->n.h.taps + kh) * g->all.macro * TG_MACRO_TILE;
    if (g->n.shape.joined > 1) {
        const int64_t taps = g->n.h.taps * g->taps;
        total_joined(g, tile, row, stride, kh, d->gw + group * g->out * taps * in / g->n.shape.joined);
        return;
    }
    float *const gw = d->gw + (group * g->out + panel * g->rows) * g->depth + kh * g->n.w_axis.taps * in;
    for (int64_t b = 0; b < g->all.b; b++)
        for (int64_t kw = 0; kw < g->taps; kw += tg_tap_step(g), tile += TG_MACRO_TILE) {
            const int64_t taps = imin(g->wide, g->taps - kw), left = g->width - b * columns;
            const int64_t n = g->merged ? taps * in : imin(columns, left);
            total_tile(tile, row, g->parts.lines, stride, rows_of(g, panel), n, gw + kw * in + b * columns, g->depth);
        }
    if (g->mends) mend_rows(g, d, group, panel, 0, g->all.b, kh);
}

void tg_grad_w_tiles_run(const tg_grad_w_tiles *g, const tg_grad_w_data *d, const tg_task *t)
{
    if (t->phase == 0) add_lines(g, d, t);
    else total(g, d, t);
}
