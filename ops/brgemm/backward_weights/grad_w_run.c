/* grad_w_run.c - one task of backward-weights: sums of some panels over some blocks of pixels; then their total. */
#include "grad_w.h"
#include "mend.h"
#include <string.h>

typedef struct {
    const tg_grad_w *g;
    const tg_grad_w_data *d;
    tg_block block;
    int64_t together; /* how many blocks of images it has */
    int64_t panel0, panel1;
    char *a, *b;
    tg_batch_element *batch;
    float *sums;  /* of panel 0 of the group */
    bool started; /* the sums hold something */
} task;

/* ---- a block ---- */

/* Moves to block number i of all: columns, then lines run fastest. */
static void set_block(task *t, int64_t group, int64_t i)
{
    const tg_grad_w *g = t->g;
    const tg_nest *n = &g->n;
    const int64_t column = tg_digit(&i, n->blocks.columns), line = tg_digit(&i, n->blocks.lines);
    const int64_t whole = n->shape.images / n->block.images, first = imin(i * g->together, whole);
    t->together = first < whole ? imin(g->together, whole - first) : 1;
    t->block =
        tg_block_of(n, t->d->x, group, first * n->block.images, line * n->block.lines, column * n->block.columns);
    if (g->packs && !tg_gathers_lines(g)) t->block.w0 = imax(t->block.w0, 0);
}

static int64_t lines_of(const task *t) { return imax(0, imin(t->g->n.a.lines, t->g->n.h.in - t->block.h0)); }

static bool k_is_images(const task *t) { return t->g->packs && !t->g->along; }

static char *a_piece(const task *t, int64_t q, int64_t h, int64_t w)
{
    return t->a + (size_t)((q * t->g->n.a.lines + h) * t->g->pieces.across + w) * t->g->packed.a_bytes;
}

static char *b_piece(const task *t, int64_t panel, int64_t i)
{
    return t->b + (panel - t->panel0) * t->g->pieces.b_panel + i * (int64_t)t->g->pieces.b_line;
}

/* The channels of a pixel of x; or, gathered, of all pixels that the taps of a kernel line read for output column w. */
static void load_pixel(const task *t, int64_t q, int64_t h, int64_t w)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    const int64_t in = n->p.in, first = t->g->gather ? tg_tap_position(&n->w_axis, b->column0 + w, 0) : b->w0 + w;
    const int64_t lead = imin(t->g->rows, imax(0, -first) * in);
    const int64_t end = imax(0, imin(t->g->rows, (n->w_axis.in - first) * in));
    const char *from = tg_pixel(b, b->image + q * n->block.images, b->h0 + h, 0);
    from += first * n->shape.groups * n->w_axis.memory_stride * in * (int64_t)tg_dtype_size(n->shape.x_dtype);
    n->shape.mk->load_a(from, n->shape.x_dtype, n->shape.image * n->shape.groups * in, (int)b->images, (int)lead,
                        (int)end, (int)t->g->rows, a_piece(t, q, h, w));
}

/* Pixels of a line, from w0 on, that the block reads. */
static int64_t width_of(const task *t)
{
    const tg_nest *n = &t->g->n;
    if (t->g->gather) return t->block.column1 - t->block.column0;
    return imax(0, imin(n->a.columns, n->w_axis.in - t->block.w0));
}

/* The pixels of a line that the taps read, every num-th to one piece, with zeros outside the image. */
static void load_paired_line(const task *t, int64_t h)
{
    const tg_nest *n = &t->g->n;
    const tg_axis *a = &n->w_axis;
    const int64_t first = t->block.column0 + tg_shift(a, 0), last = t->block.column1 + tg_shift(a, a->taps - 1);
    const int64_t stride = a->num * a->memory_stride * n->shape.groups * n->p.in, row = t->g->packed.row,
                  start = imax(first, 0);
    for (int64_t phase = 0; phase < a->num; phase++) {
        const int64_t end = imin(last, tg_floor_div(a->in - 1 - phase, a->num) + 1);
        uint16_t *to = (uint16_t *)(void *)a_piece(t, 0, h, phase);
        memset(to, 0, t->g->packed.a_bytes);
        if (start < end)
            n->shape.mk->load_line(tg_pixel(&t->block, t->block.image, t->block.h0 + h, start * a->num + phase), stride,
                                   (int)(end - start), (int)t->g->rows, row, to + (start - first));
    }
}

