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
#include "conv2d_shape.h"
#include "ints.h"

enum { CHANNELS = 64 }; /* of a task that turns weights */
/* Floats of a task's input, and the tasks that are wanted, though a task should not be of fewer lines than `LINES`. */
enum { TASK = 65536, TASKS = 64, LINES = 4 };
/* channels that are copied to lie together, for all pixels of a line; of a task */
enum { PLANE = 32, WIDE = 8 * PLANE };

typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * TG_LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * TG_LANES), aligned(2), may_alias));

typedef struct {
    tg_conv v;
    bool back, relu; /* the derivative; relu behind */
    const tg_tensor *x, *w, *bias;
    tg_tensor *y;                 /* in and out: gy and gx of the derivative */
    int64_t c, padded;            /* channels; and up to whole vectors, as the weights have them */
    int64_t lines, blocks, parts; /* of y in a task; tasks of an image's lines, and of its channels */
} depthwise;

/* The outputs of a class along an axis: output j meets input at + stride j + step t through tap t of `taps`, whose
 * place in w is first + apart t. */
typedef struct {
    int64_t n, stride, at, step, taps, first, apart;
} class;
typedef struct {
    int64_t from, to;
} span;

static int64_t in_size(const depthwise *d, int axis) { return d->x->dim[1 + axis]; }
static int64_t out_size(const depthwise *d, int axis) { return d->y->dim[1 + axis]; }
static int64_t classes(const depthwise *d, int axis) { return d->back ? d->v.stride[axis] : 1; }

/* The pixels r, r + stride, ... of x meet a tap in `stride / common divisor with the dilation`. */
static class back_class(const depthwise *d, int axis, int64_t r)
{
    const int64_t s = d->v.stride[axis], dilation = d->v.dilation[axis], kernel = d->v.kernel[axis];
    const int64_t at = r + d->v.pad[axis];
    int64_t first = 0, apart = 1;
    while (apart * dilation % s) apart++;
    while (first < apart && (at - first * dilation) % s) first++;
    const bool any = first < apart && first < kernel;
    return (class){
        .n = r < out_size(d, axis) ? (out_size(d, axis) - 1 - r) / s + 1 : 0,
        .stride = 1,
        .at = any ? (at - first * dilation) / s : 0,
        .step = -(apart * dilation / s),
        .taps = any ? (kernel - 1 - first) / apart + 1 : 0,
        .first = first,
        .apart = apart,
    };
}

static class class_of(const depthwise *d, int axis, int64_t r)
{
    if (d->back) return back_class(d, axis, r);
    return (class){
        .n = out_size(d, axis),
        .stride = d->v.stride[axis],
        .at = -d->v.pad[axis],
        .step = d->v.dilation[axis],
        .taps = d->v.kernel[axis],
        .first = 0,
        .apart = 1,
    };
}

/* The taps of output j that meet one of `size` inputs. */
static span taps_of(const class *k, int64_t j, int64_t size)
{
    const int64_t step = k->step > 0 ? k->step : -k->step, at = k->at + j * k->stride;
    const int64_t before = k->step > 0 ? -at : at - (size - 1), behind = k->step > 0 ? size - 1 - at : at;
    const int64_t from = before > 0 ? ceil_div(before, step) : 0, to = behind < 0 ? 0 : behind / step + 1;
    return (span){ imin(from, k->taps), imax(imin(to, k->taps), imin(from, k->taps)) };
}

/* The outputs all of whose taps do. */
static span inner_of(const class *k, int64_t size)
{
    const int64_t end = k->at + (k->taps - 1) * k->step, low = imin(k->at, end), high = imax(k->at, end);
    const int64_t from = imin(low < 0 ? ceil_div(-low, k->stride) : 0, k->n);
    const int64_t to = high > size - 1 ? 0 : (size - 1 - high) / k->stride + 1;
    return (span){ from, imax(imin(to, k->n), from) };
}

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

