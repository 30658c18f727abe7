/* adam_vector.c - Adam's and AdamW's updates, and what kernels pack of the weight, in one pass.  The formulas are in
 * adam_update.c. */
#include "weights.h"
#include <math.h>

enum { G = 1, M, V, FACTOR };

typedef struct { float limit, factor, eps, beta1, new1, beta2, new2, size, per_root, added, shrink; } terms;

static terms terms_of(const tg_call *c)
{
    const tg_adam_attr *a = c->attr;
    const tg_adam_terms t = tg_adam_terms_of(c);
    return (terms){
        .limit = tg_update_limit(a->clip_value), .factor = tg_update_factor(c, FACTOR), .eps = (float)a->eps,
        .beta1 = (float)a->beta1, .new1 = (float)(1 - a->beta1), .beta2 = (float)a->beta2, .new2 = (float)(1 - a->beta2),
        .size = (float)t.size, .per_root = (float)(1 / t.root), .added = (float)t.added, .shrink = (float)t.shrink,
    };
}

static void adam(float *restrict w, const float *restrict grad, float *restrict m, float *restrict v, int64_t n, terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float g = tg_clipped(grad[i], t.factor, t.limit) + t.added * w[i];
        m[i] = t.beta1 * m[i] + t.new1 * g;
        v[i] = t.beta2 * v[i] + t.new2 * g * g;
        w[i] = t.shrink * w[i] - t.size * m[i] / (sqrtf(v[i]) * t.per_root + t.eps);
    }
}

static void step(const tg_call *c, const void *t, float *w, int64_t i, int64_t n)
{
    adam(w, tg_update_operand(c, G, i), tg_update_operand(c, M, i), tg_update_operand(c, V, i), n, *(const terms *)t);
}

static void run(const tg_call *c, const tg_task *task)
{
    const terms t = terms_of(c);
    tg_update_pieces(c, task, &t, step);
}

TG_VECTOR_KERNEL(adam_update_vector) = { TG_VECTOR_HEAD, .tasks = tg_update_tasks, .run = run, .repacks = true };
