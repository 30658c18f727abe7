/* microkernel.h - the batch-reduce GEMM that the loop nests of convolutions and linear layers call.
 *
 * A microkernel computes one block of at most `panel` columns,
 *
 *     C[m][n] = (from[m][n] or 0) + sum over a batch, over k: A[m][k] B[k][n];  then + bias[n], then relu, then
 * rounding
 *
 * with FP32 sums that stay in registers.  The loop nest chooses the batch elements (the taps of the kernel that lie
 * inside the image), so borders, strides, groups and few channels do not concern a microkernel.  There are two
 * families:
 *
 *   f32   (avx512, avx2, generic)  read A and B in FP32.  bf16 is widened first: A once per block of rows (`load`), a
 *         panel of weights once per task (`widen`).  They serve tensors of both dtypes.
 *   bf16  (avx512_bf16, amx)       read A and B in bf16, B straight from the packed weights.  Tensors are bf16.
 *
 * B is a panel of columns; element (k, j) is at:
 *   f32:    b[k 64 + j]
 *   bf16:   b[(k / 2) 128 + 2 j + k % 2], pairs of k side by side, as dot products of bf16 take them
 *   tiles:  [k / 32][j / 16] of tiles, [16][16][2]: 16 such pairs of 16 columns.  A panel has 32 columns, so that it
 *           fits into L1 as often as possible.
 * Columns from n up to `panel` exist and are zero in weights.  bf16: k is padded with zeros, to a multiple of TG_DEPTH
 * in weights, and to a multiple of `depth` in what load_b writes.
 *
 * A: element (r, k) is a[r row + k step].  Forward and backward-data: step = 1, and rows are pixels of a line, or
 * images at one pixel; k may be read up to the next multiple of `depth`.  Tiles multiply what lies beyond k by zeros of
 * B, so it has to be finite, or a result becomes NaN that should not be (mend.h); dot products of pairs skip it.  Rows
 * may come in several lines.  Tiles: A may lie in planes of TG_DEPTH channels.  Backward-weights: as `load_a` packs it.
 *
 * Backward-weights sums over images or pixels: A is x with a row for each channel, B is gy with a column for each
 * output channel.  The nest packs both through load_a and load_b, from k vectors of channels, `stride` elements from
 * each to the next: of images at one pixel or rows of a matrix, at most max_k at a time; or, with `lines` or load_line,
 * of any number of pixels of a line.  A microkernel with a tile_gemm uses that instead; its max_k is 0. */
#ifndef TG_MICROKERNEL_H
#define TG_MICROKERNEL_H
#include "op.h"
#include "tile_gemm.h"

enum { TG_MAX_K = 256 }; /* max_k is at most this */

typedef struct {
    const void *a, *b;
    /* Tiles, two lines of up to 16 rows: 1 or 2 if only that line uses this element; the A of the other is not read.
     * Such elements come first.  0: all lines use it. */
    int line;
} tg_batch_element;

/* Memory that will be read soon and may be fetched into the cache during the product. */
typedef struct {
    const char *at;
    int64_t bytes, pieces; /* `pieces` of `bytes` each; 0 pieces: one */
    int64_t stride;        /* bytes from one piece to the next */
} tg_prefetch;

typedef struct {
    int m, n;          /* any m >= 1; 1 <= n <= panel, or both panels if `next` */
    int64_t k;         /* of each batch element */
    int64_t row, step; /* strides of A in elements; one of them is 1 */
    const float *from; /* what the sums start with, or NULL: zeros */
    int64_t from_row;
    void *c; /* element (r, j) at r c_row + j; may be `from` */
    int64_t c_row;
    tg_dtype store;    /* of c: TG_F32 or TG_BF16 (rounded to nearest even; NaN stays NaN) */
    const float *bias; /* of the n columns, or NULL */
    bool relu;         /* NaN stays NaN */
    struct {
        int count; /* lines of m rows after the first one */
        int64_t a, from, c;
    } extra; /* strides in elements from each line to the next */
    tg_prefetch prefetch;
    /* only for microkernels with `tiles`: */
    bool *nan;    /* set if a bf16 result is NaN; or NULL */
    bool stream;  /* c is large: full cache lines bypass the cache; c and c_row are aligned for it */
    int64_t next; /* 0, or bytes from one panel of B to a second one, also full; `from` must be NULL */
    int64_t gap;  /* of A, elements between TG_DEPTH k and the next */
} tg_brgemm;

/* What load_a and load_b write for a given number of rows and k. */
typedef struct {
    size_t a_bytes, b_bytes; /* of A for all rows, of one panel of B; multiples of 64 */
    int64_t row, step, k;    /* strides of A; the k to compute with, padded with zeros */
    int64_t panel_stride;    /* elements from one micro-panel of 16 rows of A to the next; 0: not in micro-panels */
} tg_packed_sizes;

