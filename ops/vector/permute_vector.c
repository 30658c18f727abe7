/* permute_vector.c - permute, by blocks that stay in the cache.
 *
 * Axes of size 1 are dropped, and axes that stay adjacent are merged. If the last axis stays last, whole rows are
 * copied. Otherwise two axes form a matrix that is transposed: `read`, along which x is contiguous, and the last, along
 * which y is; the other axes number the matrices. Elements are opaque, of 2 or 4 bytes. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

enum { TILE = 32 };

/* The axes of y, innermost first: sizes, and strides in x and y. */
typedef struct {
    int n;
    int64_t size[TG_MAX_RANK], x[TG_MAX_RANK], y[TG_MAX_RANK];
} permute_layout;

static permute_layout permute_layout_of(const tg_call *c)
{
    const tg_permute_attr *a = c->attr;
    const tg_tensor *x = c->in[0], *y = c->out[0];
    permute_layout l = { .n = 0 };
    int64_t step[TG_MAX_RANK + 1], later = 1;
    step[x->rank] = 1;
    for (int i = x->rank - 1; i >= 0; i--) step[i] = step[i + 1] * x->dim[i];
    for (int i = y->rank - 1; i >= 0; i--) {
        const int64_t size = y->dim[i], from = step[a->axis[i] + 1];
        const int k = l.n - 1;
        if (size == 1) continue;
        if (k >= 0 && from == l.x[k] * l.size[k]) l.size[k] *= size;
        else l.size[l.n] = size, l.x[l.n] = from, l.y[l.n] = later, l.n++;
        later *= size;
    }
    if (!l.n) l = (permute_layout){ .n = 1, .size = { 1 }, .x = { 1 }, .y = { 1 } };
    return l;
}

/* Offsets in x and y of item number i, counting over all axes but the first and `skip`. */
static void locate(const permute_layout *l, int skip, int64_t i, int64_t *x, int64_t *y)
{
    *x = *y = 0;
    for (int k = 1; k < l->n; k++) {
        if (k == skip) continue;
        *x += i % l->size[k] * l->x[k];
        *y += i % l->size[k] * l->y[k];
        i /= l->size[k];
    }
}

/* ---- rows ---- */

static int64_t rows_a_task(int64_t length) { return length < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / length : 1; }

static void permute_copy_rows(const permute_layout *l, const char *x, char *y, size_t size, int64_t task, int64_t count)
{
    const int64_t length = l->size[0], rows = count / length, each = rows_a_task(length);
    const int64_t end = (task + 1) * each < rows ? (task + 1) * each : rows;
    for (int64_t r = task * each, some; r < end; r += some) {
        int64_t from, to, along = l->n > 1 ? l->size[1] : 1;
        locate(l, 0, r, &from, &to);
        some = along - r % along < end - r ? along - r % along : end - r;
        for (int64_t i = 0; i < some; i++, from += l->x[1], to += l->y[1])
            tg_copy_row(y + (size_t)to * size, x + (size_t)from * size, size * (size_t)length);
    }
}

/* ---- matrices: strips of up to TILE lines of the `read` axis ---- */

static int read_axis(const permute_layout *l)
{
    int k = 0;
    while (l->x[k] != 1) k++;
    return k;
}

static int64_t strip_count(const permute_layout *l) { return (l->size[read_axis(l)] + TILE - 1) / TILE; }
static int64_t strips_a_task(const permute_layout *l) { return rows_a_task(l->size[0] * TILE); }

/* Squares of 16-byte vectors: lines q and q + half of them are interleaved, repeatedly. */
typedef uint32_t four __attribute__((vector_size(16)));
typedef uint16_t eight __attribute__((vector_size(16)));
#define LOW_4(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_8(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

/* y[i * step_y + j] = x[j * step_x + i], through tiles on the stack. Strides are often powers of two, whose lines evict
 * each other from the cache, so each line is touched once. SIDE: elements of a vector. Copies of constant size compile
 * to moves. */
