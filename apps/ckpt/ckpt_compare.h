/* ckpt_compare.h - the numbers of two tensors, held against each other. */
#ifndef TG_APPS_CKPT_COMPARE_H
#define TG_APPS_CKPT_COMPARE_H
#include "ckpt.h"

/* Two numbers are the same if they compare so (-0 and 0), or are NaNs of the same bits. */
typedef struct {
    int64_t differ;            /* elements; of CKPT_OTHER: bytes */
    int64_t nan;               /* of these, with a NaN on one side or both: no difference can be told */
    double absolute, relative; /* the largest differences of the others; relative to the larger of the two */
    int64_t at;                /* the element with the largest absolute one, */
    double here, there;        /* and its numbers */
    int64_t first;             /* the first element that differs */
} comparison;

typedef struct {
    ckpt_numbers a, b;
} compare_room;

/* Tensor i of a and k of b: of one shape and kind, and of one dtype if that kind is CKPT_OTHER. */
comparison compare_tensors(ckpt *c, tg_tensor_file *a, int i, tg_tensor_file *b, int k, compare_room *room);
#endif
