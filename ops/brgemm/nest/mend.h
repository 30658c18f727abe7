/* mend.h - repairs results that are NaN because of products that should not have been computed.
 *
 * The loop nests multiply more than they should where that is faster: pixels after a run of taps, and channels of other
 * groups, by weights that are zero; and zeros beside the image by weights that are not.  Each such product adds 0,
 * unless the other factor is NaN or infinite: then the result is NaN.  So it is enough to look for NaNs where that may
 * have happened and to sum those results again by the definition, in double.  Most that are NaN in their own right show
 * it at their first products. */
#ifndef TG_MEND_H
#define TG_MEND_H
#include "nest.h"

/* Some outputs of an axis read zeros beside the input. */
bool tg_meets_padding(const tg_axis *a);

/* Outputs from each first number up to the second: images, lines, columns, channels of a group. */
typedef struct {
    int64_t group;
    int64_t images[2], lines[2], columns[2], channels[2];
} tg_output_range;

/* Repairs all of them, or (edges) those that read zeros beside a line.  The shape need not be simplified. */
void tg_mend_outputs(const tg_nest_shape *s, const tg_nest_data *d, const tg_output_range *r, bool edges);
/* Repairs elements d0 to d1 - 1 of gw's row o of a group, in the order of gw. */
void tg_mend_grad_w(const tg_nest_shape *s, const tg_grad_w_data *d, int64_t group, int64_t o, int64_t d0, int64_t d1);
#endif
