/* pack_images.h - x and gy for backward-weights of the microkernels in bf16, whose k runs over images at one pixel (or
 * over rows of a matrix), at most TG_IMAGES at a time.
 *
 * A: [row][TG_IMAGES], x transposed: a row has the images of one channel.  B: [images / 2][TG_PANEL][2], gy with pairs
 * of images side by side.  Or, for blocks.h, in tiles: [tile][TG_IMAGES / 2][16][2].  Images beyond k are zeros. */
#ifndef TG_PACK_IMAGES_H
#define TG_PACK_IMAGES_H
#include "blocks.h"

void tg_pack_images_a(const uint16_t *from, int64_t stride, int k, int lead, int end, int rows, uint16_t *to);
void tg_pack_images_b(const uint16_t *from, int64_t stride, int k, int n, int pairs, uint16_t *to);
/* Any number of places to rows of so many, `pitch` elements from each to the next; and up to 62 bytes of zeros behind
 * the last row. */
void tg_pack_line(const uint16_t *from, int64_t stride, int k, int rows, int64_t pitch, uint16_t *to);
void tg_pack_images_tiles(const uint16_t *from, int64_t stride, int k, int lead, int end, int columns, uint16_t *to);
#endif
