/* conv2d_depthwise_vector.c - conv2d and its derivative in x where every channel is a group of its own.
 *
 * No product of matrices is in it: channel by channel, y is the sum of x w over the taps.  The derivative is such a
 * sum, too, of gy; with strides, pixels of x take turns with the taps, so its lines and columns fall into `stride`
 * classes, in each of which neighbours meet neighbours.  Sums of some neighbours stay in registers, for a vector of
 * channels.
 *
 * Phase 0 turns the weights from [c, taps] to [taps, c].  A task copies what it reads of its channels into scratch, as
 * f32, unless it is f32, and lies well. */
#include "bf16.h"
#include "depthwise_shape.h"

enum { CHANNELS = 64 }; /* of a task that turns weights */
/* Floats of a task's input, and the tasks that are wanted, though a task should not be of fewer lines than `LINES`. */
enum { TASK = 65536, TASKS = 64, LINES = 4 };
/* channels that are copied to lie together, for all pixels of a line; of a task */
enum { PLANE = 32, WIDE = 8 * PLANE };
/* A kernel of more lines goes through a line of outputs with some channels at a time, whose pixels the first level of
 * the cache holds. */
enum { LOW = 3, SOME = 64 };

typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * TG_LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * TG_LANES), aligned(2), may_alias));

/* ---- phase 0: weights [taps, c], and the bias behind them ---- */

static void turn_weights(const depthwise *d, const tg_task *t)
{
    float *to = t->shared;
    const bool is_bf16 = tg_is_bf16(d->w);
    const int64_t first = t->index * CHANNELS, end = imin(first + CHANNELS, d->padded);
    for (int64_t c = first; c < end; c++) {
        for (int64_t tap = 0; tap < d->v.taps; tap++)
            to[tap * d->padded + c] = c < d->c ? tg_load(tg_ptr(d->w), is_bf16, c * d->v.taps + tap) : 0;
        to[d->v.taps * d->padded + c] = d->bias && c < d->c ? tg_load(tg_ptr(d->bias), tg_is_bf16(d->bias), c) : 0;
    }
}

/* ---- phase 1: sums ---- */

typedef struct { /* the lines that a task reads, from line `low` of the image on */
    const float *at;
    int64_t low, line, plane, pixel; /* floats from one to the next */
    int64_t channels;                /* of a plane */
} source;

typedef struct { /* a line of outputs, of one class of columns */
    const depthwise *d;
    class columns;
    span inner;
    source from;
    const float *w, *bias, *x; /* of channel 0; taps and column 0 of the first line that is met */
    int64_t lines, line, w_line, w_tap;
    void *y;                     /* output 0 */
    int64_t y_apart, first, end; /* elements to the next one; channels, the first as x has it */
} line_sum;

/* What is stored: whole vectors, or fewer channels. */
enum { FLOATS, HALVES, FEW };

TG_INLINE halves nearest(vec sum)
{
    const words u = (words)sum, nan = (words)(sum != sum), up = u + 0x7fffu + (u >> 16 & 1u);
    return __builtin_convertvector(((up & ~nan) | ((u | 0x400000u) & nan)) >> 16, halves);
}

static void store_few(void *y, bool is_bf16, vec sum, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) tg_store(y, is_bf16, c, sum[c]);
}

TG_INLINE void store(const line_sum *k, int64_t j, int64_t c, vec sum, const int kind)
{
    const int64_t at = j * k->y_apart + c;
    if (k->d->relu) sum = (vec)((words)sum & ~(words)(sum < 0));
    if (kind == FLOATS) *(vec *)((float *)k->y + at) = sum;
    else if (kind == HALVES) *(halves *)((uint16_t *)k->y + at) = nearest(sum);
    else store_few(tg_at(k->y, tg_is_bf16(k->d->y), at), tg_is_bf16(k->d->y), sum, k->end - c);
}

