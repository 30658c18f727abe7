/* avx512_store.h - the end of a product in 512-bit vectors: sums plus bias, relu, rounding, a store to C. */
#ifndef TG_AVX512_STORE_H
#define TG_AVX512_STORE_H
#include "avx512.h"
#include "prefetch.h"

TG_INLINE __m512 finished(__m512 v, const tg_brgemm *p, int column, __mmask16 mask)
{
    if (p->bias) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, p->bias + column));
    return p->relu ? _mm512_max_ps(_mm512_setzero_ps(), v) : v; /* max returns its second operand if either is NaN */
}

TG_INLINE void store(const tg_brgemm *p, int64_t at, __m512 v, __mmask16 mask)
{
    if (p->store == TG_F32) store_vector((float *)p->c + at, TG_F32, v, mask);
    else store_vector((uint16_t *)p->c + at, TG_BF16, v, mask);
}
#endif
