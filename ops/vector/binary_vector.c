/* binary_vector.c - add, sub, mul, div and expand: y[i] = a[..] op b[..], where operands are repeated along broadcast
 * axes.
 *
 * Axes that both operands walk through alike are taken as one.  What is left of equal shapes is one axis; of a vector
 * or a number against a tensor, one or two. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

/* The axes of y, the last first, and how far each operand goes along them: 0 where it is repeated. */
typedef struct { int n; int64_t size[TG_MAX_RANK], a[TG_MAX_RANK], b[TG_MAX_RANK]; } lanes;

/* The step of t along axis number `axis` from the end, given the product of its later sizes. */
static int64_t step_of(const tg_tensor *t, int axis, int64_t later)
{
    return axis <= t->rank && t->dim[t->rank - axis] > 1 ? later : 0;
}

static lanes lanes_of(const tg_tensor *y, const tg_tensor *a, const tg_tensor *b)
{
    lanes   l = { .n = 0 };
    int64_t later_a = 1, later_b = 1;
    for (int axis = 1; axis <= y->rank; axis++) {
        const int64_t size = y->dim[y->rank - axis];
        const int64_t step_a = step_of(a, axis, later_a), step_b = step_of(b, axis, later_b);
        const int     k = l.n - 1;
        if (step_a) later_a *= size;
        if (step_b) later_b *= size;
        if (size == 1) continue;
        if (k >= 0 && step_a == l.a[k] * l.size[k] && step_b == l.b[k] * l.size[k])
            l.size[k] *= size;
        else
            l.size[l.n] = size, l.a[l.n] = step_a, l.b[l.n] = step_b, l.n++;
    }
    if (!l.n) l = (lanes){ .n = 1, .size = { 1 } };
    return l;
}

/* Where y and its operands stand, by axis; divisions are for the beginning of a task only. */
typedef struct { int64_t at[TG_MAX_RANK], a, b; } cursor;

static cursor cursor_at(const lanes *l, int64_t i)
{
    cursor c = { .a = 0 };
    for (int k = 0; k < l->n; i /= l->size[k++]) {
        c.at[k] = i % l->size[k];
        c.a += c.at[k] * l->a[k];
        c.b += c.at[k] * l->b[k];
    }
    return c;
}

/* On by n elements, not beyond the end of the first axis. */
static void advance(const lanes *l, cursor *c, int64_t n)
{
    for (int k = 0; k < l->n; n = 1, k++) {
        c->at[k] += n, c->a += n * l->a[k], c->b += n * l->b[k];
        if (c->at[k] < l->size[k]) return;
        c->at[k] = 0, c->a -= l->size[k] * l->a[k], c->b -= l->size[k] * l->b[k];
    }
}

static int64_t lane_length(const lanes *l, const cursor *c, int64_t most)
{
    const int64_t left = l->size[0] - c->at[0];
    return left < most ? left : most;
}

/* A lane of y; an operand that does not move along it is a number. */
typedef void lane_function(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves);

/* Inlined with constants for the flags; of operands that do not move all is said by a0, b0. */
#define LANE(op, sign)                                                                                                 \
    TG_INLINE void op##_loop(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves, bool half)  \
    {                                                                                                                  \
        const tg_pair a0 = { tg_load(a, half, 0), tg_load(a, half, 0) };                                               \
        const tg_pair b0 = { tg_load(b, half, 0), tg_load(b, half, 0) };                                               \
        const int64_t pairs = half ? n / 2 : n;                                                                        \
        _Pragma("omp simd") for (int64_t j = 0; j < pairs; j++)                                                        \
        {                                                                                                              \
            const tg_pair v = a_moves ? tg_load_pair(a, half, j) : a0, w = b_moves ? tg_load_pair(b, half, j) : b0;    \
            tg_store_pair(y, half, j, (tg_pair){ v.a sign w.a, v.b sign w.b });                                        \
        }                                                                                                              \
        for (int64_t i = n - 1; half && n % 2 && i < n; i++)                                                           \
            tg_store(y, half, i, (a_moves ? tg_load(a, half, i) : a0.a) sign(b_moves ? tg_load(b, half, i) : b0.a));   \
    }                                                                                                                  \
    TG_INLINE void op##_any(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves, bool half)   \
    {                                                                                                                  \
        if (a_moves && b_moves) op##_loop(y, a, b, n, true, true, half);                                               \
        else if (a_moves) op##_loop(y, a, b, n, true, false, half);                                                    \
        else if (b_moves) op##_loop(y, a, b, n, false, true, half);                                                    \
        else op##_loop(y, a, b, 1, false, false, half);                                                                \
    }                                                                                                                  \
    static void op##_lane(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves)                \
    {                                                                                                                  \
        op##_any(y, a, b, n, a_moves, b_moves, false);                                                                 \
    }                                                                                                                  \
    static void op##_half(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves)                \
    {                                                                                                                  \
        op##_any(y, a, b, n, a_moves, b_moves, true);                                                                  \
    }

LANE(add, +)
LANE(sub, -)
LANE(mul, *)
LANE(div, /)

static void zip(const tg_call *c, const tg_task *task, lane_function *lane, bool half)
{
    const lanes   l = lanes_of(c->out[0], c->in[0], c->in[1]);
    const void   *a = tg_ptr(c->in[0]), *b = tg_ptr(c->in[1]);
    void         *y = tg_ptr(c->out[0]);
    const int64_t begin = task->index * TG_VECTOR_BLOCK, end = tg_block_end(task->index, tg_count(c->out[0]));
    cursor        at = cursor_at(&l, begin);
    for (int64_t i = begin, n; i < end; i += n, advance(&l, &at, n)) {
        n = lane_length(&l, &at, end - i);
        lane(tg_at(y, half, i), tg_at(a, half, at.a), tg_at(b, half, at.b), n, l.a[0], l.b[0]);
    }
}

#define ZIP(op)                                                                                                        \
    static void op##_run(const tg_call *c, const tg_task *task)                                                        \
    {                                                                                                                  \
        const bool half = tg_half(c->out[0]);                                                                          \
        zip(c, task, half ? op##_half : op##_lane, half);                                                              \
    }                                                                                                                  \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };

ZIP(add)
ZIP(sub)
ZIP(mul)
ZIP(div)

/* ---- expand: elements of any size ---- */

TG_INLINE void repeat(char *y, const char *x, size_t size, int64_t n)
{
    for (int64_t j = 0; j < n; j++) memcpy(y + (size_t)j * size, x, size);
}

static void expand_run(const tg_call *c, const tg_task *task)
{
    const lanes   l = lanes_of(c->out[0], c->in[0], c->in[0]);
    const size_t  size = tg_dtype_size(c->out[0]->dtype);
    const char   *x = tg_ptr(c->in[0]);
    char         *y = tg_ptr(c->out[0]);
    const int64_t begin = task->index * TG_VECTOR_BLOCK, end = tg_block_end(task->index, tg_count(c->out[0]));
    cursor        at = cursor_at(&l, begin);
    for (int64_t i = begin, n; i < end; i += n, advance(&l, &at, n)) {
        char       *to = y + (size_t)i * size;
        const char *from = x + (size_t)at.a * size;
        n = lane_length(&l, &at, end - i);
        if (l.a[0]) memcpy(to, from, size * (size_t)n);
        else if (size == 4) repeat(to, from, 4, n);
        else if (size == 2) repeat(to, from, 2, n);
        else repeat(to, from, size, n);
    }
}
TG_VECTOR_KERNEL(expand_vector) = { TG_VECTOR_HEAD, .tasks = tg_element_tasks, .run = expand_run };
