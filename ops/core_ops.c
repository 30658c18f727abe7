/* core_ops.c - the operators that recording and differentiation themselves need: add, sum_to, accumulate, fill, copy,
 * cast, detach. */
#include "core_ops.h"
#include "kernels.h"
#include "run.h"
#include <string.h>

TG_VECTOR_DECLARE(add_vector)
TG_VECTOR_DECLARE(sum_to_vector)
TG_VECTOR_DECLARE(sum_to_axes_vector)
TG_VECTOR_DECLARE(accumulate_vector)
TG_VECTOR_DECLARE(cast_vector)

enum { BLOCK = 16384 }; /* elements of a task */

static int64_t core_element_tasks(const tg_call *c, int phase)
{
    const tg_tensor *t = c->out[0] ? c->out[0] : c->in[0];
    return phase == 0 ? (tg_count(t) + BLOCK - 1) / BLOCK : 0;
}

static int64_t core_block_end(const tg_task *task, int64_t n)
{
    return (task->index + 1) * BLOCK < n ? (task->index + 1) * BLOCK : n;
}

/* ---- broadcasting: strides of an operand in elements of the result, 0 along broadcast axes ---- */

static void broadcast_strides(const tg_tensor *t, int rank, int64_t stride[TG_MAX_RANK])
{
    int64_t step = 1;
    for (int i = 1; i <= rank; i++) {
        int64_t d = i <= t->rank ? t->dim[t->rank - i] : 1;
        stride[rank - i] = d == 1 ? 0 : step;
        step *= d;
    }
}

static int64_t offset_of(int64_t i, int rank, const int64_t *dim, const int64_t *stride)
{
    int64_t at = 0;
    for (int axis = rank - 1; axis >= 0; i /= dim[axis--]) at += i % dim[axis] * stride[axis];
    return at;
}

/* ---- add ---- */

static void add_infer(tg_scope *s, tg_call *c)
{
    int rank;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text a, b;
    if (c->in[0]->dtype != c->in[1]->dtype)
        tg_fail(s, "add: dtypes %s and %s, want the same", tg_dtype_name(c->in[0]->dtype),
                tg_dtype_name(c->in[1]->dtype));
    else if (!tg_broadcast(c->in[0], c->in[1], &rank, dim))
        tg_fail(s, "add: shapes %s and %s do not fit", tg_shape(c->in[0], &a), tg_shape(c->in[1], &b));
    else c->out[0] = tg_make(s, c->in[0]->dtype, rank, dim);
}

static void add_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)s, (void)c;
    gin[0] = gin[1] = gout[0]; /* the walk sums broadcast axes */
}

static void add_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_tensor *y = c->out[0];
    int64_t a[TG_MAX_RANK], b[TG_MAX_RANK];
    (void)task;
    broadcast_strides(c->in[0], y->rank, a);
    broadcast_strides(c->in[1], y->rank, b);
    for (int64_t i = 0, n = tg_count(y); i < n; i++)
        tg_set(y, i,
               tg_get(c->in[0], offset_of(i, y->rank, y->dim, a)) + tg_get(c->in[1], offset_of(i, y->rank, y->dim, b)));
}

extern const tg_rule tg_rule_add_relu_grad_batch_norm2d_grad; /* in ops/fused */
static const tg_kernel add_kernel_ref = { .name = "ref", .backend = "ref", .run = add_ref_run };
const tg_op tg_add_op = {
    .name = "add",
    .n_in = 2,
    .n_out = 1,
    .commutes = true,
    .infer = add_infer,
    .backward = add_backward,
    .remade_by = &tg_add_op,
    .kernels = TG_KERNELS(TG_VECTOR(add_vector), &add_kernel_ref),
    .rules = TG_RULES(&tg_rule_add_relu_grad_batch_norm2d_grad),
};

tg_tensor *tg_add(tg_scope *s, tg_tensor *a, tg_tensor *b)
{
    tg_tensor *in[] = { a, b };
    tg_promote(s, in, 2);
    return tg_apply(s, &tg_add_op, in, NULL);
}

/* ---- sum_to: the sum over broadcast axes; attr: the shape, without leading batch axes that are kept ---- */

