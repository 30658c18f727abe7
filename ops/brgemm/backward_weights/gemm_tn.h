/* gemm_tn.h - C = A^T B over a microkernel: C[m, n] in f32 from A[k, m] and B[k, n], f32 or bf16.
 *
 * It is backward-weights of whatever has a single tap: of a linear layer, where k runs over the rows of a batch, A is
 * gy and B is x; and of a 1x1 convolution, where k runs over output pixels.  Groups lie side by side in the rows of A
 * and B.
 *
 * A task computes a block of C over a part of k.  It packs its operands one k-block at a time, the rows of the block as
 * A and panel by panel as B, and sums in C; the sums of all parts but the first lie in scratch and are added in order.
 * If k is short a task makes whole rows of C, and an earlier phase packs B once for all tasks. */
#ifndef TG_GEMM_TN_H
#define TG_GEMM_TN_H
#include "nest.h"

/* Where rows of B lie: pixels per line, lines per image; elements from each pixel, line and image to the next. */
typedef struct {
    int64_t pixels, lines, pixel, line, image;
} tg_gemm_rows;

typedef struct {
    const tg_microkernel *mk;
    tg_dtype a_dtype, b_dtype;
    int64_t groups, k, m, n; /* m and n of a group */
    int64_t task_rows;       /* rows of C that an epilogue could take (tg_rows_to_make), or 0 */
    tg_gemm_rows b_rows;
} tg_gemm_tn_shape;

typedef struct {
    tg_gemm_tn_shape shape;
    int64_t element_k, depth;    /* k of a batch element, of a k-block */
    int64_t rows, columns;       /* of a block of C */
    int64_t down, across, parts; /* how many blocks; parts of k */
    bool whole;                  /* a block is whole rows of C */
    int64_t k_blocks, panels;    /* of k; of B */
    struct {
        size_t a, b, copy, batch;
    } bytes; /* of A, of a panel of B, of what else a worker's scratch holds */
} tg_gemm_tn;

tg_gemm_tn tg_gemm_tn_plan(const tg_gemm_tn_shape *shape);
tg_scratch tg_gemm_tn_scratch(const tg_gemm_tn *g);
int64_t tg_gemm_tn_tasks(const tg_gemm_tn *g, int phase);
int64_t tg_gemm_tn_rows(const tg_gemm_tn *g); /* whole rows of C that a task makes, or 0 */
void tg_gemm_tn_run(const tg_gemm_tn *g, const tg_grad_w_data *d, const tg_task *t);
#endif
