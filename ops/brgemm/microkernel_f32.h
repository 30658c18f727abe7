/* microkernel_f32.h - what the FP32 microkernels share.  Each compiles it for its own instruction set. */
#ifndef TG_MICROKERNEL_F32_H
#define TG_MICROKERNEL_F32_H
#include "microkernel.h"
#include <string.h>

/* ---- backward-weights: strips of 16 channels, in which places lie one below the other ---- */

static void load(const void *from, tg_dtype dtype, int64_t n, void *to);
/* n <= 16 numbers, and zeros to 16 */
static void load_16(const void *from, tg_dtype dtype, int n, float *to);

/* A line of the cache between strips, which would otherwise fall into one set of it. */
static inline int64_t tg_f32_strip(int k) { return 16 * (int64_t)(k + 1); }

static tg_places tg_f32_places_of(int rows, int k)
{
    const size_t a = (size_t)((rows + 15) / 16 * tg_f32_strip(k)) * sizeof(float);
    return (tg_places){ a, (size_t)k * TG_PANEL * sizeof(float), 1, 16, k, tg_f32_strip(k) };
}

static void tg_f32_load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows,
                          void *to)
{
    const size_t size = tg_dtype_size(dtype);
    for (int i = 0; i < k; i++) {
        const char *place = (const char *)from + i * stride * (int64_t)size;
        float *a = (float *)to + 16 * i;
        tg_fetch_place(place, stride * (int64_t)size, (end - lead) * (int64_t)size);
        for (int c = 0; c < rows; c += 16, a += tg_f32_strip(k)) {
            const int first = lead > c ? lead - c : 0, last = end - c < 16 ? end - c : 16;
            if (!first) load_16(place + c * (int64_t)size, dtype, last > 0 ? last : 0, a);
            else memset(a, 0, 16 * sizeof *a);
            if (first && first < last) load(place + (c + first) * (int64_t)size, dtype, last - first, a + first);
        }
    }
}

static void tg_f32_load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    const size_t size = tg_dtype_size(dtype);
    float *b = to;
    for (int i = 0; i < k; i++, b += TG_PANEL) {
        const char *place = (const char *)from + i * stride * (int64_t)size;
        tg_fetch_place(place, stride * (int64_t)size, n * (int64_t)size);
        for (int j = 0; j < n; j += 16) load_16(place + j * (int64_t)size, dtype, n - j < 16 ? n - j : 16, b + j);
    }
}

#define TG_MICROKERNEL_F32(suffix, isa_) \
    const tg_microkernel tg_microkernel_##suffix = { \
        .name = #suffix, \
        .isa = isa_, \
        .element = TG_F32, \
        .panel = TG_PANEL, \
        .depth = 1, \
        .images = 16, \
        .short_line = 14, \
        .places = TG_MAX_PLACES, \
        .lines = true, \
        .load = load, \
        .widen = widen, \
        .places_of = tg_f32_places_of, \
        .load_a = tg_f32_load_a, \
        .load_b = tg_f32_load_b, \
        .run = run, \
    }
#endif
