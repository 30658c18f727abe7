/* sgd_vector.c - SGD's update, and what kernels pack of the weight, in one pass.  The formula is in sgd_update.c. */
#include "weights.h"

enum { W, G, V, FACTOR };

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

static void run(const tg_call *c, const tg_task *task)
{
    const tg_update_rows r = tg_update_rows_of(c, task);
    const terms          t = terms_of(c);
    float                room[TG_PIECE];
    for (int64_t i = r.begin; i < r.end; i += TG_PIECE) {
        const int64_t n = i + TG_PIECE < r.end ? TG_PIECE : r.end - i;
        float *const  w = tg_open_weights(c->in[W], i, n, room), *const v = tg_update_operand(c, V, i);
        if (v) momentum(w, tg_update_operand(c, G, i), v, n, t);
        else plain(w, tg_update_operand(c, G, i), n, t);
        tg_close_weights(c->in[W], i, n, room);
    }
    tg_repack(c->in[W], r.r0, r.r1);
}

TG_VECTOR_KERNEL(sgd_update_vector) = { TG_VECTOR_HEAD, .tasks = tg_update_tasks, .run = run, .repacks = true };
