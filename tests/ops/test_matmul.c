/* test_matmul.c - matmul and its gradients by every kernel: all combinations of broadcast batch shapes, transposed
 * operands and sizes of 1.
 *
 * Elements are -1, 0 and 1, so every sum is exact in f32 and bf16, in any order: results must be equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include "attr.h"
#include "dispatch.h"
#include <tilegrad/tilegrad.h>

enum { MOST = 6 * 5 * 5, BATCHES = 7, MOST_KERNELS = 16 };

typedef struct {
    int rank;
    int64_t dim[2];
} batch_shape;
static const batch_shape batches[BATCHES] = { { 0, { 0 } },    { 1, { 1 } },    { 1, { 2 } },   { 2, { 3, 2 } },
                                              { 2, { 1, 2 } }, { 2, { 3, 1 } }, { 2, { 1, 1 } } };
static const int64_t sizes[] = { 1, 3, 5 };
enum { SIZES = sizeof sizes / sizeof *sizes };

typedef struct {
    const tg_kernel *kernel;
    tg_dtype dtype;
    batch_shape a, b;
    bool ta, tb;
    int64_t m, n, k;
} product_case;

/* One operand: its place in the batch, its elements and its expected gradient. */
typedef struct {
    int rank;
    int64_t dim[4], batch_step[2]; /* strides along y's two leading axes */
    int64_t row, column, count;
    float value[MOST], grad[MOST];
} operand;

static float element(uint64_t seed, int64_t i)
{
    const uint64_t h = (seed * 1000003u + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
    return (float)((int)((h >> 40) % 3) - 1);
}

static void make_operand(operand *o, batch_shape batch, bool transposed, int64_t rows, int64_t columns, uint64_t seed)
{
    *o = (operand){ .rank = batch.rank + 2, .row = transposed ? 1 : columns, .column = transposed ? rows : 1 };
    memcpy(o->dim, batch.dim, sizeof batch.dim);
    o->dim[batch.rank] = transposed ? columns : rows;
    o->dim[batch.rank + 1] = transposed ? rows : columns;
    o->count = rows * columns;
    for (int i = batch.rank - 1; i >= 0; i--) {
        o->batch_step[i + 2 - batch.rank] = batch.dim[i] > 1 ? o->count : 0;
        o->count *= batch.dim[i];
    }
    for (int64_t i = 0; i < o->count; i++) o->value[i] = element(seed, i);
}

static int64_t place(const operand *o, const int64_t batch[2], int64_t row, int64_t column)
{
    return batch[0] * o->batch_step[0] + batch[1] * o->batch_step[1] + row * o->row + column * o->column;
}

/* y's leading axes. */
static void leading_of(const product_case *c, int64_t leading[2])
{
    const batch_shape both[2] = { c->a, c->b };
    leading[0] = leading[1] = 1;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < both[i].rank; k++)
            if (both[i].dim[k] > 1) leading[k + 2 - both[i].rank] = both[i].dim[k];
}

/* Computes y, and the gradients of sum(y gy), by definition. */
static void define(const product_case *c, operand *a, operand *b, const float *gy, float *y)
{
    int64_t leading[2], i = 0;
    leading_of(c, leading);
    for (int64_t matrix = 0; matrix < leading[0] * leading[1]; matrix++)
        for (int64_t row = 0; row < c->m; row++)
            for (int64_t column = 0; column < c->n; column++, i++) {
                const int64_t batch[2] = { matrix / leading[1], matrix % leading[1] };
                y[i] = 0;
                for (int64_t k = 0; k < c->k; k++) {
                    const int64_t at = place(a, batch, row, k), bt = place(b, batch, k, column);
                    y[i] += a->value[at] * b->value[bt];
                    a->grad[at] += gy[i] * b->value[bt];
                    b->grad[bt] += gy[i] * a->value[at];
                }
            }
}

