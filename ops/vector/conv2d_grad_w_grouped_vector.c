/* conv2d_grad_w_grouped_vector.c - conv2d's derivative in w for small groups, down to one channel (depthwise).
 *
 * A matrix product would use only a few lanes of a vector. Here lanes are channels of y: for tap (kh, kw) and channel i
 * of a group
 *
 *     gw[channel][kh][kw][i] = sum over pixels of gy[pixel][channel] x[pixel met through the tap][i of the channel's
 * group]
 *
 * A task computes this for some vectors of channels and part of y's lines, block by block; a block's lines stay in the
 * second-level cache while its kernel rows are summed one after the other. Columns are split where taps leave the
 * image, so padding is never multiplied. Where a group of x has one channel and lanes are not simply consecutive in x,
 * lines are packed first.
 *
 * Phase 0 sums over parts; phase 1 adds the parts in order and transposes the sums. */
#include "conv2d_shape.h"
#include "grad_w_runs.h"
#include "ints.h"
#include <string.h>

enum {
    TASKS = 32,              /* target number */
    SHARE = 32,              /* minimum channels of a task */
    BLOCK_FLOATS = 64 << 10, /* of a block's lines */
    FEW_CHANNELS = 24,       /* of a group of x; with more, matrix products are as fast */
    PIXELS_AHEAD = 16,       /* prefetch distance of the sums ... */
    AHEAD = 1024,            /* ... and of packing, in floats */
    TURN = 64,               /* channels of a task of phase 1 */
};

typedef struct {
    tg_conv v;
    enum { DIRECT, PACKED, PERMUTED } by; /* depthwise, read in place; one channel of x per group; several */
    int vecs;                             /* maximum per panel whose sums of a kernel row stay in registers */
    int64_t rows, channels;               /* of the sums: taps x channels of x's group; channels of y, padded */
    int64_t share, shares;                /* channels per task */
    int64_t lines, blocks;                /* lines of y per block; blocks per image */
    int64_t part, parts;                  /* blocks per part */
    int64_t x_line, y_line;               /* floats of a line, packed or not */
    int64_t span;                         /* lines of x per block */
} grouped_plan;

static int64_t channel_span_of(const tg_conv *v, int64_t lines)
{
    return imin(v->image[0], (lines - 1) * v->stride[0] + (v->kernel[0] - 1) * v->dilation[0] + 1);
}

static void cut_channels(grouped_plan *p)
{
    p->channels = tg_panel_width(p->v.of);
    p->shares = ceil_div(p->channels, imax(SHARE, p->vecs * TG_LANES));
    p->share = tg_panel_width(ceil_div(p->channels, p->shares));
    p->shares = ceil_div(p->channels, p->share);
}

static void cut_lines(grouped_plan *p)
{
    const tg_conv *v = &p->v;
    const int64_t x = v->image[1] * p->share, y = v->out[1] * p->share;
    p->x_line = p->by == PACKED ? x : v->image[1] * v->in;
    p->y_line = p->by == PACKED ? y : v->out[1] * v->of;
    p->lines = 1;
    while (p->lines < v->out[0] && channel_span_of(v, p->lines + 1) * x + (p->lines + 1) * y <= BLOCK_FLOATS)
        p->lines++;
    p->blocks = ceil_div(v->out[0], p->lines);
    p->lines = ceil_div(v->out[0], p->blocks);
    p->blocks = ceil_div(v->out[0], p->lines);
    p->span = channel_span_of(v, p->lines);
    const int64_t all = v->n * p->blocks;
    p->part = ceil_div(all, imin(all, ceil_div(TASKS, p->shares)));
    p->parts = ceil_div(all, p->part);
}

