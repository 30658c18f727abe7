/* nest_kernel.c - see brgemm.h. */
#include "brgemm.h"

const char *tg_brgemm_dtypes(const tg_microkernel *mk, const tg_tensor *a, const tg_tensor *b, const tg_tensor *out)
{
    if (a->dtype != b->dtype || (a->dtype != TG_F32 && a->dtype != TG_BF16)) return "want f32 or bf16";
    if (mk->element == TG_BF16 && a->dtype != TG_BF16) return "want bf16";
    if (mk->reject && mk->reject()) return mk->reject();
    return out->dtype == TG_F32 || out->dtype == TG_BF16 ? NULL : "want f32 or bf16";
}

const tg_layout *tg_nest_kernel_layout(tg_nest n, int *input, int32_t key[TG_LAYOUT_KEY])
{
    tg_nest_plan(&n);
    tg_nest_key(&n, key);
    *input = n.turned ? 0 : 1;
    return &tg_panels_layout;
}

tg_scratch tg_nest_kernel_scratch(tg_nest n)
{
    tg_nest_plan(&n);
    return tg_nest_scratch(&n);
}

int64_t tg_nest_kernel_tasks(tg_nest n, int phase)
{
    tg_nest_plan(&n);
    return tg_nest_tasks(&n, phase);
}

int64_t tg_nest_kernel_makes(tg_nest n)
{
    tg_nest_plan(&n);
    return tg_nest_makes(&n);
}

void tg_nest_kernel_run(tg_nest n, const tg_task *t)
{
    tg_nest_plan(&n);
    tg_nest_run(&n, t);
}
