/* patches.h - an image as a matrix (im2col): one row per position of the kernel, one column per tap and channel.
 *
 * The matrix is never materialised; gemm.h's packing functions read the image through it, a block at a time.
 *
 * Its padding zeros are multiplied, too, but must not be terms of a sum: where the other factor is NaN or infinite they
 * would turn it into NaN. So sums that have such terms and are NaN are computed again, in double, without them. */
#ifndef TG_PATCHES_H
#define TG_PATCHES_H
#include "gemm.h"

typedef struct {
    const float *image;               /* [.., size[0], size[1], pitch], from the first channel used */
    int64_t size[2], pitch, channels; /* `channels` of a pixel's `pitch` are used */
    int64_t places[2];                /* positions of the kernel on an image: row (n places[0] + i) places[1] + j */
    int64_t taps[2];                  /* column (a taps[1] + b) channels + c */
    int64_t stride[2], origin[2], step[2]; /* tap a of position i meets line i stride + origin + a step; outside, 0 */
} tg_patches;

static inline int64_t tg_patches_depth(const tg_patches *p) { return p->taps[0] * p->taps[1] * p->channels; }

/* Copies element (row, column), r0 <= row < r1, c0 <= column < c1, to to[(row - r0) pitch + column - c0]. */
#define tg_pack_patches TG_JOIN(tg_pack_patches, TG_VECTOR_SUFFIX)
void tg_pack_patches(const tg_patches *p, int64_t r0, int64_t r1, int64_t c0, int64_t c1, float *to, int64_t pitch);

/* For a cell of patches x packed_b, as tg_gemm_block left it. */
#define tg_patches_mend TG_JOIN(tg_patches_mend, TG_VECTOR_SUFFIX)
void tg_patches_mend(const tg_patches *p, const tg_gemm *g, tg_cell c, float *const *rows);
/* For a row of gy^T x patches: columns c0 .. c1 - 1, from `to` on. `apart` is the row stride of gy. */
#define tg_patches_mend_product TG_JOIN(tg_patches_mend_product, TG_VECTOR_SUFFIX)
void tg_patches_mend_product(const tg_patches *p, const float *gy, int64_t images, int64_t apart, int64_t c0,
                             int64_t c1, float *to);
#endif
