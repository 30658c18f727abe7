/* microkernel_avx512_bf16.c - the microkernel with vdpbf16ps: pairs of bf16 products added to FP32 sums.
 *
 * Blocks are those of the one in FP32.  Each sum rounds twice a pair, to nearest even, and denormals count as zeros,
 * whatever the thread's mode.  AMD's processors do twice the products of FP32 this way, Intel's only half of them. */
#include "avx512.h"
#include "pack_images.h"
#include <string.h>

static void load(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- backward-weights ---- */

static tg_places places_of(int rows, int k)
{
    const int pairs = (k + 1) / 2;
    return (tg_places){ .a_bytes = (size_t)rows * TG_IMAGES * 2, .b_bytes = (size_t)pairs * TG_PANEL * 4,
                        .row = TG_IMAGES, .step = 1, .k = 2 * pairs };
}

static void load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    (void)dtype;
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    tg_pack_images_b(from, stride, k, n, (k + 1) / 2, to);
}

/* ---- the product ---- */

/* k and k + 1 of a row of A, for all columns */
INLINE __m512i pair_of(const uint16_t *a)
{
    int32_t both;
    memcpy(&both, a, sizeof both);
    return _mm512_set1_epi32(both);
}

INLINE void accumulate(int rows, int vecs, const tg_brgemm *p, int r0, const tg_brick *brick, int count,
                       __m512 sum[16][4])
{
    for (int i = 0; i < count; i++) {
        const uint16_t *a = (const uint16_t *)brick[i].a + r0 * p->row, *b = brick[i].b;
        for (int64_t k = 0; k < p->k; k += 2, a += 2, b += 2 * TG_PANEL) {
            __m512bh y[4];
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) y[v] = (__m512bh)_mm512_loadu_si512(b + 32 * v);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const __m512bh x = (__m512bh)pair_of(a + r * p->row);
#pragma GCC unroll 4
                for (int v = 0; v < vecs; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, y[v]);
            }
        }
    }
}

#include "avx512_blocks.h"

static const char *reject(void) { return tg_fast_dpbf16() ? NULL : "vdpbf16ps is slower than FP32 on this processor"; }

const tg_microkernel tg_microkernel_avx512_bf16 = {
    .name = "avx512_bf16", .isa = TG_ISA_AVX512_BF16, .element = TG_BF16, .panel = TG_PANEL, .reject = reject,
    .depth = 2, .images = 16, .short_line = 14, .places = TG_IMAGES, .load = load, .places_of = places_of,
    .load_a = load_a, .load_b = load_b, .run = run,
};