/* A line of taps, of `count` neighbours and `vectors` of channels. */
TG_INLINE void add_taps(const line_sum *k, const float *x, const float *w, int64_t taps, const int count,
                        const int vectors, vec *sum)
{
    const int64_t apart = k->columns.stride * k->from.pixel, step = k->columns.step * k->from.pixel;
    for (int64_t b = 0; b < taps; b++, x += step, w += k->w_tap)
#pragma GCC unroll 8
        for (int i = 0; i < count; i++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[i * vectors + v] += *(const vec *)(x + i * apart + v * TG_LANES) * *(const vec *)(w + v * TG_LANES);
}

/* The same for outputs that meet neighbouring pixels through neighbouring taps: a pixel is loaded once for all. */
TG_INLINE void add_chain(const line_sum *k, const float *x, const float *w, const int taps, const bool back,
                         const int count, vec *sum)
{
    const int64_t pixel = k->from.pixel;
    vec tap[7];
#pragma GCC unroll 7
    for (int b = 0; b < taps; b++) tap[b] = *(const vec *)(w + b * k->w_tap);
#pragma GCC unroll 16
    for (int p = 0; p < count + taps - 1; p++) {
        const vec v = *(const vec *)(x + (back ? count - 1 - p : p) * pixel);
#pragma GCC unroll 7
        for (int b = 0; b < taps; b++)
            if (p - b >= 0 && p - b < count) sum[back ? count - 1 - (p - b) : p - b] += v * tap[b];
    }
}

/* The sums of `count` neighbours over the same taps, of `vectors` of channels. */
TG_INLINE void sum_block(const line_sum *k, int64_t j, int64_t c, span taps, const int count, const int vectors,
                         const int chain, const int kind)
{
    const float *x = k->x + (c - k->first) + (taps.from * k->columns.step + j * k->columns.stride) * k->from.pixel;
    const float *w = k->w + c + taps.from * k->w_tap;
    vec sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++) sum[i] = *(const vec *)(k->bias + c + i % vectors * TG_LANES);
    for (int64_t a = 0; a < k->lines; a++, x += k->line, w += k->w_line)
        if (chain) add_chain(k, x, w, chain < 0 ? -chain : chain, chain < 0, count, sum);
        else add_taps(k, x, w, taps.to - taps.from, count, vectors, sum);
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++) store(k, j + i / vectors, c + i % vectors * TG_LANES, sum[i], kind);
}

/* Channels are the inner loop: what neighbours read is near in time, however far apart their pixels are. */
TG_INLINE void sum_channels(const line_sum *k, int64_t j, span taps, const int count, const int vectors,
                            const int chain)
{
    int64_t c = k->first;
    if (tg_is_bf16(k->d->y))
        for (; c + vectors * TG_LANES <= k->end; c += vectors * TG_LANES)
            sum_block(k, j, c, taps, count, vectors, chain, HALVES);
    else
        for (; c + vectors * TG_LANES <= k->end; c += vectors * TG_LANES)
            sum_block(k, j, c, taps, count, vectors, chain, FLOATS);
    for (; c < k->end; c += TG_LANES)
        if (c + TG_LANES > k->end) sum_block(k, j, c, taps, count, 1, 0, FEW);
        else if (tg_is_bf16(k->d->y)) sum_block(k, j, c, taps, count, 1, 0, HALVES);
        else sum_block(k, j, c, taps, count, 1, 0, FLOATS);
}

/* Outputs all of whose taps meet the line, from j on: eight neighbours, where pixels are shared by taps enough. */
static bool sum_chain(const line_sum *k, int64_t j)
{
    const span all = { 0, k->columns.taps };
    const int64_t step = k->columns.step;
    if (j + 8 > k->inner.to || k->columns.stride > 1 || step > 1 || step < -1) return false;
    switch (step * all.to) {
    case 5: sum_channels(k, j, all, 8, 1, 5); return true;
    case 7: sum_channels(k, j, all, 8, 1, 7); return true;
    case -5: sum_channels(k, j, all, 8, 1, -5); return true;
    case -7: sum_channels(k, j, all, 8, 1, -7); return true;
    default: return false;
    }
}

