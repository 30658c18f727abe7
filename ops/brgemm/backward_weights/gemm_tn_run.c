/* gemm_tn_run.c - one task of C = A^T B: a block of C over a part of k; or, in the phase before it, a panel of B, or in
 * the one after it, the sum of the parts. */
#include "gemm_tn.h"
#include <string.h>

typedef struct {
    const tg_gemm_tn *g;
    const tg_gemm_tn_shape *s; /* of g */
    const tg_grad_w_data *d;
    int64_t group, m0, m1, n0, n1; /* the block */
    float *sums;                   /* [m, n] of the group */
    char *a, *b, *copy;            /* b: one panel, or all */
    tg_batch_element *batch;
    bool started;               /* the sums hold something */
    const tg_ahead *next_reads; /* what will be read after the task, or NULL */
} task;

/* Some whole batch elements; the last k-block is one element with fewer k if some k are left over. */
typedef struct {
    int64_t k0, k, count; /* the first k; k of an element; elements */
} k_block;

static k_block k_block_of(const tg_gemm_tn *g, int64_t i)
{
    const int64_t k = g->shape.k, whole = k - k % g->element_k, k0 = imin(i * g->depth, whole);
    if (k0 == whole) return (k_block){ k0, k - k0, 1 };
    return (k_block){ k0, g->element_k, imin(g->depth, whole - k0) / g->element_k };
}

/* ---- packing ---- */

static void pack_a(const task *t, k_block b, tg_packed_sizes packed)
{
    const tg_gemm_tn_shape *s = t->s;
    const int64_t row = s->groups * s->m, rows = t->m1 - t->m0;
    const size_t size = tg_dtype_size(s->a_dtype);
    const char *from = (const char *)t->d->gy + (size_t)(b.k0 * row + t->group * s->m + t->m0) * size;
    for (int64_t i = 0; i < b.count; i++, from += (size_t)(b.k * row) * size)
        s->mk->load_a(from, s->a_dtype, row, (int)b.k, 0, (int)rows, (int)rows, t->a + (size_t)i * packed.a_bytes);
}

static const char *row_of_b(const task *t, int64_t k, int64_t n)
{
    const tg_gemm_tn_shape *s = t->s;
    const tg_gemm_rows *r = &s->b_rows;
    const int64_t line = k / r->pixels, image = line / r->lines;
    const int64_t at = k % r->pixels * r->pixel + line % r->lines * r->line + image * r->image;
    return (const char *)t->d->x + (size_t)(at + t->group * s->n + n) * tg_dtype_size(s->b_dtype);
}

/* k that spans several lines can be packed line by line, unless a line ends between the two k of a pair. */
static bool ends_pairs(const tg_gemm_tn_shape *s) { return s->mk->element == TG_F32 || s->b_rows.pixels % 2 == 0; }

/* A batch element of the panel that begins with column n.  What cannot be packed line by line is first copied into one
 * piece. */
static void pack_element(const task *t, int64_t k0, int64_t k, int64_t n, char *to)
{
    const tg_gemm_tn_shape *s = t->s;
    const int64_t columns = imin(TG_PANEL, t->n1 - n), pixels = s->b_rows.pixels;
    const size_t bytes = (size_t)columns * tg_dtype_size(s->b_dtype);
    if (ends_pairs(s) || k0 % pixels + k <= pixels) {
        for (int64_t i = 0, some; i < k; i += some) {
            some = imin(k - i, pixels - (k0 + i) % pixels);
            s->mk->load_b(row_of_b(t, k0 + i, n), s->b_dtype, s->b_rows.pixel, (int)some, (int)columns, to);
            to += s->mk->packed_sizes(1, (int)some).b_bytes;
        }
        return;
    }
    for (int64_t i = 0; i < k; i++) memcpy(t->copy + (size_t)i * bytes, row_of_b(t, k0 + i, n), bytes);
    s->mk->load_b(t->copy, s->b_dtype, columns, (int)k, (int)columns, to);
}

static void pack_b(const task *t, k_block b, int64_t n, char *to)
{
    const int64_t bytes = (int64_t)t->s->mk->packed_sizes(1, (int)b.k).b_bytes;
    for (int64_t i = 0; i < b.count; i++) pack_element(t, b.k0 + i * b.k, b.k, n, to + i * bytes);
}

/* ---- products ---- */

/* A product prefetches share i of n of what will be read, as far as that lies in one piece. */
static void prefetch_share(const tg_ahead *a, int64_t i, int64_t n, tg_prefetch *to)
{
    int64_t all = 0;
    for (int k = 0; k < a->n; k++) all += a->piece[k].bytes;
    int64_t at = all * i / n, end = all * (i + 1) / n;
    for (int k = 0; k < a->n; k++) {
        const int64_t bytes = a->piece[k].bytes;
        if (at < bytes) {
            to->at = a->piece[k].at + at;
            to->bytes = imin(end, bytes) - at;
            return;
        }
        at -= bytes, end -= bytes;
    }
}

/* A product prefetches the next panel's B; the last panel's prefetches the next k-block's A.  (Not if rows of B are not
 * evenly spaced.) */
