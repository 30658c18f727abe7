/* nest_run.c - one task of a nest: packs its block of the input, then sweeps it panel by panel. */
#include "nest.h"
#include <string.h>

typedef struct {
    const tg_nest *n;
    int64_t  group, panel0, panel1;
    int64_t  image, images;             /* first, and how many */
    int64_t  line0, line1, column0, column1;        /* of outputs */
    int64_t  h0, w0;                    /* the input line and column that A begins with; w0 may lie outside */
    const char *a;                      /* input (h0, w0) */
    char    *b;                         /* widened weights */
    float   *c;                         /* sums between slabs */
    tg_brick *bricks;
} block;

typedef struct { int64_t kh0, kh1, k0, k; bool first, last; } slab;       /* k of each run: 0 stands for all */

/* ---- along an axis ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

static int64_t place(const tg_axis *a, int64_t out, int64_t tap) { return out * a->num + a->off + tap * a->step; }

/* The input that an output meets through a tap; false: none. */
static bool meets(const tg_axis *a, int64_t out, int64_t tap, int64_t *in)
{
    const int64_t at = place(a, out, tap);
    *in = at / a->den;
    return at >= 0 && at % a->den == 0 && *in < a->in;
}

/* The first input that outputs from `out` on may meet. */
static int64_t first_met(const tg_axis *a, int64_t out)
{
    const int64_t at = place(a, out, a->step < 0 ? a->taps - 1 : 0);
    return floor_div(at + a->den - 1, a->den);
}

/* The last tap, in the order of panels, of the same class and phase decides nothing; the first is the leftmost. */
static bool of_phase(const tg_axis *a, int64_t out, int64_t tap)
{
    return ((place(a, out, tap) % a->den) + a->den) % a->den == 0;
}

/* ---- A ---- */

static size_t size_of(const tg_nest *n) { return tg_dtype_size(n->mk->element); }

static const char *pixel(const block *b, int64_t image, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    const int64_t  at = image * n->image + h * n->h.apart * n->line + w * n->w_axis.apart;
    return (const char *)tg_ptr(n->x) + (size_t)((at * n->groups + b->group) * n->p.in) * tg_dtype_size(n->x->dtype);
}

/* Pixels w .. end - 1 of a line of an image, which lie inside. */
static void load_pixels(const block *b, int64_t image, int64_t h, int64_t w, int64_t end, char *to)
{
    const tg_nest *n = b->n;
    const int64_t  apart = n->nb * n->pitch, in = n->p.in;
    const size_t   size = size_of(n);
    if (apart == in && n->groups == 1 && n->w_axis.apart == 1) {
        n->mk->load(pixel(b, image, h, w), n->x->dtype, (end - w) * in, to);
        return;
    }
    for (; w < end; w++, to += (size_t)apart * size) {
        n->mk->load(pixel(b, image, h, w), n->x->dtype, in, to);
        if (n->pitch > in) memset(to + (size_t)in * size, 0, (size_t)(n->pitch - in) * size);
    }
}

static void load_line(const block *b, int64_t h, char *to)
{
    const tg_nest *n = b->n;
    const size_t   size = size_of(n), apart = (size_t)(n->nb * n->pitch) * size;
    const int64_t  end = b->w0 + n->span[1] < n->w_axis.in ? b->w0 + n->span[1] : n->w_axis.in, start = b->w0 > 0 ? b->w0 : 0;
    const int64_t  inside = end > start ? end - start : 0, left = inside ? start - b->w0 : 0;
    memset(to, 0, (size_t)left * apart);
    for (int64_t i = 0; i < b->images && inside; i++)
        load_pixels(b, b->image + i, h, start, end, to + (size_t)left * apart + (size_t)(i * n->pitch) * size);
    const size_t done = (size_t)(left + inside) * apart;
    memset(to + done, 0, (size_t)n->a_line * size - done);
}

static void load_block(block *b, char *to)
{
    const tg_nest *n = b->n;
    b->a = to;
    if (n->direct) {
        b->a = pixel(b, b->image, b->h0, b->w0);
        return;
    }
    for (int64_t i = 0; i < n->span[0] && b->h0 + i < n->h.in; i++)
        load_line(b, b->h0 + i, to + (size_t)(i * n->a_line) * size_of(n));
}

