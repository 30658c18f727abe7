/* pack_tiles.c - see pack_tiles.h.  Only called on processors with AMX, so AVX-512 is available. */
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

void tg_tile_rows_of_pairs(const char *from, size_t row, int64_t pairs, void *first, void *second)
{
    for (int64_t i = 0; i < pairs; i++, from += 2 * row) {
        const pairs_of_32 p = paired(_mm512_loadu_si512(from), _mm512_loadu_si512(from + row));
        _mm512_storeu_si512((char *)first + 64 * i, p.first);
        _mm512_storeu_si512((char *)second + 64 * i, p.second);
    }
}
