/* upsample.h - the pixels that upsample reads: shared by its kernels and those of its derivative. */
#ifndef TG_OPS_UPSAMPLE_H
#define TG_OPS_UPSAMPLE_H
#include "attr.h"

/* Line (or column) `out` of the result is (1 - weight) times line `at` of the image plus weight times the next one. */
typedef struct {
    int64_t at;
    double weight;
} tg_tap;

/* Nearest: floor(out h / oh). Bilinear: pixels are squares with centres at i + 1/2 or, with align_corners, points of
 * which the first and last coincide. */
static inline tg_tap tg_upsample_tap(const tg_upsample_attr *a, int direction, int64_t out)
{
    const int64_t h = a->image[direction], oh = a->out[direction];
    if (!a->bilinear) return (tg_tap){ (int64_t)((double)out * (double)h / (double)oh), 0 };
    double from = a->align_corners ? (oh > 1 ? (double)out * (double)(h - 1) / (double)(oh - 1) : 0)
                                   : ((double)out + 0.5) * (double)h / (double)oh - 0.5;
    if (from < 0) from = 0;
    const int64_t at = (int64_t)from < h - 1 ? (int64_t)from : h - 1;
    return (tg_tap){ at, at < h - 1 ? from - (double)at : 0 };
}
#endif
