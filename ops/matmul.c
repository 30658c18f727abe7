/* matmul.c - matrix products, also of stacks of matrices. */
#include "check.h"
#include "kernels.h"

TG_VECTOR_DECLARE(matmul_vector)
TG_BRGEMM_DECLARE(matmul_brgemm)
TG_VECTOR_DECLARE(matmul_bf16_vector)
extern const tg_kernel matmul_stack_brgemm, matmul_openblas, matmul_ref;

/* The last two axes of a matrix, after the optional transpose. */
static void matmul_sides(const tg_tensor *t, bool transposed, int64_t *rows, int64_t *columns)
{
    *rows = t->dim[t->rank - (transposed ? 1 : 2)];
    *columns = t->dim[t->rank - (transposed ? 2 : 1)];
}

static bool matmul_check_input(tg_scope *s, const tg_call *c, int k)
{
    tg_shape_text shape;
    if (!tg_want_float(s, c, k)) return false;
    if (c->in[k]->rank < 2)
        tg_fail(s, "%s: input %d has shape %s, want a matrix [.., rows, columns]", c->op->name, k,
                tg_shape(c->in[k], &shape));
    return tg_ok(s);
}

/* Broadcasts the leading axes: all but the last two. */
static bool matmul_broadcast(const tg_tensor *a, const tg_tensor *b, int *rank, int64_t dim[TG_MAX_RANK])
{
    tg_tensor x = *a, y = *b;
    x.rank -= 2;
    y.rank -= 2;
    return tg_broadcast(&x, &y, rank, dim);
}

static void matmul_infer(tg_scope *s, tg_call *c)
{
    const tg_matmul_config *t = c->attr;
    const tg_tensor *a = c->in[0], *b = c->in[1];
    int64_t m, k, depth, n, dim[TG_MAX_RANK];
    int rank;
    tg_shape_text one, other;
    if (!matmul_check_input(s, c, 0) || !matmul_check_input(s, c, 1) || !tg_want_same_dtype(s, c, 0, 1)) return;
    matmul_sides(a, t->transpose_a, &m, &k);
    matmul_sides(b, t->transpose_b, &depth, &n);
    if (k != depth) {
        tg_fail(s, "%s: a %s%s has %lld columns, b %s%s has %lld rows", c->op->name, tg_shape(a, &one),
                t->transpose_a ? " transposed" : "", (long long)k, tg_shape(b, &other),
                t->transpose_b ? " transposed" : "", (long long)depth);
    } else if (!matmul_broadcast(a, b, &rank, dim)) {
        tg_fail(s, "%s: the leading axes of %s and %s do not broadcast", c->op->name, tg_shape(a, &one),
                tg_shape(b, &other));
    } else {
        dim[rank] = m;
        dim[rank + 1] = n;
        c->out[0] = tg_make(s, a->dtype, rank + 2, dim);
    }
}

static double matmul_flops(const tg_call *c)
{
    const tg_matmul_config *t = c->attr;
    int64_t m, k;
    matmul_sides(c->in[0], t->transpose_a, &m, &k);
    return 2.0 * (double)tg_count(c->out[0]) * (double)k;
}

static tg_tensor *matmul_product(tg_scope *s, tg_tensor *a, bool transpose_a, tg_tensor *b, bool transpose_b)
{
    return tg_matmul_with(s, a, b, (tg_matmul_config){ transpose_a, transpose_b });
}

/* y = A B with A = a or a^T, B = b or b^T: gA = gy B^T, gB = A^T gy, transposed where a or b is. */
static void matmul_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const tg_matmul_config *t = c->attr;
    tg_tensor *gy = gout[0], *a = c->in[0], *b = c->in[1];
    if (tg_needs_grad(a))
        gin[0] = t->transpose_a ? matmul_product(s, b, t->transpose_b, gy, true)
                                : matmul_product(s, gy, false, b, !t->transpose_b);
    if (tg_needs_grad(b))
        gin[1] = t->transpose_b ? matmul_product(s, gy, true, a, t->transpose_a)
                                : matmul_product(s, a, !t->transpose_a, gy, false);
}

const tg_op tg_matmul_op = {
    .name = "matmul",
    .n_in = 2,
    .n_out = 1,
    .saves_in = TG_BIT(0) | TG_BIT(1),
    .casts = TG_BIT(0) | TG_BIT(1),
    .cast_to = TG_CAST_BF16,
    .attr_size = sizeof(tg_matmul_config),
    .infer = matmul_infer,
    .backward = matmul_backward,
    .flops = matmul_flops,
    .kernels = TG_KERNELS(TG_VECTOR(matmul_vector), TG_BRGEMM(matmul_brgemm), &matmul_stack_brgemm,
                          TG_VECTOR(matmul_bf16_vector), TG_OPENBLAS(matmul_openblas), &matmul_ref),
};

tg_tensor *tg_matmul_with(tg_scope *s, tg_tensor *a, tg_tensor *b, tg_matmul_config config)
{
    return tg_apply(s, &tg_matmul_op, (tg_tensor *[]){ a, b }, &config);
}

tg_tensor *tg_matmul(tg_scope *s, tg_tensor *a, tg_tensor *b)
{
    return tg_matmul_with(s, a, b, (tg_matmul_config){ 0 });
}
