/* microkernel_f32.h - what the FP32 microkernels share.  Each compiles it for its own instruction set. */
#ifndef TG_MICROKERNEL_F32_H
#define TG_MICROKERNEL_F32_H
#include "microkernel.h"
#include <string.h>

/* ---- backward-weights: places lie one below the other, channels side by side ---- */

static inline int64_t tg_f32_step(int rows) { return (rows + 15) / 16 * 16; }

static tg_places tg_f32_places_of(int rows, int k)
{
    const int64_t step = tg_f32_step(rows);
    return (tg_places){ (size_t)(k * step) * sizeof(float), (size_t)k * TG_PANEL * sizeof(float), 1, step, k };
}

static void load(const void *from, tg_dtype dtype, int64_t n, void *to);

static void tg_f32_load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    const size_t size = tg_dtype_size(dtype);
    for (int i = 0; i < k; i++) {
        float *a = (float *)to + i * tg_f32_step(rows);
        if (lead > 0 || end < rows) memset(a, 0, (size_t)rows * sizeof *a);
        if (lead < end) load((const char *)from + (size_t)(i * stride + lead) * size, dtype, end - lead, a + lead);
    }
}

static void tg_f32_load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    const size_t size = tg_dtype_size(dtype);
    for (int i = 0; i < k; i++) {
        float *b = (float *)to + (int64_t)i * TG_PANEL;
        load((const char *)from + (size_t)(i * stride) * size, dtype, n, b);
        if (n < TG_PANEL) memset(b + n, 0, (size_t)(TG_PANEL - n) * sizeof *b);
    }
}

#define TG_MICROKERNEL_F32(suffix, isa_) \
    const tg_microkernel tg_microkernel_##suffix = { \
        .name = #suffix, .isa = isa_, .element = TG_F32, .depth = 1, .images = 16, .places = TG_MAX_PLACES, \
        .lines = true, .load = load, .widen = widen, .places_of = tg_f32_places_of, .load_a = tg_f32_load_a, \
        .load_b = tg_f32_load_b, .run = run, \
    }
#endif
