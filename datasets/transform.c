/* transform.c - shuffling, random crops and mirroring, normalization.  See transform.h. */
#include "transform.h"
#include "random.h"

enum { FOR_ORDER, FOR_VIEWS };

/* Uses the upper half of the counters; operators draw from the lower half. */
static tg_stream stream_of(uint64_t seed, int64_t epoch, int purpose)
{
    return (tg_stream){ seed, (uint64_t)1 << 63 | (uint64_t)epoch << 1 | (uint64_t)purpose };
}

void tg_shuffle(uint64_t seed, int64_t epoch, int64_t count, uint32_t *order)
{
    const tg_stream stream = stream_of(seed, epoch, FOR_ORDER);
    for (int64_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    for (int64_t i = count - 1; i > 0; i--) {
        const uint32_t other = tg_random_below(stream, (uint64_t)i, (uint32_t)i + 1), moved = order[i];
        order[i] = order[other];
        order[other] = moved;
    }
}

/* An integer in 0 .. n-1; the bias is negligible as n is small. */
static int scaled(uint32_t bits, int n) { return (int)((uint64_t)bits * (uint64_t)n >> 32); }

tg_view tg_view_of(uint64_t seed, int64_t epoch, int64_t index, int pad, bool flip)
{
    if (pad == 0 && !flip) return (tg_view){ 0 };
    uint32_t bits[4];
    tg_random_bits(stream_of(seed, epoch, FOR_VIEWS), (uint64_t)index, bits);
    return (tg_view){ scaled(bits[0], 2 * pad + 1) - pad, scaled(bits[1], 2 * pad + 1) - pad, flip && bits[2] >> 31 };
}

tg_pixels tg_pixels_of(const tg_dataset *d, bool no_normalize)
{
    tg_pixels p = { .h = d->h, .w = d->w, .c = d->c };
    for (int i = 0; i < TG_PIXEL_BLOCK; i++) {
        const double mean = no_normalize ? 0 : d->mean[i % d->c], deviation = no_normalize ? 1 : d->deviation[i % d->c];
        p.scale[i] = (float)(1 / (255 * deviation));
        p.shift[i] = (float)(0 - mean / deviation);
    }
    return p;
}

static void show_block(const tg_pixels *p, const uint8_t *restrict from, int bytes, float *restrict out)
{
#pragma omp simd
    for (int i = 0; i < bytes; i++) out[i] = (float)from[i] * p->scale[i] + p->shift[i];
}

/* Whole pixels. */
static void show_bytes(const tg_pixels *p, const uint8_t *from, int bytes, float *out)
{
    for (; bytes >= TG_PIXEL_BLOCK; bytes -= TG_PIXEL_BLOCK, from += TG_PIXEL_BLOCK, out += TG_PIXEL_BLOCK)
        show_block(p, from, TG_PIXEL_BLOCK, out);
    show_block(p, from, bytes, out);
}

static void show_black(const tg_pixels *p, int pixels, float *out)
{
    for (int i = 0; i < pixels * p->c; i++) out[i] = p->shift[i % p->c];
}

static void mirror(const tg_pixels *p, float *row)
{
    for (float *left = row, *right = row + (p->w - 1) * p->c; left < right; left += p->c, right -= p->c)
        for (int k = 0; k < p->c; k++) {
            const float moved = left[k];
            left[k] = right[k];
            right[k] = moved;
        }
}

static int clamp(int x, int high) { return x < 0 ? 0 : x < high ? x : high; }

void tg_show(const tg_pixels *p, const uint8_t *image, tg_view view, float *out)
{
    const int w = p->w, c = p->c, left = clamp(-view.right, w), right = clamp(view.right, w), seen = w - left - right;
    if (!view.down && !view.right && !view.mirror) {
        show_bytes(p, image, p->h * w * c, out);
        return;
    }
    for (int y = 0; y < p->h; y++, out += w * c) {
        const int row = y + view.down;
        if (row < 0 || row >= p->h) {
            show_black(p, w, out);
            continue;
        }
        show_black(p, left, out);
        show_bytes(p, image + ((size_t)row * (size_t)w + (size_t)right) * (size_t)c, seen * c, out + left * c);
        show_black(p, right, out + (w - right) * c);
        if (view.mirror) mirror(p, out);
    }
}
