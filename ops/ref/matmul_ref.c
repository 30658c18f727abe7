/* matmul_ref.c - the definition of matmul: y[.., i, j] = sum over k of a[.., i, k] b[.., k, j]. */
#include "attr.h"

/* Element (i, j) of t's matrix for matrix number `matrix` of y: leading axes of size 1 broadcast. */
static double matmul_element(const tg_tensor *t, bool transposed, const tg_tensor *y, int64_t matrix, int64_t i,
                             int64_t j)
{
    int64_t place = transposed ? j * t->dim[t->rank - 1] + i : i * t->dim[t->rank - 1] + j;
    int64_t step = t->dim[t->rank - 1] * t->dim[t->rank - 2];
    for (int axis = y->rank - 3, own = t->rank - 3; own >= 0; axis--, own--) {
        if (t->dim[own] > 1) place += matrix % y->dim[axis] * step;
        step *= t->dim[own];
        matrix /= y->dim[axis];
    }
    return tg_get(t, place);
}

static void matmul_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    const tg_matmul_config *t = c->attr;
    const tg_tensor *a = c->in[0], *b = c->in[1], *y = c->out[0];
    const int64_t m = y->dim[y->rank - 2], n = y->dim[y->rank - 1];
    const int64_t depth = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    for (int64_t i = 0; i < tg_count(y); i++) {
        double sum = 0;
        for (int64_t k = 0; k < depth; k++)
            sum += matmul_element(a, t->transpose_a, y, i / n / m, i / n % m, k) *
                   matmul_element(b, t->transpose_b, y, i / n / m, k, i % n);
        tg_set(y, i, sum);
    }
}

extern const tg_kernel matmul_ref;
const tg_kernel matmul_ref = { .name = "ref", .backend = "ref", .run = matmul_ref_run };
