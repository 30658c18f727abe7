/* channels.h - passes over [rows, c], by channel.
 *
 * With few channels a row is too short a loop, so `fold` rows form one line of width = fold c elements, and per-channel
 * values are repeated `fold` times along a line. Rows are split into blocks by shape alone. The elements of a block are
 * contiguous: whole lines, and in the last block possibly a shorter one.
 *
 * Loops over lines load elements in pairs (bf16.h), which for bf16 are adjacent. An f32 line that accompanies bf16
 * lines is therefore deinterleaved: element i is in the first half if i is even, in the second if it is odd. */
#ifndef TG_CHANNELS_H
#define TG_CHANNELS_H
#include "bf16.h"
#include <string.h>

enum { TG_LINE = 512, TG_BLOCK_LINES = 64, TG_CHANNEL_CHUNK = 32 };

typedef struct {
    int64_t rows, c, fold, width, block_rows, blocks;
    bool is_bf16;
    int64_t pairs, apart; /* pairs in a line; distance in an f32 line between the two elements of a pair */
    int64_t once;         /* pairs until the channels repeat: with an odd number of channels, twice around */
} tg_channels;

static inline tg_channels tg_channels_of(const tg_tensor *x)
{
    tg_channels p = { .c = x->dim[x->rank - 1], .rows = 1, .is_bf16 = x->dtype == TG_BF16 };
    for (int i = 0; i < x->rank - 1; i++) p.rows *= x->dim[i];
    p.fold = p.c < TG_LINE ? TG_LINE / p.c : 1;
    p.fold += p.is_bf16 && p.fold * p.c % 2;
    p.width = p.fold * p.c;
    p.apart = p.is_bf16 ? p.width / 2 : 0;
    p.pairs = p.is_bf16 ? p.apart : p.width;
    p.once = p.is_bf16 ? (1 + p.c % 2) * p.c / 2 : p.c;
    p.block_rows = p.fold * TG_BLOCK_LINES;
    p.blocks = (p.rows + p.block_rows - 1) / p.block_rows;
    return p;
}

/* A block's first element, the one after its last, and its number of rows. */
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

/* Position of element i of a line in the accompanying f32 line. */
static inline int64_t tg_place(const tg_channels *p, int64_t i) { return p->is_bf16 ? i / 2 + i % 2 * p->apart : i; }

/* value[c] repeated along a line, its NaNs made plain. */
static inline void tg_repeat(const tg_channels *p, const float *value, float *line)
{
    if (p->is_bf16 && p->c % 2 == 0)
        for (int64_t j = 0; j < p->once; j++) {
            line[j] = tg_plain(value[2 * j]);
            line[p->apart + j] = tg_plain(value[2 * j + 1]);
        }
    else
        for (int64_t i = 0; i < (1 + p->is_bf16) * p->once; i++) line[tg_place(p, i)] = tg_plain(value[i % p->c]);
    for (int64_t n = p->once; n < p->pairs; n *= 2) {
        const size_t more = (size_t)(2 * n < p->pairs ? n : p->pairs - n) * sizeof *line;
        memcpy(line + n, line, more);
        if (p->is_bf16) memcpy(line + p->apart + n, line + p->apart, more);
    }
}

/* The value that batch norm's forward computes. Backward uses it to decide whether relu passed, so it must match
 * exactly. `rest`, the rounding error of the mean, is folded into beta; in double the product is exact, with or without
 * fused multiply-add. */
static inline float tg_normalised(float x, float mean, float scale, float beta) { return (x - mean) * scale + beta; }
static inline float tg_raised(float beta, float scale, float rest)
{
    return (float)((double)beta - (double)scale * (double)rest);
}

/* Lines of scale = gamma rstd and of beta adjusted for the rest of the mean. room: c elements. */
static inline void tg_repeat_affine(const tg_channels *p, const float *gamma, const float *rstd, const float *rest,
                                    const float *beta, float *room, float *scale, float *line)
{
    for (int64_t j = 0; j < p->c; j++) room[j] = gamma[j] * rstd[j];
    tg_repeat(p, room, scale);
    for (int64_t j = 0; j < p->c; j++) room[j] = tg_raised(beta[j], room[j], rest[j]);
    tg_repeat(p, room, line);
}

/* Folds n repetitions of `once` elements into the first, in pairs. */
static inline void tg_fold_once(float *line, int64_t n, int64_t once)
{
    for (; n > 1; n = (n + 1) / 2) {
        const int64_t half = (n + 1) / 2 * once, rest = n * once - half;
#pragma omp simd
        for (int64_t j = 0; j < rest; j++) line[j] += line[half + j];
    }
}

/* Sums the repetitions in a line into sum[c]; overwrites the line. */
static inline void tg_fold(const tg_channels *p, float *restrict line, float *restrict sum)
{
    tg_fold_once(line, p->pairs / p->once, p->once);
    if (!p->is_bf16) {
        memcpy(sum, line, (size_t)p->c * sizeof *sum);
        return;
    }
    tg_fold_once(line + p->apart, p->pairs / p->once, p->once);
    if (p->c % 2)
        for (int64_t j = 0; j < p->c; j++) sum[j] = line[tg_place(p, j)] + line[tg_place(p, j + p->c)];
    else
        for (int64_t j = 0; j < p->once; j++) {
            sum[2 * j] = line[j];
            sum[2 * j + 1] = line[p->apart + j];
        }
}
#endif
