/* brgemm.h - what the kernels over microkernels share: how a shape becomes a kernel for each microkernel.
 *
 * A kernel's plan is made once, by prepare, in memory of the run.  Its other functions read it. */
#ifndef TG_BRGEMM_H
#define TG_BRGEMM_H
#include "attr.h"
#include "forward.h"
#include "grad_w_kernel.h"

/* NULL, or why a microkernel cannot run a call whose inputs a and b have these dtypes. */
const char *tg_brgemm_dtypes(const tg_microkernel *mk, const tg_tensor *a, const tg_tensor *b, const tg_tensor *out);

/* y[rows, out] = x[rows, in] times w[out, in], or backward w[in, out]: one line of pixels. */
static inline tg_nest_shape tg_rows_shape(const tg_microkernel *mk, const tg_tensor *x, const tg_tensor *w,
                                          const tg_tensor *y, int64_t rows, bool backward)
{
    const int64_t last = w->dim[w->rank - 1];
    return (tg_nest_shape){
        .mk = mk,
        .w = w,
        .x_dtype = x->dtype,
        .y_dtype = y->dtype,
        .backward = backward,
        .in = backward ? w->dim[0] : last,
        .out = backward ? last : w->dim[0],
        .images = 1,
        .groups = 1,
        .joined = 1,
        .line = rows,
        .image = rows,
        .h = { 1, 1, 1, 1, 0, 1, 1, 1 },
        .w_axis = { rows, rows, 1, 1, 0, 1, 1, 1 },
    };
}

/* ---- kernels of forward and backward-data: their state is a tg_forward ---- */

bool tg_forward_kernel_prepare(tg_call *c, const tg_nest_shape *shape, tg_fault *fault);
const tg_layout *tg_forward_kernel_layout(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY]);
tg_scratch tg_forward_kernel_scratch(const tg_call *c);
int64_t tg_forward_kernel_tasks(const tg_call *c, int phase);
int64_t tg_forward_kernel_makes(const tg_call *c);

/* The kernel symbol_suffix, which prints `name_`, of a call that shape_of(call, microkernel) describes and
 * data_of(call) binds, and that reject_call may refuse. */
#define TG_FORWARD_KERNEL(symbol, suffix, isa_, name_, shape_of, data_of, reject_call) \
    static const char *symbol##_reject_##suffix(const tg_call *c) { return reject_call(c, &tg_microkernel_##suffix); } \
    static bool symbol##_prepare_##suffix(tg_call *c, tg_fault *fault) \
    { \
        const tg_nest_shape shape = shape_of(c, &tg_microkernel_##suffix); \
        return tg_forward_kernel_prepare(c, &shape, fault); \
    } \
    static void symbol##_run_##suffix(const tg_call *c, const tg_task *t) \
    { \
        const tg_nest_data data = data_of(c); \
        tg_forward_run(c->state, &data, c->epilogue, t); \
    } \
    extern const tg_kernel symbol##_##suffix; \
    const tg_kernel symbol##_##suffix = { \
        .name = name_, \
        .backend = "brgemm", \
        .isa = isa_, \
        .reject = symbol##_reject_##suffix, \
        .prepare = symbol##_prepare_##suffix, \
        .layout = tg_forward_kernel_layout, \
        .scratch = tg_forward_kernel_scratch, \
        .tasks = tg_forward_kernel_tasks, \
        .makes = tg_forward_kernel_makes, \
        .run = symbol##_run_##suffix, \
    };

/* ---- kernels of backward-weights: plan_of(call, microkernel) makes their state, a tg_grad_w_kernel ---- */

tg_scratch tg_grad_w_call_scratch(const tg_call *c);
int64_t tg_grad_w_call_tasks(const tg_call *c, int phase);
int64_t tg_grad_w_call_makes(const tg_call *c);

/* Inputs are gy and x, the output gw. */
static inline tg_grad_w_data tg_grad_w_data_of(const tg_call *c)
{
    return (tg_grad_w_data){ .gy = tg_ptr(c->in[0]), .x = tg_ptr(c->in[1]), .gw = tg_ptr(c->out[0]) };
}

#define TG_GRAD_W_KERNEL(symbol, suffix, isa_, name_, plan_of, reject_call) \
    static const char *symbol##_reject_##suffix(const tg_call *c) { return reject_call(c, &tg_microkernel_##suffix); } \
    static bool symbol##_prepare_##suffix(tg_call *c, tg_fault *fault) \
    { \
        const tg_grad_w_kernel plan = plan_of(c, &tg_microkernel_##suffix); \
        return tg_keep_state(c, &plan, sizeof plan, fault); \
    } \
    static void symbol##_run_##suffix(const tg_call *c, const tg_task *t) \
    { \
        const tg_grad_w_data data = tg_grad_w_data_of(c); \
        tg_grad_w_kernel_run(c->state, &data, t); \
    } \
    extern const tg_kernel symbol##_##suffix; \
    const tg_kernel symbol##_##suffix = { \
        .name = name_, \
        .backend = "brgemm", \
        .isa = isa_, \
        .reject = symbol##_reject_##suffix, \
        .prepare = symbol##_prepare_##suffix, \
        .scratch = tg_grad_w_call_scratch, \
        .tasks = tg_grad_w_call_tasks, \
        .makes = tg_grad_w_call_makes, \
        .run = symbol##_run_##suffix, \
    };
#endif
