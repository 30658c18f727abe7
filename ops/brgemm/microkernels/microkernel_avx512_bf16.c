/* microkernel_avx512_bf16.c - the microkernel with vdpbf16ps: pairs of bf16 products added to FP32 sums.
 *
 * Its micro-tiles are those of the FP32 one.  Each sum is rounded twice per pair, to nearest even, and denormals are
 * flushed to zero whatever the thread's mode.  AMD's processors do twice as many products as in FP32 this way, Intel's
 * only half as many. */
#define SUFFIX avx512_bf16
#include "avx512_store.h"
#include "named.h"
#include "pack_images.h"
#include <string.h>

static void NAMED(load)(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    memcpy(to, from, (size_t)n * tg_dtype_size(dtype));
}

/* ---- backward-weights ---- */

static tg_packed_sizes NAMED(packed_sizes)(int rows, int k)
{
    const int pairs = (k + 1) / 2;
    return (tg_packed_sizes){
        .a_bytes = (size_t)rows * TG_IMAGES * 2,
        .b_bytes = (size_t)pairs * TG_PANEL * 4,
        .row = TG_IMAGES,
        .step = 1,
        .k = 2 * pairs,
    };
}

/* Pixels of a line only: for images it gains nothing here. */
TG_INLINE void prefetch_pixels(const uint16_t *from, int64_t stride, int k, int n)
{
    const int64_t size = (int64_t)sizeof *from;
    for (int i = 0; i < k && stride * size < TG_FAR_BYTES; i++)
        tg_prefetch_pixel(from + i * stride, stride * size, n * size);
}

static void NAMED(load_a)(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows,
                          void *to)
{
    (void)dtype;
    prefetch_pixels(from, stride, k, rows);
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void NAMED(load_b)(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    prefetch_pixels(from, stride, k, n);
    tg_pack_images_b(from, stride, k, n, (k + 1) / 2, to);
}

static void NAMED(load_line)(const void *from, int64_t stride, int k, int rows, int64_t pitch, void *to)
{
    prefetch_pixels(from, stride, k, rows);
    tg_pack_line(from, stride, k, rows, pitch, to);
}

/* ---- the product ---- */

typedef uint16_t element;
typedef __m512bh operand;
enum { TAKEN = 2, ACROSS = 0 };

/* k and k + 1 of a row of A, broadcast. */
TG_INLINE operand from_a(const element *a)
{
    int32_t both;
    memcpy(&both, a, sizeof both);
    return (operand)_mm512_set1_epi32(both);
}

TG_INLINE operand last_of_a(const element *a) { return (operand)_mm512_set1_epi32(*a); }
TG_INLINE operand from_b(const element *b) { return (operand)_mm512_loadu_si512(b); }
TG_INLINE __m512 add(__m512 sum, operand x, operand y) { return _mm512_dpbf16_ps(sum, x, y); }

#include "avx512_microtiles.h"

static const char *NAMED(reject)(void)
{
    return tg_fast_dpbf16() ? NULL : "vdpbf16ps is slower than FP32 on this processor";
}

const tg_microkernel tg_microkernel_avx512_bf16 = {
    .name = "avx512_bf16",
    .isa = TG_ISA_AVX512_BF16,
    .element = TG_BF16,
    .panel = TG_PANEL,
    .reject = NAMED(reject),
    .depth = 2,
    .images = 16,
    .short_line = 14,
    .max_k = TG_IMAGES,
    .load = NAMED(load),
    .packed_sizes = NAMED(packed_sizes),
    .load_a = NAMED(load_a),
    .load_b = NAMED(load_b),
    .load_line = NAMED(load_line),
    .run = NAMED(brgemm),
};