/* First the lines with zeros beside them; then from these the pixels that output columns read through all taps. */
static void load_gathered_lines(task *t)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    const int64_t first = tg_tap_position(&n->w_axis, b->column0, 0), columns = b->column1 - b->column0;
    tg_block_load(&t->block, t->a + t->g->pieces.a_bytes);
    for (int64_t h = 0; h < lines_of(t); h++) {
        char *const to = a_piece(t, 0, h, 0);
        memset(to, 0, t->g->packed.a_bytes);
        n->shape.mk->load_line(tg_a_at(b, b->h0 + h, first), n->w_axis.num * n->a.pitch, (int)columns, (int)t->g->rows,
                               t->g->packed.row, to);
    }
}

static void load_a(task *t)
{
    const tg_nest *n = &t->g->n;
    const int64_t width = width_of(t), in = n->p.in;
    if (!t->g->packs) {
        tg_block_load(&t->block, t->a);
        return;
    }
    if (t->g->paired) {
        if (tg_gathers_lines(t->g)) load_gathered_lines(t);
        else
            for (int64_t h = 0; h < lines_of(t); h++) load_paired_line(t, h);
        return;
    }
    for (int64_t q = 0; q < t->together; q++)
        for (int64_t h = 0; h < lines_of(t) && width; h++)
            if (t->g->along)
                n->shape.mk->load_a(tg_pixel(&t->block, t->block.image, t->block.h0 + h, t->block.w0), n->shape.x_dtype,
                                    n->w_axis.memory_stride * n->shape.groups * in, (int)width, 0, (int)in, (int)in,
                                    a_piece(t, 0, h, 0));
            else
                for (int64_t w = 0; w < width; w++) load_pixel(t, q, h, w);
}

/* The columns of a panel: of images at an output pixel, or of the pixels of a line from there on. */
static void load_b_piece(const task *t, int64_t panel, int64_t q, int64_t oh, int64_t ow, int64_t i)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    const int64_t channels = n->p.out * n->shape.groups, first = panel * TG_PANEL, width = n->w_axis.out;
    const int64_t image = b->image + q * n->block.images, pixel = (image * n->h.out + oh) * width + ow;
    const char *from = (const char *)t->d->gy +
                       (size_t)(pixel * channels + b->group * n->p.out + first) * tg_dtype_size(n->shape.y_dtype);
    const int64_t k = k_is_images(t) ? b->images : b->column1 - b->column0;
    n->shape.mk->load_b(from, n->shape.y_dtype, k_is_images(t) ? n->h.out * width * channels : channels, (int)k,
                        (int)imin(TG_PANEL, n->p.out - first), b_piece(t, panel, i));
}

static void load_b(const task *t)
{
    const tg_block *b = &t->block;
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t q = 0, i = 0; q < t->together; q++)
            for (int64_t oh = b->line0; oh < b->line1; oh++)
                for (int64_t ow = b->column0; ow < (k_is_images(t) ? b->column1 : b->column0 + 1); ow++, i++)
                    load_b_piece(t, panel, q, oh, ow, i);
}

/* ---- the batch of a product, and k of each element ---- */

/* Lines of gy, with the lines of x that a tap reads, if they are inside. */
static int line_batch(const task *t, int64_t panel, int64_t kh, int64_t kw, tg_brgemm *p)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    int count = 0;
    p->k = b->column1 - b->column0;
    p->step = n->w_axis.num * n->a.pitch;
    for (int64_t oh = b->line0; oh < b->line1; oh++) {
        int64_t h;
        if (!tg_meets(&n->h, oh, kh, &h)) continue;
        t->batch[count++] = (tg_batch_element){ .a = tg_a_at(b, h, tg_tap_position(&n->w_axis, b->column0, kw)),
                                                .b = b_piece(t, panel, oh - b->line0) };
    }
    return count;
}

