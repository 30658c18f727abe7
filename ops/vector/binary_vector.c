/* binary_vector.c - add, sub, mul, div and expand: y[i] = a[..] op b[..], with broadcasting.
 *
 * Adjacent axes along which both operands move alike are merged. Equal shapes leave one axis; a tensor with a vector or
 * a scalar leaves one or two. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

/* The axes of y, innermost first, and each operand's strides: 0 where it is broadcast. */
typedef struct {
    int n;
    int64_t size[TG_MAX_RANK], a[TG_MAX_RANK], b[TG_MAX_RANK];
} lanes;

/* The stride of t along axis number `axis` from the end, given the product of its later sizes. */
static int64_t step_of(const tg_tensor *t, int axis, int64_t later)
{
    return axis <= t->rank && t->dim[t->rank - axis] > 1 ? later : 0;
}

static lanes lanes_of(const tg_tensor *y, const tg_tensor *a, const tg_tensor *b)
{
    lanes l = { .n = 0 };
    int64_t later_a = 1, later_b = 1;
    for (int axis = 1; axis <= y->rank; axis++) {
        const int64_t size = y->dim[y->rank - axis];
        const int64_t step_a = step_of(a, axis, later_a), step_b = step_of(b, axis, later_b);
        const int k = l.n - 1;
        if (step_a) later_a *= size;
        if (step_b) later_b *= size;
        if (size == 1) continue;
        if (k >= 0 && step_a == l.a[k] * l.size[k] && step_b == l.b[k] * l.size[k]) l.size[k] *= size;
        else l.size[l.n] = size, l.a[l.n] = step_a, l.b[l.n] = step_b, l.n++;
    }
    if (!l.n) l = (lanes){ .n = 1, .size = { 1 } };
    return l;
}

/* Current positions in y and the operands, by axis. Divisions happen at the beginning of a task only. */
typedef struct {
    int64_t at[TG_MAX_RANK], a, b;
} lane_cursor;

static lane_cursor cursor_at(const lanes *l, int64_t i)
{
    lane_cursor c = { .a = 0 };
    for (int k = 0; k < l->n; i /= l->size[k++]) {
        c.at[k] = i % l->size[k];
        c.a += c.at[k] * l->a[k];
        c.b += c.at[k] * l->b[k];
    }
    return c;
}

/* Advances by n along axis k, without passing its end. */
static void advance(const lanes *l, lane_cursor *c, int k, int64_t n)
{
    for (; k < l->n; n = 1, k++) {
        c->at[k] += n, c->a += n * l->a[k], c->b += n * l->b[k];
        if (c->at[k] < l->size[k]) return;
        c->at[k] = 0, c->a -= l->size[k] * l->a[k], c->b -= l->size[k] * l->b[k];
    }
}

static int64_t lane_length(const lanes *l, const lane_cursor *c, int64_t most)
{
    const int64_t left = l->size[0] - c->at[0];
    return left < most ? left : most;
}

/* Consecutive lanes of y, and the operands' strides from lane to lane. An operand that does not move along a lane is a
 * scalar there. */
typedef struct {
    void *y;
    const void *a, *b;
    int64_t n, lanes, a_step, b_step;
    bool a_moves, b_moves;
} binary_block;
typedef void binary_function(const binary_block *p);

/* Inlined with constant flags. a0 and b0 stand for operands that do not move. */
#define LANE(op, sign) \
    TG_INLINE void op##_lane(void *y, const void *a, const void *b, int64_t n, bool a_moves, bool b_moves, \
                             bool is_bf16) \
    { \
        const tg_pair a0 = { tg_load(a, is_bf16, 0), tg_load(a, is_bf16, 0) }; \
        const tg_pair b0 = { tg_load(b, is_bf16, 0), tg_load(b, is_bf16, 0) }; \
        const int64_t pairs = is_bf16 ? n / 2 : n; \
        _Pragma("omp simd") for (int64_t j = 0; j < pairs; j++) \
        { \
            const tg_pair v = a_moves ? tg_load_pair(a, is_bf16, j) : a0, \
                          w = b_moves ? tg_load_pair(b, is_bf16, j) : b0; \
            tg_store_pair(y, is_bf16, j, (tg_pair){ v.a sign w.a, v.b sign w.b }); \
        } \
        for (int64_t i = n - 1; is_bf16 && n % 2 && i < n; i++) \
            tg_store(y, is_bf16, i, \
                     (a_moves ? tg_load(a, is_bf16, i) : a0.a)sign(b_moves ? tg_load(b, is_bf16, i) : b0.a)); \
    } \
    TG_INLINE void op##_lanes(const binary_block *p, bool a_moves, bool b_moves, bool is_bf16) \
    { \
        const char *a = p->a, *b = p->b; \
        char *y = p->y; \
        const int64_t size = is_bf16 ? 2 : 4; \
        for (int64_t i = 0; i < p->lanes; i++, y += size * p->n, a += size * p->a_step, b += size * p->b_step) \
            op##_lane(y, a, b, a_moves || b_moves ? p->n : 1, a_moves, b_moves, is_bf16); \
    } \
    TG_INLINE void op##_any(const binary_block *p, bool is_bf16) \
    { \
        if (p->a_moves && p->b_moves) op##_lanes(p, true, true, is_bf16); \
        else if (p->a_moves) op##_lanes(p, true, false, is_bf16); \
        else if (p->b_moves) op##_lanes(p, false, true, is_bf16); \
        else op##_lanes(p, false, false, is_bf16); \
    } \
    static void op##_f32(const binary_block *p) { op##_any(p, false); } \
    static void op##_bf16(const binary_block *p) { op##_any(p, true); }

