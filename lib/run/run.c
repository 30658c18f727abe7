/* run.c - a run: copy the pending calls, rewrite, order, recompute, widen, prepare, find epilogues, plan, execute.
 *
 * All or nothing.  Whatever can fail for lack of resources comes before the first kernel, and then nothing has changed
 * and the calls stay pending.  A kernel can only fault on its data, and lasting writes come last. */
#include "run.h"
#include "steps.h"
#include "dispatch.h"
#include "parallel.h"
#include "pool.h"
#include "explain.h"
#include "trace.h"
#include "clock.h"

/* ---- copy ---- */

static bool any_failed(const tg_program *p)
{
    for (size_t i = p->ran; i < p->n; i++)
        if (!tg_ok(p->record[i]->scope)) return true;
    return false;
}

static void forget_versions(tg_program *p)
{
    for (size_t i = p->ran; i < p->n; i++)
        TG_EACH_IN(p->record[i], k) p->record[i]->in[k]->storage->version = p->record[i]->in[k]->storage->ran;
}

static void note_versions(tg_program *p)
{
    for (size_t i = p->ran; i < p->n; i++) {
        tg_call *c = p->record[i];
        TG_EACH_IN(c, k) c->in_version[k] = c->in[k]->storage->version;
        TG_EACH_IN(c, k) c->in[k]->storage->version += tg_writes(c, k);
    }
}

/* Calls of a failed scope never run; their writes count as never recorded. */
void tg_drop_failed(tg_program *p)
{
    if (!any_failed(p)) return;
    forget_versions(p);
    size_t kept = p->ran;
    for (size_t i = p->ran; i < p->n; i++) {
        tg_call *c = p->record[i];
        if (tg_ok(c->scope)) {
            p->record[kept++] = c;
            continue;
        }
        c->scope->calls--;
        TG_EACH_OUT(c, k) c->out[k]->storage->pending = false;
        if (c->taped && !c->walked) tg_uncount_savers(c);
    }
    p->n = kept;
    note_versions(p);
}

/* Makes values of what the pending calls use, and marks those that are read. */
static bool find_values(tg_list *l, uint32_t pass)
{
    const tg_program *const p = l->program;
    for (size_t i = p->ran; i < p->n; i++) {
        const tg_call *const c = p->record[i];
        TG_EACH_IN(c, k) {
            tg_storage *const t = c->in[k]->storage;
            if (!t->value && !tg_add_value(l, t)) return false;
            t->value->read = pass;
        }
        TG_EACH_OUT(c, k)
            if (!c->out[k]->storage->value && !tg_add_value(l, c->out[k]->storage)) return false;
    }
    return true;
}

static bool is_unread(const tg_call *c, uint32_t pass)
{
    const tg_storage *const t = c->out[0]->storage;
    return t->value->read != pass && !t->pinned;
}

static bool copy_pending(tg_list *l)
{
    tg_program *p = l->program;
    size_t n = p->n - p->ran;
    l->at = tg_run_take(l, sizeof *l->at * n);
    tg_call *copy = tg_run_take(l, sizeof *copy * n);
    const uint32_t pass = tg_new_pass(l);
    if (!l->at || !copy || !find_values(l, pass)) return false;
    for (size_t i = 0; i < n; i++) {
        const tg_call *c = p->record[p->ran + i];
        if (c->op->alias || (c->lazy && is_unread(c, pass))) continue;
        copy[l->n] = *c;
        l->at[l->n] = copy + l->n;
        l->n++;
    }
    tg_explain_begin(l);
    return true;
}

/* ---- prepare ---- */

static bool prepare(tg_scope *s, tg_list *l)
{
    for (int i = 0; i < l->n; i++) {
        tg_call *c = l->at[i];
        tg_fault fault = { .task = INT64_MAX };
        if (!c->kernel) c->kernel = tg_choose(c);
        if (tg_trace_dispatch()) tg_trace_choice(c);
        if (!c->kernel) return tg_fail_to_choose(s, c), false;
        if (c->kernel->prepare && !c->kernel->prepare(c, &fault))
            return tg_fail(s, "%s: %s: %s", c->op->name, c->kernel->name, fault.message), false;
        if (!tg_find_packing(s, l, c)) return false;
    }
    return true;
}

