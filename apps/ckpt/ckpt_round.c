/* ckpt_round.c - see ckpt_round.h. */
#include "ckpt_round.h"
#include <math.h>
#include <string.h>

static const round_format formats[] = {
    { "F64", 8, 52, -1022, 1023 },
    { "F32", 4, 23, -126, 127 },
    { "BF16", 2, 7, -126, 127 },
    { "F16", 2, 10, -14, 15 },
};

const round_format *round_find(const char *dtype)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].dtype, dtype)) return &formats[i];
    return NULL;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest value of the format, as a double: adding 1.5 * 2^52 units of its last place rounds off the rest. */
static double nearest(const round_format *f, double x)
{
    const int exponent = (int)(bits_of(x) >> 52 & 0x7ff) - 1023;
    if (f->fraction == 52 || !isfinite(x)) return x;
    const int place = (exponent < f->least ? f->least : exponent) - f->fraction;
    if (exponent > f->most) return copysign(INFINITY, x);
    const double shift = from_bits((uint64_t)(place + 52 + 1023) << 52 | (uint64_t)1 << 51);
    const double r = copysign((fabs(x) + shift) - shift, x);
    return fabs(r) >= ldexp(1, f->most + 1) ? copysign(INFINITY, x) : r;
}

/* The bits of a value that the format represents exactly. */
static uint64_t encode(const round_format *f, double x)
{
    const uint64_t bits = bits_of(x), sign = bits >> 63 << (8 * f->size - 1);
    const uint64_t infinity = (uint64_t)(2 * f->most + 1) << f->fraction;
    const int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    const uint64_t fraction = bits << 12 >> 12 >> (52 - f->fraction);
    if (isnan(x)) return sign | infinity | fraction | (uint64_t)1 << (f->fraction - 1);
    if (isinf(x)) return sign | infinity;
    if (exponent >= f->least) return sign | (uint64_t)(exponent + f->most) << f->fraction | fraction;
    if (f->fraction == 52) return bits;
    return sign | (uint64_t)ldexp(fabs(x), f->fraction - f->least); /* subnormal: a multiple of the smallest */
}

static void record_error(round_errors *e, double x, double r)
{
    if (isnan(x) || x == r) return;
    e->inexact++;
    if (isinf(r)) {
        e->overflows++;
        return;
    }
    const double absolute = fabs(x - r), relative = absolute / fabs(x);
    e->zeros += r == 0;
    e->absolute = fmax(e->absolute, absolute);
    e->relative = fmax(e->relative, relative);
}

void round_numbers(const round_format *f, const double *from, int64_t n, void *to, round_errors *e)
{
    uint8_t *at = to;
    for (int64_t i = 0; i < n; i++, at += f->size) {
        const double r = nearest(f, from[i]);
        const uint64_t bits = encode(f, r); /* little-endian, like the files */
        memcpy(at, &bits, (size_t)f->size);
        if (e) record_error(e, from[i], r);
    }
}

void round_add(round_errors *sum, const round_errors *more)
{
    sum->inexact += more->inexact;
    sum->overflows += more->overflows;
    sum->zeros += more->zeros;
    sum->absolute = fmax(sum->absolute, more->absolute);
    sum->relative = fmax(sum->relative, more->relative);
}