static grouped_plan grouped_plan_of(const tg_call *c)
{
    grouped_plan p = { .v = tg_conv_of(c, c->in[1], c->out[0], c->in[0]) };
    const tg_conv *v = &p.v;
    p.by = v->in_group > 1 ? PERMUTED : tg_conv_depthwise(v) && v->in % TG_LANES == 0 ? DIRECT : PACKED;
    p.rows = v->taps * v->in_group;
    p.vecs = p.by == PERMUTED ? 1 : v->kernel[1] <= 3 ? 4 : v->kernel[1] <= 6 ? 2 : 1;
    cut_channels(&p);
    cut_lines(&p);
    return p;
}

/* Each vector of y's channels reads a vector of consecutive channels of x. */
static bool permutes(const tg_conv *v)
{
    if (v->of % TG_LANES || v->in < TG_LANES) return false;
    if (v->of_group % TG_LANES == 0) return true;
    return TG_LANES % v->of_group == 0 && TG_LANES / v->of_group * v->in_group <= TG_LANES;
}

static const char *conv2d_grad_w_grouped_reject(const tg_call *c)
{
    const tg_conv v = tg_conv_of(c, c->in[1], c->out[0], c->in[0]);
    if (v.groups == 1) return "one group";
#if !defined __AVX2__
    if (v.in_group > 1) return "permutes vectors";
#endif
    if (v.in_group > FEW_CHANNELS) return "so many channels in a group that other kernels are as fast";
    if (v.in_group > 1 && !permutes(&v)) return "groups do not fill vectors";
    return tg_conv_reject(c);
}

static tg_scratch conv2d_grad_w_grouped_scratch(const tg_call *c)
{
    const grouped_plan p = grouped_plan_of(c);
    const size_t packed = p.by == PACKED ? (size_t)(p.span * p.x_line + p.lines * p.y_line) * sizeof(float) : 0;
    return (tg_scratch){ .shared = (size_t)(p.parts * p.rows * p.channels) * sizeof(float), .worker = packed };
}

static int64_t conv2d_grad_w_grouped_tasks(const tg_call *c, int phase)
{
    const grouped_plan p = grouped_plan_of(c);
    return phase == 0 ? p.parts * p.shares : phase == 1 ? ceil_div(p.v.of, TURN) : 0;
}

/* ---- a task of phase 0 ---- */

typedef struct {
    const grouped_plan *p;
    const float *gy, *x;
    int64_t c0, c1;                    /* its channels, whole vectors */
    int64_t image, oh0, oh1, ih0, ih1; /* the block's lines of y and x */
    const float *lines_y, *lines_x;    /* the same lines, packed or not */
    float *sums;                       /* [rows][channels] of all its channels */
} grouped_task;

/* Vectors in the panel that begins with vector j of the task. */
static int vecs_at(const grouped_task *t, int64_t j)
{
    int vecs = t->p->vecs;
    while (j + vecs > (t->c1 - t->c0) / TG_LANES) vecs /= 2;
    return vecs;
}

/* The run of one kernel row, whose taps meet x from column `left` on, and y from w0 on; false: it meets no line. */
static bool run_lines_of(const grouped_task *t, int64_t kh, tg_run *r, const float **x, const float **y)
{
    const tg_conv *v = &t->p->v;
    const int64_t shift = kh * v->dilation[0] - v->pad[0], stride = v->stride[0], last = v->image[0] - 1 - shift;
    const int64_t oh0 = imax(t->oh0, ceil_div(imax(0, -shift), stride));
    const int64_t oh1 = imin(t->oh1, last < 0 ? 0 : last / stride + 1);
    r->lines = oh1 - oh0;
    r->x_line = stride * t->p->x_line;
    r->y_line = t->p->y_line;
    r->apart = t->p->channels;
    *x = t->lines_x + (oh0 * stride + shift - t->ih0) * t->p->x_line;
    *y = t->lines_y + (oh0 - t->oh0) * t->p->y_line;
    return r->lines > 0;
}

/* ---- one channel of x in a group ---- */

