/* finish_transposed.c - rows of y^T in f32 become columns of y: 16 x 16 numbers at a time.  Only processors with tiles
 * come here, so AVX-512 is there. */
#include "avx512.h"
#include "linear_transposed.h"

enum { SIDE = 16 };

/* Some outputs of some rows, as they are in y. */
INLINE void turn(const float *sums, int64_t apart, int64_t outputs, __mmask16 rows, __m512i to[SIDE])
{
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++)
        to[i] = _mm512_castps_si512(_mm512_maskz_loadu_ps(i < outputs ? rows : 0, sums + (i < outputs ? i : 0) * apart));
    transpose(to);
}

void tg_finish_transposed(const tg_linear_transposed *l, const float *sums, int64_t n0, int64_t n1)
{
    const tg_brgemm p = { .c = tg_ptr(l->y), .store = l->y->dtype, .bias = tg_ptr(l->bias), .relu = l->relu };
    for (int64_t r = 0; r < l->rows; r += SIDE)
        for (int64_t n = n0; n < n1; n += SIDE) {
            const __mmask16 mask = mask_of(n1 - n);
            __m512i         v[SIDE];
            turn(sums + (n - n0) * l->rows + r, l->rows, n1 - n, mask_of(l->rows - r), v);
            for (int64_t i = 0; i < SIDE && r + i < l->rows; i++)
                store(&p, (r + i) * l->outputs + n, finished(_mm512_castsi512_ps(v[i]), &p, (int)n, mask), mask);
        }
}
