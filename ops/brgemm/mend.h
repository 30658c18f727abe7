/* mend.h - results that are NaN because of what was not to be multiplied.
 *
 * Products read more than they should where that is faster: pixels behind a run of taps and channels of other groups,
 * whose weights are zeros, and zeros beside the image, whose weights are not.  That adds 0, unless the other factor is
 * NaN or infinite: then the result is NaN.  So it is enough to look for NaNs where that may have happened, and to sum
 * those results once more by their definition, in double; most that are NaN by themselves are found to be so at their
 * first products. */
#ifndef TG_MEND_H
#define TG_MEND_H
#include "nest_block.h"

/* Some outputs of an axis meet zeros beside the input. */
bool tg_meets_padding(const tg_axis *a);
/* Of the outputs of a block in these panels: all, or those that meet zeros beside a line. */
void tg_mend_outputs(const tg_block *b, int64_t panel0, int64_t panel1, bool all);
/* Of outputs of an image: lines and columns from the first number up to the second, channels o0 .. o1 - 1 of one group.
 * n is the convolution with p.in and p.out. */
void tg_mend_pixels(const tg_nest *n, int64_t image, const int64_t lines[2], const int64_t columns[2], int64_t o0,
                    int64_t o1);
/* Of gw's row o in a group: numbers d0 .. d1 - 1, in the order of gw; n as tg_nest_simplify_grad_w left it. */
void tg_mend_grad_w(const tg_nest *n, int64_t group, int64_t o, int64_t d0, int64_t d1);
#endif
