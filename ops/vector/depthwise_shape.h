/* depthwise_shape.h - the convolution of conv2d_depthwise_vector.c, and which of its outputs meet which inputs. */
#ifndef TG_DEPTHWISE_SHAPE_H
#define TG_DEPTHWISE_SHAPE_H
#include "conv2d_shape.h"
#include "ints.h"

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
#endif
