/* microkernel_f32.h - what the FP32 microkernels share, compiled for each instruction set.  Wants SUFFIX (named.h). */
#ifndef TG_MICROKERNEL_F32_H
#define TG_MICROKERNEL_F32_H
#include "microkernel.h"
#include "named.h"
#include <string.h>

/* ---- backward-weights: A in micro-panels of 16 channels, k by k ---- */

static void NAMED(load)(const void *from, tg_dtype dtype, int64_t n, void *to);
/* n <= 16 elements, padded with zeros to 16. */
static void load_16(const void *from, tg_dtype dtype, int n, float *to);

/* A cache line of padding between micro-panels, which would otherwise map to the same cache set. */
static inline int64_t panel_stride_of(int k) { return 16 * (int64_t)(k + 1); }

static tg_packed_sizes NAMED(packed_sizes)(int rows, int k)
{
    const size_t a = (size_t)((rows + 15) / 16 * panel_stride_of(k)) * sizeof(float);
    return (tg_packed_sizes){ a, (size_t)k * TG_PANEL * sizeof(float), 1, 16, k, panel_stride_of(k) };
}

static void NAMED(load_a)(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows,
                          void *to)
{
    const size_t size = tg_dtype_size(dtype);
    for (int i = 0; i < k; i++) {
        const char *pixel = (const char *)from + i * stride * (int64_t)size;
        float *a = (float *)to + 16 * i;
        tg_prefetch_pixel(pixel, stride * (int64_t)size, (end - lead) * (int64_t)size);
        for (int c = 0; c < rows; c += 16, a += panel_stride_of(k)) {
            const int first = lead > c ? lead - c : 0, last = end - c < 16 ? end - c : 16;
            if (!first) load_16(pixel + c * (int64_t)size, dtype, last > 0 ? last : 0, a);
            else memset(a, 0, 16 * sizeof *a);
            if (first && first < last) NAMED(load)(pixel + (c + first) * (int64_t)size, dtype, last - first, a + first);
        }
    }
}

static void NAMED(load_b)(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    const size_t size = tg_dtype_size(dtype);
    float *b = to;
    for (int i = 0; i < k; i++, b += TG_PANEL) {
        const char *pixel = (const char *)from + i * stride * (int64_t)size;
        tg_prefetch_pixel(pixel, stride * (int64_t)size, n * (int64_t)size);
        for (int j = 0; j < n; j += 16) load_16(pixel + j * (int64_t)size, dtype, n - j < 16 ? n - j : 16, b + j);
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
        .max_k = TG_MAX_K, \
        .lines = true, \
        .load = NAMED(load), \
        .widen = NAMED(widen), \
        .packed_sizes = NAMED(packed_sizes), \
        .load_a = NAMED(load_a), \
        .load_b = NAMED(load_b), \
        .run = NAMED(brgemm), \
    }
#endif