static void sum_edge(const line_sum *k, int64_t j)
{
    sum_channels(k, j, taps_of(&k->columns, j, in_size(k->d, 1)), 1, 4, 0);
}

/* Eight sums at a time hide how long an addition takes: of fewer neighbours, some vectors each. */
static void sum_line(const line_sum *k)
{
    const span inner = k->inner, all = { 0, k->columns.taps };
    int64_t j = 0;
    for (; j < inner.from; j++) sum_edge(k, j);
    for (; sum_chain(k, j); j += 8) continue;
    for (; j + 4 <= inner.to; j += 4) sum_channels(k, j, all, 4, 2, 0);
    for (; j + 2 <= inner.to; j += 2) sum_channels(k, j, all, 2, 4, 0);
    for (; j < k->columns.n; j++) sum_edge(k, j);
}

/* Line i of image n, of a class of columns that begins with column r. */
static void sum_columns(line_sum k, const float *w, int64_t n, int64_t i, int64_t r)
{
    const depthwise *const d = k.d;
    const class lines = class_of(d, 0, i % classes(d, 0));
    const int64_t at = i / classes(d, 0);
    const span met = taps_of(&lines, at, in_size(d, 0));
    k.x = k.from.at + (lines.at + at * lines.stride + met.from * lines.step - k.from.low) * k.from.line +
          k.columns.at * k.from.pixel;
    k.w = w + ((lines.first + met.from * lines.apart) * d->v.kernel[1] + k.columns.first) * d->padded;
    k.lines = met.to - met.from;
    k.line = lines.step * k.from.line;
    k.w_line = lines.apart * d->v.kernel[1] * d->padded;
    k.y = tg_at(tg_ptr(d->y), tg_is_bf16(d->y), ((n * out_size(d, 0) + i) * out_size(d, 1) + r) * d->c);
    for (const int64_t end = k.end; k.first < end; k.first = k.end, k.x += k.from.plane) {
        k.end = imin(k.first + k.from.channels, end);
        sum_line(&k);
    }
}

static bool in_place(const depthwise *d) { return !tg_is_bf16(d->x) && d->c % TG_LANES == 0; }

/* Channels of a pixel, to planes. */
static inline void copy_pixel(const void *from, bool is_bf16, int64_t channels, float *to, int64_t plane)
{
    for (; channels > 0; channels -= PLANE, to += plane, from = tg_at(from, is_bf16, PLANE))
        if (channels >= PLANE)
#pragma omp simd
            for (int64_t k = 0; k < PLANE; k++) to[k] = tg_load(from, is_bf16, k);
        else
            for (int64_t k = 0; k < PLANE; k++) to[k] = k < channels ? tg_load(from, is_bf16, k) : 0;
}

/* Lines of image n, from channel c on: where they lie, or as f32 in scratch. */
static source source_of(const depthwise *d, int64_t n, span lines, int64_t c, float *scratch)
{
    const int64_t columns = in_size(d, 1), channels = imin(d->c - c, WIDE), plane = columns * PLANE;
    const int64_t line = ceil_div(channels, PLANE) * plane,
                  first = (n * in_size(d, 0) + lines.from) * columns * d->c + c;
    const void *x = tg_at(tg_ptr(d->x), tg_is_bf16(d->x), first);
    const int64_t together = d->v.kernel[0] > LOW ? SOME : WIDE;
    if (in_place(d)) return (source){ x, lines.from, columns * d->c, together, d->c, together };
    for (int64_t i = lines.from; i < lines.to; i++)
        for (int64_t j = 0; j < columns; j++, x = tg_at(x, tg_is_bf16(d->x), d->c)) {
            float *const to = scratch + (i - lines.from) * line + j * PLANE;
            if (tg_is_bf16(d->x)) copy_pixel(x, true, channels, to, plane);
            else copy_pixel(x, false, channels, to, plane);
        }
    return (source){ scratch, lines.from, line, plane, PLANE, PLANE };
}

