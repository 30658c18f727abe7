/* mend.c - see mend.h. */
#include "mend.h"
#include <math.h>

enum { CHANNELS = 64 }; /* of gw, summed at a time */

/* ---- where ---- */

typedef struct {
    int64_t start, end;
} range;

/* The outputs all of whose taps lie inside of the input. */
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

static const char *at(const tg_tensor *t, int64_t i)
{
    return (const char *)tg_ptr(t) + (size_t)i * tg_dtype_size(t->dtype);
}

static bool is_nan(tg_dtype dtype, const void *p)
{
    return dtype == TG_BF16 ? (*(const uint16_t *)p & 0x7fff) > 0x7f80 : isnan(*(const float *)p);
}

/* Some of n numbers are. */
static bool any_nan(tg_dtype dtype, const void *p, int64_t n)
{
    const uint16_t *bf16 = p;
    const float *whole = p;
    int any = 0;
    if (dtype == TG_BF16)
        for (int64_t i = 0; i < n; i++) any |= (bf16[i] & 0x7fff) > 0x7f80;
    else
        for (int64_t i = 0; i < n; i++) any |= whole[i] != whole[i];
    return any;
}

static double number(tg_dtype dtype, const void *p, int64_t i)
{
    return (double)(dtype == TG_BF16 ? tg_bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i]);
}

/* ---- forward and backward-data ---- */

typedef struct {
    const tg_nest *n;
    tg_axis h;         /* of x, whatever was stacked */
    int64_t in, group; /* channels of x that an output meets; of the nest */
} outputs;

/* Products of output o of a group and one tap; stops at a NaN. */
static double tap_sum(const outputs *s, const char *x, int64_t group, int64_t o, int64_t tap, double sum)
{
    const tg_nest *n = s->n;
    const int64_t taps = s->h.taps * n->w_axis.taps, out = n->p.out / n->joined;
    const int64_t first =
        n->backward ? (group * s->in * taps + tap) * out + o : ((group * out + o) * taps + tap) * s->in;
    const int64_t step = n->backward ? taps * out : 1;
    const char *w = at(n->w, first);
    for (int64_t k = 0; k < s->in && !isnan(sum); k++)
        sum += number(n->x->dtype, x, k) * number(n->w->dtype, w, k * step);
    return sum;
}

static double output_sum(const outputs *s, int64_t image, int64_t oh, int64_t ow, int64_t o)
{
    const tg_nest *n = s->n;
    const int64_t out = n->p.out / n->joined, group = s->group * n->joined + o / out, groups = n->groups * n->joined;
    double sum = n->bias ? number(TG_F32, tg_ptr(n->bias), group * out + o % out) : 0;
    int64_t h, w;
    for (int64_t kh = 0; kh < s->h.taps; kh++) {
        if (!tg_meets(&s->h, oh, kh, &h)) continue;
        for (int64_t kw = 0; kw < n->w_axis.taps; kw++) {
            if (!tg_meets(&n->w_axis, ow, kw, &w)) continue;
            const int64_t pixel = image * n->image + h * s->h.apart * n->line + w * n->w_axis.apart;
            const char *x = at(n->x, (pixel * groups + group) * s->in);
            sum = tap_sum(s, x, group, o % out, kh * n->w_axis.taps + kw, sum);
        }
    }
    return n->relu && sum < 0 ? 0 : sum;
}

/* Channels o0 .. o1 - 1 of an output pixel. */
static void mend_pixel(const outputs *s, int64_t image, int64_t oh, int64_t ow, int64_t o0, int64_t o1)
{
    const tg_nest *n = s->n;
    const int64_t pixel = (image * n->h.out + oh) * n->w_axis.out + ow;
    char *const y = (char *)(uintptr_t)at(n->y, (pixel * n->groups + s->group) * n->p.out);
    const size_t size = tg_dtype_size(n->y->dtype);
    if (!any_nan(n->y->dtype, y + (size_t)o0 * size, o1 - o0)) return;
    for (int64_t o = o0; o < o1; o++) {
        if (!is_nan(n->y->dtype, y + (size_t)o * size)) continue;
        const float sum = (float)output_sum(s, image, oh, ow, o);
        if (n->y->dtype == TG_BF16) ((uint16_t *)(void *)y)[o] = tg_f32_to_bf16(sum);
        else ((float *)(void *)y)[o] = sum;
    }
}

