/* gemm_tn.h - C = A^T B over a microkernel: C[m, n] in f32 of A[k, m] and B[k, n], f32 or bf16.
 *
 * It is backward-weights of what has no taps but one: a linear layer, where k are the rows of a batch, A is gy and B is
 * x; and a convolution 1x1, where k are output pixels.  Groups stand side by side in the rows of A and of B.
 *
 * A task computes a block of C over a part of k.  It packs what it reads a slab of k at a time, the rows of the block
 * as A and panel by panel as B, and its sums lie in C; those of other parts than the first lie in scratch and are added
 * in order.  Where k is short a task makes whole rows of C, and B is packed once for all by a phase before. */
#ifndef TG_GEMM_TN_H
#define TG_GEMM_TN_H
#include "microkernel.h"

/* Where rows of B begin: pixels of lines of images, all of one size; elements from each to the next. */
typedef struct {
    int64_t pixels, lines, pixel, line, image;
} tg_gemm_rows;

typedef struct {
    const tg_microkernel *mk;
    const tg_tensor *a, *b, *c;
    int64_t groups, k, m, n; /* m and n of a group */
    tg_gemm_rows b_rows;
    /* derived by tg_gemm_tn_plan */
    int64_t places, depth;       /* k of a brick, of a slab */
    int64_t rows, columns;       /* of a block */
    int64_t down, across, parts; /* blocks, and parts of k */
    bool whole;                  /* a block is whole rows of C */
    int64_t slabs, panels;       /* of k; of B */
    size_t a_bytes, b_bytes, copy_bytes, brick_bytes;
} tg_gemm_tn;

void tg_gemm_tn_plan(tg_gemm_tn *g);
tg_scratch tg_gemm_tn_scratch(const tg_gemm_tn *g);
int64_t tg_gemm_tn_tasks(const tg_gemm_tn *g, int phase);
int64_t tg_gemm_tn_rows(const tg_gemm_tn *g); /* whole rows of a task, or 0 */
void tg_gemm_tn_run(const tg_gemm_tn *g, const tg_task *t);
#endif
