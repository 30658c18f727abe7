/* conv2d_direct.h - direct grouped convolution and its backward-data, as sums over taps: shared by the kernels for
 * depthwise convolutions and for small groups.
 *
 * Backward-data is such a sum, too, of gy. With strides, neighbouring pixels of x meet different taps, so lines and
 * columns are divided into `stride` classes, within which neighbours meet neighbours.
 *
 * Phase 0 transposes the weights from [c, taps, group] to [taps, group, c]. A task copies its channels' input into
 * scratch as f32, unless it can read it in place. The including file defines direct_sum_line. */
#ifndef TG_CONV2D_DIRECT_H
#define TG_CONV2D_DIRECT_H
#include "bf16.h"
#include "conv2d_shape.h"
#include "ints.h"

enum { CHANNELS = 64 }; /* of a task that transposes weights */
/* Floats of a task's input; target number of tasks, as long as a task has at least `LINES` lines. */
enum { TASK = 65536, TASKS = 48, LINES = 4 };
/* channels that are copied together, for all pixels of a line; channels of a task */
enum { PLANE = 32, WIDE = 8 * PLANE };
/* A kernel with more rows processes a line of outputs some channels at a time, whose pixels fit the first-level cache.
 */
enum { LOW = 3, SOME = 64 };

typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * TG_LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * TG_LANES), aligned(2), may_alias));

typedef struct {
    tg_conv v;
    bool back, relu; /* backward-data; followed by relu */
    const tg_tensor *x, *w, *bias;
    tg_tensor *y;                 /* input and output: gy and gx in backward-data */
    int64_t group;                /* channels of a group, in x and in y */
    int64_t c, padded;            /* channels; padded to whole vectors, as the weights are */
    int64_t tap;                  /* weights of one tap */
    int64_t lines, blocks, parts; /* of y per task; tasks of an image's lines, and of its channels */
} direct;

/* The outputs of a class along an axis: output j meets input at + stride j + step t through tap t of `taps`, which is
 * tap first + apart t of w. */
typedef struct {
    int64_t n, stride, at, step, taps, first, apart;
} tap_class;
typedef struct {
    int64_t from, to;
} span;

static int64_t in_size(const direct *d, int axis) { return d->x->dim[1 + axis]; }
static int64_t out_size(const direct *d, int axis) { return d->y->dim[1 + axis]; }
static int64_t classes(const direct *d, int axis) { return d->back ? d->v.stride[axis] : 1; }

/* The pixels r, r + stride, ... of x meet every (stride / gcd(stride, dilation))-th tap. */
static tap_class back_class(const direct *d, int axis, int64_t r)
{
    const int64_t s = d->v.stride[axis], dilation = d->v.dilation[axis], kernel = d->v.kernel[axis];
    const int64_t at = r + d->v.pad[axis];
    int64_t first = 0, apart = 1;
    while (apart * dilation % s) apart++;
    while (first < apart && (at - first * dilation) % s) first++;
    const bool any = first < apart && first < kernel;
    return (tap_class){
        .n = r < out_size(d, axis) ? (out_size(d, axis) - 1 - r) / s + 1 : 0,
        .stride = 1,
        .at = any ? (at - first * dilation) / s : 0,
        .step = -(apart * dilation / s),
        .taps = any ? (kernel - 1 - first) / apart + 1 : 0,
        .first = first,
        .apart = apart,
    };
}

