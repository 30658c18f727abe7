/* ckpt_stats.h - what a tensor's numbers are like. */
#ifndef TG_APPS_CKPT_STATS_H
#define TG_APPS_CKPT_STATS_H
#include "ckpt.h"

typedef struct {
    bool known;               /* false: the dtype's bytes are not understood */
    int64_t finite, nan, inf; /* how many there are */
    double min, max, mean;    /* of the finite ones; 0 if there are none */
} ckpt_stats;

/* Reads all of tensor i, with its checksum.  `room` is for the pieces. */
ckpt_stats ckpt_measure(ckpt *c, tg_tensor_file *f, int i, ckpt_numbers *room);
#endif
