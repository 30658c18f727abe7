/* ckpt_stats.h - statistics of a tensor's elements. */
#ifndef TG_APPS_CKPT_STATS_H
#define TG_APPS_CKPT_STATS_H
#include "ckpt.h"

typedef struct {
    bool known;               /* false: dtype not supported */
    int64_t finite, nan, inf; /* numbers of elements */
    double min, max, mean;    /* of the finite ones; 0 if there are none */
} ckpt_stats;

/* Reads all of tensor i and verifies its checksum.  `room` is a buffer for pieces. */
ckpt_stats ckpt_measure(ckpt *c, tg_tensor_file *f, int i, ckpt_numbers *room);
#endif
