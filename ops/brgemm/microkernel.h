/* microkernel.h - the innermost product: what the loop nests of convolutions and linear layers stand on.
 *
 * A microkernel computes one block of at most `panel` columns,
 *
 *     C[m][n] = (from[m][n] or 0) + sum over bricks, over k: A[m][k] B[k][n];  then + bias[n], then relu, then rounding
 *
 * with sums in FP32 that stay in registers.  A nest chooses bricks (the taps of a kernel that lie inside the image), so
 * borders, strides, groups and few channels are no concern of a microkernel.  There are two families:
 *
 *   f32   (avx512, avx2, generic)  reads A and B in FP32.  bf16 is widened beforehand: A once a block of rows (`load`),
 *         a panel of weights once a task (`widen`).  It serves tensors of both dtypes.
 *   bf16  (avx512_bf16, amx)       reads A and B in bf16, B straight from the packed weights.  Tensors are bf16.
 *
 * B, a panel of columns, element (k, j):
 *   f32:    b[k 64 + j]
 *   bf16:   b[(k / 2) 128 + 2 j + k % 2], pairs of k side by side, as dot products of bf16 take them
 *   tiles:  [k / 32][j / 16] of tiles, [16][16][2]: 16 such pairs of 16 columns.  A panel has 32 columns, so that it
 *           fits into the first level of the cache as often as possible.
 * Columns beyond n exist and are zero in weights.  bf16: k is padded with zeros to a multiple of TG_DEPTH in weights,
 * and to a multiple of `depth` in what load_b writes.
 *
 * A, element (r, k): a[r row + k step].  Forward and backward-data: step = 1, the rows are pixels of a line or images
 * at one pixel; the first `depth`-multiple of elements from k = 0 on can be read.  Tiles multiply what lies beyond k by
 * zeros of B, so it has to be finite, or a result is NaN that should not be (mend.h); pairs leave it out.
 * Rows may come in several lines.  Tiles: A may lie in planes of TG_DEPTH channels.
 * Backward-weights: as `load_a` left it.
 *
 * Backward-weights is a product over pixels or images: A is x with a row for each channel, B is gy with a column for
 * each output channel.  Both are packed by the nest through load_a and load_b, from `k` places that lie `stride`
 * elements apart: images at one pixel or rows of a matrix, at most `places` at a time, or any number of pixels of a
 * line
 * (`lines`, load_line).  A microkernel with `blocks` has those instead, and no places. */
#ifndef TG_MICROKERNEL_H
#define TG_MICROKERNEL_H
#include "blocks.h"

enum {
    TG_PANEL = 64,       /* columns of B side by side, at most */
    TG_DEPTH = 32,       /* k of bf16 weights is padded to a multiple of this */
    TG_MAX_PLACES = 256, /* `places` is at most this */
};

typedef struct {
    const void *a, *b;
    int line; /* 1 or 2, of two lines of up to 16 rows (tiles): the other one does not meet */
} tg_brick;   /* this brick, and its A is not read.  Such bricks come first.  0: all meet it */

typedef struct {
    int m, n;          /* any m >= 1; 1 <= n <= panel, or both panels of `next` */
    int64_t k;         /* of each brick */
    int64_t row, step; /* of A, in elements; one of them is 1 */
    const float *from; /* what the sums start with, or NULL: zeros */
    int64_t from_row;
    void *c; /* element (r, j) at r c_row + j; may be `from` */
    int64_t c_row;
    tg_dtype store;    /* of c: TG_F32 or TG_BF16 (to nearest even, a NaN stays a NaN) */
    const float *bias; /* of the n columns, or NULL */
    bool relu;         /* a NaN stays a NaN */
    int further;       /* lines of m rows behind the first one, and elements from each to the next */
    int64_t a_line, from_line, c_line;
    const char *ahead;    /* memory that will be read soon, */
    int64_t ahead_bytes;  /* may be fetched into the cache meanwhile: */
    int64_t ahead_pieces; /* so many pieces of so many bytes (0: one), */
    int64_t ahead_apart;  /* bytes from each to the next */
    /* Only for microkernels with `tiles`: */
    bool *nan;    /* set if a result in bf16 is NaN; or NULL */
    bool stream;  /* c is large: tiles write whole lines of the cache past it; c and c_row fit */
    int64_t next; /* 0, or bytes from a panel of B to another one, which is as whole; no `from` */
    int64_t gap;  /* of A, elements between TG_DEPTH k and the next */
} tg_brgemm;

/* What load_a and load_b make of k places: bytes of A for `rows` rows and of B for one panel (multiples of 64), the
 * strides of A, the k to compute with (zeros pad it), and where 16 rows each are apart from the next 16, how far. */
typedef struct {
    size_t a_bytes, b_bytes;
    int64_t row, step, k, strip;
} tg_places;

