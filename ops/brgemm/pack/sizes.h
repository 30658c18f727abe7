/* sizes.h - the sizes of packed operands that packing and the microkernels agree on. */
#ifndef TG_PACK_SIZES_H
#define TG_PACK_SIZES_H
#include "inline.h"

enum {
    TG_PANEL = 64,       /* most columns of a micro-panel of B */
    TG_DEPTH = 32,       /* the k of bf16 weights is padded to a multiple of this */
    TG_TILE = 16,        /* rows and columns of an AMX tile of sums */
    TG_IMAGES = 32,      /* most images at one pixel, or rows of a batch, that one bf16 product sums over */
    TG_A_TILE = 16 * 64, /* bytes of A for 16 rows of TG_IMAGES k ... */
    TG_B_TILE = 16 * 64, /* ... and of B for 16 columns */
};

#endif