/* For each lane of a vector of y's channels, its channel of x; any beyond the last. */
static void permutation_of(const tg_conv *v, int64_t channel, int32_t from[TG_LANES])
{
    for (int l = 0; l < TG_LANES; l++) from[l] = (int32_t)(imin(channel + l, v->of - 1) / v->of_group * v->in_group);
}

/* A panel's lines are stored pixel by pixel, panel after panel. */
static void pack_x(const grouped_task *t, float *to)
{
    const tg_conv *v = &t->p->v;
    const int64_t width = v->image[1], ahead = ceil_div(AHEAD, v->in) * v->in;
    int32_t from[TG_LANES];
    for (int64_t j = 0; j < (t->c1 - t->c0) / TG_LANES; j++) {
        permutation_of(v, t->c0 + j * TG_LANES, from);
        const float *x = t->x + (t->image * v->image[0] + t->ih0) * width * v->in;
        for (int64_t h = t->ih0; h < t->ih1; h++)
            for (int64_t w = 0; w < width; w++, x += v->in) {
                float *const lane = to + (h - t->ih0) * t->p->x_line + w * t->p->share + j * TG_LANES;
                __builtin_prefetch(x + ahead + from[0]);
                for (int l = 0; l < TG_LANES; l++) lane[l] = x[from[l]];
            }
    }
}

/* Lanes beyond the last channel are zero. */
static void pack_y(const grouped_task *t, float *to)
{
    const tg_conv *v = &t->p->v;
    const float *gy = t->gy + (t->image * v->out[0] + t->oh0) * v->out[1] * v->of + t->c0;
    const int64_t pixels = (t->oh1 - t->oh0) * v->out[1], n = imin(v->of, t->c1) - t->c0;
    const int64_t ahead = ceil_div(AHEAD, v->of) * v->of;
    for (int64_t w = 0; w < pixels; w++, gy += v->of, to += t->p->share) {
        __builtin_prefetch(gy + ahead);
        memcpy(to, gy, sizeof *to * (size_t)n);
        for (int64_t c = n; c < t->p->share; c++) to[c] = 0;
    }
}

#define RUN(rows, vecs) \
    static void run_##rows##_##vecs(const tg_run *r) { tg_add_run(rows, vecs, r); }
#define ROWS_3(X, vecs) X(1, vecs) X(2, vecs) X(3, vecs)
#define ROWS_6(X, vecs) ROWS_3(X, vecs) X(4, vecs) X(5, vecs) X(6, vecs)
#define ROWS_7(X, vecs) ROWS_6(X, vecs) X(7, vecs)
ROWS_7(RUN, 1)
ROWS_6(RUN, 2)
ROWS_3(RUN, 4)

typedef void grouped_microkernel(const tg_run *);
#define NAME(rows, vecs) run_##rows##_##vecs,
static grouped_microkernel *const runs[][7] = { { ROWS_7(NAME, 1) }, { ROWS_6(NAME, 2) }, { ROWS_3(NAME, 4) } };
static const int most_rows[] = { 7, 6, 3 }; /* limited by addressing and by registers */

/* Columns of y from w0 to w1, all of which meet the taps of a kernel row from a to b. */
typedef struct {
    int64_t a, b, w0, w1;
} tap_columns;

static void add_panel(const grouped_task *t, const tap_columns *s, int64_t j, int vecs, int64_t kh)
{
    const grouped_plan *p = t->p;
    const tg_conv *v = &p->v;
    const bool direct = p->by == DIRECT;
    tg_run r = { .pixels = s->w1 - s->w0, .y_pixel = direct ? v->of : p->share };
    const int64_t x_pixel = direct ? v->in : p->share, rows = s->b - s->a;
    if (!run_lines_of(t, kh, &r, &r.x, &r.y)) return;
    r.x_pixel = v->stride[1] * x_pixel;
    r.row = v->dilation[1] * x_pixel;
    r.x += (s->w0 * v->stride[1] + s->a * v->dilation[1] - v->pad[1]) * x_pixel + j * TG_LANES;
    r.y += s->w0 * r.y_pixel + j * TG_LANES;
    r.sums = t->sums + (kh * v->kernel[1] + s->a) * p->channels + t->c0 + j * TG_LANES;
    for (int64_t k = 0, n; k < rows; k += n, r.x += n * r.row, r.sums += n * p->channels) {
        n = ceil_div(rows - k, ceil_div(rows - k, most_rows[vecs / 2]));
        runs[vecs / 2][n - 1](&r);
    }
}

