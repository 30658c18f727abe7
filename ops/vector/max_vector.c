/* max_vector.c - max over any axes, its derivative, and argmax over one axis. NaN counts as the largest. */
#include "elementwise.h"
#include "max_line.h"
#include "reduce_axes.h"

/* ---- max ---- */

TG_INLINE void max_unit(const tg_units *u, const tg_unit *at, const void *x, bool is_bf16, float *most)
{
    tg_cursor line = { .offset = 0 };
    for (int64_t j = 0; j < at->n; j++) most[j] = -INFINITY;
    for (int64_t i = 0; i < u->cut.gone.count; i++, tg_loop_next(&u->cut.gone, &line)) {
        const void *const from = tg_at(x, is_bf16, at->x + line.offset);
        if (u->cut.gone_last) {
            most[0] = nan_max(most[0], is_bf16 ? max_bf16(from, u->cut.lane) : max_f32(from, u->cut.lane));
            continue;
        }
#pragma omp simd
        for (int64_t j = 0; j < at->n; j++) most[j] = nan_max(most[j], tg_load(from, is_bf16, j));
    }
}

static void max_run(const tg_call *c, const tg_task *t)
{
    const tg_units u = tg_units_of(c->in[0], tg_axes_of(c));
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    float most[TG_STRIP];
    for (int64_t i = t->index * u.task_units; i < tg_units_end(&u, t->index); i++) {
        const tg_unit at = tg_unit_at(&u, i);
        if (is_bf16) max_unit(&u, &at, tg_ptr(c->in[0]), true, most);
        else max_unit(&u, &at, tg_ptr(c->in[0]), false, most);
        for (int64_t j = 0; j < at.n; j++) {
            if (is_bf16) tg_store(tg_ptr(c->out[0]), true, at.y + j, most[j]);
            else tg_store(tg_ptr(c->out[0]), false, at.y + j, most[j]);
        }
    }
}

static int64_t max_tasks(const tg_call *c, int phase)
{
    const tg_units u = tg_units_of(c->in[0], tg_axes_of(c));
    return phase == 0 ? tg_unit_tasks(&u) : 0;
}

TG_VECTOR_KERNEL(max_vector) = { TG_VECTOR_HEAD, .reject = tg_reject_not_float, .tasks = max_tasks, .run = max_run };

/* ---- max_grad: gy is split between the elements that equal y ---- */

typedef struct {
    const void *gy, *x, *y;
    void *gx;
} max_grad_operands;

/* share[j]: what each element that equals y[j] receives. */
TG_INLINE void count_ties(const tg_units *u, const tg_unit *at, const max_grad_operands *o, bool is_bf16,
                          const float *most, float *share)
{
    tg_cursor line = { .offset = 0 };
    for (int64_t j = 0; j < at->n; j++) share[j] = 0;
    for (int64_t i = 0; i < u->cut.gone.count; i++, tg_loop_next(&u->cut.gone, &line)) {
        const void *const x = tg_at(o->x, is_bf16, at->x + line.offset);
        int32_t n = 0;
        if (u->cut.gone_last)
#pragma omp simd reduction(+ : n)
            for (int64_t j = 0; j < u->cut.lane; j++) n += is_tie(tg_load(x, is_bf16, j), most[0]);
        else
#pragma omp simd
            for (int64_t j = 0; j < at->n; j++) share[j] += is_tie(tg_load(x, is_bf16, j), most[j]) ? 1.0f : 0.0f;
        share[0] += (float)n;
    }
    for (int64_t j = 0; j < at->n; j++) share[j] = tg_load(o->gy, is_bf16, at->y + j) / share[j];
}

TG_INLINE void max_grad_unit(const tg_units *u, const tg_unit *at, const max_grad_operands *o, bool is_bf16)
{
    tg_cursor line = { .offset = 0 };
    float most[TG_STRIP], share[TG_STRIP];
    for (int64_t j = 0; j < at->n; j++) most[j] = tg_load(o->y, is_bf16, at->y + j);
    count_ties(u, at, o, is_bf16, most, share);
    for (int64_t i = 0; i < u->cut.gone.count; i++, tg_loop_next(&u->cut.gone, &line)) {
        const void *const x = tg_at(o->x, is_bf16, at->x + line.offset);
        void *const gx = tg_at(o->gx, is_bf16, at->x + line.offset);
        if (u->cut.gone_last)
#pragma omp simd
            for (int64_t j = 0; j < u->cut.lane; j++)
                tg_store(gx, is_bf16, j, is_tie(tg_load(x, is_bf16, j), most[0]) ? share[0] : 0.0f);
        else
#pragma omp simd
            for (int64_t j = 0; j < at->n; j++)
                tg_store(gx, is_bf16, j, is_tie(tg_load(x, is_bf16, j), most[j]) ? share[j] : 0.0f);
    }
}