static void sum_to_infer(tg_scope *s, tg_call *c)
{
    const tg_sum_to_attr *want = c->attr;
    int64_t dim[TG_MAX_RANK];
    tg_shape_text text;
    int rank = want->rank, more = c->in[0]->rank - rank;
    for (int i = 0; i < rank && more >= 0; i++) {
        dim[i] = want->dim[i] < 0 ? c->in[0]->dim[i + more] : want->dim[i];
        if (dim[i] != 1 && dim[i] != c->in[0]->dim[i + more]) more = -1;
    }
    if (more < 0) tg_fail(s, "sum_to: %s does not come from broadcasting the wanted shape", tg_shape(c->in[0], &text));
    else c->out[0] = tg_make(s, c->in[0]->dtype, rank, dim);
}

static tg_scratch sum_to_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)tg_count(c->out[0]) * sizeof(double) };
}

static void sum_to_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_tensor *x = c->in[0], *y = c->out[0];
    int64_t to[TG_MAX_RANK];
    double *sum = memset(task->shared, 0, sum_to_scratch(c).shared);
    broadcast_strides(y, x->rank, to);
    for (int64_t i = 0, n = tg_count(x); i < n; i++) sum[offset_of(i, x->rank, x->dim, to)] += tg_get(x, i);
    for (int64_t o = 0; o < tg_count(y); o++) tg_set(y, o, sum[o]);
}

/* The gradient of a sum over broadcast axes is broadcast again: zeros of the input's shape, plus it. */
static void sum_to_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_add(s, tg_fill(s, 0, c->in[0]->rank, c->in[0]->dim), gout[0]);
}

static const tg_kernel sum_to_kernel_ref = {
    .name = "ref",
    .backend = "ref",
    .scratch = sum_to_scratch,
    .run = sum_to_ref_run,
};
const tg_op tg_sum_to_op = {
    .name = "sum_to",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_sum_to_attr),
    .infer = sum_to_infer,
    .backward = sum_to_backward,
    .kernels = TG_KERNELS(TG_VECTOR(sum_to_vector), TG_VECTOR(sum_to_axes_vector), &sum_to_kernel_ref),
};

tg_tensor *tg_sum_to(tg_scope *s, tg_tensor *x, int rank, const int64_t *dim)
{
    tg_sum_to_attr attr = { .rank = rank };
    if (!tg_ok(s)) return tg_apply(s, &tg_sum_to_op, &x, &attr);
    if (rank < 0 || rank > TG_MAX_RANK) tg_fail(s, "sum_to: rank %d, want 0 to %d", rank, TG_MAX_RANK);
    else if (rank > 0 && !dim) tg_fail(s, "sum_to: the shape is NULL");
    for (int i = 0; x && tg_ok(s) && i < rank; i++) {
        int from = x->rank - rank + i; /* an axis that is kept is not recorded: it may be the batch */
        attr.dim[i] = from >= 0 && dim[i] == x->dim[from] && dim[i] != 1 ? -1 : dim[i];
    }
    return tg_apply(s, &tg_sum_to_op, &x, &attr);
}

/* ---- accumulate: in[0] += in[1], an effect ---- */

static void accumulate_infer(tg_scope *s, tg_call *c)
{
    const tg_dtype from = c->in[1]->dtype;
    if (tg_want_dtype(s, c, 0, TG_F32) && from != TG_F32 && from != TG_BF16)
        tg_fail(s, "accumulate: input 1 has dtype %s, want f32 or bf16", tg_dtype_name(from));
    tg_want_same_shape(s, c, 0, 1);
}

static void accumulate_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0, n = tg_count(c->in[0]); i < n; i++)
        tg_set(c->in[0], i, tg_get(c->in[0], i) + tg_get(c->in[1], i));
}

static const tg_kernel accumulate_kernel_ref = { .name = "ref", .backend = "ref", .run = accumulate_ref_run };
const tg_op tg_accumulate_op = {
    .name = "accumulate",
    .n_in = 2,
    .writes = TG_BIT(0),
    .infer = accumulate_infer,
    .kernels = TG_KERNELS(TG_VECTOR(accumulate_vector), &accumulate_kernel_ref),
};

/* ---- fill: f32 tensors of one value ---- */

static void fill_infer(tg_scope *s, tg_call *c)
{
    const tg_fill_attr *f = c->attr;
    c->out[0] = tg_make(s, TG_F32, f->shape.rank, f->shape.dim);
}

static void fill_ref_run(const tg_call *c, const tg_task *task)
{
    const tg_fill_attr *f = c->attr;
    float *y = tg_ptr(c->out[0]);
    int64_t end = core_block_end(task, tg_count(c->out[0]));
    for (int64_t i = task->index * BLOCK; i < end; i++) y[i] = (float)f->value;
}