static const char *a_at(const block *b, int64_t h, int64_t w)
{
    const tg_nest *n = b->n;
    return b->a + (size_t)((h - b->h0) * n->a_line + (w - b->w0) * n->nb * n->pitch) * size_of(n);
}

/* ---- B ---- */

/* What run k lies at, from the slab's first. */
static const char *b_at(const block *b, const char *weights, const slab *s, int64_t kh, int64_t k)
{
    const tg_nest *n = b->n;
    return weights + (size_t)(((kh - s->kh0) * n->p.line + k) * TG_PANEL) * size_of(n);
}

static const char *weights_of(const block *b, const void *weights, int64_t panel, const slab *s)
{
    const tg_nest *n = b->n;
    const int64_t  k = (b->group * n->p.count + panel) * n->p.depth + s->kh0 * n->p.line + s->k0;
    const char    *from = (const char *)weights + (size_t)(k * TG_PANEL) * tg_dtype_size(n->w->dtype);
    if (n->mk->element == n->w->dtype) return from;
    const int64_t end = s->k0 + n->slab_k < n->p.line ? s->k0 + n->slab_k : n->p.line;
    n->mk->widen(from, s->kh1 - s->kh0 > 1 ? (s->kh1 - s->kh0) * n->p.line : end - s->k0, b->b);
    return b->b;
}

/* ---- bricks ---- */

/* The taps of a kernel line that rows beginning at an output column meet. */
static int line_bricks(const block *b, const slab *s, const char *weights, int64_t kh, int64_t h, int64_t w, tg_brick *to)
{
    const tg_nest *n = b->n;
    const tg_axis *a = &n->w_axis;
    const int64_t  apart = n->p.merged ? n->p.in : tg_run_depth(&n->p, n->p.in);
    int            count = 0;
    int64_t        k = -1;
    for (int64_t i = 0; i < a->taps; i++) {
        const int64_t kw = n->backward ? a->taps - 1 - i : i, at = place(a, w, kw) / a->den;
        if (!of_phase(a, w, kw)) continue;
        k = k < 0 ? tg_class_start(&n->p, tg_class_of(&n->p, kw)) : k + apart;
        if (n->nb > 1 && (place(a, w, kw) < 0 || at >= a->in)) continue;
        to[count++] = (tg_brick){ a_at(b, h, floor_div(place(a, w, kw), a->den)) + (size_t)s->k0 * size_of(n),
                                  b_at(b, weights, s, kh, k) };
        if (n->merged) break;
    }
    return count;
}

static int bricks_of(const block *b, const slab *s, const char *weights, int64_t oh, int64_t ow)
{
    const tg_nest *n = b->n;
    int            count = 0;
    for (int64_t kh = s->kh0; kh < s->kh1; kh++) {
        int64_t h;
        if (meets(&n->h, oh, kh, &h)) count += line_bricks(b, s, weights, kh, h, ow, b->bricks + count);
    }
    return count;
}

/* ---- products ---- */

static int64_t run_k(const tg_nest *n, const slab *s, int64_t ow)
{
    const tg_axis *a = &n->w_axis;
    int64_t        taps = 0;
    if (s->k) return s->k;
    if (!n->merged) return n->p.in;
    for (int64_t kw = 0; kw < a->taps; kw++) taps += of_phase(a, ow, kw);
    return taps * n->p.in;
}