static void add_columns(const grouped_task *t, const tap_columns *s)
{
    for (int64_t j = 0, vecs; j < (t->c1 - t->c0) / TG_LANES; j += vecs) {
        vecs = vecs_at(t, j);
        for (int64_t kh = 0; kh < t->p->v.kernel[0]; kh++) add_panel(t, s, j, (int)vecs, kh);
    }
}

/* The taps that column w meets. */
static tap_columns taps_of(const tg_conv *v, int64_t w)
{
    const int64_t at = w * v->stride[1] - v->pad[1], step = v->dilation[1], last = v->image[1] - 1 - at;
    tap_columns s = { .a = ceil_div(imax(0, -at), step), .w0 = w };
    s.b = last < 0 ? s.a : imax(s.a, imin(v->kernel[1], last / step + 1));
    return s;
}

/* Columns that meet the same taps form one run. */
static void add_depthwise(const grouped_task *t)
{
    const tg_conv *v = &t->p->v;
    tap_columns s = taps_of(v, 0);
    for (int64_t w = 1; w <= v->out[1]; w++) {
        const tap_columns next = w < v->out[1] ? taps_of(v, w) : (tap_columns){ -1, -1, w, w };
        if (next.a == s.a && next.b == s.b) continue;
        s.w1 = w;
        if (s.a < s.b) add_columns(t, &s);
        s = next;
    }
}

/* ---- several channels of x in a group ---- */

#if defined __AVX2__
#define PERMUTED_RUN(taps, channels) \
    static void permuted_##taps##_##channels(const tg_run *r) { tg_add_permuted_run(taps, channels, false, r); }
#define REPEATED_RUN(taps, channels) \
    static void repeated_##taps##_##channels(const tg_run *r) { tg_add_permuted_run(taps, channels, true, r); }
#define CHANNELS_3(X, taps) X(taps, 1) X(taps, 2) X(taps, 3)
#define CHANNELS_4(X, taps) CHANNELS_3(X, taps) X(taps, 4)
#if defined __AVX512F__
#define CHANNELS_P          CHANNELS_4
#define CHANNELS_R(X, taps) CHANNELS_4(X, taps) X(taps, 5) X(taps, 6) X(taps, 7) X(taps, 8)
#else
#define CHANNELS_P CHANNELS_3
#define CHANNELS_R CHANNELS_4
#endif
CHANNELS_P(PERMUTED_RUN, 1)
CHANNELS_P(PERMUTED_RUN, 2)
CHANNELS_P(PERMUTED_RUN, 3)
CHANNELS_R(REPEATED_RUN, 1)
CHANNELS_R(REPEATED_RUN, 2)
CHANNELS_R(REPEATED_RUN, 3)

#define PERMUTED_NAME(taps, channels) permuted_##taps##_##channels,
#define REPEATED_NAME(taps, channels) repeated_##taps##_##channels,
static grouped_microkernel *const permuted[][TG_RUN_PERMUTED] = { { CHANNELS_P(PERMUTED_NAME, 1) },
                                                                  { CHANNELS_P(PERMUTED_NAME, 2) },
                                                                  { CHANNELS_P(PERMUTED_NAME, 3) } };
static grouped_microkernel *const repeated[][TG_RUN_REPEATED] = { { CHANNELS_R(REPEATED_NAME, 1) },
                                                                  { CHANNELS_R(REPEATED_NAME, 2) },
                                                                  { CHANNELS_R(REPEATED_NAME, 3) } };

