/* execute.c - runs the planned list, without allocating. */
#include "steps.h"
#include "parallel.h"
#include "trace.h"
#include "clock.h"
#include <assert.h>

/* A phase of fewer tasks does not stream through its data. */
enum { FEW_TASKS = 16 };

typedef struct {
    const tg_call *call;
    const void *packed;
    char *shared;
    tg_fault *fault;
    int phase, step;
    bool last;      /* the last phase of a call with an epilogue ... */
    tg_parts parts; /* ... the elements that its tasks make and take ... */
    size_t room;    /* ... and the offset in a worker's scratch of what a task makes */
    char *workers;  /* their scratch, worker_bytes each */
    size_t worker_bytes;
} phase_context;

static void run_task(void *context, int64_t index, int worker)
{
    const phase_context *p = context;
    char *const scratch = p->workers ? p->workers + p->worker_bytes * (size_t)worker : NULL;
    const tg_task task = {
        .phase = p->phase,
        .index = index,
        .step = p->step,
        .worker = worker,
        .shared = p->shared,
        .packed = p->packed,
        .scratch = scratch,
        .fault = p->fault,
    };
    if (p->last) tg_run_with_epilogue(p->call, &p->parts, &task, scratch + p->room);
    else p->call->kernel->run(p->call, &task);
}

/* Phases alternate in direction: each begins with what the one before left in the cache. */
static void run_phase(phase_context *p, int64_t n, int *direction)
{
    if (n > FEW_TASKS) *direction = -*direction;
    p->step = *direction;
    (p->step > 0 ? tg_parallel : tg_parallel_backwards)(n, run_task, p);
}

static void run_call(const tg_call *c, tg_fault *fault, int *direction)
{
    phase_context p = { .call = c, .fault = fault, .packed = tg_pack_input(c) };
    size_t all = tg_scratch_bytes(c, &p.worker_bytes);
    p.shared = c->scratch ? (char *)c->scratch + tg_packing_bytes(c) : NULL;
    p.workers = c->scratch ? (char *)c->scratch + all - p.worker_bytes * (size_t)tg_threads() : NULL;
    p.room = p.worker_bytes - tg_epilogue_bytes(c);
    if (c->epilogue) p.parts = tg_parts_of(c);
    if (!c->kernel->tasks) {
        run_task(&p, 0, 0);
        return;
    }
    for (int64_t n; (n = c->kernel->tasks(c, p.phase)) > 0 && !tg_faulted(fault); p.phase++) {
        p.last = c->epilogue && c->kernel->tasks(c, p.phase + 1) == 0;
        run_phase(&p, n, direction);
    }
}

static void run_traced(const tg_call *c, tg_fault *fault, int *direction)
{
    double start = tg_now_ms();
    if (!c->is_epilogue) run_call(c, fault, direction);
    tg_trace_call(c, tg_now_ms() - start);
}

/* In AddressSanitizer builds, memory that a call must not touch is poisoned. */
static void open_memory(const tg_call *c)
{
    size_t worker;
    TG_EACH_OUT(c, k)
        if (c->out[k]->storage->data) tg_memory_unpoison(c->out[k]->storage->data, c->out[k]->storage->bytes);
    if (c->scratch) tg_memory_unpoison(c->scratch, tg_scratch_bytes(c, &worker));
    if (c->epilogue) open_memory(c->epilogue);
}

static void close_memory(const tg_call *c, int i)
{
    size_t worker;
    if (c->scratch) tg_memory_poison(c->scratch, tg_scratch_bytes(c, &worker));
    TG_EACH_IN(c, k) {
        const tg_value *const v = c->in[k]->storage->value;
        if (v->last_use == i && v->freed && !v->moved) tg_memory_poison(v->storage->data, v->storage->bytes);
    }
    TG_EACH_OUT(c, k) {
        const tg_value *const v = c->out[k]->storage->value;
        if (v->last_use == i && v->freed) tg_memory_poison(v->storage->data, v->storage->bytes);
    }
}

static void note_writes(const tg_call *c)
{
    TG_EACH_IN(c, k) c->in[k]->storage->ran += tg_writes(c, k);
    if (c->kernel->repacks) tg_note_repacked(c->in[0]->storage);
}

static bool versions_match(const tg_call *c)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->storage->ran != c->in_version[k]) return false;
    return true;
}

tg_call *tg_execute(tg_list *l, tg_fault *fault)
{
    bool traced = tg_trace_calls();
    int direction = 1;
    for (int i = 0; i < l->n; i++) {
        tg_call *c = l->at[i];
        assert(versions_match(c));
        (void)versions_match;
        open_memory(c);
        if (traced) run_traced(c, fault, &direction);
        else if (!c->is_epilogue) run_call(c, fault, &direction);
        close_memory(c, i);
        if (tg_faulted(fault)) {
            l->n = i; /* calls that have run */
            return c;
        }
        note_writes(c);
        l->program->stats.calls++;
    }
    return NULL;
}
