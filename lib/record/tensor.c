/* tensor.c - creates leaves, and gives access to elements.  See tensor.h. */
#include "core.h"
#include "random.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Returned by every function that fails.  It has no elements, so loops over it do nothing; it is never written. */
tg_tensor *tg_nil(void)
{
    static struct tg_node node;
    static tg_tensor nil = { .dtype = TG_F32, .rank = 1, .dim = { 0 }, .node = &node };
    return &nil;
}

bool tg_wants_home(tg_scope *s, const char *who, const char *what, const tg_scope *home)
{
    if (!tg_ok(s)) return false;
    if (!home) tg_fail(s, "%s: the %s is NULL", who, what);
    else if (home->program != s->program) tg_fail(s, "%s: the %s belongs to another tree of scopes", who, what);
    return tg_ok(s);
}

bool tg_wants_tensor(tg_scope *s, const char *who, const tg_tensor *t)
{
    if (tg_ok(s) && t && !t->storage) tg_fail(s, "%s: the tensor has no elements: it comes from a failed scope", who);
    return tg_wants_home(s, who, "tensor", t && t->storage ? t->storage->scope : NULL);
}

int64_t tg_count(const tg_tensor *t)
{
    int64_t n = t != NULL;
    for (int i = 0; t && i < t->rank; i++) n *= t->dim[i];
    return n;
}

bool tg_needs_grad(const tg_tensor *t) { return t && t->node && t->node->needs_grad; }
void tg_want_grad(tg_tensor *leaf, bool wanted) { leaf->node->needs_grad = wanted; }
const tg_call *tg_made_by(const tg_tensor *t) { return t && t->node ? t->node->made : NULL; }

const char *tg_shape(const tg_tensor *t, tg_shape_text *buffer)
{
    if (!buffer) return "";
    char *at = buffer->text, *end = at + sizeof buffer->text;
    if (!t) return strcpy(at, "NULL");
    at += snprintf(at, (size_t)(end - at), "[");
    for (int i = 0; i < t->rank; i++)
        at += snprintf(at, (size_t)(end - at), "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    snprintf(at, (size_t)(end - at), "]");
    return buffer->text;
}

bool tg_size_of(tg_scope *s, const char *who, tg_dtype dtype, int rank, const int64_t *dim, size_t *bytes)
{
    int64_t size = (int64_t)tg_dtype_size(dtype);
    if (!tg_ok(s)) return false;
    if (!size) return tg_fail(s, "%s: dtype %d is unknown", who, (int)dtype), false;
    if (rank < 0 || rank > TG_MAX_RANK) return tg_fail(s, "%s: rank %d, want 0 to %d", who, rank, TG_MAX_RANK), false;
    if (rank > 0 && !dim) return tg_fail(s, "%s: the shape is NULL", who), false;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 1)
            return tg_fail(s, "%s: axis %d has size %lld, want at least 1", who, i, (long long)dim[i]), false;
        if (__builtin_mul_overflow(size, dim[i], &size) || size > INT64_MAX / 2)
            return tg_fail(s, "%s: more bytes than can be counted: axis %d has size %lld", who, i, (long long)dim[i]),
                   false;
    }
    *bytes = (size_t)size;
    return true;
}

tg_tensor *tg_tensor_on(tg_scope *s, tg_storage *storage, tg_dtype dtype, int rank, const int64_t *dim)
{
    typedef struct {
        tg_tensor tensor;
        struct tg_node node;
    } whole;
    whole *const w = tg_alloc(s, sizeof *w);
    if (!w) return tg_nil();
    *w = (whole){ .tensor = { .dtype = dtype, .rank = rank, .storage = storage, .node = &w->node } };
    tg_tensor *const t = &w->tensor;
    for (int i = 0; i < rank; i++) t->dim[i] = dim[i];
    return t;
}