static const tg_kernel fill_kernel = {
    .name = "ref", .backend = "ref", .tasks = core_element_tasks, .run = fill_ref_run
};
const tg_op tg_fill_op = {
    .name = "fill",
    .n_out = 1,
    .attr_size = sizeof(tg_fill_attr),
    .infer = fill_infer,
    .kernels = TG_KERNELS(&fill_kernel),
};

tg_tensor *tg_fill(tg_scope *s, double value, int rank, const int64_t *dim)
{
    tg_fill_attr attr = { .value = value, .shape = { .rank = rank } };
    tg_tensor *none = NULL;
    if (tg_ok(s) && rank > 0 && !dim) tg_fail(s, "fill: the shape is NULL");
    for (int i = 0; dim && i < rank && i < TG_MAX_RANK; i++) attr.shape.dim[i] = dim[i];
    return tg_apply(s, &tg_fill_op, &none, &attr);
}

/* ---- copy and cast ---- */

static void copy_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }

static void copy_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)s, (void)c;
    gin[0] = gout[0]; /* the walk casts it to the input's dtype */
}

static void copy_ref_run(const tg_call *c, const tg_task *task)
{
    size_t size = tg_dtype_size(c->in[0]->dtype);
    int64_t from = task->index * BLOCK, end = core_block_end(task, tg_count(c->out[0]));
    memcpy((char *)tg_ptr(c->out[0]) + (size_t)from * size, (const char *)tg_ptr(c->in[0]) + (size_t)from * size,
           (size_t)(end - from) * size);
}

static const tg_kernel copy_kernel = {
    .name = "ref", .backend = "ref", .tasks = core_element_tasks, .run = copy_ref_run
};
const tg_op tg_copy_op = {
    .name = "copy",
    .n_in = 1,
    .n_out = 1,
    .infer = copy_infer,
    .backward = copy_backward,
    .kernels = TG_KERNELS(&copy_kernel),
};

static void cast_infer(tg_scope *s, tg_call *c)
{
    const tg_cast_attr *a = c->attr;
    c->out[0] = tg_make(s, a->dtype, c->in[0]->rank, c->in[0]->dim);
}

static void cast_ref_run(const tg_call *c, const tg_task *task)
{
    int64_t end = core_block_end(task, tg_count(c->out[0]));
    for (int64_t i = task->index * BLOCK; i < end; i++) tg_set(c->out[0], i, tg_get(c->in[0], i));
}

static const tg_kernel cast_kernel = {
    .name = "ref", .backend = "ref", .tasks = core_element_tasks, .run = cast_ref_run
};
const tg_op tg_cast_op = {
    .name = "cast",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(tg_cast_attr),
    .infer = cast_infer,
    .backward = copy_backward,
    .remade_by = &tg_cast_op,
    .kernels = TG_KERNELS(TG_VECTOR(cast_vector), &cast_kernel),
};

tg_tensor *tg_cast(tg_scope *s, tg_tensor *x, tg_dtype dtype)
{
    return tg_apply(s, &tg_cast_op, &x, &(tg_cast_attr){ dtype });
}

void tg_promote(tg_scope *s, tg_tensor *in[], int n)
{
    bool f32 = false;
    if (tg_ok(s) && n > 0 && !in) tg_fail(s, "promote: the inputs are NULL");
    if (!tg_ok(s)) return;
    for (int k = 0; k < n; k++) f32 = f32 || (in[k] && in[k]->dtype == TG_F32);
    for (int k = 0; k < n && f32 && tg_ok(s); k++)
        if (in[k] && in[k]->dtype == TG_BF16 && tg_can_read(s, in[k])) in[k] = tg_cast(s, in[k], TG_F32);
}

/* ---- detach: the same data, but backward stops here ---- */

static void detach_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_alias(s, c->in[0], c->in[0]->rank, c->in[0]->dim); }

static const tg_kernel no_kernel = { .name = "ref", .backend = "ref" }; /* an alias computes nothing */
const tg_op tg_detach_op = {
    .name = "detach",
    .n_in = 1,
    .n_out = 1,
    .alias = true,
    .infer = detach_infer,
    .kernels = TG_KERNELS(&no_kernel),
};

tg_tensor *tg_detach(tg_scope *s, tg_tensor *x) { return tg_apply(s, &tg_detach_op, &x, NULL); }
