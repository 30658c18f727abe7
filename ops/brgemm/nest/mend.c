/* mend.c - see mend.h. */
#include "mend.h"
#include <math.h>

enum { CHANNELS = 64 }; /* of gw, summed at a time */

/* ---- where ---- */

typedef struct {
    int64_t start, end;
} range;

/* The outputs whose taps all lie inside the input. */
static range inside_of(const tg_axis *a)
{
    const int64_t reach = (a->taps - 1) * a->step, low = imin(0, reach), high = imax(0, reach);
    const int64_t start = imax(0, ceil_div(imax(0, -a->off - low), a->num));
    const int64_t end = tg_floor_div((a->in - 1) * a->den - a->off - high, a->num) + 1;
    return (range){ start, imin(a->out, end) };
}

bool tg_meets_padding(const tg_axis *a)
{
    const range inside = inside_of(a);
    return inside.start > 0 || inside.end < a->out;
}

static const char *at(const void *data, tg_dtype dtype, int64_t i)
{
    return (const char *)data + (size_t)i * tg_dtype_size(dtype);
}

static bool is_nan(tg_dtype dtype, const void *p)
{
    return dtype == TG_BF16 ? (*(const uint16_t *)p & 0x7fff) > 0x7f80 : isnan(*(const float *)p);
}

/* Any of n elements is NaN. */
static bool any_nan(tg_dtype dtype, const void *p, int64_t n)
{
    const uint16_t *bf16 = p;
    const float *f32 = p;
    int any = 0;
    if (dtype == TG_BF16)
        for (int64_t i = 0; i < n; i++) any |= (bf16[i] & 0x7fff) > 0x7f80;
    else
        for (int64_t i = 0; i < n; i++) any |= f32[i] != f32[i];
    return any;
}

static double element(tg_dtype dtype, const void *p, int64_t i)
{
    return (double)(dtype == TG_BF16 ? tg_bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i]);
}

/* ---- forward and backward-data ---- */

typedef struct {
    const tg_nest_shape *s;
    const tg_nest_data *d;
    int64_t group;
} outputs;

/* Adds the products of output o of a group of w and one tap; stops at a NaN. */
static double tap_sum(const outputs *f, const char *x, int64_t group, int64_t o, int64_t tap, double sum)
{
    const tg_nest_shape *s = f->s;
    const int64_t taps = s->h.taps * s->w_axis.taps, in = s->in / s->joined, out = s->out / s->joined;
    const int64_t first = s->backward ? (group * in * taps + tap) * out + o : ((group * out + o) * taps + tap) * in;
    const int64_t step = s->backward ? taps * out : 1;
    const char *w = at(f->d->w, s->w->dtype, first);
    for (int64_t k = 0; k < in && !isnan(sum); k++)
        sum += element(s->x_dtype, x, k) * element(s->w->dtype, w, k * step);
    return sum;
}

static double output_sum(const outputs *f, int64_t image, int64_t oh, int64_t ow, int64_t o)
{
    const tg_nest_shape *s = f->s;
    const int64_t in = s->in / s->joined, out = s->out / s->joined, groups = s->groups * s->joined;
    const int64_t group = f->group * s->joined + o / out; /* of w */
    double sum = f->d->bias ? (double)f->d->bias[group * out + o % out] : 0;
    int64_t h, w;
    for (int64_t kh = 0; kh < s->h.taps; kh++) {
        if (!tg_meets(&s->h, oh, kh, &h)) continue;
        for (int64_t kw = 0; kw < s->w_axis.taps; kw++) {
            if (!tg_meets(&s->w_axis, ow, kw, &w)) continue;
            const int64_t pixel = image * s->image + h * s->h.memory_stride * s->line + w * s->w_axis.memory_stride;
            const char *x = at(f->d->x, s->x_dtype, (pixel * groups + group) * in);
            sum = tap_sum(f, x, group, o % out, kh * s->w_axis.taps + kw, sum);
        }
    }
    return s->relu && sum < 0 ? 0 : sum;
}