/* Taps kw, kw + stride .. of a kernel row, through which pixels of x a stride apart meet consecutive pixels of y: pixel
 * n stride + left of x meets n - t through tap t of these. */
typedef struct {
    int64_t kw, count, left;
} permute_chain;

/* All channels of a group of a vector, for pixels n0 to n1 and the chain's taps from a to b, all of which they meet. */
static void add_channels(const grouped_task *t, tg_run r, const permute_chain *k, int64_t a, int64_t b, int64_t n0,
                         int64_t n1)
{
    const tg_conv *v = &t->p->v;
    const bool one = r.from[TG_LANES - 1] == r.from[0];
    r.pixels = n1 - n0;
    r.x += (n0 * v->stride[1] + k->left) * v->in;
    r.y += (n0 - a) * v->of;
    r.sums += (k->kw + a * v->stride[1]) * v->in_group * t->p->channels;
    for (int64_t i = 0, n; i < v->in_group; i += n, r.sums += n * r.apart, r.channel += (int32_t)n) {
        n = ceil_div(v->in_group - i, ceil_div(v->in_group - i, one ? TG_RUN_REPEATED : TG_RUN_PERMUTED));
        (one ? repeated[b - a - 1] : permuted[b - a - 1])[n - 1](&r);
        r.x_ahead = r.y_ahead = 0;
    }
}

static void add_chain(const grouped_task *t, const tg_run *r, const permute_chain *k)
{
    const tg_conv *v = &t->p->v;
    const int64_t stride = v->stride[1], last = v->image[1] - 1 - k->left, out = v->out[1];
    const int64_t end = last < 0 ? 0 : imin(last / stride + 1, out + k->count - 1);
    for (int64_t n = ceil_div(imax(0, -k->left), stride), n1; n < end; n = n1) {
        const int64_t a = imax(0, n - out + 1), b = imin(k->count, n + 1);
        n1 = a == 0 && b == k->count ? imin(end, out) : n + 1;
        add_channels(t, *r, k, a, b, n, n1);
    }
}

/* The taps of a kernel row, as chains of a few. */
static void add_chains(const grouped_task *t, const tg_run *r)
{
    const tg_conv *v = &t->p->v;
    const int64_t stride = v->stride[1], width = v->kernel[1],
                  phases = v->dilation[1] > 1 ? width : imin(stride, width);
    for (int64_t phase = 0; phase < phases; phase++) {
        const int64_t all = v->dilation[1] > 1 ? 1 : ceil_div(width - phase, stride);
        for (int64_t i = 0, n; i < all; i += n) {
            n = ceil_div(all - i, ceil_div(all - i, TG_RUN_TAPS));
            const int64_t kw = phase + i * stride;
            add_chain(t, r, &(permute_chain){ kw, n, kw * v->dilation[1] - v->pad[1] });
        }
    }
}

static void add_permuted(const grouped_task *t)
{
    const tg_conv *v = &t->p->v;
    int32_t from[TG_LANES];
    for (int64_t c = t->c0; c < t->c1; c += TG_LANES) {
        permutation_of(v, c, from);
        const bool one = from[0] == from[TG_LANES - 1];
        const int64_t first = one ? from[0] : imin(from[0], v->in - TG_LANES); /* so that a whole vector is in range */
        for (int l = 0; l < TG_LANES; l++) from[l] -= (int32_t)first;
        for (int64_t kh = 0; kh < v->kernel[0]; kh++) {
            tg_run r = { .x_pixel = v->stride[1] * v->in, .y_pixel = v->of, .from = from, .channel = 0 };
            if (!run_lines_of(t, kh, &r, &r.x, &r.y)) continue;
            if (kh == 0) r.x_ahead = PIXELS_AHEAD * v->in, r.y_ahead = PIXELS_AHEAD * v->of;
            r.x += first;
            r.y += c;
            r.sums = t->sums + kh * v->kernel[1] * v->in_group * t->p->channels + c;
            r.tap_apart = v->stride[1] * v->in_group * t->p->channels;
            add_chains(t, &r);
        }
    }
}
#else
static void add_permuted(const grouped_task *t) { (void)t; }
#endif

