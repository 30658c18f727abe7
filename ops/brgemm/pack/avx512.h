/* avx512.h - 512-bit vectors: bf16, masks, pairs and a transposition. */
#ifndef TG_PACK_AVX512_H
#define TG_PACK_AVX512_H
#include "dtype.h"
#include "sizes.h"
#include <immintrin.h>
#include <stdint.h>

TG_INLINE __m512 widened(__m256i bits)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/* Rounds to nearest even; a NaN keeps its upper bits and becomes quiet.  The instruction flushes denormals to zero, as
 * worker threads do anyway. */
TG_INLINE __m256i narrowed(__m512 v)
{
#ifdef __AVX512BF16__
    return (__m256i)_mm512_cvtneps_pbh(v);
#else
    const __m512i u = _mm512_castps_si512(v), upper = _mm512_srli_epi32(u, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i even = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(even, nan, upper, _mm512_set1_epi32(0x40)));
#endif
}

/* The first `columns` lanes; any number of columns. */
TG_INLINE __mmask16 mask_of(int64_t columns)
{
    return columns >= 16 ? 0xffff : columns <= 0 ? 0 : (__mmask16)((1u << columns) - 1);
}

/* A full vector is stored without a mask, as masked stores are slow on some processors. */
TG_INLINE void store_vector(void *c, tg_dtype dtype, __m512 v, __mmask16 mask)
{
    if (dtype == TG_F32 && mask == 0xffff) _mm512_storeu_ps(c, v);
    else if (dtype == TG_F32) _mm512_mask_storeu_ps(c, mask, v);
    else if (mask == 0xffff) _mm256_storeu_si256(c, narrowed(v));
    else _mm256_mask_storeu_epi16(c, mask, narrowed(v));
}

/* Two vectors of 32 bf16, interleaved: the pairs of elements 0 to 15, and of 16 to 31. */
typedef struct {
    __m512i first, second;
} pairs_of_32;

TG_INLINE pairs_of_32 paired(__m512i even, __m512i odd)
{
    const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    return (pairs_of_32){ _mm512_permutex2var_epi64(low, first, high), _mm512_permutex2var_epi64(low, second, high) };
}

/* Transposes 16 x 16 words, in two rounds of 4 x 4. */
TG_INLINE void transpose(__m512i r[16])
{
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
        }
#pragma GCC unroll 2
    for (int h = 0; h < 16; h += 8)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            t[h + i] = _mm512_shuffle_i32x4(r[h + i], r[h + 4 + i], 0x88);
            t[h + 4 + i] = _mm512_shuffle_i32x4(r[h + i], r[h + 4 + i], 0xdd);
        }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    }
}
#endif