typedef struct {
    const char *name; /* "avx512": its kernels are called brgemm_avx512 */
    tg_isa isa;
    tg_dtype element;            /* of A and B */
    const char *(*reject)(void); /* why another microkernel suits this processor better, or NULL; may be NULL */
    int panel;                   /* columns of a panel of weights */
    bool tiles;                  /* B consists of tiles */
    int depth;                   /* 1, 2 or 32: A is read up to a multiple of this many k */
    int images;                  /* rows of a block if rows are images ... */
    int short_line;              /* ... which they are if lines have at most this many pixels */
    int max_k;                   /* backward-weights: most k of a batch element, of images: 32, or more for f32 */
    bool lines;                  /* A can be read at any step, so k may run over any number of a line's pixels */
    /* n elements, to consecutive elements of A.  dtype is TG_F32 only if element is. */
    void (*load)(const void *from, tg_dtype dtype, int64_t n, void *to);
    /* k rows of a panel of bf16 weights to B (k is even); NULL if element is TG_BF16 */
    void (*widen)(const void *from, int64_t k, void *to);
    /* Backward-weights.  Channel j at k = i is from[i stride + j].  load_a: channels lead <= j < end become rows j of
     * A, the other rows are zeros: a tap beyond the image's edge.  load_b: columns 0 to n - 1. */
    tg_packed_sizes (*packed_sizes)(int rows, int k);
    void (*load_a)(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to);
    void (*load_b)(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to);
    /* Instead of `lines`, or NULL: `rows` channels of k pixels become rows of A, `pitch` elements apart, each with its
     * pixels side by side.  May write up to 64 bytes of zeros after each row, the last one included. */
    void (*load_line)(const void *from, int64_t stride, int k, int rows, int64_t pitch, void *to);
    /* Any count, also 0.  Writes only c[r][0 .. n - 1]. */
    void (*run)(const tg_brgemm *p, const tg_batch_element *batch, int count);
    void (*leave)(void);           /* after the last `run` of a task: releases the thread's tiles; or NULL */
    const tg_tile_gemm *tile_gemm; /* or NULL */
} tg_microkernel;

/* Where row r of a line begins, in elements. */
typedef struct {
    int64_t a, from, c;
} tg_row_offsets;

static inline tg_row_offsets tg_row_offsets_at(const tg_brgemm *p, int line, int r)
{
    return (tg_row_offsets){ line * p->extra.a + r * p->row, line * p->extra.from + r * p->from_row,
                             line * p->extra.c + r * p->c_row };
}

enum { TG_PREFETCH_BYTES = 4096, TG_FAR_BYTES = 8192 };

/* While `bytes` of a pixel are packed, prefetches some KiB further on; or, if k runs over images, which lie far from
 * each other, the next pixel of the same image.  Hardware prefetchers see neither pattern. */
static inline void tg_prefetch_pixel(const void *pixel, int64_t stride, int64_t bytes)
{
    if (bytes <= 0) return;
    const char *const soon = (const char *)pixel + (stride < TG_FAR_BYTES ? TG_PREFETCH_BYTES / bytes * stride : bytes);
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(soon + i);
}

/* Rows of the next micro-tile if `left` are left and registers hold `most`: nearly equal heights, so that none is low.
 */
static inline int tg_next_rows(int left, int most)
{
    const int microtiles = (left + most - 1) / most;
    return (left + microtiles - 1) / microtiles;
}

/* Products with an A in micro-panels of 16 rows, `stride` elements apart; 0: A is not in micro-panels.  Advances the A
 * of each batch element. */
static inline void tg_run_a_panels(const tg_microkernel *mk, tg_brgemm p, int64_t stride, tg_batch_element *batch,
                                   int count)
{
    const int rows = stride ? 16 : p.m, m = p.m, panels = (m + rows - 1) / rows;
    const tg_prefetch all = p.prefetch;
    for (int r = 0; r < m; r += rows) {
        const int64_t first = all.pieces * (r / rows) / panels, end = all.pieces * (r / rows + 1) / panels;
        p.m = m - r < rows ? m - r : rows;
        p.prefetch.at = all.at + first * all.stride;
        p.prefetch.pieces = end - first;
        if (all.pieces ? first == end : r) p.prefetch.bytes = 0;
        mk->run(&p, batch, count);
        p.c = (float *)p.c + rows * p.c_row;
        if (p.from) p.from += rows * p.from_row;
        for (int i = 0; i < count; i++)
            batch[i].a = (const char *)batch[i].a + (size_t)stride * tg_dtype_size(mk->element);
    }
}

/* Best first: suffix, instruction set, and the name that its kernels print.  ops/kernels.h lists the same suffixes. */
#define TG_MICROKERNELS(X) \
    X(amx_bf16, TG_ISA_AMX, "brgemm_amx_bf16") \
    X(avx512_bf16, TG_ISA_AVX512_BF16, "brgemm_avx512_bf16") \
    X(avx512, TG_ISA_AVX512, "brgemm_avx512") \
    X(avx2, TG_ISA_AVX2, "brgemm_avx2") \
    X(generic, TG_ISA_GENERIC, "brgemm_generic")
#define TG_MICROKERNEL_DECLARE(suffix, isa, kernel) extern const tg_microkernel tg_microkernel_##suffix;
TG_MICROKERNELS(TG_MICROKERNEL_DECLARE)
#endif
