/* pack_images.c - see pack_images.h.
 *
 * Two images of 32 channels are interleaved to pairs; for A, sixteen such pairs are transposed as 16 x 16 words of 32
 * bits.  The transposition is free, as loads and stores take as long. */
#include "pack_images.h"
#include "avx512.h"

static __mmask32 mask32(int n) { return n >= 32 ? 0xffffffffu : n <= 0 ? 0 : (1u << n) - 1; }

static const __mmask32 ALL = 0xffffffffu;

/* Channels of image i; zeros if i >= k. */
TG_INLINE __m512i image(const uint16_t *from, int64_t stride, int i, int k, __mmask32 mask)
{
    return _mm512_maskz_loadu_epi16(i < k ? mask : 0, from + (i < k ? i * stride : 0));
}

/* Stores `rows` of 32 rows of A: 32 images, or two times 16.  Unpacking splits every 8 channels into two times 4, so
 * r / 4 decides whether row r comes from a low or a high half. */
TG_INLINE void store_rows(const __m512i low[16], const __m512i high[16], int rows, int64_t second, int64_t pitch,
                          uint16_t *to)
{
#pragma GCC unroll 32
    for (int r = 0; r < 32; r++, to += pitch) {
        if (r >= rows) continue;
        const __m512i row = (r % 8 < 4 ? low : high)[r / 8 * 4 + r % 4];
        if (second == 16) {
            _mm512_storeu_si512(to, row);
        } else {
            _mm256_storeu_si256((void *)to, _mm512_castsi512_si256(row));
            _mm256_storeu_si256((void *)(to + second), _mm512_extracti64x4_epi64(row, 1));
        }
    }
}

/* The last 16 images begin with image `second`: 16, or k - 16. */
TG_INLINE void pack_rows(const uint16_t *from, int64_t stride, int k, int64_t second, __mmask32 mask, int rows,
                         int64_t pitch, uint16_t *to)
{
    __m512i low[16], high[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        const int first = i < 8 ? 2 * i : (int)second + 2 * i - 16;
        const __m512i even = image(from, stride, first, k, mask), odd = image(from, stride, first + 1, k, mask);
        low[i] = _mm512_unpacklo_epi16(even, odd);
        high[i] = _mm512_unpackhi_epi16(even, odd);
    }
    transpose(low);
    transpose(high);
    store_rows(low, high, rows, second, pitch, to);
}

void tg_pack_images_a(const uint16_t *from, int64_t stride, int k, int lead, int end, int rows, uint16_t *to)
{
    for (int j = 0; j < rows; j += 32, to += 32 * TG_IMAGES) {
        const __mmask32 mask = mask32(end - j) & ~mask32(lead - j);
        if (k == TG_IMAGES && rows - j >= 32) pack_rows(from + j, stride, TG_IMAGES, 16, mask, 32, TG_IMAGES, to);
        else pack_rows(from + j, stride, k, 16, mask, rows - j, TG_IMAGES, to);
    }
}

/* Rows are stored in order, so that the next row overwrites zeros after the one before. */
TG_INLINE void pack_some(const uint16_t *from, int64_t stride, int k, int rows, int64_t pitch, uint16_t *to)
{
    if (k < 16) pack_rows(from, stride, k, 16, mask32(rows), rows, pitch, to);
    else if (rows == 32 && k == TG_IMAGES) pack_rows(from, stride, TG_IMAGES, 16, ALL, 32, pitch, to);
    else if (rows == 32) pack_rows(from, stride, TG_IMAGES, k - 16, ALL, 32, pitch, to);
    else if (rows == 16) pack_rows(from, stride, TG_IMAGES, k - 16, 0xffff, 16, pitch, to);
    else pack_rows(from, stride, TG_IMAGES, k - 16, mask32(rows), rows, pitch, to);
}

void tg_pack_line(const uint16_t *from, int64_t stride, int k, int rows, int64_t pitch, uint16_t *to)
{
    for (int j = 0; j < rows; j += 32) {
        const int some = rows - j < 32 ? rows - j : 32;
        for (int i = 0, left; (left = k - i) > 0; i += TG_IMAGES) {
            if (i && left < TG_IMAGES) i = k - TG_IMAGES, left = TG_IMAGES;
            pack_some(from + i * stride + j, stride, left < TG_IMAGES ? left : TG_IMAGES, some, pitch,
                      to + j * pitch + i);
        }
    }
}

/* Pairs of up to 32 channels of two images; the second image may be missing. */
TG_INLINE void pack_pair(const uint16_t *even, const uint16_t *odd, int channels, uint16_t *to)
{
    const __mmask32 mask = mask32(channels);
    const pairs_of_32 p = paired(_mm512_maskz_loadu_epi16(mask, even), _mm512_maskz_loadu_epi16(odd ? mask : 0, odd));
    _mm512_storeu_si512(to, p.first);
    _mm512_storeu_si512(to + 32, p.second);
}

TG_INLINE void pack_16(const uint16_t *even, const uint16_t *odd, uint16_t *to)
{
    const __m512i a = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)even));
    const __m512i b = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)odd));
    _mm512_storeu_si512(to, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
}

void tg_pack_images_b(const uint16_t *from, int64_t stride, int k, int n, int pairs, uint16_t *to)
{
    for (int i = 0; i < pairs; i++, from += 2 * stride, to += 2 * TG_PANEL) {
        const uint16_t *const odd = 2 * i + 1 < k ? from + stride : NULL;
        for (int j = 0; j < n; j += 32)
            if (odd && n - j >= 32) pack_pair(from + j, odd + j, 32, to + 2 * j);
            else if (odd && n - j == 16) pack_16(from + j, odd + j, to + 2 * j);
            else pack_pair(from + j, odd ? odd + j : NULL, n - j, to + 2 * j);
    }
}

enum { PAIRS = TG_IMAGES / 2, TILE = PAIRS * 32 };

TG_INLINE void pack_tiles(const uint16_t *from, int64_t stride, int k, __mmask32 mask, bool second, uint16_t *to)
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
