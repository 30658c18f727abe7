/* infer.c - helpers for operators' infer functions, and element access for ref kernels.  See op.h. */
#include "core.h"
#include <math.h>

static const char *who_now(const tg_scope *s, const char *otherwise)
{
    return s->program->inferring ? s->program->inferring : otherwise;
}

tg_tensor *tg_make(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim)
{
    size_t bytes;
    if (!s || !tg_size_of(s, who_now(s, "tensor"), dtype, rank, dim, &bytes)) return tg_nil();
    tg_storage *storage = tg_storage_new(s, bytes);
    if (!storage) return tg_nil();
    storage->frame = tg_frame_now(s->program);
    return tg_tensor_on(s, storage, dtype, rank, dim);
}

tg_tensor *tg_make_like(tg_scope *s, const tg_tensor *t)
{
    if (tg_ok(s) && !t) tg_fail(s, "%s: the tensor is NULL", who_now(s, "make_like"));
    return tg_ok(s) ? tg_make(s, t->dtype, t->rank, t->dim) : tg_nil();
}

tg_tensor *tg_alias(tg_scope *s, tg_tensor *t, int rank, const int64_t *dim)
{
    tg_shape_text from, to;
    if (!tg_wants_tensor(s, tg_ok(s) ? who_now(s, "alias") : "", t)) return tg_nil();
    if (rank > 0 && !dim) return tg_fail(s, "%s: the shape is NULL", who_now(s, "alias")), tg_nil();
    tg_tensor *a = tg_tensor_on(s, t->storage, t->dtype, rank, dim);
    if (tg_ok(s) && tg_count(a) != tg_count(t))
        tg_fail(s, "%s: %s to %s: the number of elements differs", who_now(s, "alias"), tg_shape(t, &from),
                tg_shape(a, &to));
    return tg_ok(s) ? a : tg_nil();
}

bool tg_same_shape(const tg_tensor *a, const tg_tensor *b)
{
    if (!a || !b || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

/* s has not failed, and input k is not NULL; otherwise fails. */
static bool has_input(tg_scope *s, const tg_call *c, int k)
{
    if (!tg_ok(s)) return false;
    if (c && c->in[k]) return true;
    if (c) tg_fail(s, "%s: input %d is NULL", tg_called(c), k);
    else tg_fail(s, "%s: the call is NULL", who_now(s, "want"));
    return false;
}

bool tg_want_rank(tg_scope *s, const tg_call *c, int k, int rank, const char *axes)
{
    tg_shape_text shape;
    if (!has_input(s, c, k)) return false;
    if (c->in[k]->rank == rank) return true;
    tg_fail(s, "%s: input %d has shape %s, want rank %d %s", tg_called(c), k, tg_shape(c->in[k], &shape), rank,
            axes ? axes : "");
    return false;
}

bool tg_want_dtype(tg_scope *s, const tg_call *c, int k, tg_dtype dtype)
{
    if (!has_input(s, c, k)) return false;
    if (c->in[k]->dtype == dtype) return true;
    tg_fail(s, "%s: input %d has dtype %s, want %s", tg_called(c), k, tg_dtype_name(c->in[k]->dtype),
            tg_dtype_name(dtype));
    return false;
}

bool tg_want_same_shape(tg_scope *s, const tg_call *c, int a, int b)
{
    tg_shape_text one, other;
    if (!has_input(s, c, a) || (!c->in[b] && !has_input(s, c, b))) return false;
    if (tg_same_shape(c->in[a], c->in[b])) return true;
    tg_fail(s, "%s: input %d has shape %s, input %d %s; want the same", tg_called(c), a, tg_shape(c->in[a], &one), b,
            tg_shape(c->in[b], &other));
    return false;
}

bool tg_broadcast(const tg_tensor *a, const tg_tensor *b, int *rank, int64_t dim[TG_MAX_RANK])
{
    if (!a || !b || !rank || !dim) return false;
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 1; i <= *rank; i++) {
        int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1, y = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        dim[*rank - i] = x == 1 ? y : x;
    }
    return true;
}

/* ---- single elements, for ref kernels ---- */

void *tg_ptr(const tg_tensor *t) { return t && t->storage ? t->storage->data : NULL; }

double tg_get(const tg_tensor *t, int64_t i)
{
    const void *at = tg_ptr(t);
    if (!at) return (double)NAN;
    switch (t->dtype) {
    case TG_F32: return (double)((const float *)at)[i];
    case TG_BF16: return (double)tg_bf16_to_f32(((const uint16_t *)at)[i]);
    case TG_U8: return ((const uint8_t *)at)[i];
    case TG_I8: return ((const int8_t *)at)[i];
    case TG_I32: return ((const int32_t *)at)[i];
    default: return (double)((const int64_t *)at)[i];
    }
}

void tg_set(const tg_tensor *t, int64_t i, double value)
{
    void *at = tg_ptr(t);
    if (!at) return;
    switch (t->dtype) {
    case TG_F32: ((float *)at)[i] = (float)value; break;
    case TG_BF16: ((uint16_t *)at)[i] = tg_f32_to_bf16((float)value); break;
    case TG_U8: ((uint8_t *)at)[i] = (uint8_t)value; break;
    case TG_I8: ((int8_t *)at)[i] = (int8_t)value; break;
    case TG_I32: ((int32_t *)at)[i] = (int32_t)value; break;
    default: ((int64_t *)at)[i] = (int64_t)value; break;
    }
}
