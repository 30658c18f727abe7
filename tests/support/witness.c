/* witness.c - operators that check a run from inside.  See witness.h. */
#include "witness.h"
#include "core.h"
#include "system.h"
#include <string.h>

witness_report seen;

void witness_start(void) { seen = (witness_report){ .n = 0 }; }

typedef struct {
    int id, from[3];
    int64_t n;
} witness_attr;

static void note(const tg_call *c)
{
    const witness_attr *a = c->attr;
    if (seen.n < (int)(sizeof seen.order / sizeof *seen.order)) seen.order[seen.n++] = a->id;
    seen.last_request = tg_system_requests();
    if (seen.n == 1) seen.first_request = seen.last_request;
    TG_EACH_IN(c, k) seen.stale += c->in[k]->storage->ran != c->in_version[k];
}

/* ---- stamp ---- */

static void stamp_infer(tg_scope *s, tg_call *c)
{
    const witness_attr *a = c->attr;
    c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(a->n));
}

static void stamp_run(const tg_call *c, const tg_task *task)
{
    const witness_attr *a = c->attr;
    (void)task;
    note(c);
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; c->in[k] && i < tg_count(c->in[k]); i++) seen.torn += tg_get(c->in[k], i) != a->from[k];
    for (int64_t i = 0; i < a->n; i++) tg_set(c->out[0], i, a->id);
}

static const tg_kernel stamp_kernel = { .name = "witness", .backend = "ref", .run = stamp_run, .in_place = true };
static const tg_op stamp_op = {
    .name = "stamp",
    .n_in = 3,
    .n_out = 1,
    .optional_in = 7,
    .attr_size = sizeof(witness_attr),
    .infer = stamp_infer,
    .kernels = TG_KERNELS(&stamp_kernel),
};

tg_tensor *stamp(tg_scope *s, int id, int64_t n, tg_tensor *const in[3], const int from[3])
{
    return tg_apply(s, &stamp_op, in, &(witness_attr){ id, { from[0], from[1], from[2] }, n });
}

/* ---- touch ---- */

static void touch_infer(tg_scope *s, tg_call *c) { (void)s, (void)c; }

static void touch_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    note(c);
    tg_set(c->in[0], 0, tg_get(c->in[0], 0) + 1);
}

static const tg_kernel touch_kernel = { .name = "witness", .backend = "ref", .run = touch_run };
static const tg_op touch_op = {
    .name = "touch",
    .n_in = 2,
    .optional_in = 2,
    .writes = 1,
    .attr_size = sizeof(witness_attr),
    .infer = touch_infer,
    .kernels = TG_KERNELS(&touch_kernel),
};

void touch(tg_scope *s, int id, tg_tensor *to, tg_tensor *from)
{
    tg_apply(s, &touch_op, (tg_tensor *[]){ to, from }, &(witness_attr){ .id = id });
}

/* ---- probe ---- */

static void probe_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }

static void probe_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    note(c);
    memcpy(tg_ptr(c->out[0]), tg_ptr(c->in[0]), (size_t)tg_count(c->in[0]) * tg_dtype_size(c->in[0]->dtype));
}

static void probe_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = probe(s, -((const witness_attr *)c->attr)->id, gout[0]);
}

static const tg_kernel probe_kernel = { .name = "witness", .backend = "ref", .run = probe_run };
static const tg_op probe_op = {
    .name = "probe",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(witness_attr),
    .infer = probe_infer,
    .backward = probe_backward,
    .kernels = TG_KERNELS(&probe_kernel),
};

tg_tensor *probe(tg_scope *s, int id, tg_tensor *x) { return tg_apply(s, &probe_op, &x, &(witness_attr){ .id = id }); }
