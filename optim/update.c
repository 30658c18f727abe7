/* update.c - shared by the update operators: checks, and division of the work. */
#include "update.h"
#include "master.h"
#include "run.h"
#include <math.h>
#include <string.h>

bool tg_update_wants_number(tg_scope *s, const char *who, const char *what, double value)
{
    if (tg_ok(s) && !(isfinite(value) && value >= 0))
        tg_fail(s, "%s: %s %g, want a finite number of at least 0", who, what, value);
    return tg_ok(s);
}

bool tg_update_wants(tg_scope *s, const tg_call *c, int n)
{
    for (int k = 0; k < n; k++) {
        if (!c->in[k] || (k == 0 && tg_is_split(c->in[0]))) continue;
        if (!tg_want_dtype(s, c, k, TG_F32) || !tg_want_same_shape(s, c, k, 0)) return false;
    }
    if (c->in[n] && tg_want_dtype(s, c, n, TG_F32) && tg_count(c->in[n]) != 1)
        tg_fail(s, "%s: the clip factor has %lld elements, want 1", c->op->name, (long long)tg_count(c->in[n]));
    return tg_ok(s);
}

float tg_update_limit(double clip_value) { return clip_value > 0 ? (float)clip_value : INFINITY; }

/* ---- work ---- */

static int64_t rows_of(const tg_tensor *w) { return w->rank ? w->dim[0] : 1; }

int64_t tg_update_tasks(const tg_call *c, int phase)
{
    const int64_t step = tg_rows_of_task(c->in[0]);
    return phase ? 0 : (rows_of(c->in[0]) + step - 1) / step;
}

int64_t tg_update_takes(const tg_call *c, int k)
{
    const tg_tensor *w = c->in[0];
    return tg_same_shape(c->in[k], w) ? tg_rows_of_task(w) * (tg_count(w) / rows_of(w)) : 0;
}

tg_update_rows tg_update_rows_of(const tg_call *c, const tg_task *task)
{
    const tg_tensor *w = c->in[0];
    const int64_t rows = rows_of(w), step = tg_rows_of_task(w), row = tg_count(w) / rows, r0 = task->index * step;
    const int64_t r1 = r0 + step < rows ? r0 + step : rows;
    return (tg_update_rows){ r0, r1, r0 * row, r1 * row };
}

/* ---- elements ---- */

double tg_weight_get(const tg_tensor *w, int64_t i)
{
    if (!tg_is_split(w)) return tg_get(w, i);
    const uint32_t bits = tg_join_bits(((const uint16_t *)tg_ptr(w))[i], tg_lo(w)[i]);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

void tg_weight_set(const tg_tensor *w, int64_t i, double value)
{
    const float f = (float)value;
    uint32_t bits;
    if (!tg_is_split(w)) {
        tg_set(w, i, value);
        return;
    }
    memcpy(&bits, &f, sizeof bits);
    ((uint16_t *)tg_ptr(w))[i] = tg_split_hi(bits);
    tg_lo(w)[i] = tg_split_lo(bits);
}