typedef struct {
    const char *name; /* "avx512": its kernels are called brgemm_avx512 */
    tg_isa isa;
    tg_dtype element;            /* of A and B */
    const char *(*reject)(void); /* why another microkernel serves this processor better, or NULL; may be NULL */
    int panel;                   /* columns of a panel of weights */
    bool tiles;                  /* B consists of tiles */
    int depth;                   /* 1, 2 or 32: A is read up to a multiple of this many k */
    int images;                  /* rows of a block where rows are images ... */
    int short_line;              /* ... which they are where lines have at most so many pixels */
    int places;                  /* most k of one brick in backward-weights: 32 images, or a line's pixels */
    bool lines;                  /* A can be read at any step: places can be pixels of a line, in any number */
    /* n elements, to consecutive elements of A.  dtype is TG_F32 only if element is. */
    void (*load)(const void *from, tg_dtype dtype, int64_t n, void *to);
    /* k rows of a panel of bf16 weights as B (k is even); NULL if element is TG_BF16 */
    void (*widen)(const void *from, int64_t k, void *to);
    /* Backward-weights.  Place i, channel j: from[i stride + j].  load_a: channels lead <= j < end become rows j of A,
     * the others of `rows` rows are zero: a tap that looks beyond the image's edge.  load_b: columns 0 .. n - 1. */
    tg_places (*places_of)(int rows, int k);
    void (*load_a)(const void *from, tg_dtype dtype, int64_t stride, int k, int lead, int end, int rows, void *to);
    void (*load_b)(const void *from, tg_dtype dtype, int64_t stride, int k, int n, void *to);
    /* Instead of `lines`, or NULL: `rows` channels of k places become rows of A, `pitch` elements from each to the
     * next, with the places side by side.  Behind them zeros may be written, 64 bytes at most: also behind the last
     * row. */
    void (*load_line)(const void *from, int64_t stride, int k, int rows, int64_t pitch, void *to);
    /* Any count, also 0.  Writes c[r][0 .. n - 1] only. */
    void (*run)(const tg_brgemm *p, const tg_brick *brick, int count);
    void (*leave)(void);     /* after the last `run` of a task: gives the thread's tiles back; or NULL */
    const tg_blocks *blocks; /* or NULL */
} tg_microkernel;

/* Row r of a line: where it begins, in elements. */
typedef struct {
    int64_t a, from, c;
} tg_rows;

static inline tg_rows tg_rows_at(const tg_brgemm *p, int line, int r)
{
    return (tg_rows){ line * p->a_line + r * p->row, line * p->from_line + r * p->from_row,
                      line * p->c_line + r * p->c_row };
}

enum { TG_AHEAD = 4096, TG_FAR = 8192 }; /* bytes */

/* While `bytes` of a place are packed, those of one that comes soon are fetched: some KiB behind it, or, where places
 * are images, far apart, of the pixel behind it.  Processors do not see it coming. */
static inline void tg_fetch_place(const void *place, int64_t stride, int64_t bytes)
{
    if (bytes <= 0) return;
    const char *const soon = (const char *)place + (stride < TG_FAR ? TG_AHEAD / bytes * stride : bytes);
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(soon + i);
}

/* Rows of the next block if `left` are left and registers hold `most`: nearly equal blocks, so that none is short. */
static inline int tg_next_rows(int left, int most)
{
    const int blocks = (left + most - 1) / most;
    return (left + blocks - 1) / blocks;
}

/* Products with an A whose rows lie in strips of 16, `strip` elements apart; 0: they do not. */
static inline void tg_run_strips(const tg_microkernel *mk, tg_brgemm p, int64_t strip, tg_brick *brick, int count)
{
    const int rows = strip ? 16 : p.m, m = p.m, strips = (m + rows - 1) / rows;
    const int64_t pieces = p.ahead_pieces;
    const char *ahead = p.ahead;
    for (int r = 0; r < m; r += rows) {
        const int64_t first = pieces * (r / rows) / strips, end = pieces * (r / rows + 1) / strips;
        p.m = m - r < rows ? m - r : rows;
        p.ahead = ahead + first * p.ahead_apart;
        p.ahead_pieces = end - first;
        if (pieces ? first == end : r) p.ahead_bytes = 0;
        mk->run(&p, brick, count);
        p.c = (float *)p.c + rows * p.c_row;
        if (p.from) p.from += rows * p.from_row;
        for (int i = 0; i < count; i++)
            brick[i].a = (const char *)brick[i].a + (size_t)strip * tg_dtype_size(mk->element);
    }
}

/* Best first; kernels are registered for each of these (ops/kernels.h lists the same names). */
#define TG_MICROKERNELS(X) \
    X(amx_bf16, TG_ISA_AMX) \
    X(avx512_bf16, TG_ISA_AVX512_BF16) \
    X(avx512, TG_ISA_AVX512) \
    X(avx2, TG_ISA_AVX2) \
    X(generic, TG_ISA_GENERIC)
#define TG_MICROKERNEL_DECLARE(suffix, isa) extern const tg_microkernel tg_microkernel_##suffix;
TG_MICROKERNELS(TG_MICROKERNEL_DECLARE)
#endif
