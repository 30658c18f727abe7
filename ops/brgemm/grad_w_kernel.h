/* grad_w_kernel.h - a kernel of backward-weights, of a convolution or a linear layer: over blocks if the microkernel
 * has them, by rows if it is a product of matrices with few k; as a product of matrices if it is one; else over pixels.
 */
#ifndef TG_GRAD_W_KERNEL_H
#define TG_GRAD_W_KERNEL_H
#include "gemm_tn.h"
#include "gemm_tn_blocks.h"
#include "grad_w.h"
#include "grad_w_blocks.h"

typedef struct {
    enum { TG_BY_BLOCKS, TG_BY_ROWS, TG_BY_MATRICES, TG_BY_PIXELS } by;
    union {
        tg_gemm_tn_blocks rows;
        tg_grad_w_blocks blocks;
        tg_gemm_tn matrices;
        tg_grad_w pixels;
    };
} tg_grad_w_kernel;

tg_scratch tg_grad_w_kernel_scratch(const tg_grad_w_kernel *g);
int64_t tg_grad_w_kernel_tasks(const tg_grad_w_kernel *g, int phase);
int64_t tg_grad_w_kernel_makes(const tg_grad_w_kernel *g); /* consecutive numbers of gw, of a task, or 0 */
void tg_grad_w_kernel_run(const tg_grad_w_kernel *g, const tg_task *t);
#endif
