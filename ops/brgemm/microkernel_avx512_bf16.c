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

enum { AHEAD = 4096, FAR = 8192 };      /* bytes */

/* As many bytes of each place again, some KiB further: processors do not see them coming, and from memory packing took
 * five times as long.  Of images, far apart, it is not known what comes. */
INLINE void prefetch_places(const uint16_t *from, int64_t stride, int k, int n)
{
    const int64_t bytes = n * (int64_t)sizeof *from;
    if (stride * (int64_t)sizeof *from >= FAR || n <= 0) return;
    from += AHEAD / bytes * stride;
    for (int i = 0; i < k; i++, from += stride)
        for (int64_t j = 0; j < bytes; j += 64) _mm_prefetch((const char *)from + j, _MM_HINT_T0);
}

static void load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    (void)dtype;
    prefetch_places(from, stride, k, rows);
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    prefetch_places(from, stride, k, n);
    tg_pack_images_b(from, stride, k, n, (k + 1) / 2, to);
}

static void load_line(const void *from, int64_t stride, int k, int rows, int64_t pitch, void *to)
{
    prefetch_places(from, stride, k, rows);
    tg_pack_line(from, stride, k, rows, pitch, to);
}

/* ---- the product ---- */

typedef uint16_t element;
typedef __m512bh operand;
enum { TAKEN = 2, ACROSS = 0 };

/* k and k + 1 of a row of A, for all columns */
INLINE operand from_a(const element *a)
{
    int32_t both;
    memcpy(&both, a, sizeof both);
    return (operand)_mm512_set1_epi32(both);
}

INLINE operand from_b(const element *b) { return (operand)_mm512_loadu_si512(b); }
INLINE __m512  add(__m512 sum, operand x, operand y) { return _mm512_dpbf16_ps(sum, x, y); }

#include "avx512_blocks.h"

static const char *reject(void) { return tg_fast_dpbf16() ? NULL : "vdpbf16ps is slower than FP32 on this processor"; }

const tg_microkernel tg_microkernel_avx512_bf16 = {
    .name = "avx512_bf16", .isa = TG_ISA_AVX512_BF16, .element = TG_BF16, .panel = TG_PANEL, .reject = reject,
    .depth = 2, .images = 16, .short_line = 14, .places = TG_IMAGES, .load = load, .places_of = places_of,
    .load_a = load_a, .load_b = load_b, .load_line = load_line, .run = run,
};