tg_tensor *tg_leaf(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim)
{
    size_t bytes;
    if (!tg_size_of(s, "tensor", dtype, rank, dim, &bytes)) return tg_nil();
    tg_storage *storage = tg_storage_new(s, bytes);
    if (!storage) return tg_nil();
    storage->leaf = true;
    if (!tg_storage_fill(storage)) return tg_fail(s, "out of memory: a tensor of %zu bytes", bytes), tg_nil();
    return tg_tensor_on(s, storage, dtype, rank, dim);
}

tg_tensor *tg_zeros(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim)
{
    tg_tensor *t = tg_leaf(s, dtype, rank, dim);
    if (tg_ok(s)) memset(t->storage->data, 0, t->storage->bytes);
    return t;
}

tg_tensor *tg_full(tg_scope *s, double value, int rank, const int64_t *dim)
{
    tg_tensor *t = tg_leaf(s, TG_F32, rank, dim);
    if (!tg_ok(s)) return t;
    float *x = t->storage->data;
    for (int64_t i = 0, n = tg_count(t); i < n; i++) x[i] = (float)value;
    return t;
}

tg_tensor *tg_from(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, const void *data)
{
    if (tg_ok(s) && !data) tg_fail(s, "tensor: data is NULL");
    tg_tensor *t = tg_leaf(s, dtype, rank, dim);
    if (tg_ok(s)) memcpy(t->storage->data, data, t->storage->bytes);
    return t;
}

tg_tensor *tg_from_nchw(tg_scope *s, int64_t n, int64_t c, int64_t h, int64_t w, const float *data)
{
    if (tg_ok(s) && !data) tg_fail(s, "tensor: data is NULL");
    tg_tensor *t = tg_leaf(s, TG_F32, 4, TG_DIM(n, h, w, c));
    if (!tg_ok(s)) return t;
    float *y = t->storage->data;
    for (int64_t image = 0; image < n; image++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t i = 0; i < h * w; i++) y[(image * h * w + i) * c + k] = data[(image * c + k) * h * w + i];
    return t;
}

/* The smallest and the largest f32 value in [low, high); if high equals low, both are low, rounded. */
typedef struct {
    float first, last;
} float_range;

static float_range range_of(tg_scope *s, double low, double high)
{
    float_range r = { (float)low, (float)high };
    if (tg_ok(s) && !(fabs(low) <= (double)FLT_MAX && fabs(high) <= (double)FLT_MAX))
        tg_fail(s, "rand: range [%g, %g), want two finite f32 numbers", low, high);
    if (tg_ok(s) && low > high) tg_fail(s, "rand: range [%g, %g), want low <= high", low, high);
    if (!tg_ok(s) || low == high) return (float_range){ r.first, r.first };
    if ((double)r.first < low) r.first = nextafterf(r.first, INFINITY);
    if ((double)r.last >= high) r.last = nextafterf(r.last, -INFINITY);
    if (r.first > r.last) tg_fail(s, "rand: no f32 number lies in [%.17g, %.17g)", low, high);
    return r;
}

tg_tensor *tg_rand(tg_scope *s, double low, double high, int rank, const int64_t *dim)
{
    const float_range range = range_of(s, low, high);
    tg_tensor *t = tg_leaf(s, TG_F32, rank, dim);
    if (!tg_ok(s)) return t;
    tg_stream stream = tg_draw_stream(s);
    float *x = t->storage->data;
    for (int64_t i = 0, n = tg_count(t); i < n; i++) {
        const float v = (float)(low + (high - low) * (double)tg_random_uniform(stream, (uint64_t)i));
        x[i] = v < range.first ? range.first : v > range.last ? range.last : v;
    }
    return t;
}

tg_tensor *tg_randn(tg_scope *s, double mean, double deviation, int rank, const int64_t *dim)
{
    if (tg_ok(s) && !(isfinite(mean) && isfinite(deviation) && deviation >= 0))
        tg_fail(s, "randn: mean %g and deviation %g, want finite numbers, the deviation not below 0", mean, deviation);
    tg_tensor *t = tg_leaf(s, TG_F32, rank, dim);
    if (!tg_ok(s)) return t;
    tg_stream stream = tg_draw_stream(s);
    float *x = t->storage->data;
    for (int64_t i = 0, n = tg_count(t); i < n; i++)
        x[i] = (float)(mean + deviation * tg_random_normal(stream, (uint64_t)i));
    return t;
}

