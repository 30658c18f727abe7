/* sgd_vector.c - SGD's update, and what kernels pack of the weight, in one pass.  The formula is in sgd_update.c. */
#include "weights.h"

enum { G = 1, V, FACTOR };

typedef struct { float lr, decay, limit, factor, keep, add, mine, speed; } terms;

static terms terms_of(const tg_call *c)
{
    const tg_sgd_attr *a = c->attr;
    return (terms){
        .lr = (float)a->lr, .decay = (float)a->weight_decay, .limit = tg_update_limit(a->clip_value),
        .factor = tg_update_factor(c, FACTOR),
        .keep = a->first ? 0 : (float)a->momentum, .add = a->first ? 1 : (float)(1 - a->dampening),
        .mine = a->nesterov ? 1 : 0, .speed = a->nesterov ? (float)a->momentum : 1,
    };
}

static void plain(float *restrict w, const float *restrict g, int64_t n, terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) w[i] -= t.lr * (tg_clipped(g[i], t.factor, t.limit) + t.decay * w[i]);
}

static void momentum(float *restrict w, const float *restrict g, float *restrict v, int64_t n, terms t)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float d = tg_clipped(g[i], t.factor, t.limit) + t.decay * w[i];
        v[i] = t.keep * v[i] + t.add * d;
        w[i] -= t.lr * (t.mine * d + t.speed * v[i]);
    }
}

static void step(const tg_call *c, const void *t, float *w, int64_t i, int64_t n)
{
    float *const v = tg_update_operand(c, V, i);
    if (v) momentum(w, tg_update_operand(c, G, i), v, n, *(const terms *)t);
    else plain(w, tg_update_operand(c, G, i), n, *(const terms *)t);
}

static void run(const tg_call *c, const tg_task *task)
{
    const terms t = terms_of(c);
    tg_update_pieces(c, task, &t, step);
}

TG_VECTOR_KERNEL(sgd_update_vector) = { TG_VECTOR_HEAD, .tasks = tg_update_tasks, .run = run, .repacks = true };