/* ---- both ---- */

static void grouped_add_block(grouped_task *t, int64_t index, float *room)
{
    const grouped_plan *p = t->p;
    const tg_conv *v = &p->v;
    t->image = index / p->blocks;
    t->oh0 = index % p->blocks * p->lines;
    t->oh1 = imin(v->out[0], t->oh0 + p->lines);
    t->ih0 = imax(0, t->oh0 * v->stride[0] - v->pad[0]);
    t->ih1 = imin(v->image[0], (t->oh1 - 1) * v->stride[0] - v->pad[0] + (v->kernel[0] - 1) * v->dilation[0] + 1);
    if (t->ih1 <= t->ih0) return;
    t->lines_x = t->x + (t->image * v->image[0] + t->ih0) * p->x_line + (p->by == DIRECT ? t->c0 : 0);
    t->lines_y = t->gy + (t->image * v->out[0] + t->oh0) * p->y_line + (p->by == DIRECT ? t->c0 : 0);
    if (p->by == PACKED) {
        t->lines_x = room;
        t->lines_y = room + p->span * p->x_line;
        pack_x(t, room);
        pack_y(t, room + p->span * p->x_line);
    }
    if (p->by == PERMUTED) add_permuted(t);
    else add_depthwise(t);
}

static void grouped_add_part(const tg_call *c, const grouped_plan *p, const tg_task *t_)
{
    const int64_t share = t_->index % p->shares, part = t_->index / p->shares, all = p->v.n * p->blocks;
    grouped_task t = { .p = p, .gy = tg_ptr(c->in[0]), .x = tg_ptr(c->in[1]), .c0 = share * p->share };
    t.c1 = imin(p->channels, t.c0 + p->share);
    t.sums = (float *)t_->shared + part * p->rows * p->channels;
    for (int64_t r = 0; r < p->rows; r++)
        memset(t.sums + r * p->channels + t.c0, 0, sizeof(float) * (size_t)(t.c1 - t.c0));
    for (int64_t i = part * p->part; i < imin(all, (part + 1) * p->part); i++) grouped_add_block(&t, i, t_->scratch);
}

/* ---- phase 1 ---- */

static void grouped_add_parts(const tg_call *c, const grouped_plan *p, const tg_task *t)
{
    const int64_t first = t->index * TURN, n = imin(p->v.of - first, TURN), part = p->rows * p->channels;
    float *const gw = (float *)tg_ptr(c->out[0]) + first * p->rows;
    for (int64_t r = 0; r < p->rows; r++) {
        const float *from = (const float *)t->shared + r * p->channels + first;
        float sum[TURN];
        memcpy(sum, from, sizeof *sum * (size_t)n);
        for (int64_t k = 1; k < p->parts; k++)
            for (int64_t i = 0; i < n; i++) sum[i] += from[k * part + i];
        for (int64_t i = 0; i < n; i++) gw[i * p->rows + r] = sum[i];
    }
}

static void conv2d_grad_w_grouped_run(const tg_call *c, const tg_task *t)
{
    const grouped_plan p = grouped_plan_of(c);
    if (t->phase == 0) grouped_add_part(c, &p, t);
    else grouped_add_parts(c, &p, t);
}

TG_VECTOR_KERNEL(conv2d_grad_w_grouped_vector) = {
    .name = "vector_grouped_" TG_TEXT(TG_VECTOR_SUFFIX),
    .backend = "vector",
    .isa = TG_VECTOR_ISA,
    .reject = conv2d_grad_w_grouped_reject,
    .scratch = conv2d_grad_w_grouped_scratch,
    .tasks = conv2d_grad_w_grouped_tasks,
    .run = conv2d_grad_w_grouped_run,
};
