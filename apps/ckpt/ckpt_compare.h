/* ckpt_compare.h - compares two tensors element by element. */
#ifndef TG_APPS_CKPT_COMPARE_H
#define TG_APPS_CKPT_COMPARE_H
#include "ckpt.h"

/* Two elements are the same if they compare equal (-0 and 0), or are NaNs with the same bits. */
typedef struct {
    int64_t differ;            /* elements, or bytes for CKPT_OTHER */
    int64_t nan;               /* of these, those with a NaN on either side, which have no difference */
    double absolute, relative; /* the largest differences of the others, relative to the larger of the two elements */
    int64_t at;                /* the element with the largest absolute difference */
    double here, there;        /* its values */
    int64_t first;             /* the first element that differs */
} comparison;

typedef struct {
    ckpt_numbers a, b;
} compare_room;

/* Compares tensor i of a with k of b.  They must have the same shape and kind, and for CKPT_OTHER the same dtype. */
comparison compare_tensors(ckpt *c, tg_tensor_file *a, int i, tg_tensor_file *b, int k, compare_room *room);
#endif
