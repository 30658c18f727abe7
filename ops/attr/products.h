/* products.h - the calls of matmul and linear as matrix products: shared by their kernels. */
#ifndef TG_PRODUCTS_H
#define TG_PRODUCTS_H
#include "attr.h"

/* y[m, n] = a[m, k] b[k, n] (+ bias[n]) (then relu). Element (i, j) of a is at i a_row + j a_column. */
typedef struct {
    const void *a, *b; /* f32, or both bf16: `is_bf16` */
    const float *bias;
    void *y; /* f32, or bf16: `y_is_bf16` */
    int64_t m, n, k;
    int64_t a_row, a_column, b_row, b_column; /* one of the two is 1, for a and for b */
    bool relu, is_bf16, y_is_bf16;
} tg_product;

static inline const char *tg_product_reject(const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (c->in[k] && c->in[k]->dtype != TG_F32) return "want f32";
    return c->out[0]->dtype == TG_F32 ? NULL : "want f32";
}

/* ---- linear: x [rows, in], w [out, in], y [rows, out] ---- */

static inline int64_t tg_last_dim(const tg_tensor *t) { return t->dim[t->rank - 1]; }

static inline tg_product tg_linear_product(const tg_call *c)
{
    const tg_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    const int64_t in = tg_last_dim(x), out = tg_last_dim(y);
    return (tg_product){
        .a = tg_ptr(x),
        .b = tg_ptr(w),
        .y = tg_ptr(y),
        .bias = tg_ptr(c->in[2]),
        .m = tg_count(y) / out,
        .n = out,
        .k = in,
        .a_row = in,
        .a_column = 1,
        .b_row = 1,
        .b_column = in,
        .relu = c->op == &tg_linear_relu_op,
        .is_bf16 = w->dtype == TG_BF16,
        .y_is_bf16 = y->dtype == TG_BF16,
    };
}

static inline tg_product tg_linear_grad_x_product(const tg_call *c)
{
    const tg_tensor *gy = c->in[0], *w = c->in[1], *gx = c->out[0];
    const int64_t in = tg_last_dim(gx), out = tg_last_dim(gy);
    return (tg_product){
        .a = tg_ptr(gy),
        .b = tg_ptr(w),
        .y = tg_ptr(gx),
        .m = tg_count(gx) / in,
        .n = in,
        .k = out,
        .a_row = out,
        .a_column = 1,
        .b_row = in,
        .b_column = 1,
        .is_bf16 = w->dtype == TG_BF16,
        .y_is_bf16 = gx->dtype == TG_BF16,
    };
}

static inline tg_product tg_linear_grad_w_product(const tg_call *c)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t in = tg_last_dim(x), out = tg_last_dim(gy);
    return (tg_product){
        .a = tg_ptr(gy),
        .b = tg_ptr(x),
        .y = tg_ptr(gw),
        .m = out,
        .n = in,
        .k = tg_count(x) / in,
        .a_row = 1,
        .a_column = out,
        .b_row = in,
        .b_column = 1,
        .is_bf16 = x->dtype == TG_BF16,
    };
}

/* ---- matmul: a stack of products ---- */

typedef struct {
    int64_t matrices;
    tg_product first;
    int rank; /* leading axes of y, and the strides of a and b along each */
    int64_t dim[TG_MAX_RANK], a_step[TG_MAX_RANK], b_step[TG_MAX_RANK];
} tg_stack;

/* The stride of t along leading axis `axis` of y: 0 if t is broadcast along it. */
static inline int64_t tg_stack_step(const tg_tensor *y, const tg_tensor *t, int axis)
{
    const int own = axis - (y->rank - t->rank);
    int64_t step = 1;
    if (own < 0 || t->dim[own] == 1) return 0;
    for (int i = own + 1; i < t->rank; i++) step *= t->dim[i];
    return step;
}

static inline tg_product tg_matmul_first(const tg_call *c)
{
    const tg_matmul_config *t = c->attr;
    const tg_tensor *a = c->in[0], *b = c->in[1], *y = c->out[0];
    tg_product p = {
        .a = tg_ptr(a),
        .b = tg_ptr(b),
        .y = tg_ptr(y),
        .m = y->dim[y->rank - 2],
        .n = tg_last_dim(y),
        .is_bf16 = a->dtype == TG_BF16,
        .y_is_bf16 = y->dtype == TG_BF16,
    };
    p.k = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    const bool by_columns = t->transpose_a && p.m > 1; /* a single row is contiguous either way */
    p.a_row = by_columns ? 1 : p.k;
    p.a_column = by_columns ? p.m : 1;
    p.b_row = t->transpose_b ? 1 : tg_last_dim(b);
    p.b_column = t->transpose_b ? tg_last_dim(b) : 1;
    return p;
}

/* If every matrix is multiplied by the same b, and a is one block of rows, merges them into one product with more rows.
 */
static inline void tg_stack_merge(tg_stack *s)
{
    int64_t step = s->first.m * s->first.k;
    if (s->first.a_column != 1) return;
    for (int i = s->rank - 1; i >= 0; i--) {
        if (s->dim[i] > 1 && (s->b_step[i] || s->a_step[i] != step)) return;
        step *= s->dim[i];
    }
    s->first.m *= s->matrices;
    s->matrices = 1;
    s->rank = 0;
}

static inline tg_stack tg_stack_of(const tg_call *c)
{
    const tg_tensor *y = c->out[0];
    tg_stack s = { .matrices = 1, .first = tg_matmul_first(c), .rank = y->rank - 2 };
    for (int i = 0; i < s.rank; i++) {
        s.matrices *= s.dim[i] = y->dim[i];
        s.a_step[i] = tg_stack_step(y, c->in[0], i);
        s.b_step[i] = tg_stack_step(y, c->in[1], i);
    }
    tg_stack_merge(&s);
    return s;
}

static inline tg_product tg_stack_product(const tg_stack *s, int64_t matrix)
{
    tg_product p = s->first;
    const int64_t size = p.is_bf16 ? 2 : 4;
    p.y = (char *)p.y + matrix * p.m * p.n * (p.y_is_bf16 ? 2 : 4);
    for (int i = s->rank - 1; i >= 0; i--) {
        p.a = (const char *)p.a + matrix % s->dim[i] * s->a_step[i] * size;
        p.b = (const char *)p.b + matrix % s->dim[i] * s->b_step[i] * size;
        matrix /= s->dim[i];
    }
    return p;
}
#endif