#define TRANSPOSE(name, type, vector, SIDE) \
    TG_INLINE void name##_line(type *restrict to, const type *restrict from, int64_t n) \
    { \
        int64_t i = 0; \
        for (; i + 16 <= n; i += 16) memcpy(to + i, from + i, 16 * sizeof *to); \
        for (; i < n; i++) to[i] = from[i]; \
    } \
    TG_INLINE void name##_interleave(vector v[SIDE]) \
    { \
        vector w[SIDE]; \
        _Pragma("GCC unroll 8") for (int q = 0; q < SIDE / 2; q++) \
        { \
            w[2 * q] = LOW_##SIDE(v[q], v[q + SIDE / 2]); \
            w[2 * q + 1] = HIGH_##SIDE(v[q], v[q + SIDE / 2]); \
        } \
        _Pragma("GCC unroll 8") for (int q = 0; q < SIDE; q++) v[q] = w[q]; \
    } \
    TG_INLINE void name##_square(type(*to)[TILE], type(*from)[TILE], int64_t i, int64_t j) \
    { \
        vector v[SIDE]; \
        _Pragma("GCC unroll 8") for (int q = 0; q < SIDE; q++) memcpy(v + q, from[j + q] + i, sizeof *v); \
        _Pragma("GCC unroll 3") for (int n = 1; n < SIDE; n *= 2) name##_interleave(v); \
        _Pragma("GCC unroll 8") for (int p = 0; p < SIDE; p++) memcpy(to[i + p] + j, v + p, sizeof *v); \
    } \
    static void name(const void *x, int64_t step_x, void *y, int64_t step_y, int64_t lines, int64_t length) \
    { \
        type from[TILE][TILE], to[TILE][TILE]; \
        for (int64_t j = 0; j < length; j++) name##_line(from[j], (const type *)x + j * step_x, lines); \
        for (int64_t i = 0; i < lines; i += SIDE) \
            for (int64_t j = 0; j < length; j += SIDE) name##_square(to, from, i, j); \
        for (int64_t i = 0; i < lines; i++) name##_line((type *)y + i * step_y, to[i], length); \
    }

TRANSPOSE(transpose_4_bytes, uint32_t, four, 4)
TRANSPOSE(transpose_2_bytes, uint16_t, eight, 8)

static void transpose_strips(const permute_layout *l, const char *x, char *y, size_t size, int64_t task, int64_t count)
{
    const int read = read_axis(l);
    const int64_t lines = l->size[read], length = l->size[0], all = count / (lines * length) * strip_count(l);
    const int64_t end = (task + 1) * strips_a_task(l) < all ? (task + 1) * strips_a_task(l) : all;
    for (int64_t s = task * strips_a_task(l); s < end; s++) {
        const int64_t i = s % strip_count(l) * TILE, height = lines - i < TILE ? lines - i : TILE;
        int64_t from, to;
        locate(l, read, s / strip_count(l), &from, &to);
        for (int64_t j = 0; j < length; j += TILE) {
            const char *tile = x + (size_t)(from + j * l->x[0] + i) * size;
            char *turned = y + (size_t)(to + i * l->y[read] + j) * size;
            const int64_t width = length - j < TILE ? length - j : TILE;
            if (size == 4) transpose_4_bytes(tile, l->x[0], turned, l->y[read], height, width);
            else transpose_2_bytes(tile, l->x[0], turned, l->y[read], height, width);
        }
    }
}

/* ---- the kernel ---- */

static int64_t permute_tasks(const tg_call *c, int phase)
{
    const permute_layout l = permute_layout_of(c);
    const int64_t count = tg_count(c->out[0]);
    if (phase > 0) return 0;
    if (l.x[0] == 1) return (count / l.size[0] + rows_a_task(l.size[0]) - 1) / rows_a_task(l.size[0]);
    const int64_t all = count / (l.size[read_axis(&l)] * l.size[0]) * strip_count(&l);
    return (all + strips_a_task(&l) - 1) / strips_a_task(&l);
}

static void permute_run(const tg_call *c, const tg_task *task)
{
    const permute_layout l = permute_layout_of(c);
    const int64_t count = tg_count(c->out[0]);
    const size_t size = tg_dtype_size(c->out[0]->dtype);
    if (l.x[0] == 1) permute_copy_rows(&l, tg_ptr(c->in[0]), tg_ptr(c->out[0]), size, task->index, count);
    else transpose_strips(&l, tg_ptr(c->in[0]), tg_ptr(c->out[0]), size, task->index, count);
}

static const char *permute_reject(const tg_call *c)
{
    const size_t size = tg_dtype_size(c->in[0]->dtype);
    return size == 4 || size == 2 ? NULL : "needs elements of 2 or 4 bytes";
}

TG_VECTOR_KERNEL(permute_vector) = {
    TG_VECTOR_HEAD,
    .reject = permute_reject,
    .tasks = permute_tasks,
    .run = permute_run,
};