void tg_mend_outputs(const tg_block *b, int64_t panel0, int64_t panel1, bool all)
{
    const tg_nest *n = b->n;
    const outputs s = { n, n->stacked ? n->lines_of_x : n->h, n->stacked ? n->w->dim[3] : n->p.in / n->joined,
                        b->group };
    const int64_t o0 = panel0 * n->p.columns, o1 = imin(n->p.out, panel1 * n->p.columns);
    const range inside = inside_of(&n->w_axis);
    for (int64_t i = b->image; i < b->image + b->images; i++)
        for (int64_t oh = b->line0; oh < b->line1; oh++)
            for (int64_t ow = b->column0; ow < b->column1; ow++) {
                if (!all && ow >= inside.start && ow < inside.end) ow = inside.end;
                if (ow < b->column1) mend_pixel(&s, i, oh, ow, o0, o1);
            }
}

void tg_mend_pixels(const tg_nest *n, int64_t image, const int64_t lines[2], const int64_t columns[2], int64_t o0,
                    int64_t o1)
{
    const outputs s = { n, n->h, n->p.in, 0 };
    for (int64_t h = lines[0]; h < lines[1]; h++)
        for (int64_t w = columns[0]; w < columns[1]; w++) mend_pixel(&s, image, h, w, o0, o1);
}

/* ---- backward-weights ---- */

typedef struct {
    const tg_nest *n;
    int64_t group, o, kh, kw, c0, c1; /* of gw: a row, a tap, channels */
    double sum[CHANNELS];
} weights;

/* All of them are NaN. */
static bool hopeless(const weights *t)
{
    for (int64_t c = 0; c < t->c1 - t->c0; c++)
        if (!isnan(t->sum[c])) return false;
    return true;
}

/* A line of gy. */
static void add_line(weights *t, int64_t image, int64_t oh, int64_t h)
{
    const tg_nest *n = t->n;
    const int64_t line = (image * n->h.out + oh) * n->w_axis.out, channels = n->groups * n->p.out;
    const char *gy = at(n->y, line * channels + t->group * n->p.out + t->o);
    int64_t w;
    for (int64_t ow = 0; ow < n->w_axis.out; ow++) {
        if (!tg_meets(&n->w_axis, ow, t->kw, &w)) continue;
        const int64_t pixel = image * n->image + h * n->h.apart * n->line + w * n->w_axis.apart;
        const char *x = at(n->x, (pixel * n->groups + t->group) * n->p.in + t->c0);
        const double g = number(n->y->dtype, gy, ow * channels);
        for (int64_t c = 0; c < t->c1 - t->c0; c++) t->sum[c] += g * number(n->x->dtype, x, c);
    }
}

static void mend_tap(weights *t, float *gw)
{
    const tg_nest *n = t->n;
    int64_t h;
    if (!any_nan(TG_F32, gw, t->c1 - t->c0)) return;
    for (int64_t c = 0; c < t->c1 - t->c0; c++) t->sum[c] = isnan(gw[c]) ? 0 : NAN;
    for (int64_t image = 0; image < n->images; image++)
        for (int64_t oh = 0; oh < n->h.out; oh++) {
            if (!tg_meets(&n->h, oh, t->kh, &h)) continue;
            add_line(t, image, oh, h);
            if (hopeless(t)) return;
        }
    for (int64_t c = 0; c < t->c1 - t->c0; c++)
        if (isnan(gw[c])) gw[c] = (float)t->sum[c];
}

void tg_mend_grad_w(const tg_nest *n, int64_t group, int64_t o, int64_t d0, int64_t d1)
{
    const int64_t in = n->p.in, taps = n->p.kernel[1];
    float *const gw = (float *)tg_ptr(n->w) + (group * n->p.out + o) * n->p.kernel[0] * taps * in;
    for (int64_t d = d0, next; d < d1; d = next) {
        const int64_t tap = d / in, c = d % in;
        next = imin(d1, imin((tap + 1) * in, d + CHANNELS));
        weights t = { .n = n, .group = group, .o = o, .kh = tap / taps, .kw = tap % taps, .c0 = c, .c1 = c + next - d };
        mend_tap(&t, gw + d);
    }
}
