/* grad_w_run.c - one task of backward-weights: sums of some panels over some blocks of pixels; then their total. */
#include "grad_w.h"

typedef struct {
    const tg_grad_w *g;
    tg_block  block;
    int64_t   together;                 /* blocks of images in it */
    int64_t   panel0, panel1;
    char     *a, *b;
    int64_t   b_panel;                  /* bytes from panel to panel of B */
    tg_brick *bricks;
    float    *sums;                     /* of panel 0 of the group */
    bool      started;                  /* the sums hold something */
} task;

/* ---- a block ---- */

/* Block number i of all: lines and columns run fastest. */
static void set_block(task *t, int64_t group, int64_t i)
{
    const tg_grad_w *g = t->g;
    const tg_nest   *n = &g->n;
    const int64_t    column = tg_digit(&i, n->blocks[2]), line = tg_digit(&i, n->blocks[1]);
    const int64_t    whole = n->images / n->nb, first = tg_least(i * g->together, whole);
    t->together = first < whole ? tg_least(g->together, whole - first) : 1;
    t->block = tg_block_of(n, group, first * n->nb, line * n->lines, column * n->columns);
    if (g->places) t->block.w0 = tg_most(t->block.w0, 0);
}

static int64_t lines_of(const task *t)
{
    return tg_most(0, tg_least(t->g->n.span[0], t->g->n.h.in - t->block.h0));
}

/* Tiles of A across: input columns, or if gathered output columns. */
static int64_t across(const task *t) { return t->g->gather ? t->g->n.columns : t->g->n.span[1]; }

static char *a_tile(const task *t, int64_t q, int64_t h, int64_t w)
{
    return t->a + (size_t)((q * t->g->n.span[0] + h) * across(t) + w) * t->g->tile.a_bytes;
}

static char *b_tile(const task *t, int64_t panel, int64_t i)
{
    return t->b + (panel - t->panel0) * t->b_panel + i * (int64_t)t->g->tile.b_bytes;
}

/* The channels of a pixel of x, or of all pixels that the taps of a kernel line meet from output column w on. */
static void load_a_tile(const task *t, int64_t q, int64_t h, int64_t w)
{
    const tg_nest  *n = &t->g->n;
    const tg_block *b = &t->block;
    const int64_t   in = n->p.in, first = t->g->gather ? tg_place(&n->w_axis, b->column0 + w, 0) : b->w0 + w;
    const int64_t   lead = tg_least(t->g->rows, tg_most(0, -first) * in);
    const int64_t   end = tg_most(0, tg_least(t->g->rows, (n->w_axis.in - first) * in));
    const char     *from = tg_pixel(b, b->image + q * n->nb, b->h0 + h, 0);
    from += first * n->groups * n->w_axis.apart * in * (int64_t)tg_dtype_size(n->x->dtype);
    n->mk->load_a(from, n->x->dtype, n->image * n->groups * in, (int)b->images, (int)lead, (int)end, (int)t->g->rows,
                  a_tile(t, q, h, w));
}

static void load_a(task *t)
{
    if (!t->g->places) {
        tg_block_load(&t->block, t->a);
        return;
    }
    const tg_nest *n = &t->g->n;
    const int64_t  width = t->g->gather ? t->block.column1 - t->block.column0 : tg_least(n->span[1], n->w_axis.in - t->block.w0);
    for (int64_t q = 0; q < t->together; q++)
        for (int64_t h = 0; h < lines_of(t); h++)
            for (int64_t w = 0; w < width; w++) load_a_tile(t, q, h, w);
}

/* The columns of a panel, of images at an output pixel or of the pixels of a line from there on. */
static void load_b_tile(const task *t, int64_t panel, int64_t q, int64_t oh, int64_t ow, int64_t i)
{
    const tg_nest  *n = &t->g->n;
    const tg_block *b = &t->block;
    const int64_t   channels = n->p.out * n->groups, first = panel * TG_PANEL, width = n->w_axis.out;
    const int64_t   image = b->image + q * n->nb, pixel = (image * n->h.out + oh) * width + ow;
    const char     *from = (const char *)tg_ptr(n->y) +
                       (size_t)(pixel * channels + b->group * n->p.out + first) * tg_dtype_size(n->y->dtype);
    const int64_t   k = t->g->places ? b->images : b->column1 - b->column0;
    n->mk->load_b(from, n->y->dtype, t->g->places ? n->h.out * width * channels : channels, (int)k,
                  (int)tg_least(TG_PANEL, n->p.out - first), b_tile(t, panel, i));
}

static void load_b(const task *t)
{
    const tg_block *b = &t->block;
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t q = 0, i = 0; q < t->together; q++)
            for (int64_t oh = b->line0; oh < b->line1; oh++)
                for (int64_t ow = b->column0; ow < (t->g->places ? b->column1 : b->column0 + 1); ow++, i++)
                    load_b_tile(t, panel, q, oh, ow, i);
}

/* ---- products ---- */

/* A line of gy with the line of x that a tap meets, where it is inside. */
static int line_bricks(const task *t, int64_t panel, int64_t kh, int64_t kw)
{
    const tg_nest  *n = &t->g->n;
    const tg_block *b = &t->block;
    int             count = 0;
    for (int64_t oh = b->line0; oh < b->line1; oh++) {
        int64_t h;
        if (!tg_meets(&n->h, oh, kh, &h)) continue;
        t->bricks[count++] = (tg_brick){ tg_a_at(b, h, tg_place(&n->w_axis, b->column0, kw)),
                                         b_tile(t, panel, oh - b->line0) };
    }
    return count;
}

