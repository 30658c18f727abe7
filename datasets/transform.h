/* transform.h - turns the bytes of an image into the input of a network.  Private.
 *
 * All randomness is a pure function of (seed, epoch, image index): stateless, so any order and any thread will do. */
#ifndef TG_TRANSFORM_H
#define TG_TRANSFORM_H
#include "datasets.h"

/* A byte b of channel k becomes b * scale[k] + shift[k].  Both tables repeat, so that a loop over bytes needs no
 * channel index: TG_PIXEL_BLOCK is a multiple of 1, 2, 3 and 4 channels and of a vector. */
enum { TG_PIXEL_BLOCK = 48 };
typedef struct {
    int h, w, c;
    float scale[TG_PIXEL_BLOCK], shift[TG_PIXEL_BLOCK];
} tg_pixels;

/* A crop: pixel (y, x) is the image's (y + down, x + right), mirrored afterwards.  Outside the image the byte is 0. */
typedef struct {
    int down, right;
    bool mirror;
} tg_view;

tg_pixels tg_pixels_of(const tg_dataset *d, bool no_normalize);
/* down and right in -pad .. pad; with flip, mirrored with probability 1/2. */
tg_view tg_view_of(uint64_t seed, int64_t epoch, int64_t index, int pad, bool flip);
void tg_show(const tg_pixels *p, const uint8_t *image, tg_view view, float *out); /* out [h, w, c] */
/* The order of `count` images in an epoch: a Fisher-Yates shuffle. */
void tg_shuffle(uint64_t seed, int64_t epoch, int64_t count, uint32_t *order);
#endif
