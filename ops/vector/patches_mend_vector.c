/* patches_mend_vector.c - recomputes sums that padding zeros made NaN. See patches.h. */
#include "patches.h"
#include <math.h>

enum { CHANNELS = 64 }; /* of a tap, summed at a time */

/* The first value of the pixel that position (i, j) of image n meets through a tap; NULL: padding. */
static const float *tap_pixel(const tg_patches *p, int64_t n, int64_t i, int64_t j, int64_t line, int64_t column)
{
    const int64_t y = i * p->stride[0] + p->origin[0] + line * p->step[0];
    const int64_t x = j * p->stride[1] + p->origin[1] + column * p->step[1];
    if (y < 0 || y >= p->size[0] || x < 0 || x >= p->size[1]) return NULL;
    return p->image + ((n * p->size[0] + y) * p->size[1] + x) * p->pitch;
}

/* Whether all taps of position i are inside the image, along an axis. */
static bool is_inside(const tg_patches *p, int axis, int64_t i)
{
    const int64_t first = i * p->stride[axis] + p->origin[axis];
    return first >= 0 && first + (p->taps[axis] - 1) * p->step[axis] < p->size[axis];
}

/* Whether all taps of all positions are. */
static bool none_outside(const tg_patches *p)
{
    bool inside = true;
    for (int axis = 0; axis < 2; axis++) inside &= is_inside(p, axis, 0) && is_inside(p, axis, p->places[axis] - 1);
    return inside;
}

typedef float vec __attribute__((vector_size(4 * TG_LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * TG_LANES)));

/* Non-zero where a NaN was seen. */
typedef struct {
    mask many;
    int32_t one;
} nans;

static inline void collect_nans(nans *odd, const float *f, int64_t n)
{
    int64_t i = 0;
    for (; i + TG_LANES <= n; i += TG_LANES) odd->many |= (mask)(*(const vec *)(f + i) != *(const vec *)(f + i));
    for (; i < n; i++) odd->one |= f[i] != f[i];
}

static bool any_nan(const nans *odd)
{
    int32_t bits = odd->one;
    for (int i = 0; i < TG_LANES; i++) bits |= odd->many[i];
    return bits;
}

/* ---- rows of patches ---- */

static double tap_sum(const tg_patches *p, const float *x, const float *b, int64_t width, double sum)
{
    for (int64_t k = 0; k < p->channels && !isnan(sum); k++) sum += (double)x[k] * (double)b[k * width];
    return sum;
}

static float row_sum(const tg_patches *p, const tg_gemm *g, int64_t row, int64_t n, int64_t columns)
{
    const int64_t j = row % p->places[1], i = row / p->places[1] % p->places[0],
                  image = row / p->places[1] / p->places[0];
    const int64_t panel = n / TG_NR * TG_NR, left = columns - panel,
                  width = tg_panel_width(left < TG_NR ? left : TG_NR);
    const float *b = g->packed_b + panel * g->k + n - panel;
    double sum = g->bias ? (double)g->bias[n] : 0;
    for (int64_t line = 0; line < p->taps[0]; line++)
        for (int64_t column = 0; column < p->taps[1]; column++, b += p->channels * width) {
            const float *const x = tap_pixel(p, image, i, j, line, column);
            if (x) sum = tap_sum(p, x, b, width, sum);
        }
    return g->relu && sum < 0 ? 0 : (float)sum;
}

/* Whether some sum of a row that reaches into the padding is NaN. */
static bool spoiled(const tg_patches *p, tg_cell c, float *const *rows)
{
    int64_t j = c.m0 % p->places[1], i = c.m0 / p->places[1] % p->places[0], low = 0, high = p->places[1];
    bool line = is_inside(p, 0, i);
    nans odd = { 0 };
    while (low < high && !is_inside(p, 1, low)) low++;
    while (low < high && !is_inside(p, 1, high - 1)) high--;
    for (int64_t m = c.m0; m < c.m1;) {
        if (line && low <= j && j < high) m += high - j, j = high;
        else collect_nans(&odd, rows[m - c.m0] + c.n0, c.n1 - c.n0), m++, j++;
        if (j < p->places[1]) continue;
        j = 0;
        i = i + 1 < p->places[0] ? i + 1 : 0;
        line = is_inside(p, 0, i);
    }
    return any_nan(&odd);
}

void tg_patches_mend(const tg_patches *p, const tg_gemm *g, tg_cell c, float *const *rows)
{
    if (none_outside(p) || !spoiled(p, c, rows)) return;
    for (int64_t m = c.m0; m < c.m1; m++) {
        float *const row = rows[m - c.m0];
        if (is_inside(p, 1, m % p->places[1]) && is_inside(p, 0, m / p->places[1] % p->places[0])) continue;
        for (int64_t n = c.n0; n < c.n1; n++)
            if (isnan(row[n])) row[n] = row_sum(p, g, m, n, c.n1);
    }
}

/* ---- columns ---- */

typedef struct { /* some channels of one tap, to be summed */
    const tg_patches *p;
    int64_t line, column, c0, count;
    double sum[CHANNELS];
} mend_task;

/* Whether all of them are NaN: no further term can change them. */
static bool rest_is_nan(const mend_task *s)
{
    for (int64_t c = 0; c < s->count; c++)
        if (!isnan(s->sum[c])) return false;
    return true;
}

static void mend_add_line(mend_task *s, int64_t n, int64_t i, const float *gy, int64_t apart)
{
    for (int64_t j = 0; j < s->p->places[1]; j++) {
        const float *const x = tap_pixel(s->p, n, i, j, s->line, s->column);
        const double g = (double)gy[j * apart];
        if (!x) continue;
#pragma omp simd
        for (int64_t c = 0; c < s->count; c++) s->sum[c] += g * (double)x[s->c0 + c];
    }
}

static void mend_part(mend_task *s, const float *gy, int64_t images, int64_t apart, float *to)
{
    const int64_t lines = images * s->p->places[0];
    for (int64_t c = 0; c < s->count; c++) s->sum[c] = isnan(to[c]) ? 0 : NAN;
    for (int64_t i = 0; i < lines && !rest_is_nan(s); i++, gy += s->p->places[1] * apart)
        mend_add_line(s, i / s->p->places[0], i % s->p->places[0], gy, apart);
    for (int64_t c = 0; c < s->count; c++)
        if (isnan(to[c])) to[c] = (float)s->sum[c];
}

void tg_patches_mend_product(const tg_patches *p, const float *gy, int64_t images, int64_t apart, int64_t c0,
                             int64_t c1, float *to)
{
    nans odd = { 0 };
    collect_nans(&odd, to, c1 - c0);
    if (none_outside(p) || !any_nan(&odd)) return;
    for (int64_t c = c0; c < c1;) {
        const int64_t tap = c / p->channels, first = c % p->channels, left = p->channels - first;
        const int64_t most = left < CHANNELS ? left : CHANNELS, count = most < c1 - c ? most : c1 - c;
        mend_task s = { .p = p, .line = tap / p->taps[1], .column = tap % p->taps[1], .c0 = first, .count = count };
        mend_part(&s, gy, images, apart, to + (c - c0));
        c += count;
    }
}
