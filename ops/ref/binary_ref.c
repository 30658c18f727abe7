/* binary_ref.c - the definitions of sub, mul, div and expand, with broadcasting. */
#include "attr.h"

/* The element of t that is broadcast to element i of y. */
static double broadcast(const tg_tensor *t, const tg_tensor *y, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int axis = 1; axis <= t->rank; i /= y->dim[y->rank - axis++]) {
        const int64_t size = t->dim[t->rank - axis];
        at += size > 1 ? i % y->dim[y->rank - axis] * step : 0;
        step *= size;
    }
    return tg_get(t, at);
}

#define ZIP_REF(op, formula) \
    static void op##_ref_run(const tg_call *c, const tg_task *task) \
    { \
        (void)task; \
        for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) { \
            const double a = broadcast(c->in[0], c->out[0], i), b = broadcast(c->in[1], c->out[0], i); \
            tg_set(c->out[0], i, formula); \
        } \
    } \
    const tg_kernel op##_ref = { .name = "ref", .backend = "ref", .run = op##_ref_run, .in_place = true };

/* sub_ref, mul_ref, div_ref */
ZIP_REF(sub, a - b)
ZIP_REF(mul, a *b)
ZIP_REF(div, a / b)

static void expand_ref_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) tg_set(c->out[0], i, broadcast(c->in[0], c->out[0], i));
}

const tg_kernel expand_ref = { .name = "ref", .backend = "ref", .run = expand_ref_run };
