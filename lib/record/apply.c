/* apply.c - records calls of operators: checks the inputs, infers the outputs, notes versions, appends to the record.
 * Nothing is computed here except in eager mode.  See op.h for the operators' interface, core.h for the structures. */
#include "core.h"
#include "system.h"
#include "clock.h"
#include <string.h>

/* ---- appending ---- */

tg_call *tg_append(const tg_call *c)
{
    tg_program *p = c->scope->program;
    tg_call *own = tg_alloc(c->scope, sizeof *own);
    if (!own) return NULL;
    if (!tg_system_grow((void **)&p->record, &p->capacity, p->n + 1, sizeof *p->record))
        return tg_fail(c->scope, "out of memory: the record of calls"), NULL;
    *own = *c;
    TG_EACH_IN(own, k) own->in_version[k] = own->in[k]->storage->version;
    TG_EACH_IN(own, k) own->in[k]->storage->version += tg_writes(own, k);
    p->record[p->n++] = own;
    own->scope->calls++;
    if (own->op->alias) {
        if (!own->again) own->out[0]->node->made = own;
        return own;
    }
    TG_EACH_OUT(own, k) {
        own->out[k]->storage->pending = true;
        if (!own->again) own->out[k]->node->made = own->out[k]->storage->made = own;
    }
    return own;
}

/* The inputs of c still have the values that c read. */
static bool inputs_unmodified(tg_scope *s, const tg_call *c)
{
    TG_EACH_IN(c, k) {
        if (c->in[k]->storage->version == c->in_version[k] || tg_writes(c, k)) continue;
        tg_fail_in(s, c->where, "%s: its result was not kept, and its input %d was written after the call",
                   tg_called(c), k);
        return false;
    }
    return true;
}

static bool is_available(const tg_tensor *t) { return t->storage->data || t->storage->pending || t->storage->leaf; }

/* An input of c that has to be recomputed first; NULL: none. */
static tg_tensor *missing_input(const tg_call *c)
{
    TG_EACH_IN(c, k)
        if (!is_available(c->in[k])) return c->in[k];
    return NULL;
}

static bool record_again(tg_scope *s, const tg_call *c)
{
    tg_call again = *c;
    again.taped = false;
    again.again = true;
    again.segment = 0;
    again.lazy = false;
    s->program->stats.again++;
    return tg_append(&again);
}

static bool push_needed(tg_scope *s, size_t n, tg_tensor *t)
{
    tg_program *p = s->program;
    if (!t->storage->made) return tg_fail(s, "the tensor was consumed by an update"), false;
    if (!inputs_unmodified(s, t->storage->made)) return false;
    if (!tg_system_grow((void **)&p->needed, &p->needed_capacity, n + 1, sizeof *p->needed))
        return tg_fail(s, "out of memory: the record of calls"), false;
    p->needed[n] = t;
    return true;
}

/* Iterative: a chain of released values may be too long for recursion. */
bool tg_need(tg_scope *s, tg_tensor *t)
{
    if (!tg_ok(s)) return false;
    if (is_available(t)) return true;
    if (!push_needed(s, 0, t)) return false;
    for (size_t n = 1; n;) {
        const tg_call *made = s->program->needed[n - 1]->storage->made;
        tg_tensor *missing = missing_input(made);
        if (missing ? !push_needed(s, n, missing) : !record_again(s, made)) return false;
        n = missing ? n + 1 : n - 1;
    }
    return true;
}

/* ---- values saved for backward ---- */

/* A value is saved for backward if the operator's mask names it; in a segment of tg_checkpoint, only if it comes from
 * outside the segment. */
static bool is_saved(const tg_call *c, const tg_tensor *t, bool masked)
{
    if (!c->segment) return masked;
    return !t->node->made || t->node->made->segment != c->segment;
}

static void count_savers(const tg_call *c, int by)
{
    TG_EACH_IN(c, k) c->in[k]->storage->savers += is_saved(c, c->in[k], c->op->saves_in & TG_BIT(k)) ? by : 0;
    if (!c->segment)
        TG_EACH_OUT(c, k) c->out[k]->storage->savers += c->op->saves_out & TG_BIT(k) ? by : 0;
}

void tg_uncount_savers(const tg_call *c) { count_savers(c, -1); }

/* ---- checking ---- */

/* The reason why calls in s cannot read t; NULL: they can. */
static const char *input_trouble(const tg_scope *s, const tg_tensor *t)
{
    if (!t) return "is NULL";
    if (!t->storage) return "has no elements: it comes from a failed scope";
    if (t->storage->program != s->program) return "belongs to another tree of scopes";
    if (tg_is_ancestor(t->storage->scope, s)) return NULL;
    return "belongs to a scope that ends before this one; make it in this scope or one above, or continue in a child of "
           "its scope (tg_copy keeps its values, but cuts the gradient)";
}

