/* linear_transposed.h - the forward pass of a linear layer on tiles as y^T = w x^T, for batches of some rows.
 *
 * Weights are the large operand there, and as A they are read where they lie: nothing is packed of them for this pass,
 * neither here nor by updates, whose packing goes to memory.  x is packed instead, as a weight would be.  A task's sums,
 * some rows of y^T in f32, lie in its scratch; it turns them, adds the bias and rounds. */
#ifndef TG_LINEAR_TRANSPOSED_H
#define TG_LINEAR_TRANSPOSED_H
#include "brgemm.h"

typedef struct {
    tg_nest n;                          /* x and w have changed places */
    const tg_tensor *bias, *y;
    bool    relu;
    int64_t rows, outputs;
} tg_linear_transposed;

/* False: this call is not one for it. */
bool       tg_linear_transposed_plan(tg_linear_transposed *l, const tg_call *c, const tg_microkernel *mk);
tg_scratch tg_linear_transposed_scratch(const tg_linear_transposed *l);
void       tg_linear_transposed_run(const tg_linear_transposed *l, const tg_task *t);
/* Columns n0 .. n1 - 1 of y, from those rows of y^T. */
void       tg_finish_transposed(const tg_linear_transposed *l, const float *sums, int64_t n0, int64_t n1);
#endif
