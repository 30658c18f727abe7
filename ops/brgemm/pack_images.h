/* pack_images.h - x and gy for backward-weights of the microkernels in bf16, whose k runs over images at one pixel (or
 * over rows of a matrix), at most TG_IMAGES at a time.
 *
 * A: [row][TG_IMAGES], x transposed: a row has the images of one channel.  B: gy, up to TG_PANEL columns of it, with
 * pairs of images side by side; pairs are `pair` elements apart, and 16 columns `side` from the next.  Images beyond k
 * are zeros. */
#ifndef TG_PACK_IMAGES_H
#define TG_PACK_IMAGES_H
#include "op.h"

enum { TG_IMAGES = 32 };

void tg_pack_images_a(const uint16_t *from, int64_t stride, int k, int lead, int end, int rows, uint16_t *to);
void tg_pack_images_b(const uint16_t *from, int64_t stride, int k, int n, int pairs, int pair, int side,
                      uint16_t *to);
#endif
