/* max_all_vector.c - max over all axes of a large tensor, and its derivative: by parts, because one result would be a
 * single task. */
#include "elementwise.h"
#include "max_line.h"

enum { PART = 4 * TG_VECTOR_BLOCK };

static int64_t max_all_parts(const tg_tensor *x) { return (tg_count(x) + PART - 1) / PART; }

static int64_t max_all_length(const tg_tensor *x, int64_t part)
{
    const int64_t left = tg_count(x) - part * PART;
    return left < PART ? left : PART;
}

static const char *max_all_why_not(const tg_tensor *x, const tg_tensor *y)
{
    if (tg_count(y) != 1) return "keeps axes";
    return tg_count(x) > PART ? NULL : "one part";
}

/* ---- max: the maximum of each part, then of these ---- */

static const char *max_all_reject(const tg_call *c)
{
    const char *const why = tg_reject_not_float(c);
    return why ? why : max_all_why_not(c->in[0], c->out[0]);
}

static tg_scratch max_all_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)max_all_parts(c->in[0]) * sizeof(float) };
}

static int64_t max_all_tasks(const tg_call *c, int phase) { return phase == 0 ? max_all_parts(c->in[0]) : phase == 1; }

static void max_all_run(const tg_call *c, const tg_task *t)
{
    const tg_tensor *const x = c->in[0];
    const bool is_bf16 = tg_is_bf16(x);
    float *const most = t->shared;
    if (t->phase == 1) {
        tg_store(tg_ptr(c->out[0]), is_bf16, 0, max_f32(most, max_all_parts(x)));
        return;
    }
    const void *const from = tg_at(tg_ptr(x), is_bf16, t->index * PART);
    most[t->index] = (is_bf16 ? max_bf16 : max_f32)(from, max_all_length(x, t->index));
}

TG_VECTOR_KERNEL(max_all_vector) = {
    .name = "vector_all_" TG_TEXT(TG_VECTOR_SUFFIX),
    .backend = "vector",
    .isa = TG_VECTOR_ISA,
    .reject = max_all_reject,
    .scratch = max_all_scratch,
    .tasks = max_all_tasks,
    .run = max_all_run,
};

/* ---- max_grad: counts ties, which then share gy ---- */

static const char *max_all_grad_reject(const tg_call *c)
{
    const char *const why = tg_reject_not_float(c);
    return why ? why : max_all_why_not(c->in[1], c->in[2]);
}

static tg_scratch max_all_grad_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)max_all_parts(c->in[1]) * sizeof(int32_t) };
}

static int64_t max_all_grad_tasks(const tg_call *c, int phase) { return phase < 2 ? max_all_parts(c->in[1]) : 0; }

TG_INLINE int32_t count_ties_line(const void *x, bool is_bf16, int64_t n, float most)
{
    int32_t count = 0;
#pragma omp simd reduction(+ : count)
    for (int64_t j = 0; j < n; j++) count += is_tie(tg_load(x, is_bf16, j), most);
    return count;
}

TG_INLINE void share_gradient_line(const void *x, bool is_bf16, int64_t n, float most, float share, void *gx)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) tg_store(gx, is_bf16, j, is_tie(tg_load(x, is_bf16, j), most) ? share : 0.0f);
}

static void max_all_grad_run(const tg_call *c, const tg_task *t)
{
    const tg_tensor *const x = c->in[1];
    const bool is_bf16 = tg_is_bf16(x);
    const int64_t first = t->index * PART, n = max_all_length(x, t->index);
    const void *const from = tg_at(tg_ptr(x), is_bf16, first);
    const float most = tg_load(tg_ptr(c->in[2]), is_bf16, 0);
    int32_t *const count = t->shared;
    if (t->phase == 0) {
        count[t->index] = is_bf16 ? count_ties_line(from, true, n, most) : count_ties_line(from, false, n, most);
        return;
    }
    int64_t all = 0;
    for (int64_t i = 0; i < max_all_parts(x); i++) all += count[i];
    const float share = tg_load(tg_ptr(c->in[0]), is_bf16, 0) / (float)all;
    if (is_bf16) share_gradient_line(from, true, n, most, share, tg_at(tg_ptr(c->out[0]), true, first));
    else share_gradient_line(from, false, n, most, share, tg_at(tg_ptr(c->out[0]), false, first));
}

TG_VECTOR_KERNEL(max_all_grad_vector) = {
    .name = "vector_all_" TG_TEXT(TG_VECTOR_SUFFIX),
    .backend = "vector",
    .isa = TG_VECTOR_ISA,
    .reject = max_all_grad_reject,
    .scratch = max_all_grad_scratch,
    .tasks = max_all_grad_tasks,
    .run = max_all_grad_run,
};
