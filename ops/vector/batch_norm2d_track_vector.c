/* batch_norm2d_track_vector.c - updates the running statistics from the batch's. */
#include "attr.h"
#include "vector.h"

static void batch_norm2d_track_run(const tg_call *c, const tg_task *t)
{
    const float momentum = ((const tg_batch_norm2d_attr *)c->attr)->momentum;
    float *const running = tg_ptr(c->in[t->index]);
    const float *const batch = tg_ptr(c->in[2 + t->index]);
    for (int64_t j = 0; j < c->in[0]->dim[0]; j++) running[j] = (1 - momentum) * running[j] + momentum * batch[j];
}

static int64_t batch_norm2d_track_tasks(const tg_call *c, int phase)
{
    (void)c;
    return phase == 0 ? 2 : 0;
}

TG_VECTOR_KERNEL(batch_norm2d_track_vector) = { TG_VECTOR_HEAD, .tasks = batch_norm2d_track_tasks,
                                                .run = batch_norm2d_track_run };
