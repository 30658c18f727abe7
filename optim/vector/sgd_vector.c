/* sgd_vector.c - SGD's update, fused with repacking the weight, in one pass. The formula is in sgd_update.c. */
#include "weights.h"

enum { G = 1, V, FACTOR };

typedef struct {
    float lr, decay, limit, factor, keep, add, mine, speed;
} sgd_terms;

static sgd_terms sgd_terms_of(const tg_call *c)
{
    const tg_sgd_attr *a = c->attr;
    return (sgd_terms){
        .lr = (float)a->lr,
        .decay = (float)a->weight_decay,
        .limit = tg_update_limit(a->clip_value),
        .factor = tg_update_factor(c, FACTOR),
        .keep = a->first ? 0 : (float)a->momentum,
        .add = a->first ? 1 : (float)(1 - a->dampening),
        .mine = a->nesterov ? 1 : 0,
        .speed = a->nesterov ? (float)a->momentum : 1,
    };
}

TG_INLINE void sgd_plain(tg_weights w, bool split, const float *restrict g, int64_t n, sgd_terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float old = tg_load_weight(w, split, i);
        tg_store_weight(w, split, i, old - t.lr * (tg_clipped(g[i], t.factor, t.limit) + t.decay * old));
    }
}

TG_INLINE void sgd_momentum(tg_weights w, bool split, const float *restrict g, float *restrict v, int64_t n,
                            sgd_terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float old = tg_load_weight(w, split, i);
        const float d = tg_clipped(g[i], t.factor, t.limit) + t.decay * old;
        v[i] = t.keep * v[i] + t.add * d;
        tg_store_weight(w, split, i, old - t.lr * (t.mine * d + t.speed * v[i]));
    }
}

static void sgd_update_run(const tg_call *c, const tg_task *task)
{
    const tg_update_rows r = tg_update_rows_of(c, task);
    const int64_t n = r.end - r.begin;
    const tg_weights w = tg_weights_from(c->in[0], r.begin);
    const float *const g = tg_update_operand(c, G, r.begin);
    float *const v = tg_update_operand(c, V, r.begin);
    const sgd_terms t = sgd_terms_of(c);
    if (tg_is_split(c->in[0])) v ? sgd_momentum(w, true, g, v, n, t) : sgd_plain(w, true, g, n, t);
    else v ? sgd_momentum(w, false, g, v, n, t) : sgd_plain(w, false, g, n, t);
    tg_repack(c->in[0], r.r0, r.r1);
}

TG_VECTOR_KERNEL(sgd_update_vector) = { TG_VECTOR_HEAD, .tasks = tg_update_tasks, .takes = tg_update_takes,
                                        .run = sgd_update_run, .repacks = true };