bool tg_can_read(const tg_scope *s, const tg_tensor *t) { return tg_ok(s) && !input_trouble(s, t); }

static bool check_inputs(tg_scope *s, const tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++) {
        const tg_tensor *t = c->in[k];
        if (!t && (c->op->optional_in & TG_BIT(k))) continue;
        const char *trouble = input_trouble(s, t);
        if (trouble) return tg_fail(s, "%s: input %d %s", tg_called(c), k, trouble), false;
        tg_settle_edit(t->storage);
        if (tg_writes(c, k) && !t->storage->leaf && !t->storage->outer)
            return tg_fail(s, "%s: input %d is written, want a leaf", tg_called(c), k), false;
    }
    return true;
}

static bool wants_tape(const tg_scope *s, const tg_call *c)
{
    if (!s->modes.grad || !c->op->backward || s->program->walking) return false;
    TG_EACH_IN(c, k)
        if (c->in[k]->node->needs_grad) return true;
    return false;
}

static bool copy_attr(tg_scope *s, tg_call *c, const void *attr)
{
    if (!c->op->attr_size) return true;
    void *own = tg_alloc(s, c->op->attr_size);
    if (own) c->attr = memcpy(own, attr, c->op->attr_size);
    return own;
}

static bool own_handles(tg_scope *s, tg_call *c)
{
    TG_EACH_IN(c, k) {
        const tg_tensor *t = c->in[k];
        if (t->node->lent) c->in[k] = tg_tensor_on(s, t->storage, t->dtype, t->rank, t->dim);
    }
    return tg_ok(s);
}

static tg_tensor *record(tg_scope *s, const tg_op *op, tg_tensor *const in[], const void *attr)
{
    tg_program *p = s->program;
    tg_call c = {
        .op = op,
        .scope = s,
        .name = p->calling,
        .segment = p->segment,
        .where = p->walking ? p->walking : tg_where_now(p),
    };
    memcpy(c.in, in, sizeof *in * (size_t)op->n_in);
    if (!check_inputs(s, &c) || !copy_attr(s, &c, attr) || !own_handles(s, &c)) return tg_nil();
    if (s->modes.autocast && op->casts && !p->walking) tg_cast_inputs(s, &c);
    p->inferring = tg_called(&c);
    op->infer(s, &c);
    p->inferring = NULL;
    if (!tg_ok(s)) return tg_nil();
    TG_EACH_IN(&c, k)
        if (!tg_need(s, c.in[k])) return tg_nil();
    c.taped = wants_tape(s, &c);
    tg_call *own = tg_append(&c);
    if (!own) return tg_nil();
    TG_EACH_OUT(own, k) own->out[k]->node->needs_grad = own->taped;
    if (own->taped) count_savers(own, 1);
    return own->out[0] ? own->out[0] : tg_nil();
}

static bool usable(tg_scope *s, const tg_op *op, tg_tensor *const in[], const void *attr)
{
    if (!op) return tg_fail(s, "apply: the operator is NULL"), false;
    if (op->n_in && !in) return tg_fail(s, "%s: the inputs are NULL", op->name), false;
    if (op->attr_size && !attr) return tg_fail(s, "%s: the attributes are NULL", op->name), false;
    return true;
}

tg_tensor *tg_apply(tg_scope *s, const tg_op *op, tg_tensor *const in[], const void *attr)
{
    if (!tg_ok(s) || !usable(s, op, in, attr)) return tg_nil();
    if (s->program->n - s->program->ran >= TG_MAX_PENDING) tg_run(s, true); /* here no call is half recorded */
    double start = tg_now_ms();
    tg_tensor *out = record(s, op, in, attr);
    s->program->stats.record_ms += tg_now_ms() - start;
    if (s->program->options.eager && tg_ok(s)) tg_run(s, true);
    return tg_ok(s) ? out : tg_nil();
}

const char *tg_call_as(tg_scope *s, const char *name)
{
    if (!s) return NULL;
    const char *was = s->program->calling;
    if (!was) s->program->calling = name;
    return was;
}

tg_tensor *tg_called_as(tg_scope *s, const char *was, tg_tensor *result)
{
    if (s) s->program->calling = was;
    return result;
}

tg_tensor *tg_output(tg_tensor *first, int k)
{
    const tg_call *c = first ? first->node->made : NULL;
    return c && k >= 0 && k < c->op->n_out && c->out[k] ? c->out[k] : tg_nil();
}