static bool observed(tg_scope *s, const tg_list *l)
{
    const tg_options *o = &l->program->options;
    bool go_on = true;
    for (int i = 0; o->observe && i < l->n; i++) go_on = o->observe(o->context, l->at[i]) && go_on;
    if (!go_on) tg_fail(s, "nothing was run: its observer only looks");
    return go_on;
}

/* ---- the end ---- */

/* After a fault: values that were not computed lose their memory, writes that did not happen their versions. */
static void give_up_rest(tg_list *l, int n)
{
    for (int i = l->n; i < n; i++) {
        tg_call *c = l->at[i];
        TG_EACH_OUT(c, k) {
            tg_storage *t = c->out[k]->storage;
            if (t->value->freed) t->data = NULL;
            else tg_storage_drop(t);
        }
        TG_EACH_IN(c, k)
            if (tg_writes(c, k)) c->in[k]->storage->version = c->in[k]->storage->ran;
    }
}

static void finish(tg_list *l)
{
    tg_program *p = l->program;
    for (const tg_value *v = l->values; v; v = v->next)
        if (v->freed) v->storage->data = NULL;
    for (; p->ran < p->n; p->ran++)
        TG_EACH_OUT(p->record[p->ran], k) {
            tg_storage *t = p->record[p->ran]->out[k]->storage;
            t->pending = false;
            if (t->outer && t->data) t->leaf = true; /* a gradient is a plain tensor from now on */
        }
}

static void fail_call(const tg_call *c, const tg_fault *fault)
{
    tg_fail_in(c->scope, c->where, "%s: %s", tg_called(c), fault->message);
}

static bool ready(tg_scope *s, tg_list *l)
{
    bool fits = copy_pending(l) && tg_rewrite(l) && tg_effects_last(l) && tg_recompute(l) && tg_widen_calls(l);
    if (!fits) tg_fail(s, "out of memory: the list of calls; nothing was run");
    if (!fits || !prepare(s, l)) return false;
    if (l->program->options.epilogues) tg_find_epilogues(l);
    tg_explain_end(l);
    if (!observed(s, l)) return false;
    if (tg_plan(l)) return true;
    tg_fail(s, "out of memory: the tensors of %d calls; nothing was run", l->n);
    return false;
}

void tg_hold(tg_tensor *t)
{
    if (t->storage) t->storage->pinned = true;
}

static void execute(tg_list *l)
{
    tg_fault fault = { .task = INT64_MAX };
    const int n = l->n;
    const tg_call *const wrong = tg_execute(l, &fault);
    if (wrong) give_up_rest(l, n);
    finish(l);
    if (wrong) fail_call(wrong, &fault);
    l->program->stats.runs++;
}

static void run_pending(tg_scope *s, bool middle)
{
    tg_program *const p = s->program;
    tg_list l = { .program = p, .middle = middle };
    const double start = tg_now_ms();
    tg_arena_reset(&p->run_arena);
    const bool is_ready = ready(s, &l);
    const double planned = tg_now_ms();
    p->stats.plan_ms += planned - start;
    if (is_ready) execute(&l);
    tg_forget_values(&l);
    if (is_ready) p->stats.run_ms += tg_now_ms() - planned;
}

void tg_run(tg_scope *s, bool middle)
{
    if (!tg_ok(s)) return;
    tg_program *p = s->program;
    if (p->running || p->ran == p->n) return;
    const int held = tg_hold_threads(tg_threads());
    p->running = true;
    tg_drop_failed(p);
    if (p->ran < p->n) run_pending(s, middle);
    p->running = false;
    tg_hold_threads(held);
}
