/* concat_vector.c - concat, slice, pad: a block of the result is put together from runs of consecutive elements. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

static void copy(float *y, const float *x, int64_t n) { memcpy(y, x, sizeof *y * (size_t)n); }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The elements of t for one index of the axes before `axis`. */
static int64_t run_length(const tg_tensor *t, int axis)
{
    int64_t n = 1;
    for (int i = axis; i < t->rank; i++) n *= t->dim[i];
    return n;
}

static void concat_run(const tg_call *c, const tg_task *task)
{
    const int     axis = ((const tg_axis_attr *)c->attr)->axis;
    const int64_t whole = run_length(c->out[0], axis), end = tg_block_end(task->index, tg_count(c->out[0]));
    float        *y = tg_ptr(c->out[0]);
    for (int64_t i = task->index * TG_VECTOR_BLOCK, n; i < end; i += n) {
        int64_t at = i % whole, length;
        int     k = 0;
        while (at >= (length = run_length(c->in[k], axis))) at -= length, k++;
        n = least(length - at, end - i);
        copy(y + i, (const float *)tg_ptr(c->in[k]) + i / whole * length + at, n);
    }
}
TG_VECTOR_KERNEL(concat_vector) = { TG_ELEMENTWISE_HEAD, .run = concat_run };

static void slice_run(const tg_call *c, const tg_task *task)
{
    const tg_slice_attr *a = c->attr;
    const int64_t        part = run_length(c->out[0], a->axis), whole = run_length(c->in[0], a->axis);
    const int64_t        skip = part / (a->end - a->start) * a->start;
    const int64_t        end = tg_block_end(task->index, tg_count(c->out[0]));
    const float         *x = tg_ptr(c->in[0]);
    float               *y = tg_ptr(c->out[0]);
    for (int64_t i = task->index * TG_VECTOR_BLOCK, n; i < end; i += n) {
        n = least(part - i % part, end - i);
        copy(y + i, x + i / part * whole + skip + i % part, n);
    }
}
TG_VECTOR_KERNEL(slice_vector) = { TG_ELEMENTWISE_HEAD, .run = slice_run };

/* ---- pad: lines along the last padded axis, with all axes behind it ---- */

/* Where line number `line` of y begins in x, or -1 if it is all padding. */
static int64_t line_of(const tg_call *c, int last, int64_t line)
{
    const tg_pad_attr *a = c->attr;
    const tg_tensor   *x = c->in[0], *y = c->out[0];
    int64_t            at = 0, step = run_length(x, last);
    for (int i = last - 1; i >= 0; line /= y->dim[i--]) {
        const int64_t j = line % y->dim[i] - a->before[i];
        if (j < 0 || j >= x->dim[i]) return -1;
        at += j * step;
        step *= x->dim[i];
    }
    return at;
}

/* n elements of a line, from place `at` of it: left padding, x, right padding. */
static void pad_line(float *y, const float *x, int64_t at, int64_t n, int64_t left, int64_t length, float value)
{
    const int64_t begin = least(left > at ? left - at : 0, n);
    const int64_t end = least(left + length > at ? left + length - at : 0, n);
    for (int64_t j = 0; j < begin; j++) y[j] = value;
    if (end > begin) copy(y + begin, x + at + begin - left, end - begin);
    for (int64_t j = end; j < n; j++) y[j] = value;
}

static void pad_run(const tg_call *c, const tg_task *task)
{
    const tg_pad_attr *a = c->attr;
    const float       *x = tg_ptr(c->in[0]);
    float             *y = tg_ptr(c->out[0]);
    int                last = a->rank > 0 ? a->rank - 1 : 0;
    while (last > 0 && !a->before[last] && !a->after[last]) last--;
    const int64_t whole = run_length(c->out[0], last), length = run_length(c->in[0], last);
    const int64_t left = a->rank > 0 ? a->before[last] * run_length(c->in[0], last + 1) : 0;
    const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));
    for (int64_t i = task->index * TG_VECTOR_BLOCK, n; i < end; i += n) {
        const int64_t from = line_of(c, last, i / whole);
        n = least(whole - i % whole, end - i);
        if (from < 0) pad_line(y + i, x, 0, n, n, 0, (float)a->value);
        else pad_line(y + i, x + from, i % whole, n, left, length, (float)a->value);
    }
}
TG_VECTOR_KERNEL(pad_vector) = { TG_ELEMENTWISE_HEAD, .run = pad_run };
