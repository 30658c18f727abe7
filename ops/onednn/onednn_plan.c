/* onednn_plan.c - building and running plans.  See onednn_plan.h. */
#include "onednn_plan.h"
#include "onednn_engine.h"
#include "openmp.h"
#include "parallel.h"
#include "system.h"
#include <assert.h>
#include <string.h>

enum { ALIGNMENT = 64 };
static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* ---- building ---- */

bool tg_plan_ok(tg_onednn_plan *plan, dnnl_status_t status)
{
    if (!plan->status) plan->status = status;
    return !plan->status;
}

static int new_slot(tg_onednn_plan *plan, tg_place place, int k, const tg_md *md)
{
    assert(plan->n_slots < TG_PLAN_SLOTS);
    plan->slot[plan->n_slots] = (tg_plan_slot){ .md = *md, .place = place, .k = k, .offset = plan->packed_bytes };
    if (place == TG_PACKED) plan->packed_bytes += aligned(tg_md_bytes(md));
    return plan->n_slots++;
}

int tg_plan_memory(tg_onednn_plan *plan, tg_place place, int k, tg_dtype dtype, int rank, const int64_t *dim,
                   const int64_t *stride)
{
    tg_md md;
    dnnl_dims_t dims = { 0 }, strides = { 0 };
    for (int i = 0; i < rank; i++) {
        dims[i] = dim[i];
        strides[i] = stride ? stride[i] : 0;
    }
    if (!tg_plan_ok(plan, dnnl_success)) return 0;
    if (!tg_plan_ok(plan, tg_md_new(&md, dtype == TG_BF16 ? dnnl_bf16 : dnnl_f32, rank, dims, stride ? strides : NULL)))
        return 0;
    return new_slot(plan, place, k, &md);
}

int tg_plan_image(tg_onednn_plan *plan, tg_place place, int k, tg_dtype dtype, int64_t n, int64_t c,
                  const int64_t image[2])
{
    const int64_t h = image[0], w = image[1];
    return tg_plan_memory(plan, place, k, dtype, 4, (const int64_t[]){ n, c, h, w },
                          (const int64_t[]){ h * w * c, 1, w * c, c });
}

int tg_plan_packed(tg_onednn_plan *plan, int plain, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    tg_md md;
    if (!tg_plan_ok(plan, dnnl_success) || !tg_plan_ok(plan, tg_md_query(&md, pd, what))) return plain;
    if (!tg_md_equal(&md, &plan->slot[plain].md)) return new_slot(plan, TG_PACKED, 0, &md);
    tg_md_free(&md);
    return plain;
}

/* The primitives of a plan run one after the other, so their scratchpads share memory. */
static void add_scratchpad(tg_onednn_plan *plan, const_dnnl_primitive_desc_t pd, tg_plan_step *step)
{
    tg_md md;
    if (!tg_plan_ok(plan, tg_md_query(&md, pd, dnnl_query_scratchpad_md))) return;
    const size_t bytes = tg_md_bytes(&md);
    if (bytes > plan->scratchpad_bytes) plan->scratchpad_bytes = aligned(bytes);
    if (bytes) step->arg[step->n_args++] = (tg_plan_arg){ DNNL_ARG_SCRATCHPAD, new_slot(plan, TG_SCRATCHPAD, 0, &md) };
    else tg_md_free(&md);
}

static void append_step(tg_onednn_plan *plan, dnnl_primitive_desc_t pd, const tg_plan_arg *args)
{
    tg_plan_step *step = &plan->step[plan->n_steps];
    assert(plan->n_steps < TG_PLAN_STEPS);
    if (!tg_plan_ok(plan, dnnl_primitive_create(&step->primitive, pd))) return;
    plan->n_steps++;
    for (; args->arg; args++) step->arg[step->n_args++] = *args;
    add_scratchpad(plan, pd, step);
}

/* oneDNN always offers an implementation; its "ref" ones are slower than ours. */
static bool is_reference(const_dnnl_primitive_desc_t pd)
{
    const char *name = "";
    return !dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) && !strncmp(name, "ref", 3);
}

void tg_plan_append(tg_onednn_plan *plan, dnnl_primitive_desc_t pd, const tg_plan_arg *args)
{
    if (is_reference(pd)) tg_plan_ok(plan, dnnl_unimplemented);
    if (tg_plan_ok(plan, dnnl_success)) append_step(plan, pd, args);
    dnnl_primitive_desc_destroy(pd);
}

void tg_plan_reorder(tg_onednn_plan *plan, int from, int to)
{
    dnnl_primitive_desc_t pd;
    const tg_plan_slot *slot = plan->slot;
    if (from == to || !tg_plan_ok(plan, dnnl_success)) return;
    if (!tg_plan_ok(plan, tg_pd_reorder(&pd, plan->engine, &slot[from].md, &slot[to].md, plan->attr))) return;
    append_step(plan, pd, (const tg_plan_arg[]){ { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to }, { 0 } });
    dnnl_primitive_desc_destroy(pd);
}

static dnnl_status_t add_relu(dnnl_primitive_attr_t attr)
{
    dnnl_post_ops_t post_ops;
    dnnl_status_t status = dnnl_post_ops_create(&post_ops);
    if (status) return status;
    status = tg_append_relu(post_ops);
    if (!status) status = dnnl_primitive_attr_set_post_ops(attr, post_ops);
    dnnl_post_ops_destroy(post_ops);
    return status;
}

