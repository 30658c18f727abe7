/* gemm_tn_tiles.h - C = A^T B on tiles (tile_gemm.h), by rows of C, with few k: C[m, n] in f32 from A[k, m] and B[k, n]
 * in bf16.
 *
 * It is backward-weights of a linear layer on a batch of a few hundred rows.  The first phase packs B.  A task of the
 * second packs its columns of A, one micro-panel of which stays in L1 while all of B streams past it, and makes whole
 * rows of C. */
#ifndef TG_GEMM_TN_TILES_H
#define TG_GEMM_TN_TILES_H
#include "gemm_tn.h"

enum { TG_FEW_STEPS = 20 }; /* most steps of TG_IMAGES k: 40 KiB of a micro-panel of A */

typedef struct {
    tg_gemm_tn_shape shape; /* groups and b_rows do not count */
    int64_t rows;           /* of C, of a task */
    int64_t steps;          /* of TG_IMAGES k */
    int64_t height, tiles;  /* rows of a micro-panel of A, tiles of a micro-panel of B */
    int64_t b_panels;       /* micro-panels of B */
} tg_gemm_tn_tiles;

/* False: this is no way to compute the shape. */
bool tg_gemm_tn_tiles_plan(const tg_gemm_tn_shape *shape, tg_gemm_tn_tiles *g);
tg_scratch tg_gemm_tn_tiles_scratch(const tg_gemm_tn_tiles *g);
int64_t tg_gemm_tn_tiles_tasks(const tg_gemm_tn_tiles *g, int phase);
void tg_gemm_tn_tiles_run(const tg_gemm_tn_tiles *g, const tg_grad_w_data *d, const tg_task *t);
#endif
