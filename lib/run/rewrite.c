/* rewrite.c - fusion: chains of calls become fused calls, by the rules of the operator that begins them.
 *
 * The list is the run's copy; the record, which backward differentiates, is not touched.  A chain is a sequence of
 * calls, each reading out[0] of the one before.  Outputs that are read outside the chain must be outputs of the fused
 * call. */
#include "explain.h"
#include <string.h>

enum { SPAN = TG_WINDOW * TG_MAX_CHAIN }; /* how many calls apart the ends of a chain may be */

/* ---- dependence ---- */

static bool touches(const tg_call *c, const tg_storage *t, bool reading_counts)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->storage == t && (reading_counts || tg_writes(c, k))) return true;
    TG_EACH_OUT(c, k)
        if (c->out[k]->storage == t) return true;
    return false;
}

/* b, recorded after a, must stay after it: read after write, write after read, write after write. */
static bool depends(const tg_call *b, const tg_call *a)
{
    TG_EACH_OUT(a, k)
        if (touches(b, a->out[k]->storage, true)) return true;
    TG_EACH_IN(a, k)
        if (touches(b, a->in[k]->storage, tg_writes(a, k))) return true;
    return false;
}

/* ---- finding a chain ---- */

static bool is_complete(const tg_list *l, const tg_chain *c)
{
    for (int j = 0; j < c->length; j++)
        TG_EACH_OUT(c->call[j], k) {
            const tg_storage *t = c->call[j]->out[k]->storage;
            if (tg_emitted_as(c->rule, j, k) < 0 && (tg_other_readers(c, j, k, t) > 0 || tg_wanted(l, t))) return false;
        }
    return true;
}

static bool find_link(const tg_list *l, tg_chain *c)
{
    const int j = c->length, from = c->at[j - 1];
    const tg_op *want = c->rule->chain[j];
    const tg_tensor *t = c->call[j - 1]->out[0];
    int end = from + TG_WINDOW < l->n ? from + TG_WINDOW : l->n;
    for (int i = from + 1; i < end; i++) {
        if (!l->at[i] || l->at[i]->op != want) continue;
        for (int k = 0; k < 1 + want->commutes; k++) {
            if (l->at[i]->in[k] != t) continue;
            c->at[j] = i;
            c->slot[j] = k;
            c->call[j] = l->at[i];
            c->length++;
            return true;
        }
    }
    return false;
}

static tg_outcome find_chain(const tg_list *l, const tg_rule *r, int i, tg_chain *c)
{
    *c = (tg_chain){ .rule = r, .length = 1, .at = { i }, .call = { l->at[i] } };
    while (r->chain[c->length])
        if (!find_link(l, c)) return TG_NO_LINK;
    if (!is_complete(l, c)) return TG_WANTED;
    return !r->fits || r->fits(c->call) ? TG_FUSED : TG_UNFIT;
}

/* ---- replacing it ---- */

static void take_inputs(tg_call *f, const tg_chain *c)
{
    int n = 0, nth = 0;
    for (int j = 0; j < c->length; j++)
        for (int k = 0; k < c->call[j]->op->n_in; k++) {
            if (j > 0 && k == c->slot[j]) continue;
            if (c->rule->drops & TG_BIT(nth++)) continue;
            f->in[n] = c->call[j]->in[k];
            f->in_version[n++] = c->call[j]->in_version[k];
        }
}

static tg_call *fused_call(tg_list *l, const tg_chain *c)
{
    const tg_rule *r = c->rule;
    const tg_call *last = c->call[c->length - 1];
    tg_call *f = tg_run_take(l, sizeof *f);
    if (!f) return NULL;
    *f = (tg_call){
        .op = r->fused,
        .attr = c->call[r->attr_of]->attr,
        .scope = last->scope,
        .where = c->call[0]->where,
        .name = tg_called(last),
        .again = last->again,
    };
    take_inputs(f, c);
    for (int k = 0; k < r->n_emit; k++) {
        int j = r->emit[k].link, o = r->emit[k].out;
        tg_tensor *t = c->call[j]->out[o];
        bool read = t && (j == c->length - 1 || tg_other_readers(c, j, o, t->storage) > 0 || tg_wanted(l, t->storage));
        f->out[k] = read || (t && !(f->op->optional_out & TG_BIT(k))) ? t : NULL;
    }
    return f;
}

/* Puts the fused call where the chain stood.  Calls in between that depend on the chain go behind it; if a later link
 * depends on one of those, the chain cannot be contracted. */
static bool contract(tg_list *l, tg_chain *c, tg_call *fused)
{
    tg_call *before[SPAN], *after[SPAN];
    int n_before = 0, n_after = 0, j = 0, from = c->at[0], to = c->at[c->length - 1] + 1;
    for (int i = from; i < to; i++) {
        tg_call *call = l->at[i];
        const tg_call *blocker = NULL;
        if (!call) continue;
        for (int a = 0; a < n_after && !blocker; a++)
            if (depends(call, after[a])) blocker = after[a];
        if (j < c->length && call == c->call[j]) {
            c->blocker = blocker;
            if (blocker) return false;
            j++;
            continue;
        }
        for (int b = 0; b < j && !blocker; b++)
            if (depends(call, c->call[b])) blocker = c->call[b];
        if (blocker) after[n_after++] = call;
        else before[n_before++] = call;
    }
    memset(l->at + from, 0, sizeof *l->at * (size_t)(to - from));
    while (n_after) l->at[--to] = after[--n_after];
    l->at[--to] = fused;
    while (n_before) l->at[--to] = before[--n_before];
    return true;
}

static bool fuse_at(tg_list *l, int i)
{
    for (const tg_rule *const *r = l->at[i]->op->rules; r && *r; r++) {
        tg_chain c;
        tg_call *fused = NULL;
        tg_outcome outcome = find_chain(l, *r, i, &c);
        if (outcome == TG_FUSED) {
            fused = fused_call(l, &c);
            if (!fused) return false;
            if (!contract(l, &c, fused)) outcome = TG_BLOCKED;
        }
        if (l->notes) tg_explain_chain(l, &c, outcome, fused);
        if (outcome == TG_FUSED) return true;
    }
    return true;
}

/* Optional outputs that nothing reads are not computed. */
static void drop_unread(tg_list *l)
{
    for (int i = 0; i < l->n; i++)
        TG_EACH_OUT(l->at[i], k) {
            const tg_storage *t = l->at[i]->out[k]->storage;
            if ((l->at[i]->op->optional_out & TG_BIT(k)) && !t->value->readers && !tg_wanted(l, t))
                l->at[i]->out[k] = NULL;
        }
}

static void close_gaps(tg_list *l)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (l->at[i]) l->at[n++] = l->at[i];
    l->n = n;
}

bool tg_rewrite(tg_list *l)
{
    tg_count_readers(l);
    for (int i = 0; i < l->n && l->program->options.fuse; i++)
        if (l->at[i] && !fuse_at(l, i)) return false;
    if (l->notes) tg_explain_rewrite(l);
    close_gaps(l);
    drop_unread(l);
    return true;
}
