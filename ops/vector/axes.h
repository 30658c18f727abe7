/* axes.h - reductions over any axes, as loops over lanes. A lane is the innermost run of axes that are all kept or all
 * reduced.
 *
 * Axes of size 1 are dropped, and adjacent axes of one kind are merged. */
#ifndef TG_AXES_H
#define TG_AXES_H
#include "attr.h"
#include "core_ops.h"

typedef struct {
    int n;
    int64_t size[TG_MAX_RANK], step[TG_MAX_RANK], count;
} tg_loop; /* innermost axis first */
typedef struct {
    int64_t at[TG_MAX_RANK], offset;
} tg_cursor;

typedef struct {
    tg_loop kept, gone; /* outside the lane */
    int64_t lane;
    bool gone_last; /* a lane reduces to one value; otherwise lanes are reduced element-wise */
} tg_axes_cut;

/* The axes of x that sum, mean, max or sum_to reduce: bit i for axis i. */
static inline uint32_t tg_axes_of(const tg_call *c)
{
    const tg_tensor *x = c->in[0], *y = c->out[0];
    uint32_t axes = 0;
    if (c->op != &tg_sum_to_op) return ((const tg_reduce_attr *)c->attr)->axes;
    for (int i = 0; i < x->rank; i++) {
        const int of_y = i - (x->rank - y->rank);
        if (of_y < 0 || y->dim[of_y] != x->dim[i]) axes |= TG_BIT(i);
    }
    return axes;
}

static inline void tg_loop_add(tg_loop *l, int64_t size, int64_t step)
{
    const int k = l->n - 1;
    if (k >= 0 && step == l->size[k] * l->step[k]) l->size[k] *= size;
    else l->size[l->n] = size, l->step[l->n++] = step;
    l->count *= size;
}

static inline tg_axes_cut tg_cut_axes(const tg_tensor *x, uint32_t axes)
{
    tg_axes_cut k = { .kept = { .count = 1 }, .gone = { .count = 1 }, .lane = 1 };
    bool within = true; /* still inside the lane */
    int64_t step = 1;
    for (int i = x->rank - 1; i >= 0; step *= x->dim[i--]) {
        const bool gone = axes & TG_BIT(i);
        if (x->dim[i] == 1) continue;
        if (step == 1) k.gone_last = gone;
        within = within && gone == k.gone_last;
        if (within) k.lane *= x->dim[i];
        else tg_loop_add(gone ? &k.gone : &k.kept, x->dim[i], step);
    }
    return k;
}

static inline tg_cursor tg_loop_at(const tg_loop *l, int64_t i)
{
    tg_cursor c = { .offset = 0 };
    for (int k = 0; k < l->n; i /= l->size[k++]) c.at[k] = i % l->size[k], c.offset += c.at[k] * l->step[k];
    return c;
}

static inline void tg_loop_next(const tg_loop *l, tg_cursor *c)
{
    for (int k = 0; k < l->n; k++) {
        c->offset += l->step[k];
        if (++c->at[k] < l->size[k]) return;
        c->at[k] = 0, c->offset -= l->size[k] * l->step[k];
    }
}
#endif
