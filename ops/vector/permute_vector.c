/* permute_vector.c - permute: axes in another order, by blocks that stay in the cache.
 *
 * Axes of size 1 are dropped, and axes that stay side by side taken as one.  If the last axis stays last, whole rows
 * are copied.  Otherwise two axes make a matrix that is transposed: `read`, along which x is contiguous, and the last,
 * along which y is; the others number the matrices. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

enum { TILE = 32 };

/* The axes of y, the last first: sizes, and steps in x and y. */
typedef struct { int n; int64_t size[TG_MAX_RANK], x[TG_MAX_RANK], y[TG_MAX_RANK]; } layout;

static layout layout_of(const tg_call *c)
{
    const tg_permute_attr *a = c->attr;
    const tg_tensor       *x = c->in[0], *y = c->out[0];
    layout                 l = { .n = 0 };
    int64_t                step[TG_MAX_RANK + 1], later = 1;
    step[x->rank] = 1;
    for (int i = x->rank - 1; i >= 0; i--) step[i] = step[i + 1] * x->dim[i];
    for (int i = y->rank - 1; i >= 0; i--) {
        const int64_t size = y->dim[i], from = step[a->axis[i] + 1];
        const int     k = l.n - 1;
        if (size == 1) continue;
        if (k >= 0 && from == l.x[k] * l.size[k]) l.size[k] *= size;
        else l.size[l.n] = size, l.x[l.n] = from, l.y[l.n] = later, l.n++;
        later *= size;
    }
    if (!l.n) l = (layout){ .n = 1, .size = { 1 }, .x = { 1 }, .y = { 1 } };
    return l;
}

/* Where thing number i lies in x and y, counting over all axes but the first and `skip`. */
static void locate(const layout *l, int skip, int64_t i, int64_t *x, int64_t *y)
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

static void copy_rows(const layout *l, const float *x, float *y, int64_t task, int64_t count)
{
    const int64_t length = l->size[0], rows = count / length, each = rows_a_task(length);
    const int64_t end = (task + 1) * each < rows ? (task + 1) * each : rows;
    for (int64_t r = task * each; r < end; r++) {
        int64_t from, to;
        locate(l, 0, r, &from, &to);
        memcpy(y + to, x + from, sizeof *y * (size_t)length);
    }
}

/* ---- matrices: strips of up to TILE lines of the `read` axis ---- */

static int read_axis(const layout *l)
{
    int k = 0;
    while (l->x[k] != 1) k++;
    return k;
}

static int64_t strips(const layout *l) { return (l->size[read_axis(l)] + TILE - 1) / TILE; }
static int64_t strips_a_task(const layout *l) { return rows_a_task(l->size[0] * TILE); }

static inline void copy_line(float *restrict to, const float *restrict from, int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) memcpy(to + i, from + i, 16 * sizeof *to);       /* of fixed size: no call */
    for (; i < n; i++) to[i] = from[i];
}

/* 4 x 4 numbers of one tile into another: pairs of lines are interleaved, twice. */
typedef float quad __attribute__((vector_size(16)));
#define LOW(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
static inline void transpose_quad(float (*to)[TILE], float (*from)[TILE], int64_t i, int64_t j)
{
    quad v[4];
    for (int q = 0; q < 4; q++) memcpy(v + q, from[j + q] + i, sizeof *v);
    const quad a = LOW(v[0], v[2]), b = HIGH(v[0], v[2]), c = LOW(v[1], v[3]), d = HIGH(v[1], v[3]);
    v[0] = LOW(a, c), v[1] = HIGH(a, c), v[2] = LOW(b, d), v[3] = HIGH(b, d);
    for (int p = 0; p < 4; p++) memcpy(to[i + p] + j, v + p, sizeof *v);
}

/* y[i * step_y + j] = x[j * step_x + i], through tiles on the stack: steps are often powers of two, whose lines push
 * each other out of the cache, so each line is touched once. */
static void transpose_tile(const float *x, int64_t step_x, float *y, int64_t step_y, int64_t lines, int64_t length)
{
    float from[TILE][TILE], to[TILE][TILE];
    for (int64_t j = 0; j < length; j++) copy_line(from[j], x + j * step_x, lines);
    for (int64_t i = 0; i < lines; i += 4)
        for (int64_t j = 0; j < length; j += 4) transpose_quad(to, from, i, j);
    for (int64_t i = 0; i < lines; i++) copy_line(y + i * step_y, to[i], length);
}

static void transpose_strips(const layout *l, const float *x, float *y, int64_t task, int64_t count)
{
    const int     read = read_axis(l);
    const int64_t lines = l->size[read], length = l->size[0], all = count / (lines * length) * strips(l);
    const int64_t end = (task + 1) * strips_a_task(l) < all ? (task + 1) * strips_a_task(l) : all;
    for (int64_t s = task * strips_a_task(l); s < end; s++) {
        const int64_t i = s % strips(l) * TILE, height = lines - i < TILE ? lines - i : TILE;
        int64_t       from, to;
        locate(l, read, s / strips(l), &from, &to);
        for (int64_t j = 0; j < length; j += TILE)
            transpose_tile(x + from + j * l->x[0] + i, l->x[0], y + to + i * l->y[read] + j, l->y[read], height,
                           length - j < TILE ? length - j : TILE);
    }
}

/* ---- the kernel ---- */

static int64_t permute_tasks(const tg_call *c, int phase)
{
    const layout  l = layout_of(c);
    const int64_t count = tg_count(c->out[0]);
    if (phase > 0) return 0;
    if (l.x[0] == 1) return (count / l.size[0] + rows_a_task(l.size[0]) - 1) / rows_a_task(l.size[0]);
    const int64_t all = count / (l.size[read_axis(&l)] * l.size[0]) * strips(&l);
    return (all + strips_a_task(&l) - 1) / strips_a_task(&l);
}

static void permute_run(const tg_call *c, const tg_task *task)
{
    const layout  l = layout_of(c);
    const int64_t count = tg_count(c->out[0]);
    if (l.x[0] == 1) copy_rows(&l, tg_ptr(c->in[0]), tg_ptr(c->out[0]), task->index, count);
    else transpose_strips(&l, tg_ptr(c->in[0]), tg_ptr(c->out[0]), task->index, count);
}

TG_VECTOR_KERNEL(permute_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .tasks = permute_tasks, .run = permute_run,
};
