/* grad_w_kernel.h - backward-weights of a convolution or a linear layer, in the way that suits the microkernel and the
 * shape. */
#ifndef TG_GRAD_W_KERNEL_H
#define TG_GRAD_W_KERNEL_H
#include "gemm_tn.h"
#include "gemm_tn_tiles.h"
#include "grad_w.h"
#include "grad_w_tiles.h"

typedef struct {
    enum {
        TG_BY_TILES,    /* on tiles; ... */
        TG_BY_ROWS,     /* ... by rows of gw, if it is a product of matrices with few k */
        TG_BY_MATRICES, /* as a product of matrices; ... */
        TG_BY_PIXELS,   /* ... otherwise */
    } by;
    union {
        tg_grad_w_tiles tiles;
        tg_gemm_tn_tiles rows;
        tg_gemm_tn matrices;
        tg_grad_w pixels;
    };
} tg_grad_w_kernel;

/* matrices: the same as a product of matrices, or NULL if it is none.  By rows only if by_rows. */
tg_grad_w_kernel tg_grad_w_kernel_plan(const tg_nest_shape *shape, const tg_gemm_tn_shape *matrices, bool by_rows);
tg_scratch tg_grad_w_kernel_scratch(const tg_grad_w_kernel *g);
int64_t tg_grad_w_kernel_tasks(const tg_grad_w_kernel *g, int phase);
int64_t tg_grad_w_kernel_makes(const tg_grad_w_kernel *g); /* elements of gw that a task makes in one piece, or 0 */
void tg_grad_w_kernel_run(const tg_grad_w_kernel *g, const tg_grad_w_data *d, const tg_task *t);
#endif