/* The same with packed lines, for the columns in which the tap is inside. */
static int along_batch(const task *t, int64_t panel, int64_t kh, int64_t kw, tg_brgemm *p)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    const tg_axis *a = &n->w_axis;
    const int64_t tap = tg_tap_position(a, 0, kw), start = imax(b->column0, ceil_div(imax(0, -tap), a->num));
    const int64_t end = imin(b->column1, tg_floor_div(a->in - 1 - tap, a->num) + 1);
    const size_t size = tg_a_size(n), a_at = (size_t)((tg_tap_position(a, start, kw) - b->w0) * p->step) * size;
    const size_t b_at = (size_t)((start - b->column0) * TG_PANEL) * size;
    int count = 0;
    p->k = end - start;
    p->step *= a->num;
    for (int64_t oh = b->line0; oh < b->line1 && start < end; oh++) {
        int64_t h;
        if (!tg_meets(&n->h, oh, kh, &h)) continue;
        t->batch[count++] =
            (tg_batch_element){ .a = a_piece(t, 0, h - b->h0, 0) + a_at, .b = b_piece(t, panel, oh - b->line0) + b_at };
    }
    return count;
}

/* The same with each channel's pixels side by side. */
static int paired_batch(const task *t, int64_t panel, int64_t kh, int64_t kw, tg_brgemm *p)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    const tg_axis *a = &n->w_axis;
    const int64_t shift = tg_shift(a, kw), phase = t->g->gather ? 0 : tg_tap_position(a, 0, kw) - shift * a->num;
    int count = 0;
    p->k = b->column1 - b->column0;
    for (int64_t oh = b->line0; oh < b->line1; oh++) {
        int64_t h;
        if (!tg_meets(&n->h, oh, kh, &h)) continue;
        const uint16_t *line = (const uint16_t *)(const void *)a_piece(t, 0, h - b->h0, phase);
        t->batch[count++] =
            (tg_batch_element){ .a = line + (shift - tg_shift(a, 0)), .b = b_piece(t, panel, oh - b->line0) };
    }
    return count;
}

static int image_batch(const task *t, int64_t panel, int64_t kh, int64_t kw)
{
    const tg_nest *n = &t->g->n;
    const tg_block *b = &t->block;
    int count = 0;
    for (int64_t q = 0, i = 0; q < t->together; q++)
        for (int64_t oh = b->line0; oh < b->line1; oh++)
            for (int64_t ow = b->column0; ow < b->column1; ow++, i++) {
                int64_t h, w = ow;
                if (!tg_meets(&n->h, oh, kh, &h)) continue;
                if (!t->g->gather && !tg_meets(&n->w_axis, ow, kw, &w)) continue;
                const int64_t column = t->g->gather ? ow - b->column0 : w - b->w0;
                t->batch[count++] =
                    (tg_batch_element){ .a = a_piece(t, q, h - b->h0, column), .b = b_piece(t, panel, i) };
            }
    return count;
}

/* Adds to the rows of gw's panel from tap (kh, kw) on. */
static void product(const task *t, int64_t panel, int64_t kh, int64_t kw)
{
    const tg_grad_w *g = t->g;
    const tg_nest *n = &g->n;
    float *const sums = t->sums + (panel * g->depth + (kh * n->p.kernel[1] + kw) * n->p.in) * TG_PANEL;
    const tg_packed_sizes sizes =
        g->paired ? g->packed
                  : n->shape.mk->packed_sizes((int)g->rows, (int)(g->along ? width_of(t) : t->block.images));
    const int64_t columns = ceil_div(n->p.out - panel * TG_PANEL, 16) * 16;
    tg_brgemm p = {
        .m = (int)g->rows,
        .n = (int)imin(TG_PANEL, columns),
        .k = sizes.k,
        .row = g->packs ? sizes.row : 1,
        .step = sizes.step,
        .from = t->started ? sums : NULL,
        .from_row = TG_PANEL,
        .c = sums,
        .c_row = TG_PANEL,
        .store = TG_F32,
    };
    const int count = !g->packs   ? line_batch(t, panel, kh, kw, &p)
                      : g->paired ? paired_batch(t, panel, kh, kw, &p)
                      : g->along  ? along_batch(t, panel, kh, kw, &p)
                                  : image_batch(t, panel, kh, kw);
    tg_run_a_panels(n->shape.mk, p, g->packs ? sizes.panel_stride : 0, t->batch, count);
}

