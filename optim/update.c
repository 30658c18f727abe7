/* update.c - what the update operators share: checks, and how the work is cut. */
#include "update.h"
#include <math.h>

bool tg_update_wants_number(tg_scope *s, const char *who, const char *what, double value)
{
    if (tg_ok(s) && !(isfinite(value) && value >= 0))
        tg_fail(s, "%s: %s %g, want a finite number of at least 0", who, what, value);
    return tg_ok(s);
}

bool tg_update_wants(tg_scope *s, const tg_call *c, int n)
{
    for (int k = 0; k < n; k++)
        if (c->in[k] && (!tg_want_dtype(s, c, k, TG_F32) || !tg_want_same_shape(s, c, k, 0))) return false;
    if (c->in[n] && tg_want_dtype(s, c, n, TG_F32) && tg_count(c->in[n]) != 1)
        tg_fail(s, "%s: the clip factor has %lld elements, want 1", c->op->name, (long long)tg_count(c->in[n]));
    return tg_ok(s);
}

const char *tg_update_reject(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "needs f32";
    return NULL;
}

float tg_update_limit(double clip_value) { return clip_value > 0 ? (float)clip_value : INFINITY; }

int64_t tg_update_tasks(const tg_call *c, int phase)
{
    return phase ? 0 : (tg_count(c->in[0]) + TG_UPDATE_BLOCK - 1) / TG_UPDATE_BLOCK;
}

tg_range tg_update_range(const tg_call *c, const tg_task *task)
{
    const int64_t n = tg_count(c->in[0]), begin = task->index * TG_UPDATE_BLOCK;
    return (tg_range){ begin, n - begin < TG_UPDATE_BLOCK ? n : begin + TG_UPDATE_BLOCK };
}
