/* adam_vector.c - Adam's and AdamW's updates, fused with repacking the weight, in one pass. The formulas are in
 * adam_update.c. */
#include "weights.h"
#include <math.h>

enum { G = 1, M, V, FACTOR };

typedef struct {
    float limit, factor, eps, beta1, new1, beta2, new2, size, per_root, added, shrink;
} adam_terms;

static adam_terms adam_terms_of(const tg_call *c)
{
    const tg_adam_attr *a = c->attr;
    const tg_adam_terms t = tg_adam_terms_of(c);
    return (adam_terms){
        .limit = tg_update_limit(a->clip_value),
        .factor = tg_update_factor(c, FACTOR),
        .eps = (float)a->eps,
        .beta1 = (float)a->beta1,
        .new1 = (float)(1 - a->beta1),
        .beta2 = (float)a->beta2,
        .new2 = (float)(1 - a->beta2),
        .size = (float)t.size,
        .per_root = (float)(1 / t.root),
        .added = (float)t.added,
        .shrink = (float)t.shrink,
    };
}

TG_INLINE void adam_element(tg_weights w, bool split, const float *restrict grad, float *restrict m, float *restrict v,
                            int64_t n, adam_terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float old = tg_load_weight(w, split, i);
        const float g = tg_clipped(grad[i], t.factor, t.limit) + t.added * old;
        m[i] = t.beta1 * m[i] + t.new1 * g;
        v[i] = t.beta2 * v[i] + t.new2 * g * g;
        tg_store_weight(w, split, i, t.shrink * old - t.size * m[i] / (sqrtf(v[i]) * t.per_root + t.eps));
    }
}

static void adam_update_run(const tg_call *c, const tg_task *task)
{
    const tg_update_rows r = tg_update_rows_of(c, task);
    const int64_t n = r.end - r.begin;
    const tg_weights w = tg_weights_from(c->in[0], r.begin);
    const float *const g = tg_update_operand(c, G, r.begin);
    float *const m = tg_update_operand(c, M, r.begin), *const v = tg_update_operand(c, V, r.begin);
    if (tg_is_split(c->in[0])) adam_element(w, true, g, m, v, n, adam_terms_of(c));
    else adam_element(w, false, g, m, v, n, adam_terms_of(c));
    tg_repack(c->in[0], r.r0, r.r1);
}

TG_VECTOR_KERNEL(adam_update_vector) = { TG_VECTOR_HEAD, .tasks = tg_update_tasks, .takes = tg_update_takes,
                                         .run = adam_update_run, .repacks = true };
