/* state_layout.c - between the bytes of a storage and the numbers of a file.
 *
 * In memory a tensor is [outer, middle, last]; in a file, whose last axis stands elsewhere, [outer, last, middle]: a
 * convolution's [out, kh kw, in] is [out, in, kh kw].  Elements are moved in runs along the file's last axis. */
#include "state_items.h"
#include "master.h"
#include <string.h>

typedef struct { int64_t middle, last; } order;      /* elements; an element is at (outer * middle + m) * last + k */

static int place_of(const tg_tensor *t, int axis) { return axis < 0 ? t->rank - 1 : axis; }

static order order_of(const tg_tensor *t, int axis)
{
    order o = { 1, t->rank ? t->dim[t->rank - 1] : 1 };
    for (int i = place_of(t, axis); i >= 0 && i < t->rank - 1; i++) o.middle *= t->dim[i];
    if (o.middle == 1 || o.last == 1) o = (order){ tg_count(t), 1 };          /* the same in both */
    return o;
}

void tg_state_shape(const tg_tensor *t, int axis, int64_t dim[TG_MAX_RANK])
{
    const int place = place_of(t, axis);
    for (int i = 0; i < t->rank; i++) dim[i] = i < place ? t->dim[i] : i == place ? t->dim[t->rank - 1] : t->dim[i - 1];
}

tg_dtype tg_state_dtype(const tg_tensor *t) { return tg_is_split(t) ? TG_F32 : t->dtype; }

bool tg_state_is_plain(const tg_tensor *t, int axis) { return !tg_is_split(t) && order_of(t, axis).last == 1; }

typedef struct { int64_t at, stride, n; } run;       /* of elements in memory that follow each other in the file */

static run run_at(order o, int64_t first, int64_t n)
{
    const int64_t block = o.middle * o.last, outer = first / block, rest = first % block, k = rest / o.middle;
    const int64_t m = rest % o.middle, left = o.middle - m;
    return (run){ outer * block + m * o.last + k, o.last, left < n ? left : n };
}

/* ---- one run ---- */

#define MOVE(type)                                                                                                     \
    for (int64_t i = 0; i < r.n; i++) memcpy((char *)to + i * to_step * (int64_t)sizeof(type),                         \
                                             (const char *)from + i * from_step * (int64_t)sizeof(type), sizeof(type))

/* Elements of `size` bytes, with strides in elements. */
static void move(run r, size_t size, const void *from, int64_t from_step, void *to, int64_t to_step)
{
    if (from_step == 1 && to_step == 1) {
        memcpy(to, from, size * (size_t)r.n);
        return;
    }
    switch (size) {
    case 1:  MOVE(uint8_t);  break;
    case 2:  MOVE(uint16_t); break;
    case 4:  MOVE(uint32_t); break;
    default: MOVE(uint64_t); break;
    }
}

static void join(const tg_tensor *t, run r, uint32_t *to)
{
    const uint16_t *const hi = (const uint16_t *)t->storage->data + r.at;
    const int16_t  *const lo = tg_lo(t) + r.at;
    for (int64_t i = 0; i < r.n; i++) to[i] = tg_join_bits(hi[i * r.stride], lo[i * r.stride]);
}

static void split(const tg_tensor *t, run r, const uint32_t *from, void *image)
{
    uint16_t *const hi = (uint16_t *)image + r.at;
    int16_t  *const lo = (int16_t *)image + tg_count(t) + r.at;
    for (int64_t i = 0; i < r.n; i++) {
        hi[i * r.stride] = tg_split_hi(from[i]);
        lo[i * r.stride] = tg_split_lo(from[i]);
    }
}

/* ---- all runs ---- */

void tg_state_gather(const tg_tensor *t, int axis, int64_t first, int64_t n, void *to)
{
    const order  o = order_of(t, axis);
    const size_t size = tg_dtype_size(tg_state_dtype(t));
    for (char *at = to; n > 0;) {
        const run r = run_at(o, first, n);
        if (tg_is_split(t)) join(t, r, (uint32_t *)(void *)at);
        else move(r, size, (const char *)t->storage->data + (size_t)r.at * size, r.stride, at, 1);
        at += size * (size_t)r.n;
        first += r.n;
        n -= r.n;
    }
}

void tg_state_scatter(const tg_tensor *t, int axis, int64_t first, int64_t n, const void *from, void *image)
{
    const order  o = order_of(t, axis);
    const size_t size = tg_dtype_size(tg_state_dtype(t));
    for (const char *at = from; n > 0;) {
        const run r = run_at(o, first, n);
        if (tg_is_split(t)) split(t, r, (const uint32_t *)(const void *)at, image);
        else move(r, size, at, 1, (char *)image + (size_t)r.at * size, r.stride);
        at += size * (size_t)r.n;
        first += r.n;
        n -= r.n;
    }
}
