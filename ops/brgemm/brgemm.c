/* brgemm.c - see brgemm.h. */
#include "brgemm.h"

const char *tg_brgemm_dtypes(const tg_microkernel *mk, const tg_tensor *a, const tg_tensor *b, const tg_tensor *out)
{
    if (a->dtype != b->dtype || (a->dtype != TG_F32 && a->dtype != TG_BF16)) return "want f32 or bf16";
    if (mk->element == TG_BF16 && a->dtype != TG_BF16) return "want bf16";
    if (mk->reject && mk->reject()) return mk->reject();
    return out->dtype == TG_F32 || out->dtype == TG_BF16 ? NULL : "want f32 or bf16";
}

/* ---- forward and backward-data ---- */

bool tg_forward_kernel_prepare(tg_call *c, const tg_nest_shape *shape, tg_fault *fault)
{
    const tg_forward plan = tg_forward_plan(shape);
    return tg_keep_state(c, &plan, sizeof plan, fault);
}

/* The packed input is w, which is input 1, or 0 if the product is transposed. */
const tg_layout *tg_forward_kernel_layout(const tg_call *c, int *input, int32_t key[TG_LAYOUT_KEY])
{
    const tg_forward *f = c->state;
    tg_forward_key(f, key);
    *input = f->nest.shape.transposed ? 0 : 1;
    return &tg_panels_layout;
}

tg_scratch tg_forward_kernel_scratch(const tg_call *c) { return tg_forward_scratch(c->state); }
int64_t tg_forward_kernel_tasks(const tg_call *c, int phase) { return tg_forward_tasks(c->state, phase); }
int64_t tg_forward_kernel_makes(const tg_call *c) { return tg_forward_makes(c->state); }

/* ---- backward-weights ---- */

tg_scratch tg_grad_w_call_scratch(const tg_call *c) { return tg_grad_w_kernel_scratch(c->state); }
int64_t tg_grad_w_call_tasks(const tg_call *c, int phase) { return tg_grad_w_kernel_tasks(c->state, phase); }
int64_t tg_grad_w_call_makes(const tg_call *c) { return tg_grad_w_kernel_makes(c->state); }
