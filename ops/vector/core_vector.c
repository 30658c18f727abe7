/* core_vector.c - core operators: cast and accumulate. add is in binary_vector.c, sum_to in reduce_vector.c. */
#include "elementwise.h"

/* ---- cast between f32 and bf16 ---- */

static const char *cast_reject(const tg_call *c)
{
    const char *why = tg_reject_not_float(c);
    const tg_dtype to = c->out[0]->dtype;
    return why || to == TG_F32 || to == TG_BF16 ? why : "needs f32 or bf16";
}

TG_INLINE void cast_block(const tg_call *c, const tg_task *task, bool from, bool to)
{
    const int64_t at = task->index * TG_VECTOR_BLOCK, n = tg_block_end(task->index, tg_count(c->out[0])) - at;
    const void *x = tg_at(tg_ptr(c->in[0]), from, at);
    void *y = tg_at(tg_ptr(c->out[0]), to, at);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) tg_store(y, to, i, tg_load(x, from, i));
}

static void cast_run(const tg_call *c, const tg_task *task)
{
    const bool from = tg_is_bf16(c->in[0]), to = tg_is_bf16(c->out[0]);
    if (from && !to) cast_block(c, task, true, false);
    else if (to && !from) cast_block(c, task, false, true);
    else if (from) cast_block(c, task, true, true);
    else cast_block(c, task, false, false);
}
TG_VECTOR_KERNEL(cast_vector) = { TG_VECTOR_HEAD, .reject = cast_reject, .tasks = tg_element_tasks, .run = cast_run };

/* ---- accumulate: y += x, y in f32 ---- */

TG_INLINE void accumulate_block(const tg_call *c, const tg_task *task, bool is_bf16)
{
    const int64_t at = task->index * TG_VECTOR_BLOCK, n = tg_block_end(task->index, tg_count(c->in[0])) - at;
    const void *x = tg_at(tg_ptr(c->in[1]), is_bf16, at);
    float *y = (float *)tg_ptr(c->in[0]) + at;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += tg_load(x, is_bf16, i);
}

static int64_t accumulate_tasks(const tg_call *c, int phase) { return phase == 0 ? tg_blocks(tg_count(c->in[0])) : 0; }

static void accumulate_run(const tg_call *c, const tg_task *task)
{
    if (tg_is_bf16(c->in[1])) accumulate_block(c, task, true);
    else accumulate_block(c, task, false);
}
TG_VECTOR_KERNEL(accumulate_vector) = {
    TG_VECTOR_HEAD,
    .reject = tg_reject_not_float,
    .tasks = accumulate_tasks,
    .run = accumulate_run,
};