/* The sums of `count` neighbours over the same taps, of a vector of channels. */
TG_INLINE void sum_vector(const line_sum *k, int64_t j, int64_t c, span taps, const int count, const int kind)
{
    const int64_t apart = k->columns.stride * k->from.pixel, step = k->columns.step * k->from.pixel;
    const float *line = k->x + (c - k->first) + taps.from * step + j * apart;
    const float *w_line = k->w + c + taps.from * k->w_tap;
    vec sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) sum[i] = *(const vec *)(k->bias + c);
    for (int64_t a = 0; a < k->lines; a++, line += k->line, w_line += k->w_line) {
        const float *x = line, *w = w_line;
        for (int64_t b = taps.from; b < taps.to; b++, x += step, w += k->w_tap)
#pragma GCC unroll 8
            for (int i = 0; i < count; i++) sum[i] += *(const vec *)(x + i * apart) * *(const vec *)w;
    }
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) store(k, j + i, c, sum[i], kind);
}

/* Channels are the inner loop: what neighbours read is near in time, however far apart their pixels are. */
TG_INLINE void sum_outputs(const line_sum *k, int64_t j, span taps, const int count)
{
    int64_t c = k->first;
    if (tg_is_bf16(k->d->y))
        for (; c + TG_LANES <= k->end; c += TG_LANES) sum_vector(k, j, c, taps, count, HALVES);
    else
        for (; c + TG_LANES <= k->end; c += TG_LANES) sum_vector(k, j, c, taps, count, FLOATS);
    if (c < k->end) sum_vector(k, j, c, taps, count, FEW);
}

static void sum_edge(const line_sum *k, int64_t j) { sum_outputs(k, j, taps_of(&k->columns, j, in_size(k->d, 1)), 1); }

static void sum_line(const line_sum *k)
{
    const span inner = k->inner, all = { 0, k->columns.taps };
    int64_t j = 0;
    for (; j < inner.from; j++) sum_edge(k, j);
    for (; j + 8 <= inner.to; j += 8) sum_outputs(k, j, all, 8);
    for (; j + 4 <= inner.to; j += 4) sum_outputs(k, j, all, 4);
    for (; j + 2 <= inner.to; j += 2) sum_outputs(k, j, all, 2);
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

/* The lines of the input that outputs i to end meet. */
static span lines_met(const depthwise *d, int64_t i, int64_t end)
{
    span met = { in_size(d, 0), 0 };
    for (; i < end; i++) {
        const class k = class_of(d, 0, i % classes(d, 0));
        const int64_t at = k.at + i / classes(d, 0) * k.stride, last = at + (k.taps - 1) * k.step;
        if (!k.taps) continue;
        met.from = imin(met.from, imax(imin(at, last), 0));
        met.to = imax(met.to, imin(imax(at, last) + 1, in_size(d, 0)));
    }
    return met.from < met.to ? met : (span){ 0, 0 };
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
    if (in_place(d)) return (source){ x, lines.from, columns * d->c, 0, d->c, WIDE };
    for (int64_t i = lines.from; i < lines.to; i++)
        for (int64_t j = 0; j < columns; j++, x = tg_at(x, tg_is_bf16(d->x), d->c)) {
            float *const to = scratch + (i - lines.from) * line + j * PLANE;
            if (tg_is_bf16(d->x)) copy_pixel(x, true, channels, to, plane);
            else copy_pixel(x, false, channels, to, plane);
        }
    return (source){ scratch, lines.from, line, plane, PLANE, PLANE };
}

static void sum_block(const depthwise *d, const tg_task *t)
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
    else sum_block(&d, t);
}

#define DEPTHWISE_HEAD .name = "vector_depthwise_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA
#define DEPTHWISE(symbol) \
    TG_VECTOR_KERNEL(symbol) = { DEPTHWISE_HEAD, .reject = reject, .scratch = scratch, .tasks = tasks, .run = run }
DEPTHWISE(conv2d_depthwise_vector);
DEPTHWISE(conv2d_relu_depthwise_vector);
DEPTHWISE(conv2d_grad_x_depthwise_vector);
