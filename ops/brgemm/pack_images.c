/* pack_images.c - see pack_images.h.
 *
 * Two images of 32 channels are interleaved to pairs; for A sixteen such pairs are transposed, 16 x 16 words of 32
 * bits.  The transposition is free: loads and stores take as long. */
#include "pack_images.h"
#include "avx512.h"

static __mmask32 mask32(int n) { return n >= 32 ? 0xffffffffu : n <= 0 ? 0 : (1u << n) - 1; }

/* Channels of image i < k, zeros for the others. */
INLINE __m512i image(const uint16_t *from, int64_t stride, int i, int k, __mmask32 mask)
{
    return _mm512_maskz_loadu_epi16(i < k ? mask : 0, from + (i < k ? i * stride : 0));
}

/* 32 rows of A.  Unpacking takes 4 channels of every 8 apart, so that row t of a half is channel 8 (t / 4) + t % 4, or
 * the one 4 behind it. */
INLINE void pack_rows(const uint16_t *from, int64_t stride, int k, __mmask32 mask, int rows, uint16_t *to)
{
    __m512i low[16], high[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        const __m512i even = image(from, stride, 2 * i, k, mask), odd = image(from, stride, 2 * i + 1, k, mask);
        low[i] = _mm512_unpacklo_epi16(even, odd);
        high[i] = _mm512_unpackhi_epi16(even, odd);
    }
    transpose(low);
    transpose(high);
#pragma GCC unroll 16
    for (int t = 0; t < 16; t++) {
        const int row = t / 4 * 8 + t % 4;
        if (row < rows) _mm512_storeu_si512(to + row * TG_IMAGES, low[t]);
        if (row + 4 < rows) _mm512_storeu_si512(to + (row + 4) * TG_IMAGES, high[t]);
    }
}

void tg_pack_images_a(const uint16_t *from, int64_t stride, int k, int lead, int end, int rows, uint16_t *to)
{
    for (int j = 0; j < rows; j += 32, to += 32 * TG_IMAGES) {
        const __mmask32 mask = mask32(end - j) & ~mask32(lead - j);
        if (k == TG_IMAGES && rows - j >= 32) pack_rows(from + j, stride, TG_IMAGES, mask, 32, to);
        else pack_rows(from + j, stride, k, mask, rows - j, to);
    }
}

void tg_pack_images_b(const uint16_t *from, int64_t stride, int k, int n, int pairs, uint16_t *to)
{
    for (int i = 0; i < pairs; i++, to += 2 * TG_PANEL)
#pragma GCC unroll 2
        for (int j = 0; j < TG_PANEL; j += 32) {
            const __mmask32   mask = mask32(n - j);
            const pairs_of_32 p = paired(image(from + j, stride, 2 * i, k, mask),
                                         image(from + j, stride, 2 * i + 1, k, mask));
            _mm512_storeu_si512(to + 2 * j, p.first);
            _mm512_storeu_si512(to + 2 * j + 32, p.second);
        }
}

enum { PAIRS = TG_IMAGES / 2, TILE = PAIRS * 32 };

INLINE void pack_tiles(const uint16_t *from, int64_t stride, int k, __mmask32 mask, bool second, uint16_t *to)
{
#pragma GCC unroll 4
    for (int i = 0; i < PAIRS; i++, to += 32) {
        const pairs_of_32 p = paired(image(from, stride, 2 * i, k, mask), image(from, stride, 2 * i + 1, k, mask));
        _mm512_storeu_si512(to, p.first);
        if (second) _mm512_storeu_si512(to + TILE, p.second);
    }
}

void tg_pack_images_tiles(const uint16_t *from, int64_t stride, int k, int lead, int end, int columns, uint16_t *to)
{
    for (int j = 0; j < columns; j += 32, to += 2 * TILE) {
        const __mmask32 mask = mask32(end - j) & ~mask32(lead - j);
        if (k == TG_IMAGES && columns - j > 16) pack_tiles(from + j, stride, TG_IMAGES, mask, true, to);
        else pack_tiles(from + j, stride, k, mask, columns - j > 16, to);
    }
}
