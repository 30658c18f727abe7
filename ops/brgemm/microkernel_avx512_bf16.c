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
    return (tg_places){
        .a_bytes = (size_t)rows * TG_IMAGES * 2,
        .b_bytes = (size_t)pairs * TG_PANEL * 4,
        .row = TG_IMAGES,
        .step = 1,
        .k = 2 * pairs,
    };
}

/* Not of images: of these it gains nothing here. */
INLINE void fetch_places(const uint16_t *from, int64_t stride, int k, int n)
{
    const int64_t size = (int64_t)sizeof *from;
    for (int i = 0; i < k && stride * size < TG_FAR; i++) tg_fetch_place(from + i * stride, stride * size, n * size);
}

static void load_a(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to)
{
    (void)dtype;
    fetch_places(from, stride, k, rows);
    tg_pack_images_a(from, stride, k, lead, end, rows, to);
}

static void load_b(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to)
{
    (void)dtype;
    fetch_places(from, stride, k, n);
    tg_pack_images_b(from, stride, k, n, (k + 1) / 2, to);
}

static void load_line(const void *from, int64_t stride, int k, int rows, int64_t pitch, void *to)
{
    fetch_places(from, stride, k, rows);
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

INLINE operand last_of_a(const element *a) { return (operand)_mm512_set1_epi32(*a); }
INLINE operand from_b(const element *b) { return (operand)_mm512_loadu_si512(b); }
INLINE __m512 add(__m512 sum, operand x, operand y) { return _mm512_dpbf16_ps(sum, x, y); }

#include "avx512_blocks.h"

static const char *reject(void) { return tg_fast_dpbf16() ? NULL : "vdpbf16ps is slower than FP32 on this processor"; }

const tg_microkernel tg_microkernel_avx512_bf16 = {
    .name = "avx512_bf16",
    .isa = TG_ISA_AVX512_BF16,
    .element = TG_BF16,
    .panel = TG_PANEL,
    .reject = reject,
    .depth = 2,
    .images = 16,
    .short_line = 14,
    .places = TG_IMAGES,
    .load = load,
    .places_of = places_of,
    .load_a = load_a,
    .load_b = load_b,
    .load_line = load_line,
    .run = run,
};