LANE(add, +)
LANE(sub, -)
LANE(mul, *)
LANE(div, /)

/* Whole lanes with constant operand strides are processed together. */
static void binary_run(const tg_call *c, const tg_task *task, binary_function *work)
{
    const lanes l = lanes_of(c->out[0], c->in[0], c->in[1]);
    const bool is_bf16 = tg_is_bf16(c->out[0]);
    const int64_t begin = task->index * TG_VECTOR_BLOCK, end = tg_block_end(task->index, tg_count(c->out[0]));
    lane_cursor at = cursor_at(&l, begin);
    for (int64_t i = begin, n; i < end; i += n) {
        binary_block p = {
            .y = tg_at(tg_ptr(c->out[0]), is_bf16, i),
            .a = tg_at(tg_ptr(c->in[0]), is_bf16, at.a),
            .b = tg_at(tg_ptr(c->in[1]), is_bf16, at.b),
            .lanes = 1,
            .a_moves = l.a[0],
            .b_moves = l.b[0],
        };
        n = p.n = lane_length(&l, &at, end - i);
        if (l.n == 1 || n < l.size[0]) {
            work(&p);
            advance(&l, &at, 0, n);
            continue;
        }
        const int64_t whole = (end - i) / n, left = l.size[1] - at.at[1];
        p.lanes = whole < left ? whole : left;
        p.a_step = l.a[1], p.b_step = l.b[1];
        work(&p);
        advance(&l, &at, 1, p.lanes);
        n *= p.lanes;
    }
}

#define ZIP(op) \
    static void op##_run(const tg_call *c, const tg_task *task) \
    { \
        binary_run(c, task, tg_is_bf16(c->out[0]) ? op##_bf16 : op##_f32); \
    } \
    TG_VECTOR_KERNEL(op##_vector) = { TG_ELEMENTWISE_HEAD, .run = op##_run, .in_place = true };

/* add_vector, sub_vector, mul_vector, div_vector */
ZIP(add)
ZIP(sub)
ZIP(mul)
ZIP(div)

/* ---- expand: elements of any size ---- */

TG_INLINE void fill_pattern(char *y, const char *x, size_t size, int64_t n)
{
    for (int64_t j = 0; j < n; j++) memcpy(y + (size_t)j * size, x, size);
}

static void expand_run(const tg_call *c, const tg_task *task)
{
    const lanes l = lanes_of(c->out[0], c->in[0], c->in[0]);
    const size_t size = tg_dtype_size(c->out[0]->dtype);
    const char *x = tg_ptr(c->in[0]);
    char *y = tg_ptr(c->out[0]);
    const int64_t begin = task->index * TG_VECTOR_BLOCK, end = tg_block_end(task->index, tg_count(c->out[0]));
    lane_cursor at = cursor_at(&l, begin);
    for (int64_t i = begin, n; i < end; i += n, advance(&l, &at, 0, n)) {
        char *to = y + (size_t)i * size;
        const char *from = x + (size_t)at.a * size;
        n = lane_length(&l, &at, end - i);
        if (l.a[0]) memcpy(to, from, size * (size_t)n);
        else if (size == 4) fill_pattern(to, from, 4, n);
        else if (size == 2) fill_pattern(to, from, 2, n);
        else fill_pattern(to, from, size, n);
    }
}
TG_VECTOR_KERNEL(expand_vector) = { TG_VECTOR_HEAD, .tasks = tg_element_tasks, .run = expand_run };
