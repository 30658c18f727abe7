/* shape_ref.c - the definitions of permute, concat, slice and pad, for elements of any dtype. */
#include "attr.h"
#include <string.h>

static void copy_element(const tg_tensor *to, int64_t i, const tg_tensor *from, int64_t j)
{
    const size_t size = tg_dtype_size(to->dtype);
    memcpy((char *)tg_ptr(to) + (size_t)i * size, (const char *)tg_ptr(from) + (size_t)j * size, size);
}

/* The coordinates of element i of t. */
static void coordinates(const tg_tensor *t, int64_t i, int64_t at[TG_MAX_RANK])
{
    for (int axis = t->rank - 1; axis >= 0; i /= t->dim[axis--]) at[axis] = i % t->dim[axis];
}

/* The index of the element at these coordinates; -1 if they are out of range. */
static int64_t element_at(const tg_tensor *t, const int64_t at[TG_MAX_RANK])
{
    int64_t i = 0;
    for (int axis = 0; axis < t->rank; axis++) {
        if (at[axis] < 0 || at[axis] >= t->dim[axis]) return -1;
        i = i * t->dim[axis] + at[axis];
    }
    return i;
}

static void permute_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_permute_attr *a = c->attr;
    int64_t out[TG_MAX_RANK], in[TG_MAX_RANK];
    (void)task;
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) {
        coordinates(c->out[0], i, out);
        for (int axis = 0; axis < a->rank; axis++) in[a->axis[axis]] = out[axis];
        copy_element(c->out[0], i, c->in[0], element_at(c->in[0], in));
    }
}
const tg_kernel permute_ref = { .name = "ref", .backend = "ref", .run = permute_ref_run };

static void concat_ref_run(const tg_call *c, const tg_task *task)
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    int64_t at[TG_MAX_RANK];
    (void)task;
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) {
        int k = 0;
        coordinates(c->out[0], i, at);
        while (at[axis] >= c->in[k]->dim[axis]) at[axis] -= c->in[k++]->dim[axis];
        copy_element(c->out[0], i, c->in[k], element_at(c->in[k], at));
    }
}
const tg_kernel concat_ref = { .name = "ref", .backend = "ref", .run = concat_ref_run };

static void slice_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_slice_attr *a = c->attr;
    int64_t at[TG_MAX_RANK];
    (void)task;
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) {
        coordinates(c->out[0], i, at);
        at[a->axis] += a->start;
        copy_element(c->out[0], i, c->in[0], element_at(c->in[0], at));
    }
}
const tg_kernel slice_ref = { .name = "ref", .backend = "ref", .run = slice_ref_run };

static void pad_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_pad_attr *a = c->attr;
    int64_t at[TG_MAX_RANK];
    (void)task;
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) {
        coordinates(c->out[0], i, at);
        for (int axis = 0; axis < a->rank; axis++) at[axis] -= a->before[axis];
        const int64_t from = element_at(c->in[0], at);
        if (from < 0) tg_set(c->out[0], i, a->value);
        else copy_element(c->out[0], i, c->in[0], from);
    }
}
const tg_kernel pad_ref = { .name = "ref", .backend = "ref", .run = pad_ref_run };
