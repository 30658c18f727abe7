/* core_vector.c - the core's own operators: cast, accumulate, sum_to; add is in binary_vector.c. */
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
    const void   *x = tg_at(tg_ptr(c->in[0]), from, at);
    void         *y = tg_at(tg_ptr(c->out[0]), to, at);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) tg_store(y, to, i, tg_load(x, from, i));
}

static void cast_run(const tg_call *c, const tg_task *task)
{
    const bool from = tg_half(c->in[0]), to = tg_half(c->out[0]);
    if (from && !to) cast_block(c, task, true, false);
    else if (to && !from) cast_block(c, task, false, true);
    else if (from) cast_block(c, task, true, true);
    else cast_block(c, task, false, false);
}
TG_VECTOR_KERNEL(cast_vector) = { TG_VECTOR_HEAD, .reject = cast_reject, .tasks = tg_element_tasks, .run = cast_run };

/* ---- accumulate: y += x, y in f32 ---- */

TG_INLINE void accumulate_block(const tg_call *c, const tg_task *task, bool half)
{
    const int64_t at = task->index * TG_VECTOR_BLOCK, n = tg_block_end(task->index, tg_count(c->in[0])) - at;
    const void   *x = tg_at(tg_ptr(c->in[1]), half, at);
    float        *y = (float *)tg_ptr(c->in[0]) + at;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += tg_load(x, half, i);
}

static int64_t accumulate_tasks(const tg_call *c, int phase) { return phase == 0 ? tg_blocks(tg_count(c->in[0])) : 0; }

static void accumulate_run(const tg_call *c, const tg_task *task)
{
    if (tg_half(c->in[1])) accumulate_block(c, task, true);
    else accumulate_block(c, task, false);
}
TG_VECTOR_KERNEL(accumulate_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_float, .tasks = accumulate_tasks, .run = accumulate_run,
};

/* ---- sum_to, where x splits into leading, summed axes and trailing, kept ones: sums of rows, by columns ---- */

enum { COLUMNS = 256 };

static const char *sum_to_reject(const tg_call *c)
{
    const tg_tensor *x = c->in[0], *y = c->out[0];
    int              kept = y->rank;
    while (kept > 0 && y->dim[y->rank - kept] == 1 && x->dim[x->rank - kept] != 1) kept--;
    for (int i = 1; i <= kept; i++)
        if (y->dim[y->rank - i] != x->dim[x->rank - i]) return "needs leading axes to be summed";
    return tg_reject_not_float(c);
}

static int64_t sum_to_tasks(const tg_call *c, int phase)
{
    return phase == 0 ? (tg_count(c->out[0]) + COLUMNS - 1) / COLUMNS : 0;
}

TG_INLINE void sum_to_columns(const tg_call *c, const tg_task *task, bool half)
{
    const int64_t columns = tg_count(c->out[0]), rows = tg_count(c->in[0]) / columns, from = task->index * COLUMNS;
    const int64_t width = columns - from < COLUMNS ? columns - from : COLUMNS;
    const void   *x = tg_at(tg_ptr(c->in[0]), half, from);
    void         *y = tg_at(tg_ptr(c->out[0]), half, from);
    double        sum[COLUMNS] = { 0 };
    for (int64_t r = 0; r < rows; r++) {
        const void *row = tg_at(x, half, r * columns);
#pragma omp simd
        for (int64_t i = 0; i < width; i++) sum[i] += (double)tg_load(row, half, i);
    }
    for (int64_t i = 0; i < width; i++) tg_store(y, half, i, (float)sum[i]);
}

static void sum_to_run(const tg_call *c, const tg_task *task)
{
    if (tg_half(c->in[0])) sum_to_columns(c, task, true);
    else sum_to_columns(c, task, false);
}
TG_VECTOR_KERNEL(sum_to_vector) = {
    TG_VECTOR_HEAD, .reject = sum_to_reject, .tasks = sum_to_tasks, .run = sum_to_run,
};
