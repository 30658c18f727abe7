/* linear_brgemm.c - linear, linear_relu and linear's derivatives over microkernels, as one line of pixels:
 * brgemm_amx_bf16 to brgemm_generic. */
#include "brgemm.h"

/* Rows of x for which y^T is better than y: with fewer, packed weights are; with more, another shape is. */
enum { LEAST_ROWS = 16, MOST_ROWS = 512 };

static int64_t rows_of(const tg_tensor *x) { return tg_count(x) / x->dim[x->rank - 1]; }

static bool is_transposed(const tg_microkernel *mk, const tg_tensor *x, const tg_tensor *w)
{
    const int64_t rows = rows_of(x);
    return mk->tiles && x->rank == 2 && rows >= LEAST_ROWS && rows <= MOST_ROWS && rows <= w->dim[0];
}

static tg_nest_shape linear_shape(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    const bool transposed = is_transposed(mk, x, w);
    tg_nest_shape s =
        transposed ? tg_rows_shape(mk, w, x, y, w->dim[0], false) : tg_rows_shape(mk, x, w, y, rows_of(x), false);
    s.transposed = transposed;
    s.relu = c->op == &tg_linear_relu_op;
    return s;
}

static tg_nest_data linear_data(const tg_call *c)
{
    const tg_forward *f = c->state;
    const void *x = tg_ptr(c->in[0]), *w = tg_ptr(c->in[1]);
    const bool transposed = f->nest.shape.transposed;
    return (tg_nest_data){ transposed ? w : x, transposed ? x : w, tg_ptr(c->in[2]), tg_ptr(c->out[0]) };
}

static tg_nest_shape linear_grad_x_shape(const tg_call *c, const tg_microkernel *mk)
{
    return tg_rows_shape(mk, c->in[0], c->in[1], c->out[0], rows_of(c->in[0]), true);
}

static tg_nest_data linear_grad_x_data(const tg_call *c)
{
    return (tg_nest_data){ tg_ptr(c->in[0]), tg_ptr(c->in[1]), NULL, tg_ptr(c->out[0]) };
}

static tg_grad_w_kernel linear_grad_w_plan(const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *gy = c->in[0], *x = c->in[1], *gw = c->out[0];
    const int64_t rows = tg_count(gy) / gw->dim[0];
    const tg_nest_shape shape = tg_rows_shape(mk, x, gw, gy, rows, false);
    const tg_gemm_tn_shape matrices = {
        .mk = mk,
        .a_dtype = gy->dtype,
        .b_dtype = x->dtype,
        .groups = 1,
        .k = rows,
        .m = gw->dim[0],
        .n = gw->dim[1],
        .task_rows = tg_rows_to_make(gw),
        .b_rows = { rows, 1, gw->dim[1], 0, 0 },
    };
    return tg_grad_w_kernel_plan(&shape, &matrices, true);
}

static const char *linear_reject(const tg_call *c, const tg_microkernel *mk)
{
    return tg_brgemm_dtypes(mk, c->in[0], c->in[1], c->out[0]);
}

#define KERNELS(suffix, isa, name) \
    TG_FORWARD_KERNEL(linear_brgemm, suffix, isa, name, linear_shape, linear_data, linear_reject) \
    TG_FORWARD_KERNEL(linear_relu_brgemm, suffix, isa, name, linear_shape, linear_data, linear_reject) \
    TG_FORWARD_KERNEL(linear_grad_x_brgemm, suffix, isa, name, linear_grad_x_shape, linear_grad_x_data, linear_reject) \
    TG_GRAD_W_KERNEL(linear_grad_w_brgemm, suffix, isa, name, linear_grad_w_plan, linear_reject)
TG_MICROKERNELS(KERNELS)