/* Rows that begin at an output pixel; `rows` of them, `apart` outputs from each to the next in memory and in the sums. */
static void product(const block *b, const slab *s, const char *weights, int64_t panel, int64_t oh, int64_t ow, int64_t rows)
{
    const tg_nest *n = b->n;
    const int64_t  width = n->w_axis.out, channels = n->p.out * n->groups, first = b->group * n->p.out + panel * TG_PANEL;
    const int64_t  apart = n->nb > 1 ? n->h.out * width : n->w_axis.den, c_apart = n->nb > 1 ? 1 : n->w_axis.den;
    const int64_t  y = ((b->image * n->h.out + oh) * width + ow) * channels + first;
    const int64_t  left = n->p.out - panel * TG_PANEL;
    float *const   sums = b->c + (((oh - b->line0) * n->columns + ow - b->column0) * n->nb) * TG_PANEL;
    tg_brgemm      g = { .m = (int)rows, .n = left < TG_PANEL ? (int)left : TG_PANEL, .k = run_k(n, s, ow), .step = 1,
                         .row = n->nb > 1 ? n->pitch : n->w_axis.num * n->pitch, .from = s->first ? NULL : sums,
                         .from_row = c_apart * TG_PANEL, .c = sums, .c_row = c_apart * TG_PANEL, .store = TG_F32 };
    if (s->last) {
        g.c = (char *)tg_ptr(n->y) + (size_t)y * tg_dtype_size(n->y->dtype);
        g.c_row = apart * channels;
        g.store = n->y->dtype;
        g.bias = n->bias ? (const float *)tg_ptr(n->bias) + first : NULL;
        g.relu = n->relu;
    }
    n->mk->run(&g, b->bricks, bricks_of(b, s, weights, oh, ow));
}

static void sweep(const block *b, const slab *s, const char *weights, int64_t panel)
{
    const tg_nest *n = b->n;
    const int64_t  den = n->w_axis.den, end = b->column1;
    for (int64_t oh = b->line0; oh < b->line1; oh++)
        for (int64_t ow = b->column0; ow < (n->nb > 1 || end - b->column0 < den ? end : b->column0 + den); ow++)
            product(b, s, weights, panel, oh, ow, n->nb > 1 ? b->images : (end - ow + den - 1) / den);
}

static slab slab_of(const tg_nest *n, int64_t i)
{
    const bool    split = n->p.kernel[0] * n->p.kernel[1] == 1;
    const int64_t kh = split ? 0 : i * n->slab_lines, k = split ? i * n->slab_k : 0;
    slab          s = { kh, kh + n->slab_lines, k, 0, i == 0, i == n->slabs - 1 };
    if (s.kh1 > n->p.kernel[0]) s.kh1 = n->p.kernel[0];
    if (split) s.k = k + n->slab_k < n->p.in ? n->slab_k : n->p.in - k;
    return s;
}

/* ---- tasks ---- */

static int64_t cut(int64_t *index, int64_t count)
{
    const int64_t i = *index % count;
    *index /= count;
    return i;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static block block_of(const tg_nest *n, int64_t task)
{
    const int64_t panels = cut(&task, n->blocks[3]), column = cut(&task, n->blocks[2]), line = cut(&task, n->blocks[1]);
    const int64_t images = cut(&task, n->blocks[0]);
    block         b = { .n = n, .group = task, .panel0 = panels * n->panels, .image = images * n->nb,
                        .line0 = line * n->lines, .column0 = column * n->columns };
    b.panel1 = least(n->p.count, b.panel0 + n->panels);
    b.images = least(n->nb, n->images - b.image);
    b.line1 = least(n->h.out, b.line0 + n->lines);
    b.column1 = least(n->w_axis.out, b.column0 + n->columns);
    b.h0 = first_met(&n->h, b.line0);
    b.w0 = first_met(&n->w_axis, b.column0);
    if (b.h0 < 0) b.h0 = 0;
    if (n->nb > 1 && b.w0 < 0) b.w0 = 0;
    return b;
}

void tg_nest_run(const tg_nest *n, const void *weights, int64_t task, void *scratch)
{
    block b = block_of(n, task);
    char *room = scratch;
    b.b = room + n->a_bytes;
    b.c = (float *)(void *)(b.b + n->b_bytes);
    b.bricks = (tg_brick *)(void *)(b.b + n->b_bytes + n->c_bytes);
    load_block(&b, room);
    for (int64_t panel = b.panel0; panel < b.panel1; panel++)
        for (int64_t i = 0; i < n->slabs; i++) {
            const slab s = slab_of(n, i);
            sweep(&b, &s, weights_of(&b, weights, panel, &s), panel);
        }
    if (n->mk->leave) n->mk->leave();
}
