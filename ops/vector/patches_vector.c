/* patches_vector.c - see patches.h.
 *
 * Adjacent taps that meet adjacent pixels with all channels used are contiguous in memory, and are copied together. So
 * a run is a line of taps, or a single tap; the outer loop is over runs, the inner one over rows. */
#include "patches.h"
#include <string.h>

typedef struct {
    int64_t line, column; /* the run's first tap */
    int64_t from, to;     /* values of the run that are needed */
    float *out;           /* for the first row */
} tap_run;

/* Most runs are short: copying 16 or 4 elements at a time, the last ones overlapping, is faster than a call to memcpy.
 */
static inline void copy_floats(float *to, const float *from, int64_t n)
{
    if (n >= 16) {
        for (int64_t i = 0; i < n - 16; i += 16) memcpy(to + i, from + i, 16 * sizeof *to);
        memcpy(to + n - 16, from + n - 16, 16 * sizeof *to);
    } else if (n >= 4) {
        for (int64_t i = 0; i < n - 4; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
        memcpy(to + n - 4, from + n - 4, 4 * sizeof *to);
    } else {
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
    }
}

/* Values from..to of a run whose first pixel is column x of a line; padding is zero. */
static inline void copy_tap_run(const tg_patches *p, const float *line, int64_t x, const tap_run *part, float *out)
{
    const int64_t first = x * p->pitch, left = -first, right = (p->size[1] - x) * p->pitch;
    int64_t from = part->from, to = part->to;
    if (from < left) from = left < to ? left : to;
    if (to > right) to = right > from ? right : from;
    for (int64_t i = part->from; i < from; i++) out[i - part->from] = 0;
    if (from < to) copy_floats(out + (from - part->from), line + first + from, to - from);
    for (int64_t i = to; i < part->to; i++) out[i - part->from] = 0;
}

/* One run for all rows. Positions are counted up instead of divided. */
static void copy_patch_rows(const tg_patches *p, int64_t r0, int64_t r1, const tap_run *part, int64_t pitch)
{
    int64_t j = r0 % p->places[1], i = r0 / p->places[1] % p->places[0], n = r0 / p->places[1] / p->places[0];
    float *out = part->out;
    for (int64_t r = r0; r < r1; r++, out += pitch) {
        const int64_t y = i * p->stride[0] + p->origin[0] + part->line * p->step[0];
        const int64_t x = j * p->stride[1] + p->origin[1] + part->column * p->step[1];
        if (y < 0 || y >= p->size[0]) memset(out, 0, sizeof *out * (size_t)(part->to - part->from));
        else copy_tap_run(p, p->image + (n * p->size[0] + y) * p->size[1] * p->pitch, x, part, out);
        if (++j < p->places[1]) continue;
        j = 0;
        if (++i < p->places[0]) continue;
        i = 0;
        n++;
    }
}

void tg_pack_patches(const tg_patches *p, int64_t r0, int64_t r1, int64_t c0, int64_t c1, float *to, int64_t pitch)
{
    const bool together = p->channels == p->pitch && (p->step[1] == 1 || p->taps[1] == 1);
    const int64_t length = p->channels * (together ? p->taps[1] : 1), across = together ? 1 : p->taps[1];
    for (int64_t c = c0; c < c1;) {
        const int64_t run = c / length, from = c % length, end = length < from + c1 - c ? length : from + c1 - c;
        const tap_run part = { run / across, run % across, from, end, to + (c - c0) };
        copy_patch_rows(p, r0, r1, &part, pitch);
        c += end - from;
    }
}
