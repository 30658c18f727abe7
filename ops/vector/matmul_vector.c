/* matmul_vector.c - matmul: a stack of products, each in blocks. */
#include "product_blocks.h"

static tg_scratch matmul_scratch(const tg_call *c)
{
    const tg_stack s = tg_stack_of(c);
    return tg_product_scratch(&s.first);
}

static int64_t matmul_tasks(const tg_call *c, int phase)
{
    const tg_stack s = tg_stack_of(c);
    return phase == 0 ? s.matrices * tg_product_blocks(&s.first, s.matrices) : 0;
}

static void matmul_run(const tg_call *c, const tg_task *t)
{
    const tg_stack s = tg_stack_of(c);
    const int64_t blocks = tg_product_blocks(&s.first, s.matrices);
    const tg_product p = tg_stack_product(&s, t->index / blocks);
    tg_product_block(&p, s.matrices, t->index % blocks, t->scratch);
}

static const char *matmul_bf16_reject(const tg_call *c) { return c->in[0]->dtype == TG_BF16 ? NULL : "want bf16"; }

TG_VECTOR_KERNEL(matmul_vector) = { TG_VECTOR_HEAD, .reject = tg_product_reject, .scratch = matmul_scratch,
                                    .tasks = matmul_tasks, .run = matmul_run };
/* bf16, widened as it is packed: listed after the kernels with bf16 products. */
TG_VECTOR_KERNEL(matmul_bf16_vector) = { TG_VECTOR_HEAD, .reject = matmul_bf16_reject, .scratch = matmul_scratch,
                                         .tasks = matmul_tasks, .run = matmul_run };
