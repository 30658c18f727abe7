/* pack_images.h - packs x and gy for backward-weights of the bf16 microkernels, whose k runs over images at one pixel
 * (or over rows of a matrix), at most TG_IMAGES at a time.
 *
 * A: [row][TG_IMAGES], x transposed: a row has the images of one channel.  B: [images / 2][TG_PANEL][2], gy with pairs
 * of images side by side; or, for tile_gemm.h, in tiles: [tile][TG_IMAGES / 2][16][2].  Images from k on are zeros. */
#ifndef TG_PACK_IMAGES_H
#define TG_PACK_IMAGES_H
#include "sizes.h"
#include <stdbool.h>
#include <stdint.h>

void tg_pack_images_a(const uint16_t *from, int64_t stride, int k, int lead, int end, int rows, uint16_t *to);
void tg_pack_images_b(const uint16_t *from, int64_t stride, int k, int n, int pairs, uint16_t *to);
/* Any number k of pixels, to rows of k elements, `pitch` elements apart; and up to 62 bytes of zeros after the last
 * row. */
void tg_pack_line(const uint16_t *from, int64_t stride, int k, int rows, int64_t pitch, uint16_t *to);
void tg_pack_images_tiles(const uint16_t *from, int64_t stride, int k, int lead, int end, int columns, uint16_t *to);
#endif
