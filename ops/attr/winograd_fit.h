/* winograd_fit.h - where Winograd's algorithm may stand in for the sum that defines a convolution. */
#ifndef TG_WINOGRAD_FIT_H
#define TG_WINOGRAD_FIT_H
#include "attr.h"

/* Why it is not for this convolution, from `in` channels to `out`; NULL: it is worth a try.  With fewer channels than
 * `least` the transforms of this kernel eat what the products save. */
const char *tg_winograd_unfit(const tg_conv2d_attr *a, const int64_t kernel[2], int64_t in, int64_t out, int64_t least);
#endif
