/* layout.c - packed weights: kept with the weight, or packed into a call's scratch before it runs.  See tg_layout in
 * op.h. */
#include "clock.h"
#include "parallel.h"
#include "explain.h"
#include "trace.h"
#include <string.h>

/* ---- before a run ---- */

static tg_pack *kept_pack(tg_scope *s, tg_storage *t, const tg_packing *want)
{
    for (tg_pack *p = t->packs; p; p = p->next)
        if (p->layout == want->layout && !memcmp(p->key, want->key, sizeof p->key)) return p;
    void *data = tg_memory_take(&t->program->memory, want->bytes);
    tg_pack *p = data ? tg_alloc(t->scope, sizeof *p) : NULL;
    if (!p) {
        if (data) tg_memory_give(&t->program->memory, data, want->bytes);
        tg_fail(s, "out of memory: a weight in the layout %s, %zu bytes; nothing was run", want->layout->name,
                want->bytes);
        return NULL;
    }
    tg_memory_unpoison(data, want->bytes);
    *p = (tg_pack){ .layout = want->layout, .data = data, .bytes = want->bytes, .next = t->packs };
    memcpy(p->key, want->key, sizeof p->key);
    return t->packs = p;
}

bool tg_find_packing(tg_scope *s, tg_list *l, tg_call *c)
{
    tg_packing want = { 0 };
    if (c->kernel->layout) want.layout = c->kernel->layout(c, &want.input, want.key);
    if (!want.layout) return true;
    tg_storage *t = c->in[want.input]->storage;
    want.bytes = want.layout->bytes(c->in[want.input], want.key);
    if (t->keeps_packs && !(want.kept = kept_pack(s, t, &want))) return false;
    c->packing = tg_run_take(l, sizeof want);
    if (!c->packing) return tg_fail(s, "out of memory: the list of calls; nothing was run"), false;
    *c->packing = want;
    if (l->notes) tg_explain_packing(l, c);
    return true;
}

size_t tg_packing_bytes(const tg_call *c)
{
    return c->packing && !c->packing->kept ? (c->packing->bytes + 63) / 64 * 64 : 0;
}

/* ---- in a run ---- */

typedef struct {
    const tg_packing *packing;
    const tg_tensor *w;
    int64_t rows, step;
    void *to;
} job;

static void pack_rows(void *context, int64_t index, int worker)
{
    const job *j = context;
    const int64_t r0 = index * j->step, r1 = r0 + j->step;
    (void)worker;
    j->packing->layout->pack(j->w, j->packing->key, r0, r1 < j->rows ? r1 : j->rows, j->to);
}

const void *tg_pack_input(const tg_call *c)
{
    const tg_packing *packing = c->packing;
    if (!packing) return NULL;
    tg_pack *kept = packing->kept;
    const tg_tensor *w = c->in[packing->input];
    job j = { packing, w, w->dim[0], tg_rows_of_task(w), kept ? kept->data : c->scratch };
    if (kept) kept->used = true;
    if (kept && kept->filled && kept->version == w->storage->ran) return kept->data;
    double start = tg_trace_calls() ? tg_now_ms() : 0;
    tg_parallel((j.rows + j.step - 1) / j.step, pack_rows, &j);
    if (tg_trace_calls()) tg_trace_pack(c, packing->layout->name, w, tg_now_ms() - start);
    if (!kept) return c->scratch;
    kept->filled = true;
    kept->version = w->storage->ran;
    return kept->data;
}