static void expect_equal(tg_scope *s, const product_case *c, const char *what, tg_tensor *t, const float *want)
{
    const float *got = tg_data(tg_cast(s, t, TG_F32));
    tg_shape_text shape;
    if (!got) fail_msg("%s", tg_message(s));
    for (int64_t i = 0; i < tg_count(t); i++)
        if (got[i] != want[i])
            fail_msg(
                "%s, %s: batches %d [%d, %d] and %d [%d, %d]%s%s, m %d n %d k %d: element %d of %s %s is %g, want %g",
                c->kernel->name, tg_dtype_name(c->dtype), c->a.rank, (int)c->a.dim[0], (int)c->a.dim[1], c->b.rank,
                (int)c->b.dim[0], (int)c->b.dim[1], c->ta ? ", a transposed" : "", c->tb ? ", b transposed" : "",
                (int)c->m, (int)c->n, (int)c->k, (int)i, what, tg_shape(t, &shape), (double)got[i], (double)want[i]);
}

static tg_tensor *leaf(tg_scope *s, const operand *o)
{
    return tg_require_grad(s, tg_from(s, TG_F32, o->rank, o->dim, o->value));
}

static void check(tg_scope *root, const product_case *c)
{
    static operand a, b;
    float gy[MOST], y[MOST];
    make_operand(&a, c->a, c->ta, c->m, c->k, 1);
    make_operand(&b, c->b, c->tb, c->k, c->n, 2);
    for (int i = 0; i < MOST; i++) gy[i] = element(3, i);
    define(c, &a, &b, gy, y);
    tg_scope *own = tg_push(root);
    tg_tensor *ta = leaf(own, &a), *tb = leaf(own, &b);
    tg_scope *step = tg_train(own);
    tg_tensor *out = tg_matmul_with(step, tg_cast(step, ta, c->dtype), tg_cast(step, tb, c->dtype),
                                    (tg_matmul_config){ c->ta, c->tb });
    tg_tensor *seed = tg_from(step, TG_F32, out->rank, out->dim, gy);
    tg_backward_from(step, out, tg_cast(step, seed, c->dtype));
    expect_equal(step, c, "y", out, y);
    expect_equal(step, c, "gradient of a", tg_grad(ta), a.grad);
    expect_equal(step, c, "gradient of b", tg_grad(tb), b.grad);
    tg_pop(step);
    tg_pop(own);
}

static void check_sizes(tg_scope *root, product_case c)
{
    for (int i = 0; i < SIZES * SIZES * SIZES * 4; i++) {
        c.m = sizes[i % SIZES], c.n = sizes[i / SIZES % SIZES], c.k = sizes[i / SIZES / SIZES % SIZES];
        c.ta = i / SIZES / SIZES / SIZES % 2, c.tb = i / SIZES / SIZES / SIZES / 2;
        check(root, &c);
    }
}

/* In bf16, an f32 kernel runs between casts if only its backend is enabled. */
static void stacks(void **state)
{
    product_case c = { .kernel = *state };
    if (c.kernel->isa > tg_max_isa() || !c.kernel->run) skip(); /* run NULL: not in this build */
    tg_set_backends(c.kernel->backend);
    tg_force_kernel(&tg_matmul_op, c.kernel);
    tg_scope *root = tg_open();
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (int i = 0; i < BATCHES * BATCHES; i++) {
            c.dtype = bf16 ? TG_BF16 : TG_F32;
            c.a = batches[i / BATCHES], c.b = batches[i % BATCHES];
            check_sizes(root, c);
        }
    tg_close(root);
    tg_force_kernel(NULL, NULL);
    tg_set_backends(NULL);
}

int main(void)
{
    struct CMUnitTest tests[MOST_KERNELS];
    size_t n = 0;
    tg_set_threads(1);
    for (const tg_kernel *const *k = tg_matmul_op.kernels; *k && n < MOST_KERNELS; k++)
        tests[n++] =
            (struct CMUnitTest){ .name = (*k)->name, .test_func = stacks, .initial_state = (void *)(uintptr_t)*k };
    return _cmocka_run_group_tests("matmul", tests, n, NULL, NULL);
}