static bool make_attributes(tg_onednn_plan *plan)
{
    return tg_plan_ok(plan, dnnl_primitive_attr_create(&plan->attr)) &&
           tg_plan_ok(plan, dnnl_primitive_attr_set_scratchpad_mode(plan->attr, dnnl_scratchpad_mode_user)) &&
           tg_plan_ok(plan, dnnl_primitive_attr_clone(&plan->attr_relu, plan->attr)) &&
           tg_plan_ok(plan, add_relu(plan->attr_relu));
}

static void drop_attributes(tg_onednn_plan *plan)
{
    if (plan->attr) dnnl_primitive_attr_destroy(plan->attr);
    if (plan->attr_relu) dnnl_primitive_attr_destroy(plan->attr_relu);
    plan->attr = plan->attr_relu = NULL;
}

static bool takes_too_much(const tg_onednn_plan *plan)
{
    return plan->most_scratch && plan->packed_bytes + plan->scratchpad_bytes > plan->most_scratch;
}

typedef struct {
    tg_onednn_plan *plan;
    tg_onednn_build *build;
    const tg_onednn_shape *shape;
} build_request;

static void build_plan(void *context)
{
    const build_request *b = context;
    if (make_attributes(b->plan)) b->build(b->plan, b->shape);
    drop_attributes(b->plan);
}

bool tg_plan_make(tg_onednn_plan *plan, tg_onednn_build *build, const tg_onednn_shape *shape)
{
    build_request b = { plan, build, shape };
    plan->engine = tg_onednn_engine(&plan->refusal);
    if (plan->refusal) return true;
    if (!tg_with_openmp(tg_threads(), build_plan, &b)) plan->status = dnnl_out_of_memory;
    const bool no_memory = plan->status == dnnl_out_of_memory;
    if (plan->status) plan->refusal = "no oneDNN primitive for this shape";
    else if (takes_too_much(plan)) plan->refusal = "its scratch is out of proportion to the tensors";
    if (plan->refusal) tg_plan_clear(plan);
    return !no_memory;
}

void tg_plan_clear(tg_onednn_plan *plan)
{
    for (int i = 0; i < plan->n_steps; i++) dnnl_primitive_destroy(plan->step[i].primitive);
    for (int i = 0; i < plan->n_slots; i++) tg_md_free(&plan->slot[i].md);
    plan->n_steps = plan->n_slots = 0;
}

/* ---- leases ---- */

static bool fill_lease(tg_onednn_lease *lease)
{
    const tg_onednn_plan *plan = lease->plan;
    if (dnnl_stream_create(&lease->stream, plan->engine, dnnl_stream_default_flags)) return false;
    for (int i = 0; i < plan->n_slots; i++)
        if (plan->slot[i].place != TG_NOWHERE && tg_memory_new(&lease->memory[i], &plan->slot[i].md, plan->engine))
            return false;
    for (int i = 0; i < plan->n_steps; i++)
        for (int j = 0; j < plan->step[i].n_args; j++) {
            const tg_plan_arg *arg = &plan->step[i].arg[j];
            lease->arg[i][j] = (dnnl_exec_arg_t){ arg->arg, lease->memory[arg->slot] };
        }
    return true;
}

tg_onednn_lease *tg_lease_new(const tg_onednn_plan *plan)
{
    tg_onednn_lease *lease = tg_system_alloc(sizeof *lease);
    if (!lease) return NULL;
    lease->plan = plan;
    if (fill_lease(lease)) return lease;
    tg_lease_free(lease);
    return NULL;
}

void tg_lease_free(tg_onednn_lease *lease)
{
    if (!lease) return;
    for (int i = 0; i < TG_PLAN_SLOTS; i++)
        if (lease->memory[i]) dnnl_memory_destroy(lease->memory[i]);
    if (lease->stream) dnnl_stream_destroy(lease->stream);
    tg_system_free(lease);
}

tg_scratch tg_lease_scratch(const tg_onednn_lease *lease)
{
    return (tg_scratch){ .shared = lease->plan->packed_bytes + lease->plan->scratchpad_bytes };
}

static void *address(const tg_onednn_plan *plan, const tg_plan_slot *slot, const tg_call *c, void *scratch)
{
    switch (slot->place) {
    case TG_INPUT: return tg_ptr(c->in[slot->k]);
    case TG_OUTPUT: return tg_ptr(c->out[slot->k]);
    case TG_PACKED: return (char *)scratch + slot->offset;
    case TG_SCRATCHPAD: return (char *)scratch + plan->packed_bytes;
    default: return NULL;
    }
}

typedef struct {
    const tg_onednn_lease *lease;
    const tg_call *call;
    const tg_task *task;
} run_request;

static void run_lease(void *context)
{
    const run_request r = *(const run_request *)context;
    const tg_onednn_lease *lease = r.lease;
    const tg_onednn_plan *plan = lease->plan;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < plan->n_slots && !status; i++)
        if (lease->memory[i])
            status =
                dnnl_memory_set_data_handle(lease->memory[i], address(plan, &plan->slot[i], r.call, r.task->shared));
    for (int i = 0; i < plan->n_steps && !status; i++)
        status = dnnl_primitive_execute(plan->step[i].primitive, lease->stream, plan->step[i].n_args, lease->arg[i]);
    if (!status) status = dnnl_stream_wait(lease->stream);
    if (status) tg_fault_say(r.task->fault, r.task->index, "oneDNN failed with status %d", (int)status);
}

void tg_lease_run(const tg_onednn_lease *lease, const tg_call *c, const tg_task *task)
{
    run_request r = { lease, c, task };
    if (!tg_with_openmp(tg_threads(), run_lease, &r))
        tg_fault_say(task->fault, task->index, "oneDNN: no thread could be made for it in a forked process");
}
