/* microkernel_avx512.c - the microkernel in FP32 with AVX-512. */
#define SUFFIX avx512
#include "avx512_store.h"
#include "microkernel_f32.h"

enum { PREFETCH_DISTANCE = 1024 }; /* elements: further ahead than the hardware prefetcher */

static void NAMED(load)(const void *from, tg_dtype dtype, int64_t n, void *to)
{
    const uint16_t *bits = from;
    float *f = to;
    int64_t i = 0;
    if (dtype == TG_F32) {
        memcpy(to, from, (size_t)n * sizeof *f);
        return;
    }
    for (; i + 32 <= n; i += 32) {
        __builtin_prefetch(bits + i + PREFETCH_DISTANCE);
        _mm512_storeu_ps(f + i, widened(_mm256_loadu_si256((const void *)(bits + i))));
        _mm512_storeu_ps(f + i + 16, widened(_mm256_loadu_si256((const void *)(bits + i + 16))));
    }
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(f + i, widened(_mm256_loadu_si256((const void *)(bits + i))));
    if (i < n) {
        const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
        _mm512_mask_storeu_ps(f + i, rest, widened(_mm256_maskz_loadu_epi16(rest, bits + i)));
    }
}

TG_INLINE void load_16(const void *from, tg_dtype dtype, int n, float *to)
{
    const __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (dtype == TG_F32) _mm512_storeu_ps(to, _mm512_maskz_loadu_ps(mask, from));
    else if (n == 16) _mm512_storeu_ps(to, widened(_mm256_loadu_si256(from)));
    else _mm512_storeu_ps(to, widened(_mm256_maskz_loadu_epi16(mask, from)));
}

/* A vector holds 16 columns of two k; the lower halves of its words belong to the even k. */
static void NAMED(widen)(const void *from, int64_t k, void *to)
{
    const char *pair = from;
    float *b = to;
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (int64_t i = 0; i < k; i += 2, pair += 4 * TG_PANEL, b += 2 * TG_PANEL)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            const __m512i two = _mm512_loadu_si512(pair + 64 * v);
            _mm512_storeu_ps(b + 16 * v, _mm512_castsi512_ps(_mm512_slli_epi32(two, 16)));
            _mm512_storeu_ps(b + 16 * v + TG_PANEL, _mm512_castsi512_ps(_mm512_and_si512(two, upper)));
        }
}

/* ---- the product ---- */

typedef float element;
typedef __m512 operand;
enum { TAKEN = 1, ACROSS = 1 };

TG_INLINE operand from_a(const element *a) { return _mm512_set1_ps(*a); }
TG_INLINE operand last_of_a(const element *a) { return from_a(a); }
TG_INLINE operand from_b(const element *b) { return _mm512_loadu_ps(b); }
TG_INLINE __m512 add(__m512 sum, operand x, operand y) { return _mm512_fmadd_ps(x, y, sum); }

#include "avx512_microtiles.h"

TG_MICROKERNEL_F32(avx512, TG_ISA_AVX512);
