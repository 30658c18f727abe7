/* winograd_fit.h - where Winograd's algorithm may replace direct convolution. */
#ifndef TG_WINOGRAD_FIT_H
#define TG_WINOGRAD_FIT_H
#include "attr.h"

/* Why it does not suit this convolution, from `in` to `out` channels; NULL: worth trying. With fewer channels than
 * `least` the transforms of the kernel cost more than the multiplications save. */
const char *tg_winograd_unfit(const tg_conv2d_attr *a, const int64_t kernel[2], int64_t in, int64_t out, int64_t least);
#endif
