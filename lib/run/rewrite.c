/* rewrite.c - chains of calls become fused calls, by the rules of the operator that begins them.
 *
 * The list is the run's copy: the record, which backward differentiates, is not touched.  A chain is a sequence of
 * calls, each reading out[0] of the one before.  What somebody wants of a chain must be an output of the fused call. */
#include "steps.h"
#include <string.h>

enum { WINDOW = 32, SPAN = WINDOW * TG_MAX_CHAIN }; /* how far apart two links, and the ends of a chain, may be */

typedef struct {
    const tg_rule *rule;
    int length;
    int at[TG_MAX_CHAIN], slot[TG_MAX_CHAIN]; /* places in the list; the input that links to the one before */
} chain;

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

static int emitted_as(const tg_rule *r, int link, int out)
{
    for (int k = 0; k < r->n_emit; k++)
        if (r->emit[k].link == link && r->emit[k].out == out) return k;
    return -1;
}

/* Readers of out[k] of link j outside of the chain. */
static int other_readers(const chain *c, int j, int k, const tg_storage *t)
{
    return t->value->readers - (k == 0 && j + 1 < c->length);
}

static bool nobody_misses(const tg_list *l, const chain *c)
{
    for (int j = 0; j < c->length; j++) {
        const tg_call *call = l->at[c->at[j]];
        TG_EACH_OUT(call, k) {
            const tg_storage *t = call->out[k]->storage;
            if (emitted_as(c->rule, j, k) < 0 && (other_readers(c, j, k, t) > 0 || tg_wanted(l, t))) return false;
        }
    }
    return true;
}

static bool find_link(const tg_list *l, chain *c, int j)
{
    const tg_op *want = c->rule->chain[j];
    const tg_tensor *t = l->at[c->at[j - 1]]->out[0];
    int end = c->at[j - 1] + WINDOW < l->n ? c->at[j - 1] + WINDOW : l->n;
    for (int i = c->at[j - 1] + 1; i < end; i++) {
        if (!l->at[i] || l->at[i]->op != want) continue;
        for (int k = 0; k < 1 + want->commutes; k++) {
            if (l->at[i]->in[k] != t) continue;
            c->at[j] = i;
            c->slot[j] = k;
            return true;
        }
    }
    return false;
}

static bool find_chain(const tg_list *l, const tg_rule *r, int i, chain *c)
{
    *c = (chain){ .rule = r, .length = 1, .at = { i } };
    for (; r->chain[c->length]; c->length++)
        if (!find_link(l, c, c->length)) return false;
    const tg_call *calls[TG_MAX_CHAIN];
    for (int j = 0; j < c->length; j++) calls[j] = l->at[c->at[j]];
    return nobody_misses(l, c) && (!r->fits || r->fits(calls));
}

/* ---- replacing it ---- */

static tg_call *fused_call(tg_list *l, const chain *c)
{
    const tg_rule *r = c->rule;
    const tg_call *last = l->at[c->at[c->length - 1]];
    tg_call *f = tg_run_take(l, sizeof *f);
    if (!f) return NULL;
    *f = (tg_call){
        .op = r->fused,
        .attr = l->at[c->at[r->attr_of]]->attr,
        .scope = last->scope,
        .where = l->at[c->at[0]]->where,
        .name = tg_called(last),
        .again = last->again,
    };
    int n = 0, nth = 0;
    for (int j = 0; j < c->length; j++) {
        const tg_call *call = l->at[c->at[j]];
        for (int k = 0; k < call->op->n_in; k++) {
            if (j > 0 && k == c->slot[j]) continue;
            if (r->drops & TG_BIT(nth++)) continue;
            f->in[n] = call->in[k];
            f->in_version[n++] = call->in_version[k];
        }
    }
    for (int k = 0; k < r->n_emit; k++) {
        int j = r->emit[k].link, o = r->emit[k].out;
        tg_tensor *t = l->at[c->at[j]]->out[o];
        bool missed = t && (j == c->length - 1 || other_readers(c, j, o, t->storage) > 0 || tg_wanted(l, t->storage));
        f->out[k] = missed || (t && !(f->op->optional_out & TG_BIT(k))) ? t : NULL;
    }
    return f;
}

/* Puts the fused call where the chain stood.  Calls in between that depend on the chain go behind it; if a later link
 * depends on one of those the chain cannot be contracted. */
static bool contract(tg_list *l, const chain *c, tg_call *fused)
{
    tg_call *before[SPAN], *after[SPAN];
    int n_before = 0, n_after = 0, j = 0, from = c->at[0], to = c->at[c->length - 1] + 1;
    for (int i = from; i < to; i++) {
        tg_call *call = l->at[i];
        bool late = false;
        if (!call) continue;
        for (int a = 0; a < n_after && !late; a++) late = depends(call, after[a]);
        if (j < c->length && i == c->at[j]) {
            if (late) return false;
            j++;
            continue;
        }
        for (int b = 0; b < j && !late; b++) late = depends(call, l->at[c->at[b]]);
        if (late) after[n_after++] = call;
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
        chain c;
        if (!find_chain(l, *r, i, &c)) continue;
        tg_call *fused = fused_call(l, &c);
        if (!fused) return false;
        if (!contract(l, &c, fused)) continue;
        return true;
    }
    return true;
}

/* Optional outputs that nobody wants are not computed. */
static void drop_unwanted(tg_list *l)
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
    close_gaps(l);
    drop_unwanted(l);
    return true;
}
