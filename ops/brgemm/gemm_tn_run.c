/* gemm_tn_run.c - one task of C = A^T B: a block of C over a part of k; before it, a panel of B, or after it, the sum
 * of the parts. */
#include "gemm_tn.h"
#include "nest_block.h"
#include <string.h>

typedef struct {
    const tg_gemm_tn *g;
    int64_t group, m0, m1, n0, n1; /* the block */
    float *sums;                   /* [m, n] of the group */
    char *a, *b, *copy;            /* b: one panel, or all */
    tg_brick *bricks;
    bool started;          /* the sums hold something */
    const tg_ahead *ahead; /* what will be read after the task, or NULL */
} task;

/* Slab i: some whole bricks; the last one is a brick of fewer k, if some are left over. */
typedef struct {
    int64_t k0, places, count;
} slab;

static slab slab_of(const tg_gemm_tn *g, int64_t i)
{
    const int64_t whole = g->k - g->k % g->places, k0 = imin(i * g->depth, whole);
    if (k0 == whole) return (slab){ k0, g->k - k0, 1 };
    return (slab){ k0, g->places, imin(g->depth, whole - k0) / g->places };
}

/* ---- packing ---- */

static void pack_a(const task *t, slab s, tg_places tile)
{
    const tg_gemm_tn *g = t->g;
    const int64_t row = g->groups * g->m, rows = t->m1 - t->m0;
    const size_t size = tg_dtype_size(g->a->dtype);
    const char *from = (const char *)tg_ptr(g->a) + (size_t)(s.k0 * row + t->group * g->m + t->m0) * size;
    for (int64_t i = 0; i < s.count; i++, from += (size_t)(s.places * row) * size)
        g->mk->load_a(from, g->a->dtype, row, (int)s.places, 0, (int)rows, (int)rows, t->a + (size_t)i * tile.a_bytes);
}

static const char *row_of_b(const task *t, int64_t k, int64_t n)
{
    const tg_gemm_tn *g = t->g;
    const tg_gemm_rows *r = &g->b_rows;
    const int64_t line = k / r->pixels, image = line / r->lines;
    const int64_t at = k % r->pixels * r->pixel + line % r->lines * r->line + image * r->image;
    return (const char *)tg_ptr(g->b) + (size_t)(at + t->group * g->n + n) * tg_dtype_size(g->b->dtype);
}

/* Places of several lines are packed line by line, unless one would end between the two places of a pair. */
static bool ends_pairs(const tg_gemm_tn *g) { return g->mk->element == TG_F32 || g->b_rows.pixels % 2 == 0; }

/* A brick of the panel that begins with column n.  Else places of several lines are copied behind each other first. */
static void pack_brick(const task *t, int64_t k, int64_t places, int64_t n, char *to)
{
    const tg_gemm_tn *g = t->g;
    const int64_t columns = imin(TG_PANEL, t->n1 - n), pixels = g->b_rows.pixels;
    const size_t bytes = (size_t)columns * tg_dtype_size(g->b->dtype);
    if (ends_pairs(g) || k % pixels + places <= pixels) {
        for (int64_t i = 0, some; i < places; i += some) {
            some = imin(places - i, pixels - (k + i) % pixels);
            g->mk->load_b(row_of_b(t, k + i, n), g->b->dtype, g->b_rows.pixel, (int)some, (int)columns, to);
            to += g->mk->places_of(1, (int)some).b_bytes;
        }
        return;
    }
    for (int64_t i = 0; i < places; i++) memcpy(t->copy + (size_t)i * bytes, row_of_b(t, k + i, n), bytes);
    g->mk->load_b(t->copy, g->b->dtype, columns, (int)places, (int)columns, to);
}

static void pack_b(const task *t, slab s, int64_t n, char *to)
{
    const int64_t bytes = (int64_t)t->g->mk->places_of(1, (int)s.places).b_bytes;
    for (int64_t i = 0; i < s.count; i++) pack_brick(t, s.k0 + i * s.places, s.places, n, to + i * bytes);
}

/* ---- products ---- */

/* Share i of n of what will be read, as far as it lies in one piece, is fetched by a product. */
static void fetch_share(const tg_ahead *a, int64_t i, int64_t n, tg_brgemm *p)
{
    int64_t all = 0;
    for (int k = 0; k < a->n; k++) all += a->piece[k].bytes;
    int64_t at = all * i / n, end = all * (i + 1) / n;
    for (int k = 0; k < a->n; k++) {
        const int64_t bytes = a->piece[k].bytes;
        if (at < bytes) {
            p->ahead = a->piece[k].at + at;
            p->ahead_bytes = imin(end, bytes) - at;
            return;
        }
        at -= bytes, end -= bytes;
    }
}

/* Meanwhile the next panel's B is fetched; the last panel, which has none, fetches the next slab's A.  (Rows of B that
 * do not lie at one distance are not.) */
