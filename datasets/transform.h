/* transform.h - from the bytes of an image to the numbers that a network sees; nothing public.
 *
 * All randomness is a function of (seed, epoch, index of the image): no state, any order, any thread. */
#ifndef TG_TRANSFORM_H
#define TG_TRANSFORM_H
#include "datasets.h"

/* A byte b of channel k becomes b * scale[k] + shift[k]; both tables repeat, so that a loop over bytes needs no
 * channel: TG_PIXEL_BLOCK is a multiple of 1, 2, 3, 4 channels and of a vector. */
enum { TG_PIXEL_BLOCK = 48 };
typedef struct {
    int h, w, c;
    float scale[TG_PIXEL_BLOCK], shift[TG_PIXEL_BLOCK];
} tg_pixels;

/* How an image is shown: pixel (y, x) is the image's (y + down, x + right), mirrored afterwards.  What lies outside of
 * the image is the byte 0. */
typedef struct {
    int down, right;
    bool mirror;
} tg_view;

tg_pixels tg_pixels_of(const tg_dataset *d, bool no_normalize);
/* Both numbers in -pad .. pad; mirrored by chance one half if flip. */
tg_view tg_view_of(uint64_t seed, int64_t epoch, int64_t index, int pad, bool flip);
void tg_show(const tg_pixels *p, const uint8_t *image, tg_view view, float *out); /* out [h, w, c] */
/* The order of `count` images in an epoch: Fisher and Yates. */
void tg_shuffle(uint64_t seed, int64_t epoch, int64_t count, uint32_t *order);
#endif