static void sum_lines(const depthwise *d, const tg_task *t)
{
    const int64_t c = t->index % d->parts * WIDE, block = t->index / d->parts, n = block / d->blocks;
    const int64_t i = block % d->blocks * d->lines, end = imin(i + d->lines, out_size(d, 0));
    const source from = source_of(d, n, lines_met(d, i, end), c, t->scratch);
    const float *const w = t->shared;
    for (int64_t r = 0; r < classes(d, 1); r++) {
        const class k = class_of(d, 1, r);
        const line_sum sum = {
            .d = d,
            .columns = k,
            .inner = inner_of(&k, in_size(d, 1)),
            .from = from,
            .w_tap = k.apart * d->padded,
            .bias = w + d->v.taps * d->padded,
            .y_apart = classes(d, 1) * d->c,
            .first = c,
            .end = imin(c + WIDE, d->c),
        };
        for (int64_t line = i; line < end; line++) sum_columns(sum, w, n, line, r);
    }
}

/* ---- kernels ---- */

static depthwise cut(depthwise d)
{
    d.c = d.v.in;
    d.padded = ceil_div(d.c, TG_LANES) * TG_LANES;
    d.parts = ceil_div(d.c, WIDE);
    d.lines = imax(TASK / (in_size(&d, 1) * imin(d.padded, WIDE) * (d.back ? 1 : d.v.stride[0])), 1);
    while (d.lines >= 2 * LINES && d.v.n * d.parts * ceil_div(out_size(&d, 0), d.lines) < TASKS) d.lines /= 2;
    d.blocks = ceil_div(out_size(&d, 0), d.lines);
    return d;
}

static depthwise forward_of(const tg_call *c)
{
    return cut((depthwise){
        .v = tg_conv_of(c, c->in[0], c->in[1], c->out[0]),
        .relu = c->op == &tg_conv2d_relu_op,
        .x = c->in[0],
        .w = c->in[1],
        .bias = c->in[2],
        .y = c->out[0],
    });
}

static depthwise back_of(const tg_call *c)
{
    return cut((depthwise){
        .v = tg_conv_of(c, c->out[0], c->in[1], c->in[0]),
        .back = true,
        .x = c->in[0],
        .w = c->in[1],
        .y = c->out[0],
    });
}

static depthwise of(const tg_call *c) { return c->op == &tg_conv2d_grad_x_op ? back_of(c) : forward_of(c); }

static const char *reject(const tg_call *c)
{
    const depthwise d = of(c);
    return tg_conv_depthwise(&d.v) ? NULL : "not depthwise: more than one channel in a group";
}

static tg_scratch scratch(const tg_call *c)
{
    const depthwise d = of(c);
    const int64_t planes = ceil_div(imin(d.c, WIDE), PLANE) * PLANE;
    int64_t most = 0;
    for (int64_t i = 0; i < out_size(&d, 0); i += d.lines) {
        const span met = lines_met(&d, i, imin(i + d.lines, out_size(&d, 0)));
        most = imax(most, met.to - met.from);
    }
    return (tg_scratch){ .shared = (size_t)((d.v.taps + 1) * d.padded) * sizeof(float),
                         .worker = in_place(&d) ? 0 : (size_t)(most * in_size(&d, 1) * planes) * sizeof(float) };
}

static int64_t tasks(const tg_call *c, int phase)
{
    const depthwise d = of(c);
    return phase == 0 ? ceil_div(d.padded, CHANNELS) : phase == 1 ? d.v.n * d.blocks * d.parts : 0;
}

static void run(const tg_call *c, const tg_task *t)
{
    const depthwise d = of(c);
    if (t->phase == 0) turn_weights(&d, t);
    else sum_lines(&d, t);
}

#define DEPTHWISE_HEAD .name = "vector_depthwise_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA
#define DEPTHWISE(symbol) \
    TG_VECTOR_KERNEL(symbol) = { DEPTHWISE_HEAD, .reject = reject, .scratch = scratch, .tasks = tasks, .run = run }
DEPTHWISE(conv2d_depthwise_vector);
DEPTHWISE(conv2d_relu_depthwise_vector);
DEPTHWISE(conv2d_grad_x_depthwise_vector);
