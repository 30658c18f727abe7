/* gemm_tn_blocks.h - C = A^T B over blocks (blocks.h), by rows of C: C[m, n] in f32 of A[k, m] and B[k, n] in bf16,
 * with few k.
 *
 * It is backward-weights of a linear layer on a batch of some hundred rows.  The first phase packs B, strip by strip. A
 * task of the second packs its columns of A, a strip of which stays in the first level of the cache while all of B
 * streams past it, and makes whole rows of C. */
#ifndef TG_GEMM_TN_BLOCKS_H
#define TG_GEMM_TN_BLOCKS_H
#include "microkernel.h"

enum { TG_FEW_STEPS = 20 }; /* of TG_IMAGES k: of a strip of A these are 40 KiB */

typedef struct {
    const tg_blocks *mk;
    const tg_tensor *a, *b, *c;
    int64_t k, m, n;
    /* derived by tg_gemm_tn_blocks_plan */
    int64_t rows;          /* of a task */
    int64_t steps;         /* k, TG_IMAGES at a time */
    int64_t height, tiles; /* rows of a strip of A, tiles of a strip of B */
    int64_t strips;        /* of B */
} tg_gemm_tn_blocks;

bool tg_gemm_tn_blocks_plan(tg_gemm_tn_blocks *g); /* false: other shapes are cut otherwise */
tg_scratch tg_gemm_tn_blocks_scratch(const tg_gemm_tn_blocks *g);
int64_t tg_gemm_tn_blocks_tasks(const tg_gemm_tn_blocks *g, int phase);
void tg_gemm_tn_blocks_run(const tg_gemm_tn_blocks *g, const tg_task *t);
#endif