static tg_units max_grad_units(const tg_call *c)
{
    return tg_units_of(c->in[1], ((const tg_reduce_attr *)c->attr)->axes);
}

static void max_grad_run(const tg_call *c, const tg_task *t)
{
    const tg_units u = max_grad_units(c);
    const max_grad_operands o = { tg_ptr(c->in[0]), tg_ptr(c->in[1]), tg_ptr(c->in[2]), tg_ptr(c->out[0]) };
    const bool is_bf16 = tg_is_bf16(c->in[1]);
    for (int64_t i = t->index * u.task_units; i < tg_units_end(&u, t->index); i++) {
        const tg_unit at = tg_unit_at(&u, i);
        if (is_bf16) max_grad_unit(&u, &at, &o, true);
        else max_grad_unit(&u, &at, &o, false);
    }
}

static int64_t max_grad_tasks(const tg_call *c, int phase)
{
    const tg_units u = max_grad_units(c);
    return phase == 0 ? tg_unit_tasks(&u) : 0;
}

TG_VECTOR_KERNEL(max_grad_vector) = {
    TG_VECTOR_HEAD,
    .reject = tg_reject_not_float,
    .tasks = max_grad_tasks,
    .run = max_grad_run,
};

/* ---- argmax: the first maximum ---- */

TG_INLINE int64_t line_argmax(const void *x, bool is_bf16, int64_t n)
{
    const float most = is_bf16 ? max_bf16(x, n) : max_f32(x, n);
    int64_t j = 0;
    while (j < n - 1 && !is_tie(tg_load(x, is_bf16, j), most)) j++;
    return j;
}

TG_INLINE void argmax_unit(const tg_units *u, const tg_unit *at, const void *x, bool is_bf16, int64_t *y)
{
    float most[TG_STRIP];
    int32_t index[TG_STRIP] = { 0 };
    if (u->cut.gone_last) {
        *y = line_argmax(tg_at(x, is_bf16, at->x), is_bf16, u->cut.lane);
        return;
    }
    tg_cursor line = { .offset = 0 };
    for (int64_t j = 0; j < at->n; j++) most[j] = tg_load(x, is_bf16, at->x + j);
    for (int32_t i = 0; i < (int32_t)u->cut.gone.count; i++, tg_loop_next(&u->cut.gone, &line)) {
        const void *const from = tg_at(x, is_bf16, at->x + line.offset);
#pragma omp simd
        for (int64_t j = 0; j < at->n; j++) {
            const float v = tg_load(from, is_bf16, j);
            const bool better = v > most[j] || (v != v && most[j] == most[j]);
            most[j] = better ? v : most[j];
            index[j] = better ? i : index[j];
        }
    }
    for (int64_t j = 0; j < at->n; j++) y[j] = index[j];
}

static tg_units argmax_units(const tg_call *c)
{
    return tg_units_of(c->in[0], TG_BIT(((const tg_axis_attr *)c->attr)->axis));
}

static void argmax_run(const tg_call *c, const tg_task *t)
{
    const tg_units u = argmax_units(c);
    int64_t *const y = tg_ptr(c->out[0]);
    for (int64_t i = t->index * u.task_units; i < tg_units_end(&u, t->index); i++) {
        const tg_unit at = tg_unit_at(&u, i);
        if (tg_is_bf16(c->in[0])) argmax_unit(&u, &at, tg_ptr(c->in[0]), true, y + at.y);
        else argmax_unit(&u, &at, tg_ptr(c->in[0]), false, y + at.y);
    }
}

static const char *argmax_reject(const tg_call *c)
{
    const char *const why = tg_reject_not_float(c);
    return why || c->in[0]->dim[((const tg_axis_attr *)c->attr)->axis] <= INT32_MAX ? why
                                                                                    : "needs an axis of below 2^31";
}

static int64_t argmax_tasks(const tg_call *c, int phase)
{
    const tg_units u = argmax_units(c);
    return phase == 0 ? tg_unit_tasks(&u) : 0;
}

TG_VECTOR_KERNEL(argmax_vector) = {
    TG_VECTOR_HEAD,
    .reject = argmax_reject,
    .tasks = argmax_tasks,
    .run = argmax_run,
};
