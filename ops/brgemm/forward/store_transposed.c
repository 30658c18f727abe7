/* store_transposed.c - rows of y^T in f32 become columns of y, 16 x 16 elements at a time.  Only called on processors
 * with AMX, so AVX-512 is available. */
#include "avx512_store.h"
#include "forward.h"

enum { SIDE = 16 };

/* Up to 16 outputs, `stride` floats from one to the next, of 16 rows, as they lie in y. */
TG_INLINE void load_transposed(const float *sums, int64_t stride, int64_t outputs, __mmask16 rows, __m512i to[SIDE])
{
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++)
        to[i] =
            _mm512_castps_si512(_mm512_maskz_loadu_ps(i < outputs ? rows : 0, sums + (i < outputs ? i : 0) * stride));
    transpose(to);
}

void tg_store_transposed(const tg_nest_shape *s, const tg_nest_data *d, const float *sums, int64_t n0, int64_t n1)
{
    const tg_brgemm p = { .c = d->y, .store = s->y_dtype, .bias = d->bias, .relu = s->relu };
    const int64_t rows = s->out, outputs = s->w_axis.out;
    for (int64_t r = 0; r < rows; r += SIDE)
        for (int64_t j = n0; j < n1; j += SIDE) {
            const __mmask16 mask = mask_of(n1 - j);
            __m512i v[SIDE];
            load_transposed(sums + (j - n0) * rows + r, rows, n1 - j, mask_of(rows - r), v);
            for (int64_t i = 0; i < SIDE && r + i < rows; i++)
                store(&p, (r + i) * outputs + j, finished(_mm512_castsi512_ps(v[i]), &p, (int)j, mask), mask);
        }
}
