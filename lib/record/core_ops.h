/* core_ops.h - attributes of the core's own operators (core_ops.c). */
#ifndef TG_CORE_OPS_H
#define TG_CORE_OPS_H
#include "op.h"

typedef struct {
    int rank;
    int64_t dim[TG_MAX_RANK];
} tg_sum_to_attr; /* the shape to sum to; -1: the same as the input's axis */
typedef struct {
    double value;
    tg_sum_to_attr shape;
} tg_fill_attr;
typedef struct {
    tg_dtype dtype;
} tg_cast_attr;
#endif
