/* state_layout.c - converts between the memory and the file layout of a tensor.
 *
 * In memory a tensor is [outer, middle, last]; in a file, where the last axis has another position, [outer, last,
 * middle]: a convolution's [out, kh kw, in] becomes [out, in, kh kw].  Elements are moved in blocks of whole columns,
 * which are contiguous in the file, or of a part of one; TILE columns at a time are moved row by row, so that memory is
 * accessed in order. */
#include "state_items.h"
#include "master.h"
#include <string.h>

enum { TILE = 256 };

typedef struct {
    int64_t middle, last;
} order; /* sizes; element (outer, m, k) is at (outer * middle + m) * last + k */

static int place_of(const tg_tensor *t, int axis) { return axis < 0 ? t->rank - 1 : axis; }

static order order_of(const tg_tensor *t, int axis)
{
    order o = { 1, t->rank ? t->dim[t->rank - 1] : 1 };
    for (int i = place_of(t, axis); i >= 0 && i < t->rank - 1; i++) o.middle *= t->dim[i];
    if (o.middle == 1 || o.last == 1) o = (order){ tg_count(t), 1 }; /* the layouts are the same */
    return o;
}

void tg_state_shape(const tg_tensor *t, int axis, int64_t dim[TG_MAX_RANK])
{
    const int place = place_of(t, axis);
    for (int i = 0; i < t->rank; i++) dim[i] = i < place ? t->dim[i] : i == place ? t->dim[t->rank - 1] : t->dim[i - 1];
}

tg_dtype tg_state_dtype(const tg_tensor *t) { return tg_is_split(t) ? TG_F32 : t->dtype; }

bool tg_state_is_plain(const tg_tensor *t, int axis) { return !tg_is_split(t) && order_of(t, axis).last == 1; }

typedef struct {
    order o;
    int64_t outer, last, middle;
} cursor; /* an element, in the file's order */

/* Element m of column k is at + m * stride + k in memory, and k * rows + m in the file from the block's first. */
typedef struct {
    int64_t at, stride, rows, columns;
} block;

static cursor cursor_at(order o, int64_t first)
{
    const int64_t size = o.middle * o.last, rest = first % size;
    return (cursor){ o, first / size, rest / o.middle, rest % o.middle };
}

/* The next block, of at most n elements; advances the cursor past it. */
static block next_block(cursor *c, int64_t n)
{
    const order o = c->o;
    const int64_t at = (c->outer * o.middle + c->middle) * o.last + c->last, left = o.middle - c->middle;
    block b = { at, o.last, left < n ? left : n, 1 };
    if (c->middle == 0 && n >= o.middle) b.columns = n / o.middle < o.last - c->last ? n / o.middle : o.last - c->last;
    c->middle += b.rows;
    if (b.rows < left) return b;
    c->middle = 0;
    c->last += b.columns;
    if (c->last < o.last) return b;
    c->last = 0;
    c->outer++;
    return b;
}

/* ---- one block ---- */

#define EACH(b, statement) \
    for (int64_t tile = 0; tile < (b).columns; tile += TILE) \
        for (int64_t m = 0, end = tile + TILE < (b).columns ? tile + TILE : (b).columns; m < (b).rows; m++) \
            for (int64_t k = tile, in = (b).at + m * (b).stride; k < end; k++) { \
                const int64_t file = k * (b).rows + m, memory = in + k; \
                statement; \
            }
#define COPY(type, to, to_i, from, from_i) \
    memcpy((char *)(to) + (to_i) * (int64_t)sizeof(type), (const char *)(from) + (from_i) * (int64_t)sizeof(type), \
           sizeof(type))

static void gather(block b, size_t size, const void *from, void *to)
{
    if (b.columns == 1 && b.stride == 1) memcpy(to, (const char *)from + size * (size_t)b.at, size * (size_t)b.rows);
    else if (size == 1) EACH(b, COPY(uint8_t, to, file, from, memory))
    else if (size == 2) EACH(b, COPY(uint16_t, to, file, from, memory))
    else if (size == 4) EACH(b, COPY(uint32_t, to, file, from, memory))
    else EACH(b, COPY(uint64_t, to, file, from, memory))
}

static void scatter(block b, size_t size, const void *from, void *to)
{
    if (b.columns == 1 && b.stride == 1) memcpy((char *)to + size * (size_t)b.at, from, size * (size_t)b.rows);
    else if (size == 1) EACH(b, COPY(uint8_t, to, memory, from, file))
    else if (size == 2) EACH(b, COPY(uint16_t, to, memory, from, file))
    else if (size == 4) EACH(b, COPY(uint32_t, to, memory, from, file))
    else EACH(b, COPY(uint64_t, to, memory, from, file))
}

static void join(const tg_tensor *t, block b, uint32_t *to)
{
    const uint16_t *const hi = t->storage->data;
    const int16_t *const lo = tg_lo(t);
    EACH(b, to[file] = tg_join_bits(hi[memory], lo[memory]))
}

static void split(const tg_tensor *t, block b, const uint32_t *from, void *image)
{
    uint16_t *const hi = image;
    int16_t *const lo = (int16_t *)image + tg_count(t);
    EACH(b, hi[memory] = tg_split_hi(from[file]); lo[memory] = tg_split_lo(from[file]))
}

/* ---- all blocks ---- */

void tg_state_gather(const tg_tensor *t, int axis, int64_t first, int64_t n, void *to)
{
    const bool is_split = tg_is_split(t);
    const size_t size = tg_dtype_size(tg_state_dtype(t));
    cursor c = cursor_at(order_of(t, axis), first);
    for (char *at = to; n > 0;) {
        const block b = next_block(&c, n);
        if (is_split) join(t, b, (uint32_t *)(void *)at);
        else gather(b, size, t->storage->data, at);
        at += size * (size_t)(b.rows * b.columns);
        n -= b.rows * b.columns;
    }
}

void tg_state_scatter(const tg_tensor *t, int axis, int64_t first, int64_t n, const void *from, void *image)
{
    const bool is_split = tg_is_split(t);
    const size_t size = tg_dtype_size(tg_state_dtype(t));
    cursor c = cursor_at(order_of(t, axis), first);
    for (const char *at = from; n > 0;) {
        const block b = next_block(&c, n);
        if (is_split) split(t, b, (const uint32_t *)(const void *)at, image);
        else scatter(b, size, at, image);
        at += size * (size_t)(b.rows * b.columns);
        n -= b.rows * b.columns;
    }
}
