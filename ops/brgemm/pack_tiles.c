/* pack_tiles.c - see pack_tiles.h.  Only processors with tiles come here, so AVX-512 is there. */
#include "pack_tiles.h"
#include "avx512.h"

void tg_tile_of_columns(const char *from, size_t row, void *tile)
{
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + (size_t)i * row);
    transpose(r);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) _mm512_storeu_si512((char *)tile + 64 * i, r[i]);
}

void tg_tile_rows_of_pair(const void *even, const void *odd, void *first, void *second)
{
    const pairs_of_32 p = paired(_mm512_loadu_si512(even), _mm512_loadu_si512(odd));
    _mm512_storeu_si512(first, p.first);
    _mm512_storeu_si512(second, p.second);
}