static int place_bricks(const task *t, int64_t panel, int64_t kh, int64_t kw)
{
    const tg_nest  *n = &t->g->n;
    const tg_block *b = &t->block;
    int             count = 0;
    for (int64_t q = 0, i = 0; q < t->together; q++)
        for (int64_t oh = b->line0; oh < b->line1; oh++)
            for (int64_t ow = b->column0; ow < b->column1; ow++, i++) {
                int64_t h, w = ow;
                if (!tg_meets(&n->h, oh, kh, &h)) continue;
                if (!t->g->gather && !tg_meets(&n->w_axis, ow, kw, &w)) continue;
                const int64_t column = t->g->gather ? ow - b->column0 : w - b->w0;
                t->bricks[count++] = (tg_brick){ a_tile(t, q, h - b->h0, column), b_tile(t, panel, i) };
            }
    return count;
}

/* Rows of gw's panel from tap (kh, kw) on. */
static void product(const task *t, int64_t panel, int64_t kh, int64_t kw)
{
    const tg_grad_w *g = t->g;
    const tg_nest   *n = &g->n;
    const tg_block  *b = &t->block;
    float *const     sums = t->sums + (panel * g->depth + (kh * n->p.kernel[1] + kw) * n->p.in) * TG_PANEL;
    const tg_places  tile = n->mk->places_of((int)g->rows, (int)(g->places ? b->images : b->column1 - b->column0));
    const tg_brgemm  p = { .m = (int)g->rows, .n = (int)tg_least(TG_PANEL, n->p.out - panel * TG_PANEL),
                           .k = tile.k, .row = g->places ? tile.row : 1,
                           .step = g->places ? tile.step : n->w_axis.num * n->pitch, .from = t->started ? sums : NULL,
                           .from_row = TG_PANEL, .c = sums, .c_row = TG_PANEL, .store = TG_F32 };
    n->mk->run(&p, t->bricks, (g->places ? place_bricks : line_bricks)(t, panel, kh, kw));
}

static void add_block(task *t, int64_t group, int64_t i)
{
    const tg_nest *n = &t->g->n;
    const int64_t  taps = t->g->rows > n->p.in ? 1 : n->p.kernel[1];
    set_block(t, group, i);
    load_a(t);
    load_b(t);
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t kh = 0; kh < n->p.kernel[0]; kh++)
            for (int64_t kw = 0; kw < taps; kw++) product(t, panel, kh, kw);
    t->started = true;
}

static void add_blocks(const tg_grad_w *g, const tg_task *task_)
{
    const tg_nest *n = &g->n;
    int64_t        index = task_->index;
    const int64_t  panels = tg_digit(&index, g->panel_parts), part = tg_digit(&index, g->parts), group = index;
    const int64_t  all = g->image_blocks * g->pixel_blocks, panel = n->p.count * g->depth * TG_PANEL;
    char *const    room = task_->scratch;
    const int64_t  tiles = g->places ? n->lines * n->columns * g->together : n->lines;
    task           t = { .g = g, .a = room, .b = room + g->a_bytes, .b_panel = tiles * (int64_t)g->tile.b_bytes };
    t.bricks = (tg_brick *)(void *)(room + g->a_bytes + g->b_bytes);
    t.sums = (float *)task_->shared + (part * n->groups + group) * panel;
    t.panel0 = panels * g->panels;
    t.panel1 = tg_least(n->p.count, t.panel0 + g->panels);
    for (int64_t i = all * part / g->parts; i < all * (part + 1) / g->parts; i++) add_block(&t, group, i);
    if (n->mk->leave) n->mk->leave();
}

/* ---- the total ---- */

enum { SIDE = 16 };

/* Up to SIDE x SIDE of the sums, added up part by part, become as many of gw, transposed. */
static void total_tile(const tg_grad_w *g, const float *part, int64_t step, int rows, int columns, float *gw)
{
    float sum[SIDE][SIDE];
    for (int k = 0; k < rows; k++)
        for (int j = 0; j < columns; j++) sum[k][j] = part[k * TG_PANEL + j];
    for (int64_t i = 1; i < g->parts; i++)
        for (int k = 0; k < rows; k++)
            for (int j = 0; j < columns; j++) sum[k][j] += part[i * step + k * TG_PANEL + j];
    for (int j = 0; j < columns; j++)
        for (int k = 0; k < rows; k++) gw[j * g->depth + k] = sum[k][j];
}

static void total(const tg_grad_w *g, const tg_task *t)
{
    const tg_nest *n = &g->n;
    int64_t        index = t->index;
    const int64_t  k0 = tg_digit(&index, tg_div_up(g->depth, TG_TOTAL_ROWS)) * TG_TOTAL_ROWS;
    const int64_t  panel = tg_digit(&index, n->p.count), group = index, step = n->groups * n->p.count * g->depth * TG_PANEL;
    const int64_t  k1 = tg_least(g->depth, k0 + TG_TOTAL_ROWS), columns = tg_least(TG_PANEL, n->p.out - panel * TG_PANEL);
    const float   *part = (const float *)t->shared + (group * n->p.count + panel) * g->depth * TG_PANEL;
    float *const   gw = (float *)tg_ptr(n->w) + (group * n->p.out + panel * TG_PANEL) * g->depth;
    for (int64_t k = k0; k < k1; k += SIDE)
        for (int64_t j = 0; j < columns; j += SIDE)
            total_tile(g, part + k * TG_PANEL + j, step, (int)tg_least(SIDE, k1 - k), (int)tg_least(SIDE, columns - j),
                       gw + j * g->depth + k);
}

void tg_grad_w_run(const tg_grad_w *g, const tg_task *t)
{
    if (t->phase == 0) add_blocks(g, t);
    else total(g, t);
}
