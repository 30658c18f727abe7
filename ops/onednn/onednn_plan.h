/* onednn_plan.h - what oneDNN needs to compute one operator on one shape.
 *
 * A plan has steps, the primitives in execution order (reorder the weights, convolve), and slots: for each of their
 * arguments its format and its location, in an input or output of the call or in the call's scratch. A kernel is a
 * function that builds plans; everything else is shared.
 *
 * A plan is immutable once built. What a running call changes, the addresses in oneDNN's memory objects, is in a lease,
 * so any number of threads can run one plan, each with its own lease. */
#ifndef TG_ONEDNN_PLAN_H
#define TG_ONEDNN_PLAN_H
#include "dnnl_shim.h"
#include "op.h"

/* What a plan depends on. All int64_t, so that two can be compared as bytes. A builder uses what it needs; the rest is
 * 0. Pairs are {vertical, horizontal}. */
typedef struct {
    int64_t n, ic, oc, groups;
    int64_t image[2], out[2], kernel[2], stride[2], pad[2], dilation[2];
    int64_t option; /* bits defined by the builder: has a bias ... */
} tg_onednn_shape;

enum { TG_PLAN_SLOTS = 16, TG_PLAN_STEPS = 5, TG_PLAN_ARGS = 6 };
typedef enum { TG_NOWHERE, TG_INPUT, TG_OUTPUT, TG_PACKED, TG_SCRATCHPAD } tg_place;
typedef struct {
    int arg, slot;
} tg_plan_arg; /* DNNL_ARG_SRC and the like, and the slot bound to it */

typedef struct {
    tg_md md;
    tg_place place;
    int k;         /* number of the input or output */
    size_t offset; /* TG_PACKED: into the call's scratch */
} tg_plan_slot;

typedef struct {
    dnnl_primitive_t primitive;
    int n_args;
    tg_plan_arg arg[TG_PLAN_ARGS];
} tg_plan_step;

typedef struct tg_onednn_lease tg_onednn_lease;
typedef struct {
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attr, attr_relu; /* only while building */
    dnnl_status_t status;                  /* the first failure */
    const char *refusal;                   /* why oneDNN cannot serve this shape; NULL: it can */
    int n_slots, n_steps;
    tg_plan_slot slot[TG_PLAN_SLOTS];
    tg_plan_step step[TG_PLAN_STEPS];
    size_t packed_bytes; /* of scratch; then the primitives' own scratchpads, which share memory */
    size_t scratchpad_bytes;
    size_t most_scratch; /* a builder's limit on the sum of both; 0: none */
} tg_onednn_plan;
typedef void tg_onednn_build(tg_onednn_plan *plan, const tg_onednn_shape *shape);

/* Fills a zeroed plan. False: no memory, and nothing is left allocated. A refusal is a success. */
bool tg_plan_make(tg_onednn_plan *plan, tg_onednn_build *build, const tg_onednn_shape *shape);
void tg_plan_clear(tg_onednn_plan *plan);

/* ---- for builders; no-ops after the first failure ---- */

/* A new slot. k: number of the input or output. stride NULL: any format that oneDNN chooses. */
int tg_plan_memory(tg_onednn_plan *plan, tg_place place, int k, tg_dtype dtype, int rank, const int64_t *dim,
                   const int64_t *stride);
/* Our [n, h, w, c], which oneDNN calls n, c, h, w with the strides of nhwc. */
int tg_plan_image(tg_onednn_plan *plan, tg_place place, int k, tg_dtype dtype, int64_t n, int64_t c,
                  const int64_t image[2]);
/* The slot `plain` itself if it has the format that pd wants for `what`, otherwise a new one in scratch. */
int tg_plan_packed(tg_onednn_plan *plan, int plain, const_dnnl_primitive_desc_t pd, dnnl_query_t what);
/* Whether everything has succeeded so far, this status included. */
bool tg_plan_ok(tg_onednn_plan *plan, dnnl_status_t status);
/* Appends the primitive that pd describes; destroys pd. args end with {0}. */
void tg_plan_append(tg_onednn_plan *plan, dnnl_primitive_desc_t pd, const tg_plan_arg *args);
void tg_plan_reorder(tg_onednn_plan *plan, int from, int to); /* nothing if they are equal */

/* ---- leases ---- */
struct tg_onednn_lease {
    const tg_onednn_plan *plan;
    dnnl_stream_t stream;
    dnnl_memory_t memory[TG_PLAN_SLOTS];
    dnnl_exec_arg_t arg[TG_PLAN_STEPS][TG_PLAN_ARGS];
    tg_onednn_lease *next; /* free list */
};
tg_onednn_lease *tg_lease_new(const tg_onednn_plan *plan); /* NULL: no memory */
void tg_lease_free(tg_onednn_lease *lease);                /* NULL: no-op */
tg_scratch tg_lease_scratch(const tg_onednn_lease *lease);
void tg_lease_run(const tg_onednn_lease *lease, const tg_call *c, const tg_task *task);
#endif
