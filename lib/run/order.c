/* order.c - writes go to the end of the list, so that a kernel that faults on its data leaves parameters untouched.
 *
 * First come the calls that depend on no write, in recorded order, then the others, in theirs; among these, writes on
 * which nothing depends sink to the end. */
#include "steps.h"

/* ---- calls that depend on no write come first ---- */

static bool depends_on_a_write(const tg_call *c, uint32_t pass)
{
    if (c->op->writes) return true;
    TG_EACH_IN(c, k)
        if (c->in[k]->storage->value->written == pass) return true;
    return false;
}

static void mark_writes(const tg_call *c, uint32_t pass)
{
    TG_EACH_IN(c, k)
        if (tg_writes(c, k)) c->in[k]->storage->value->written = pass;
    TG_EACH_OUT(c, k) c->out[k]->storage->value->written = pass;
}

static bool independent_first(tg_list *l)
{
    const uint32_t pass = tg_new_pass(l);
    tg_call **const dependent = tg_run_take(l, sizeof *dependent * (size_t)l->n);
    int n = 0, to = 0;
    if (!dependent) return false;
    for (int i = 0; i < l->n; i++) {
        tg_call *const c = l->at[i];
        if (!depends_on_a_write(c, pass)) {
            l->at[to++] = c;
            continue;
        }
        mark_writes(c, pass);
        dependent[n++] = c;
    }
    for (int i = 0; i < n; i++) l->at[to + i] = dependent[i];
    return true;
}

/* ---- writes on which nothing depends sink to the end ---- */

/* From the last call to the first: a call that stays, and runs later than those still to come, uses these values. */
static void mark_uses(const tg_call *c, uint32_t pass)
{
    TG_EACH_IN(c, k)
        if (!tg_writes(c, k)) c->in[k]->storage->value->read = pass;
    mark_writes(c, pass);
}

static bool is_awaited(const tg_call *c, uint32_t pass)
{
    TG_EACH_IN(c, k) {
        const tg_value *const v = c->in[k]->storage->value;
        if (v->written == pass || (tg_writes(c, k) && v->read == pass)) return true;
    }
    TG_EACH_OUT(c, k)
        if (c->out[k]->storage->value->read == pass) return true;
    return false;
}

static bool sink_writes(tg_list *l)
{
    const uint32_t pass = tg_new_pass(l);
    tg_call **const sunk = tg_run_take(l, sizeof *sunk * (size_t)l->n);
    int to = l->n, n = 0;
    if (!sunk) return false;
    for (int i = l->n - 1; i >= 0; i--) {
        tg_call *const c = l->at[i];
        if (c->op->writes && !is_awaited(c, pass)) {
            sunk[n++] = c;
            continue;
        }
        mark_uses(c, pass);
        l->at[--to] = c;
    }
    for (int i = to; i < l->n; i++) l->at[i - to] = l->at[i];
    for (int i = l->n - to; n; i++) l->at[i] = sunk[--n];
    return true;
}

bool tg_effects_last(tg_list *l) { return independent_first(l) && sink_writes(l); }