static tap_class class_of(const direct *d, int axis, int64_t r)
{
    if (d->back) return back_class(d, axis, r);
    return (tap_class){
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
static span taps_of(const tap_class *k, int64_t j, int64_t size)
{
    const int64_t step = k->step > 0 ? k->step : -k->step, at = k->at + j * k->stride;
    const int64_t before = k->step > 0 ? -at : at - (size - 1), behind = k->step > 0 ? size - 1 - at : at;
    const int64_t from = before > 0 ? ceil_div(before, step) : 0, to = behind < 0 ? 0 : behind / step + 1;
    return (span){ imin(from, k->taps), imax(imin(to, k->taps), imin(from, k->taps)) };
}

/* The outputs whose taps all do. */
static span inner_of(const tap_class *k, int64_t size)
{
    const int64_t end = k->at + (k->taps - 1) * k->step, low = imin(k->at, end), high = imax(k->at, end);
    const int64_t from = imin(low < 0 ? ceil_div(-low, k->stride) : 0, k->n);
    const int64_t to = high > size - 1 ? 0 : (size - 1 - high) / k->stride + 1;
    return (span){ from, imax(imin(to, k->n), from) };
}

/* The lines of the input that outputs i to end meet. */
static span lines_met(const direct *d, int64_t i, int64_t end)
{
    span met = { in_size(d, 0), 0 };
    for (; i < end; i++) {
        const tap_class k = class_of(d, 0, i % classes(d, 0));
        const int64_t at = k.at + i / classes(d, 0) * k.stride, last = at + (k.taps - 1) * k.step;
        if (!k.taps) continue;
        met.from = imin(met.from, imax(imin(at, last), 0));
        met.to = imax(met.to, imin(imax(at, last) + 1, in_size(d, 0)));
    }
    return met.from < met.to ? met : (span){ 0, 0 };
}
/* ---- phase 0: weights [taps, c], followed by the bias ---- */

/* The weight of output channel c at a tap, for channel i of its group. */
static float weight(const direct *d, int64_t c, int64_t tap, int64_t i)
{
    const int64_t row = d->back ? c / d->group * d->group + i : c, column = d->back ? c % d->group : i;
    return tg_load(tg_ptr(d->w), tg_is_bf16(d->w), (row * d->v.taps + tap) * d->group + column);
}

static void transpose_weights(const direct *d, const tg_task *t)
{
    float *const to = t->shared;
    const int64_t first = t->index * CHANNELS, end = imin(first + CHANNELS, d->padded);
    for (int64_t tap = 0; tap < d->v.taps; tap++)
        for (int64_t i = 0; i < d->group; i++)
            for (int64_t c = first; c < end; c++)
                to[tap * d->tap + i * d->padded + c] = c < d->c ? weight(d, c, tap, i) : 0;
    for (int64_t c = first; c < end; c++)
        to[d->v.taps * d->tap + c] = d->bias && c < d->c ? tg_load(tg_ptr(d->bias), tg_is_bf16(d->bias), c) : 0;
}

/* ---- phase 1: sums ---- */

typedef struct { /* the lines that a task reads, from line `low` of the image on */
    const float *at;
    int64_t low, line, plane, pixel; /* strides, in floats */
    int64_t channels;                /* of a plane */
} input_lines;

typedef struct { /* a line of outputs, of one class of columns */
    const direct *d;
    tap_class columns;
    span inner;
    input_lines from;
    const float *w, *bias, *x; /* of channel 0; of the taps and column 0 of the first line that is met */
    int64_t lines, line, w_line, w_tap;
    void *y;                     /* output 0 */
    int64_t y_apart, first, end; /* stride of the outputs; channels, the first one as in x */
} line_sum;

/* What is stored: whole vectors, or fewer channels. */
enum { FLOATS, HALVES, FEW };

TG_INLINE halves direct_nearest(vec sum)
{
    const words u = (words)sum, nan = (words)(sum != sum), up = u + 0x7fffu + (u >> 16 & 1u);
    return __builtin_convertvector(((up & ~nan) | ((u | 0x400000u) & nan)) >> 16, halves);
}

static void store_few(void *y, bool is_bf16, vec sum, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) tg_store(y, is_bf16, c, sum[c]);
}

TG_INLINE void direct_store(const line_sum *k, int64_t j, int64_t c, vec sum, const int kind)
{
    const int64_t at = j * k->y_apart + c;
    if (k->d->relu) sum = (vec)((words)sum & ~(words)(sum < 0));
    if (kind == FLOATS) *(vec *)((float *)k->y + at) = sum;
    else if (kind == HALVES) *(halves *)((uint16_t *)k->y + at) = direct_nearest(sum);
    else store_few(tg_at(k->y, tg_is_bf16(k->d->y), at), tg_is_bf16(k->d->y), sum, k->end - c);
}

static void direct_sum_line(const line_sum *k);

/* Line i of image n, of the class of columns that begins with column r. */
static void sum_columns(line_sum k, const float *w, int64_t n, int64_t i, int64_t r)
{
    const direct *const d = k.d;
    const tap_class lines = class_of(d, 0, i % classes(d, 0));
    const int64_t at = i / classes(d, 0);
    const span met = taps_of(&lines, at, in_size(d, 0));
    k.x = k.from.at + (lines.at + at * lines.stride + met.from * lines.step - k.from.low) * k.from.line +
          k.columns.at * k.from.pixel;
    k.w = w + ((lines.first + met.from * lines.apart) * d->v.kernel[1] + k.columns.first) * d->tap;
    k.lines = met.to - met.from;
    k.line = lines.step * k.from.line;
    k.w_line = lines.apart * d->v.kernel[1] * d->tap;
    k.y = tg_at(tg_ptr(d->y), tg_is_bf16(d->y), ((n * out_size(d, 0) + i) * out_size(d, 1) + r) * d->c);
    for (const int64_t end = k.end; k.first < end; k.first = k.end, k.x += k.from.plane) {
        k.end = imin(k.first + k.from.channels, end);
        direct_sum_line(&k);
    }
}

static bool in_place(const direct *d) { return !tg_is_bf16(d->x) && d->c % TG_LANES == 0; }

/* Copies the channels of a pixel to planes. */
static inline void copy_pixel(const void *from, bool is_bf16, int64_t channels, float *to, int64_t plane)
{
    for (; channels > 0; channels -= PLANE, to += plane, from = tg_at(from, is_bf16, PLANE))
        if (channels >= PLANE)
#pragma omp simd
            for (int64_t k = 0; k < PLANE; k++) to[k] = tg_load(from, is_bf16, k);
        else
            for (int64_t k = 0; k < PLANE; k++) to[k] = k < channels ? tg_load(from, is_bf16, k) : 0;
}

/* Lines of image n, from channel c on: in place, or as f32 in scratch. */
static input_lines input_lines_of(const direct *d, int64_t n, span lines, int64_t c, float *conv2d_direct_scratch)
{
    const int64_t columns = in_size(d, 1), channels = imin(d->c - c, WIDE), plane = columns * PLANE;
    const int64_t line = ceil_div(channels, PLANE) * plane,
                  first = (n * in_size(d, 0) + lines.from) * columns * d->c + c;
    const void *x = tg_at(tg_ptr(d->x), tg_is_bf16(d->x), first);
    const int64_t together = d->v.kernel[0] > LOW ? SOME : WIDE;
    if (in_place(d)) return (input_lines){ x, lines.from, columns * d->c, together, d->c, together };
    for (int64_t i = lines.from; i < lines.to; i++)
        for (int64_t j = 0; j < columns; j++, x = tg_at(x, tg_is_bf16(d->x), d->c)) {
            float *const to = conv2d_direct_scratch + (i - lines.from) * line + j * PLANE;
            if (tg_is_bf16(d->x)) copy_pixel(x, true, channels, to, plane);
            else copy_pixel(x, false, channels, to, plane);
        }
    return (input_lines){ conv2d_direct_scratch, lines.from, line, plane, PLANE, PLANE };
}

static void sum_lines(const direct *d, const tg_task *t)
{
    const int64_t c = t->index % d->parts * WIDE, block = t->index / d->parts, n = block / d->blocks;
    const int64_t i = block % d->blocks * d->lines, end = imin(i + d->lines, out_size(d, 0));
    const input_lines from = input_lines_of(d, n, lines_met(d, i, end), c, t->scratch);
    const float *const w = t->shared;
    for (int64_t r = 0; r < classes(d, 1); r++) {
        const tap_class k = class_of(d, 1, r);
        const line_sum sum = {
            .d = d,
            .columns = k,
            .inner = inner_of(&k, in_size(d, 1)),
            .from = from,
            .w_tap = k.apart * d->tap,
            .bias = w + d->v.taps * d->tap,
            .y_apart = classes(d, 1) * d->c,
            .first = c,
            .end = imin(c + WIDE, d->c),
        };
        for (int64_t line = i; line < end; line++) sum_columns(sum, w, n, line, r);
    }
}

/* ---- kernels ---- */

static direct direct_cut(direct d)
{
    d.c = d.v.in;
    d.group = d.v.in_group;
    d.padded = ceil_div(d.c, TG_LANES) * TG_LANES;
    d.tap = d.group * d.padded;
    d.parts = ceil_div(d.c, WIDE);
    d.lines = imax(TASK / (in_size(&d, 1) * imin(d.padded, WIDE) * (d.back ? 1 : d.v.stride[0])), 1);
    while (d.lines >= 2 * LINES && d.v.n * d.parts * ceil_div(out_size(&d, 0), d.lines) < TASKS) d.lines /= 2;
    d.blocks = ceil_div(out_size(&d, 0), d.lines);
    return d;
}

static direct forward_of(const tg_call *c)
{
    return direct_cut((direct){
        .v = tg_conv_of(c, c->in[0], c->in[1], c->out[0]),
        .relu = c->op == &tg_conv2d_relu_op,
        .x = c->in[0],
        .w = c->in[1],
        .bias = c->in[2],
        .y = c->out[0],
    });
}

static direct back_of(const tg_call *c)
{
    return direct_cut((direct){
        .v = tg_conv_of(c, c->out[0], c->in[1], c->in[0]),
        .back = true,
        .x = c->in[0],
        .w = c->in[1],
        .y = c->out[0],
    });
}

static direct direct_of(const tg_call *c) { return c->op == &tg_conv2d_grad_x_op ? back_of(c) : forward_of(c); }

static tg_scratch conv2d_direct_scratch(const tg_call *c)
{
    const direct d = direct_of(c);
    const int64_t planes = ceil_div(imin(d.c, WIDE), PLANE) * PLANE;
    int64_t most = 0;
    for (int64_t i = 0; i < out_size(&d, 0); i += d.lines) {
        const span met = lines_met(&d, i, imin(i + d.lines, out_size(&d, 0)));
        most = imax(most, met.to - met.from);
    }
    return (tg_scratch){ .shared = (size_t)(d.v.taps * d.tap + d.padded) * sizeof(float),
                         .worker = in_place(&d) ? 0 : (size_t)(most * in_size(&d, 1) * planes) * sizeof(float) };
}

static int64_t conv2d_direct_tasks(const tg_call *c, int phase)
{
    const direct d = direct_of(c);
    return phase == 0 ? ceil_div(d.padded, CHANNELS) : phase == 1 ? d.v.n * d.blocks * d.parts : 0;
}

static void conv2d_direct_run(const tg_call *c, const tg_task *t)
{
    const direct d = direct_of(c);
    if (t->phase == 0) transpose_weights(&d, t);
    else sum_lines(&d, t);
}

#endif