static void prefetch_next(const task *t, k_block now, k_block next, int64_t n, tg_prefetch *to)
{
    const tg_gemm_tn_shape *s = t->s;
    const bool last = n + TG_PANEL >= t->n1;
    const k_block b = last ? next : now;
    const int64_t first = last ? t->m0 : n + TG_PANEL, end = last ? t->m1 : imin(t->n1, first + TG_PANEL);
    const int64_t group = last ? s->m : s->n, row = s->groups * group;
    const int64_t size = (int64_t)tg_dtype_size(last ? s->a_dtype : s->b_dtype);
    if (!b.count || (!last && s->b_rows.pixels < s->k)) return;
    to->at = (const char *)(last ? t->d->gy : t->d->x) + (b.k0 * row + t->group * group + first) * size;
    to->bytes = (end - first) * size;
    to->pieces = b.k * b.count;
    to->stride = row * size;
}

/* Adds k-block number `index`, of those before `end`, to the block of C. */
static void add_k_block(task *t, int64_t index, int64_t end)
{
    const tg_gemm_tn *g = t->g;
    const tg_gemm_tn_shape *s = t->s;
    const k_block kb = k_block_of(g, index);
    const tg_packed_sizes packed = s->mk->packed_sizes((int)(t->m1 - t->m0), (int)kb.k);
    pack_a(t, kb, packed);
    for (int64_t n = t->n0; n < t->n1; n += TG_PANEL) {
        char *const b = t->b + (g->whole ? (size_t)(index * g->panels + n / TG_PANEL) * g->bytes.b : 0);
        float *const c = t->sums + t->m0 * s->n + n;
        tg_brgemm p = {
            .m = (int)(t->m1 - t->m0),
            .n = (int)imin(TG_PANEL, t->n1 - n),
            .k = packed.k,
            .row = packed.row,
            .step = packed.step,
            .from = t->started ? c : NULL,
            .from_row = s->n,
            .c = c,
            .c_row = s->n,
            .store = TG_F32,
        };
        if (!g->whole) pack_b(t, kb, n, b);
        if (t->next_reads)
            prefetch_share(t->next_reads, index * g->panels + n / TG_PANEL, g->k_blocks * g->panels, &p.prefetch);
        else if (!g->whole)
            prefetch_next(t, kb, index + 1 < end ? k_block_of(g, index + 1) : (k_block){ 0 }, n, &p.prefetch);
        for (int64_t i = 0; i < kb.count; i++)
            t->batch[i] =
                (tg_batch_element){ .a = t->a + (size_t)i * packed.a_bytes, .b = b + (size_t)i * packed.b_bytes };
        tg_run_a_panels(s->mk, p, packed.panel_stride, t->batch, (int)kb.count);
    }
    t->started = true;
}

static void add_k_blocks(const tg_gemm_tn *g, const tg_grad_w_data *d, const tg_task *of)
{
    const tg_gemm_tn_shape *s = &g->shape;
    int64_t index = of->index;
    const int64_t across = tg_digit(&index, g->across), down = tg_digit(&index, g->down);
    const int64_t part = tg_digit(&index, g->parts), c = s->m * s->n;
    char *scratch = of->scratch;
    float *const others = of->shared;
    task t = { .g = g, .s = s, .d = d, .group = index, .m0 = down * g->rows, .n0 = across * g->columns, .a = scratch };
    t.m1 = imin(s->m, t.m0 + g->rows);
    t.n1 = imin(s->n, t.n0 + g->columns);
    t.next_reads = of->ahead;
    t.sums = (part ? others + (part - 1) * s->groups * c : d->gw) + t.group * c;
    scratch += g->bytes.a;
    t.b = g->whole ? of->shared : scratch;
    scratch += g->whole ? 0 : g->bytes.b;
    t.copy = scratch;
    t.batch = (tg_batch_element *)(void *)(t.copy + g->bytes.copy);
    const int64_t end = g->k_blocks * (part + 1) / g->parts;
    for (int64_t i = g->k_blocks * part / g->parts; i < end; i++) add_k_block(&t, i, end);
    if (s->mk->leave) s->mk->leave();
}

/* Row `index` of all groups' C. */
static void add_parts(const tg_gemm_tn *g, const tg_grad_w_data *d, const tg_task *t)
{
    const int64_t n = g->shape.n, all = g->shape.groups * g->shape.m * n;
    float *const c = d->gw + t->index * n;
    const float *sums = (const float *)t->shared + t->index * n;
    for (int64_t part = 1; part < g->parts; part++, sums += all)
        for (int64_t i = 0; i < n; i++) c[i] += sums[i];
}

/* A panel of a k-block, for all tasks. */
static void pack_for_all(const tg_gemm_tn *g, const tg_grad_w_data *d, const tg_task *t)
{
    const task whole = { .g = g, .s = &g->shape, .d = d, .n1 = g->shape.n, .copy = (char *)t->scratch + g->bytes.a };
    pack_b(&whole, k_block_of(g, t->index / g->panels), t->index % g->panels * TG_PANEL,
           (char *)t->shared + (size_t)t->index * g->bytes.b);
}

void tg_gemm_tn_run(const tg_gemm_tn *g, const tg_grad_w_data *d, const tg_task *t)
{
    if (g->whole && t->phase == 0) pack_for_all(g, d, t);
    else if (t->phase == g->whole) add_k_blocks(g, d, t);
    else add_parts(g, d, t);
}
