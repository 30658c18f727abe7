/* nest_kernel.c - see brgemm.h. */
#include "brgemm.h"

const char *tg_brgemm_dtypes(const tg_microkernel *mk, const tg_tensor *a, const tg_tensor *b, const tg_tensor *out)
{
    if (a->dtype != b->dtype || (a->dtype != TG_F32 && a->dtype != TG_BF16)) return "want f32 or bf16";
    if (mk->element == TG_BF16 && a->dtype != TG_BF16) return "want bf16";
    if (mk->reject && mk->reject()) return mk->reject();
    return out->dtype == TG_F32 || out->dtype == TG_BF16 ? NULL : "want f32 or bf16";
}

static size_t packed_bytes(const tg_nest *n)
{
    int32_t key[TG_LAYOUT_KEY];
    tg_nest_key(n, key);
    return (tg_panels_layout.bytes(n->w, key) + 127) / 64 * 64;
}

tg_scratch tg_nest_kernel_scratch(tg_nest n)
{
    tg_nest_plan(&n);
    return (tg_scratch){ .shared = packed_bytes(&n), .worker = tg_nest_scratch(&n) };
}

int64_t tg_nest_kernel_tasks(tg_nest n, int phase)
{
    tg_nest_plan(&n);
    return phase == 0 ? (n.w->dim[0] + 15) / 16 : phase == 1 ? tg_nest_tasks(&n) : 0;
}

void tg_nest_kernel_run(tg_nest n, const tg_task *t)
{
    int32_t key[TG_LAYOUT_KEY];
    tg_nest_plan(&n);
    if (t->phase == 1) {
        tg_nest_run(&n, t->shared, t->index, t->scratch);
        return;
    }
    const int64_t r0 = 16 * t->index, r1 = r0 + 16 < n.w->dim[0] ? r0 + 16 : n.w->dim[0];
    tg_nest_key(&n, key);
    tg_panels_layout.pack(n.w, key, r0, r1, t->shared);
}