tg_tensor *tg_borrow(tg_scope *s, tg_dtype dtype, int rank, const int64_t *dim, void *data, void (*release)(void *),
                     void *owner)
{
    size_t bytes;
    if (tg_ok(s) && !data) tg_fail(s, "tensor: data is NULL");
    tg_storage *storage = tg_size_of(s, "tensor", dtype, rank, dim, &bytes) ? tg_storage_new(s, bytes) : NULL;
    if (!storage) {
        if (release) release(owner);
        return tg_nil();
    }
    storage->leaf = storage->borrowed = true;
    storage->data = data;
    storage->release = release;
    storage->owner = owner;
    return tg_tensor_on(s, storage, dtype, rank, dim);
}

tg_tensor *tg_require_grad(tg_scope *s, tg_tensor *t)
{
    if (!tg_wants_tensor(s, "require_grad", t)) return t;
    if (t->node->made) tg_fail(s, "require_grad: the tensor is the result of %s, want a leaf", t->node->made->op->name);
    else if (t->dtype != TG_F32 && t->dtype != TG_BF16)
        tg_fail(s, "require_grad: dtype %s has no gradient, want f32", tg_dtype_name(t->dtype));
    else t->node->needs_grad = true;
    return t;
}

double tg_or_default(double field, double otherwise)
{
    return field == 0 ? otherwise : field == (double)TG_ZERO ? 0 : field;
}

/* ---- access to elements ---- */

const void *tg_data(tg_tensor *t)
{
    if (!t || !t->storage || !tg_ok(t->storage->scope)) return NULL;
    tg_scope *s = t->storage->scope;
    if (!t->storage->data || t->storage->pending) {
        tg_need(s, t);
        t->storage->pinned = true;
        tg_run(s, true);
    } else if (t->storage->version != t->storage->ran) {
        tg_run(s, true);
    }
    tg_settle_edit(t->storage);
    t->storage->pinned = true;
    return tg_ok(s) ? t->storage->data : NULL;
}

double tg_item(tg_tensor *t)
{
    tg_scope *s = t && t->storage ? t->storage->scope : NULL;
    if (s && tg_ok(s) && tg_count(t) != 1) {
        tg_shape_text shape;
        tg_fail(s, "item: the tensor has shape %s, want one element", tg_shape(t, &shape));
    }
    return tg_data(t) ? tg_get(t, 0) : (double)NAN;
}

void *tg_edit(tg_scope *s, tg_tensor *t)
{
    if (!tg_wants_tensor(s, "edit", t)) return NULL;
    if (t->node->made || !t->storage->leaf) {
        tg_fail(s, "edit: the tensor is the result of %s, want a leaf",
                t->node->made ? t->node->made->op->name : "a call");
        return NULL;
    }
    tg_run(s, true);
    if (!tg_ok(s)) return NULL;
    t->storage->version++;
    t->storage->ran++;
    return t->storage->split ? tg_edit_split(s, t) : t->storage->data;
}

tg_tensor *tg_copy(tg_scope *outer, tg_tensor *t)
{
    if (!tg_ok(outer)) return tg_nil();
    const void *data = tg_data(t);
    if (!data) {
        tg_fail(outer, "copy: %s",
                !t           ? "the tensor is NULL"
                : t->storage ? tg_message(t->storage->scope)
                             : "the tensor has no elements");
        return tg_nil();
    }
    if (!t->storage->split) return tg_from(outer, t->dtype, t->rank, t->dim, data);
    tg_tensor *copy = tg_leaf(outer, TG_F32, t->rank, t->dim);
    if (tg_ok(outer)) tg_copy_split(t, copy->storage->data);
    return copy;
}
