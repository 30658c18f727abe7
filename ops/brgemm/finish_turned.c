/* finish_turned.c - rows of y^T in f32 become columns of y: 16 x 16 numbers at a time.  Only processors with tiles come
 * here, so AVX-512 is there. */
#include "avx512.h"
#include "nest.h"

enum { SIDE = 16 };

/* Some outputs of some rows, as they are in y. */
INLINE void turn(const float *sums, int64_t apart, int64_t outputs, __mmask16 rows, __m512i to[SIDE])
{
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++)
        to[i] =
            _mm512_castps_si512(_mm512_maskz_loadu_ps(i < outputs ? rows : 0, sums + (i < outputs ? i : 0) * apart));
    transpose(to);
}

void tg_finish_turned(const tg_nest *n, const float *sums, int64_t n0, int64_t n1)
{
    const tg_brgemm p = { .c = tg_ptr(n->y), .store = n->y->dtype, .bias = tg_ptr(n->bias), .relu = n->relu };
    const int64_t rows = n->p.out, outputs = n->w_axis.out;
    for (int64_t r = 0; r < rows; r += SIDE)
        for (int64_t j = n0; j < n1; j += SIDE) {
            const __mmask16 mask = mask_of(n1 - j);
            __m512i v[SIDE];
            turn(sums + (j - n0) * rows + r, rows, n1 - j, mask_of(rows - r), v);
            for (int64_t i = 0; i < SIDE && r + i < rows; i++)
                store(&p, (r + i) * outputs + j, finished(_mm512_castsi512_ps(v[i]), &p, (int)j, mask), mask);
        }
}
