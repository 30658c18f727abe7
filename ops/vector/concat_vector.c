/* concat_vector.c - concat, slice, pad: a block of the result is assembled from runs of consecutive elements. */
#include "attr.h"
#include "elementwise.h"
#include "ints.h"
#include <string.h>

/* Elements are opaque bytes of a given size. */
typedef struct {
    char *y;
    size_t size;
} pieces;

static pieces pieces_of(const tg_call *c) { return (pieces){ tg_ptr(c->out[0]), tg_dtype_size(c->out[0]->dtype) }; }

static void copy_elements(const pieces *p, int64_t to, const void *x, int64_t from, int64_t n)
{
    tg_copy_row(p->y + (size_t)to * p->size, (const char *)x + (size_t)from * p->size, (size_t)n * p->size);
}

/* The elements of t for one index of the axes before `axis`. */
static int64_t contiguous_length(const tg_tensor *t, int axis)
{
    int64_t n = 1;
    for (int i = axis; i < t->rank; i++) n *= t->dim[i];
    return n;
}

static void concat_run(const tg_call *c, const tg_task *task)
{
    const int axis = ((const tg_axis_attr *)c->attr)->axis;
    const int64_t whole = contiguous_length(c->out[0], axis), end = tg_block_end(task->index, tg_count(c->out[0]));
    const pieces p = pieces_of(c);
    for (int64_t i = task->index * TG_VECTOR_BLOCK, n; i < end; i += n) {
        int64_t at = i % whole, length;
        int k = 0;
        while (at >= (length = contiguous_length(c->in[k], axis))) at -= length, k++;
        n = imin(length - at, end - i);
        copy_elements(&p, i, tg_ptr(c->in[k]), i / whole * length + at, n);
    }
}
TG_VECTOR_KERNEL(concat_vector) = { TG_VECTOR_HEAD, .tasks = tg_element_tasks, .run = concat_run };

static void slice_run(const tg_call *c, const tg_task *task)
{
    const tg_slice_attr *a = c->attr;
    const int64_t part = contiguous_length(c->out[0], a->axis), whole = contiguous_length(c->in[0], a->axis);
    const int64_t skip = part / (a->end - a->start) * a->start;
    const int64_t end = tg_block_end(task->index, tg_count(c->out[0]));
    const pieces p = pieces_of(c);
    int64_t i = task->index * TG_VECTOR_BLOCK, at = i % part, row = i / part * whole + skip;
    for (int64_t n; i < end; i += n, at = 0, row += whole) {
        n = imin(part - at, end - i);
        copy_elements(&p, i, tg_ptr(c->in[0]), row + at, n);
    }
}
TG_VECTOR_KERNEL(slice_vector) = { TG_VECTOR_HEAD, .tasks = tg_element_tasks, .run = slice_run };

/* ---- pad: lines along the last padded axis, including all axes after it ---- */

/* Where line number `line` of y begins in x, or -1 if it is all padding. */
static int64_t line_of(const tg_call *c, int last, int64_t line)
{
    const tg_pad_attr *a = c->attr;
    const tg_tensor *x = c->in[0], *y = c->out[0];
    int64_t at = 0, step = contiguous_length(x, last);
    for (int i = last - 1; i >= 0; line /= y->dim[i--]) {
        const int64_t j = line % y->dim[i] - a->before[i];
        if (j < 0 || j >= x->dim[i]) return -1;
        at += j * step;
        step *= x->dim[i];
    }
    return at;
}

static void fill_elements(const pieces *p, int64_t to, int64_t n, const uint32_t *value)
{
    char *y = p->y + (size_t)to * p->size;
    if (p->size == 4)
        for (int64_t j = 0; j < n; j++) memcpy(y + 4 * j, value, 4);
    else
        for (int64_t j = 0; j < n; j++) memcpy(y + 2 * j, value, 2);
}

/* n elements of a line whose data begins at x, from position `at` on: left padding, x, right padding. */
typedef struct {
    const void *x;
    int64_t left, length;
    uint32_t value;
} padded_line;

static void pad_line(const pieces *p, int64_t to, const padded_line *l, int64_t from, int64_t at, int64_t n)
{
    const int64_t begin = imin(l->left > at ? l->left - at : 0, n);
    const int64_t end = imin(l->left + l->length > at ? l->left + l->length - at : 0, n);
    fill_elements(p, to, begin, &l->value);
    if (end > begin) copy_elements(p, to + begin, l->x, from + at + begin - l->left, end - begin);
    fill_elements(p, to + end, n - end, &l->value);
}

static void pad_run(const tg_call *c, const tg_task *task)
{
    const tg_pad_attr *a = c->attr;
    const pieces p = pieces_of(c);
    int last = a->rank > 0 ? a->rank - 1 : 0;
    while (last > 0 && !a->before[last] && !a->after[last]) last--;
    const int64_t whole = contiguous_length(c->out[0], last), end = tg_block_end(task->index, tg_count(c->out[0]));
    padded_line l = { tg_ptr(c->in[0]), a->rank > 0 ? a->before[last] * contiguous_length(c->in[0], last + 1) : 0,
                      contiguous_length(c->in[0], last), 0 };
    const float value = (float)a->value;
    const uint16_t bits = tg_bf16_bits(value);
    if (p.size == 4) memcpy(&l.value, &value, sizeof value);
    else memcpy(&l.value, &bits, sizeof bits);
    for (int64_t i = task->index * TG_VECTOR_BLOCK, n; i < end; i += n) {
        const int64_t from = line_of(c, last, i / whole);
        n = imin(whole - i % whole, end - i);
        if (from < 0) fill_elements(&p, i, n, &l.value);
        else pad_line(&p, i, &l, from, i % whole, n);
    }
}
TG_VECTOR_KERNEL(pad_vector) = { TG_ELEMENTWISE_HEAD, .run = pad_run };
