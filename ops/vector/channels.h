/* channels.h - passes over [rows, c], by channel.
 *
 * With few channels a row is too short a loop, so `fold` rows are taken as one line of width = fold c numbers; what
 * belongs to a channel is repeated `fold` times along a line.  Rows are cut into blocks that the shape alone decides;
 * the numbers of a block are contiguous: whole lines, and in the last block perhaps a shorter one. */
#ifndef TG_CHANNELS_H
#define TG_CHANNELS_H
#include "op.h"

enum { TG_LINE = 512, TG_BLOCK_LINES = 64, TG_CHANNEL_CHUNK = 32 };

typedef struct { int64_t rows, c, fold, width, block_rows, blocks; } tg_channels;

static inline tg_channels tg_channels_of(const tg_tensor *x)
{
    tg_channels p = { .c = x->dim[x->rank - 1], .rows = 1 };
    for (int i = 0; i < x->rank - 1; i++)
        p.rows *= x->dim[i];
    p.fold = p.c < TG_LINE ? TG_LINE / p.c : 1;
    p.width = p.fold * p.c;
    p.block_rows = p.fold * TG_BLOCK_LINES;
    p.blocks = (p.rows + p.block_rows - 1) / p.block_rows;
    return p;
}

/* A block's first number, the one after its last, and its rows. */
static inline int64_t tg_block_begin(const tg_channels *p, int64_t block) { return block * p->block_rows * p->c; }
static inline int64_t tg_rows_of_block(const tg_channels *p, int64_t block)
{
    const int64_t left = p->rows - block * p->block_rows;
    return left < p->block_rows ? left : p->block_rows;
}
static inline int64_t tg_channel_chunks(const tg_channels *p)
{
    return (p->c + TG_CHANNEL_CHUNK - 1) / TG_CHANNEL_CHUNK;
}

/* value[c] repeated along a line. */
static inline void tg_repeat(const tg_channels *p, const float *value, float *line)
{
    for (int64_t f = 0; f < p->fold; f++)
        for (int64_t j = 0; j < p->c; j++)
            line[f * p->c + j] = value[j];
}

/* Sums the repetitions of a line into its first c numbers, in pairs. */
static inline void tg_fold(const tg_channels *p, float *line)
{
    for (int64_t n = p->fold; n > 1; n = (n + 1) / 2) {
        const int64_t half = (n + 1) / 2 * p->c, rest = n * p->c - half;
#pragma omp simd
        for (int64_t j = 0; j < rest; j++)
            line[j] += line[half + j];
    }
}
#endif