/* Channels o0 to o1 - 1 of an output pixel. */
static void mend_pixel(const outputs *f, int64_t image, int64_t oh, int64_t ow, int64_t o0, int64_t o1)
{
    const tg_nest_shape *s = f->s;
    const int64_t pixel = (image * s->h.out + oh) * s->w_axis.out + ow;
    const size_t size = tg_dtype_size(s->y_dtype);
    char *const y = (char *)f->d->y + (size_t)((pixel * s->groups + f->group) * s->out) * size;
    if (!any_nan(s->y_dtype, y + (size_t)o0 * size, o1 - o0)) return;
    for (int64_t o = o0; o < o1; o++) {
        if (!is_nan(s->y_dtype, y + (size_t)o * size)) continue;
        const float sum = (float)output_sum(f, image, oh, ow, o);
        if (s->y_dtype == TG_BF16) ((uint16_t *)(void *)y)[o] = tg_f32_to_bf16(sum);
        else ((float *)(void *)y)[o] = sum;
    }
}

void tg_mend_outputs(const tg_nest_shape *s, const tg_nest_data *d, const tg_output_range *r, bool edges)
{
    const outputs f = { s, d, r->group };
    const range inside = inside_of(&s->w_axis);
    for (int64_t i = r->images[0]; i < r->images[1]; i++)
        for (int64_t oh = r->lines[0]; oh < r->lines[1]; oh++)
            for (int64_t ow = r->columns[0]; ow < r->columns[1]; ow++) {
                if (edges && ow >= inside.start && ow < inside.end) ow = inside.end;
                if (ow < r->columns[1]) mend_pixel(&f, i, oh, ow, r->channels[0], r->channels[1]);
            }
}

/* ---- backward-weights ---- */

typedef struct {
    const tg_nest_shape *s;
    const tg_grad_w_data *d;
    int64_t group, o, kh, kw, c0, c1; /* of gw: a row, a tap, channels */
    double sum[CHANNELS];
} weights;

static bool all_nan(const weights *t)
{
    for (int64_t c = 0; c < t->c1 - t->c0; c++)
        if (!isnan(t->sum[c])) return false;
    return true;
}

/* A line of gy. */
static void add_line(weights *t, int64_t image, int64_t oh, int64_t h)
{
    const tg_nest_shape *s = t->s;
    const int64_t line = (image * s->h.out + oh) * s->w_axis.out, channels = s->groups * s->out;
    const char *gy = at(t->d->gy, s->y_dtype, line * channels + t->group * s->out + t->o);
    int64_t w;
    for (int64_t ow = 0; ow < s->w_axis.out; ow++) {
        if (!tg_meets(&s->w_axis, ow, t->kw, &w)) continue;
        const int64_t pixel = image * s->image + h * s->h.memory_stride * s->line + w * s->w_axis.memory_stride;
        const char *x = at(t->d->x, s->x_dtype, (pixel * s->groups + t->group) * s->in + t->c0);
        const double g = element(s->y_dtype, gy, ow * channels);
        for (int64_t c = 0; c < t->c1 - t->c0; c++) t->sum[c] += g * element(s->x_dtype, x, c);
    }
}

static void mend_tap(weights *t, float *gw)
{
    const tg_nest_shape *s = t->s;
    int64_t h;
    if (!any_nan(TG_F32, gw, t->c1 - t->c0)) return;
    for (int64_t c = 0; c < t->c1 - t->c0; c++) t->sum[c] = isnan(gw[c]) ? 0 : NAN;
    for (int64_t image = 0; image < s->images; image++)
        for (int64_t oh = 0; oh < s->h.out; oh++) {
            if (!tg_meets(&s->h, oh, t->kh, &h)) continue;
            add_line(t, image, oh, h);
            if (all_nan(t)) return;
        }
    for (int64_t c = 0; c < t->c1 - t->c0; c++)
        if (isnan(gw[c])) gw[c] = (float)t->sum[c];
}

void tg_mend_grad_w(const tg_nest_shape *s, const tg_grad_w_data *d, int64_t group, int64_t o, int64_t d0, int64_t d1)
{
    const int64_t in = s->in, taps = s->w_axis.taps;
    float *const gw = d->gw + (group * s->out + o) * s->h.taps * taps * in;
    for (int64_t i = d0, next; i < d1; i = next) {
        const int64_t tap = i / in, c = i % in;
        next = imin(d1, imin((tap + 1) * in, i + CHANNELS));
        weights t = { .s = s, .d = d, .group = group, .o = o, .kh = tap / taps, .kw = tap % taps };
        t.c0 = c, t.c1 = c + next - i;
        mend_tap(&t, gw + i);
    }
}
