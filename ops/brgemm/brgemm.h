/* brgemm.h - what the kernels over microkernels share: how a nest becomes a kernel for each microkernel. */
#ifndef TG_BRGEMM_H
#define TG_BRGEMM_H
#include "attr.h"
#include "grad_w_kernel.h"

/* NULL, or why a microkernel cannot run a call whose inputs a and b have these dtypes. */
const char *tg_brgemm_dtypes(const tg_microkernel *mk, const tg_tensor *a, const tg_tensor *b, const tg_tensor *out);

/* y[rows, out] = x[rows, in] times w[out, in], or backward w[in, out]: one line of pixels. */
static inline tg_nest tg_rows_nest(const tg_microkernel *mk, const tg_tensor *x, const tg_tensor *w, const tg_tensor *y,
                                   int64_t rows, bool backward)
{
    return (tg_nest){
        .mk = mk,
        .x = x,
        .w = w,
        .y = y,
        .backward = backward,
        .images = 1,
        .groups = 1,
        .joined = 1,
        .line = rows,
        .image = rows,
        .h = { 1, 1, 1, 1, 0, 1, 1, 1 },
        .w_axis = { rows, rows, 1, 1, 0, 1, 1, 1 },
    };
}

/* w is input 1, or 0 if the nest is turned. */
const tg_layout *tg_nest_kernel_layout(tg_nest n, int *input, int32_t key[TG_LAYOUT_KEY]);
tg_scratch tg_nest_kernel_scratch(tg_nest n);
int64_t tg_nest_kernel_tasks(tg_nest n, int phase);
int64_t tg_nest_kernel_makes(tg_nest n);
void tg_nest_kernel_run(tg_nest n, const tg_task *t);

/* The kernel `symbol`_suffix, called `name_` with the suffix, of a call that nest_of(call, microkernel) describes and
 * reject_call may refuse. */
#define TG_NEST_KERNEL(symbol, suffix, isa_, name_, nest_of, reject_call) \
    static const char *symbol##_reject_##suffix(const tg_call *c) { return reject_call(c, &tg_microkernel_##suffix); } \
    static const tg_layout *symbol##_layout_##suffix(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY]) \
    { \
        return tg_nest_kernel_layout(nest_of(c, &tg_microkernel_##suffix), input, key); \
    } \
    static tg_scratch symbol##_scratch_##suffix(const tg_call *c) \
    { \
        return tg_nest_kernel_scratch(nest_of(c, &tg_microkernel_##suffix)); \
    } \
    static int64_t symbol##_tasks_##suffix(const tg_call *c, int phase) \
    { \
        return tg_nest_kernel_tasks(nest_of(c, &tg_microkernel_##suffix), phase); \
    } \
    static int64_t symbol##_makes_##suffix(const tg_call *c) \
    { \
        return tg_nest_kernel_makes(nest_of(c, &tg_microkernel_##suffix)); \
    } \
    static void symbol##_run_##suffix(const tg_call *c, const tg_task *t) \
    { \
        tg_nest_kernel_run(nest_of(c, &tg_microkernel_##suffix), t); \
    } \
    extern const tg_kernel symbol##_##suffix; \
    const tg_kernel symbol##_##suffix = { \
        .name = name_ #suffix, \
        .backend = "brgemm", \
        .isa = isa_, \
        .reject = symbol##_reject_##suffix, \
        .layout = symbol##_layout_##suffix, \
        .scratch = symbol##_scratch_##suffix, \
        .tasks = symbol##_tasks_##suffix, \
        .makes = symbol##_makes_##suffix, \
        .run = symbol##_run_##suffix, \
    };

/* The same for backward-weights: plan_of(call, microkernel) gives a tg_grad_w_kernel. */
#define TG_GRAD_W_KERNEL(symbol, suffix, isa_, name_, plan_of, reject_call) \
    static const char *symbol##_reject_##suffix(const tg_call *c) { return reject_call(c, &tg_microkernel_##suffix); } \
    static tg_scratch symbol##_scratch_##suffix(const tg_call *c) \
    { \
        const tg_grad_w_kernel g = plan_of(c, &tg_microkernel_##suffix); \
        return tg_grad_w_kernel_scratch(&g); \
    } \
    static int64_t symbol##_tasks_##suffix(const tg_call *c, int phase) \
    { \
        const tg_grad_w_kernel g = plan_of(c, &tg_microkernel_##suffix); \
        return tg_grad_w_kernel_tasks(&g, phase); \
    } \
    static int64_t symbol##_makes_##suffix(const tg_call *c) \
    { \
        const tg_grad_w_kernel g = plan_of(c, &tg_microkernel_##suffix); \
        return tg_grad_w_kernel_makes(&g); \
    } \
    static void symbol##_run_##suffix(const tg_call *c, const tg_task *t) \
    { \
        const tg_grad_w_kernel g = plan_of(c, &tg_microkernel_##suffix); \
        tg_grad_w_kernel_run(&g, t); \
    } \
    extern const tg_kernel symbol##_##suffix; \
    const tg_kernel symbol##_##suffix = { \
        .name = name_ #suffix, \
        .backend = "brgemm", \
        .isa = isa_, \
        .reject = symbol##_reject_##suffix, \
        .scratch = symbol##_scratch_##suffix, \
        .tasks = symbol##_tasks_##suffix, \
        .makes = symbol##_makes_##suffix, \
        .run = symbol##_run_##suffix, \
    };
#endif