static void add_block(task *t, int64_t group, int64_t i)
{
    const tg_nest *n = &t->g->n;
    const int64_t taps = t->g->rows > n->p.in ? 1 : n->p.kernel[1];
    set_block(t, group, i);
    load_a(t);
    load_b(t);
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t kh = 0; kh < n->p.kernel[0]; kh++)
            for (int64_t kw = 0; kw < taps; kw++) product(t, panel, kh, kw);
    t->started = true;
}

static void add_blocks(const tg_grad_w *g, const tg_grad_w_data *d, const tg_task *of)
{
    const tg_nest *n = &g->n;
    int64_t index = of->index;
    const int64_t panels = tg_digit(&index, g->panel_parts), part = tg_digit(&index, g->parts), group = index;
    const int64_t all = g->image_blocks * g->pixel_blocks, panel = n->p.count * g->depth * TG_PANEL;
    char *const scratch = of->scratch;
    task t = { .g = g, .d = d, .a = scratch, .b = scratch + g->bytes.a };
    t.batch = (tg_batch_element *)(void *)(scratch + g->bytes.a + g->bytes.b);
    t.sums = (float *)of->shared + (part * n->shape.groups + group) * panel;
    t.panel0 = panels * g->panels;
    t.panel1 = imin(n->p.count, t.panel0 + g->panels);
    for (int64_t i = all * part / g->parts; i < all * (part + 1) / g->parts; i++) add_block(&t, group, i);
    if (n->shape.mk->leave) n->shape.mk->leave();
}

/* ---- the total ---- */

enum { SIDE = 16 };

/* Adds up the parts of some sums and stores them to gw, transposed. */
static inline __attribute__((always_inline)) void total_of(const tg_grad_w *g, const float *part, int64_t step,
                                                           int rows, int columns, float *gw)
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

static void total_tile(const tg_grad_w *g, const float *part, int64_t step, int rows, int columns, float *gw)
{
    if (rows == SIDE && columns == SIDE) total_of(g, part, step, SIDE, SIDE, gw);
    else total_of(g, part, step, rows, columns, gw);
}

static void total(const tg_grad_w *g, const tg_grad_w_data *d, const tg_task *t)
{
    const tg_nest *n = &g->n;
    int64_t index = t->index;
    const int64_t k0 = tg_digit(&index, ceil_div(g->depth, TG_TOTAL_ROWS)) * TG_TOTAL_ROWS;
    const int64_t panel = tg_digit(&index, n->p.count), group = index;
    const int64_t step = n->shape.groups * n->p.count * g->depth * TG_PANEL;
    const int64_t columns = imin(TG_PANEL, n->p.out - panel * TG_PANEL);
    const int64_t k1 = imin(g->depth, k0 + TG_TOTAL_ROWS);
    const float *part = (const float *)t->shared + (group * n->p.count + panel) * g->depth * TG_PANEL;
    float *const gw = d->gw + (group * n->p.out + panel * TG_PANEL) * g->depth;
    for (int64_t k = k0; k < k1; k += SIDE)
        for (int64_t j = 0; j < columns; j += SIDE)
            total_tile(g, part + k * TG_PANEL + j, step, (int)imin(SIDE, k1 - k), (int)imin(SIDE, columns - j),
                       gw + j * g->depth + k);
    for (int64_t j = 0; j < columns && g->mends; j++) tg_mend_grad_w(&n->shape, d, group, panel * TG_PANEL + j, k0, k1);
}

void tg_grad_w_run(const tg_grad_w *g, const tg_grad_w_data *d, const tg_task *t)
{
    if (t->phase == 0) add_blocks(g, d, t);
    else total(g, d, t);
}
