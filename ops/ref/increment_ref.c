/* increment_ref.c - x += 1 */
#include "op.h"

static void increment_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    tg_set(c->in[0], 0, tg_get(c->in[0], 0) + 1);
}

extern const tg_kernel increment_ref;
const tg_kernel increment_ref = { .name = "ref", .backend = "ref", .run = increment_ref_run };
