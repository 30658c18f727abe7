/* check.c - see check.h. */
#include "check.h"
#include "run.h"
#include "shown.h"

int tg_resolve_axis(const tg_tensor *x, int axis) { return axis < 0 && x ? axis + x->rank : axis; }

bool tg_want_axis(tg_scope *s, const tg_call *c, int axis)
{
    const int rank = c->in[0]->rank;
    tg_shape_text shape;
    if (tg_ok(s) && (axis < 0 || axis >= rank))
        tg_fail(s, "%s: axis %d of x %s, want %d to %d", tg_called(c), axis < 0 ? axis - rank : axis,
                tg_shape(c->in[0], &shape), -rank, rank - 1);
    return tg_ok(s);
}

bool tg_want_float(tg_scope *s, const tg_call *c, int k)
{
    const tg_dtype dtype = c->in[k]->dtype;
    if (tg_ok(s) && dtype != TG_F32 && dtype != TG_BF16)
        tg_fail(s, "%s: input %d has dtype %s, want f32 or bf16", tg_called(c), k, tg_dtype_name(dtype));
    return tg_ok(s);
}

bool tg_want_same_dtype(tg_scope *s, const tg_call *c, int a, int b)
{
    const tg_dtype one = c->in[a]->dtype, other = c->in[b]->dtype;
    if (tg_ok(s) && one != other)
        tg_fail(s, "%s: input %d has dtype %s, input %d %s; want the same", tg_called(c), a, tg_dtype_name(one), b,
                tg_dtype_name(other));
    return tg_ok(s);
}

tg_tensor *tg_as_f32(tg_scope *s, tg_tensor *x)
{
    return x && x->dtype == TG_BF16 && tg_can_read(s, x) ? tg_cast(s, x, TG_F32) : x;
}

tg_tensor *tg_as(tg_scope *s, tg_tensor *x, const tg_tensor *w)
{
    const bool floats =
        x && w && (x->dtype == TG_F32 || x->dtype == TG_BF16) && (w->dtype == TG_F32 || w->dtype == TG_BF16);
    const bool differ = floats && x->dtype != w->dtype && !tg_scope_modes(s).autocast;
    if (!differ || !tg_can_read(s, x)) return x;
    tg_tensor *const source = tg_shown_of(x);
    return source->dtype == w->dtype ? source : tg_cast(s, x, w->dtype);
}

void tg_infer_map(tg_scope *s, tg_call *c)
{
    if (tg_want_float(s, c, 0)) c->out[0] = tg_make_like(s, c->in[0]);
}

void tg_infer_zip(tg_scope *s, tg_call *c)
{
    if (tg_want_float(s, c, 0) && tg_want_same_dtype(s, c, 0, 1) && tg_want_same_shape(s, c, 0, 1))
        c->out[0] = tg_make_like(s, c->in[0]);
}

void tg_infer_pair(tg_scope *s, tg_call *c)
{
    int rank;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text a, b;
    if (!tg_want_float(s, c, 0) || !tg_want_same_dtype(s, c, 0, 1)) return;
    if (tg_broadcast(c->in[0], c->in[1], &rank, dim)) c->out[0] = tg_make(s, c->in[0]->dtype, rank, dim);
    else
        tg_fail(s, "%s: shapes %s and %s do not broadcast", tg_called(c), tg_shape(c->in[0], &a),
                tg_shape(c->in[1], &b));
}
