/* elementwise.h - what kernels have in common whose task is a block of consecutive elements of out[0]. */
#ifndef TG_ELEMENTWISE_H
#define TG_ELEMENTWISE_H
#include "vector.h"

static inline const char *tg_reject_not_f32(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "needs f32";
    return NULL;
}

static inline int64_t tg_element_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? tg_blocks(tg_count(c->out[0])) : 0;
}

#define TG_ELEMENTWISE_HEAD TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .tasks = tg_element_tasks
#endif
