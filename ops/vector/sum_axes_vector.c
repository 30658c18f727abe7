/* sum_axes_vector.c - sum, mean and sum_to over axes that are not adjacent: in double, one result at a time, or a strip
 * of a lane of results. Adjacent axes are in reduce_vector.c. */
#include "elementwise.h"
#include "line_sum.h"
#include "reduce_axes.h"

/* Not inlined: within an outer loop GCC 12 keeps reduction vectors in memory. */
static __attribute__((noinline)) double line_f32(const void *x, int64_t n) { return tg_line_sum(x, false, n); }
static __attribute__((noinline)) double line_bf16(const void *x, int64_t n) { return tg_line_sum(x, true, n); }

TG_INLINE void sum_axes_add_row(const void *x, bool is_bf16, int64_t n, double *sum)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) sum[j] += (double)tg_load(x, is_bf16, j);
}

TG_INLINE void sum_axes_unit(const tg_units *u, const tg_unit *at, const void *x, bool is_bf16, double *sum)
{
    tg_cursor line = { .offset = 0 };
    for (int64_t j = 0; j < at->n; j++) sum[j] = 0;
    for (int64_t i = 0; i < u->cut.gone.count; i++, tg_loop_next(&u->cut.gone, &line)) {
        const void *const from = tg_at(x, is_bf16, at->x + line.offset);
        if (!u->cut.gone_last) sum_axes_add_row(from, is_bf16, at->n, sum);
        else sum[0] += is_bf16 ? line_bf16(from, u->cut.lane) : line_f32(from, u->cut.lane);
    }
}

static void sum_axes_run(const tg_call *c, const tg_task *t)
{
    const tg_units u = tg_units_of(c->in[0], tg_axes_of(c));
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    const int64_t length = u.cut.gone.count * (u.cut.gone_last ? u.cut.lane : 1);
    const double scale = c->op == &tg_mean_op ? 1 / (double)length : 1;
    double sum[TG_STRIP];
    for (int64_t i = t->index * u.task_units; i < tg_units_end(&u, t->index); i++) {
        const tg_unit at = tg_unit_at(&u, i);
        void *const y = tg_at(tg_ptr(c->out[0]), is_bf16, at.y);
        if (is_bf16) sum_axes_unit(&u, &at, tg_ptr(c->in[0]), true, sum);
        else sum_axes_unit(&u, &at, tg_ptr(c->in[0]), false, sum);
        for (int64_t j = 0; j < at.n; j++) {
            if (is_bf16) tg_store(y, true, j, (float)(sum[j] * scale));
            else tg_store(y, false, j, (float)(sum[j] * scale));
        }
    }
}

static int64_t sum_axes_tasks(const tg_call *c, int phase)
{
    const tg_units u = tg_units_of(c->in[0], tg_axes_of(c));
    return phase == 0 ? tg_unit_tasks(&u) : 0;
}

#define ANY TG_VECTOR_HEAD, .reject = tg_reject_not_float, .tasks = sum_axes_tasks, .run = sum_axes_run
TG_VECTOR_KERNEL(sum_axes_vector) = { ANY };
TG_VECTOR_KERNEL(mean_axes_vector) = { ANY };
TG_VECTOR_KERNEL(sum_to_axes_vector) = { ANY };
