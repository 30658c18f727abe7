/* operators.c - all operators, from ops.def. */
#include "attr.h"

const tg_op *const *tg_operators(void)
{
#define TG_OP(name) &tg_##name##_op,
    static const tg_op *const all[] = {
#include "ops.def"
        NULL
    };
#undef TG_OP
    return all;
}
