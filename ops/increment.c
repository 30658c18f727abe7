/* increment.c - increments a counter when it runs. */
#include "attr.h"

static void increment_infer(tg_scope *s, tg_call *c)
{
    if (tg_count(c->in[0]) != 1)
        tg_fail(s, "increment: the counter has %lld elements, want 1", (long long)tg_count(c->in[0]));
}

extern const tg_kernel increment_ref;

const tg_op tg_increment_op = {
    .name = "increment",
    .n_in = 1,
    .writes = TG_BIT(0),
    .infer = increment_infer,
    .kernels = TG_KERNELS(&increment_ref),
};
