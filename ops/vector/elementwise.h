/* elementwise.h - shared by kernels whose task is a block of consecutive elements of out[0]. */
#ifndef TG_ELEMENTWISE_H
#define TG_ELEMENTWISE_H
#include "bf16.h"
#include "vector.h"

static inline const char *tg_reject_not_f32(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "needs f32";
    return NULL;
}

static inline const char *tg_reject_not_float(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32 && c->in[k]->dtype != TG_BF16) return "needs f32 or bf16";
    return NULL;
}

static inline int64_t tg_element_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? tg_blocks(tg_count(c->out[0])) : 0;
}

/* A task's elements; the operands have one shape and dtype. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t n;
    bool is_bf16;
} tg_span;

static inline tg_span tg_span_of(const tg_call *c, const tg_task *task)
{
    const bool is_bf16 = tg_is_bf16(c->out[0]);
    const int64_t at = task->index * TG_VECTOR_BLOCK, n = tg_block_end(task->index, tg_count(c->out[0])) - at;
    return (tg_span){ tg_at(tg_ptr(c->in[0]), is_bf16, at), tg_at(tg_ptr(c->in[1]), is_bf16, at),
                      tg_at(tg_ptr(c->out[0]), is_bf16, at), n, is_bf16 };
}

#define TG_ELEMENTWISE_HEAD TG_VECTOR_HEAD, .reject = tg_reject_not_float, .tasks = tg_element_tasks
#endif
