/* dropout_ref.c - the definition of dropout. */
#include "attr.h"

static void dropout_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const tg_dropout_attr *const a = c->attr;
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) {
        const bool kept = tg_random_uniform(a->stream, (uint64_t)i) >= a->p;
        tg_set(c->out[0], i, kept ? tg_get(c->in[0], i) / (1 - (double)a->p) : 0);
    }
}

extern const tg_kernel dropout_ref;
const tg_kernel dropout_ref = { .name = "ref", .backend = "ref", .run = dropout_ref_run };