static void fetch_next(const task *t, slab now, slab next, int64_t n, tg_brgemm *p)
{
    const tg_gemm_tn *g = t->g;
    const bool last = n + TG_PANEL >= t->n1;
    const slab s = last ? next : now;
    const tg_tensor *from = last ? g->a : g->b;
    const int64_t first = last ? t->m0 : n + TG_PANEL, end = last ? t->m1 : imin(t->n1, first + TG_PANEL);
    const int64_t group = last ? g->m : g->n, row = g->groups * group, size = (int64_t)tg_dtype_size(from->dtype);
    if (!s.count || (!last && g->b_rows.pixels < g->k)) return;
    p->ahead = (const char *)tg_ptr(from) + (s.k0 * row + t->group * group + first) * size;
    p->ahead_bytes = (end - first) * size;
    p->ahead_pieces = s.places * s.count;
    p->ahead_apart = row * size;
}

static void add_slab(task *t, int64_t index, int64_t end)
{
    const tg_gemm_tn *g = t->g;
    const slab s = slab_of(g, index);
    const tg_places tile = g->mk->places_of((int)(t->m1 - t->m0), (int)s.places);
    pack_a(t, s, tile);
    for (int64_t n = t->n0; n < t->n1; n += TG_PANEL) {
        char *const b = t->b + (g->whole ? (size_t)(index * g->panels + n / TG_PANEL) * g->b_bytes : 0);
        float *const c = t->sums + t->m0 * g->n + n;
        tg_brgemm p = {
            .m = (int)(t->m1 - t->m0),
            .n = (int)imin(TG_PANEL, t->n1 - n),
            .k = tile.k,
            .row = tile.row,
            .step = tile.step,
            .from = t->started ? c : NULL,
            .from_row = g->n,
            .c = c,
            .c_row = g->n,
            .store = TG_F32,
        };
        if (!g->whole) pack_b(t, s, n, b);
        if (t->ahead) fetch_share(t->ahead, index * g->panels + n / TG_PANEL, g->slabs * g->panels, &p);
        else if (!g->whole) fetch_next(t, s, index + 1 < end ? slab_of(g, index + 1) : (slab){ 0 }, n, &p);
        for (int64_t i = 0; i < s.count; i++)
            t->bricks[i] = (tg_brick){ .a = t->a + (size_t)i * tile.a_bytes, .b = b + (size_t)i * tile.b_bytes };
        tg_run_strips(g->mk, p, tile.strip, t->bricks, (int)s.count);
    }
    t->started = true;
}

static void add_slabs(const tg_gemm_tn *g, const tg_task *task_)
{
    int64_t index = task_->index;
    const int64_t across = tg_digit(&index, g->across), down = tg_digit(&index, g->down);
    const int64_t part = tg_digit(&index, g->parts), c = g->m * g->n;
    char *room = task_->scratch;
    float *const first = tg_ptr(g->c), *const others = task_->shared;
    task t = { .g = g, .group = index, .m0 = down * g->rows, .n0 = across * g->columns, .a = room };
    t.m1 = imin(g->m, t.m0 + g->rows);
    t.n1 = imin(g->n, t.n0 + g->columns);
    t.ahead = task_->ahead;
    t.sums = (part ? others + (part - 1) * g->groups * c : first) + t.group * c;
    room += g->a_bytes;
    t.b = g->whole ? task_->shared : room;
    room += g->whole ? 0 : g->b_bytes;
    t.copy = room;
    t.bricks = (tg_brick *)(void *)(t.copy + g->copy_bytes);
    const int64_t end = g->slabs * (part + 1) / g->parts;
    for (int64_t i = g->slabs * part / g->parts; i < end; i++) add_slab(&t, i, end);
    if (g->mk->leave) g->mk->leave();
}

/* Row `index` of all groups' C. */
static void add_parts(const tg_gemm_tn *g, const tg_task *t)
{
    const int64_t all = g->groups * g->m * g->n;
    float *const c = (float *)tg_ptr(g->c) + t->index * g->n;
    const float *sums = (const float *)t->shared + t->index * g->n;
    for (int64_t part = 1; part < g->parts; part++, sums += all)
        for (int64_t i = 0; i < g->n; i++) c[i] += sums[i];
}

/* A panel of a slab, for all tasks. */
static void pack_for_all(const tg_gemm_tn *g, const tg_task *t)
{
    const task whole = { .g = g, .n1 = g->n, .copy = (char *)t->scratch + g->a_bytes };
    pack_b(&whole, slab_of(g, t->index / g->panels), t->index % g->panels * TG_PANEL,
           (char *)t->shared + (size_t)t->index * g->b_bytes);
}

void tg_gemm_tn_run(const tg_gemm_tn *g, const tg_task *t)
{
    if (g->whole && t->phase == 0) pack_for_all(g, t);
    else if (t->phase == g->whole) add_slabs(g, t);
    else add_parts(g, t);
}
