/* recompute.c - rematerialisation: cheap activations are computed again shortly before backward reads them, instead of
 * being kept.
 *
 * A training step's memory peaks where forward ends and backward begins.  A value that lives across that peak becomes
 * two if its operator can compute it again (tg_op.remade_by) from values that live there anyway: readers before the
 * peak keep the first, readers after it get a second copy, computed just before the first of them.  Both have the same
 * bits: same kernels, same inputs, none written in between.
 *
 * Only where it pays: the run must hold much, and the late readers must compute so much for each byte that reading and
 * writing it once more does not matter. */
#include "explain.h"

enum {
    LEAST_HELD = 48 << 20, /* bytes at the peak: less may fit in the L3 cache */
    FLOPS_PER_BYTE = 40,   /* of the late readers, for each byte that computing the value again moves */
    LEAST_GAP = 16,        /* calls between the last early and the first late reader */
    MOST_PASSES = 4,       /* a run may have several peaks: micro-batches */
};

typedef struct tg_remat {       /* the second copy of out[0] of a call */
    int last_early, first_late; /* readers up to the peak, and after it; first_late 0: none */
    double flops;               /* of the late readers */
    tg_storage *storage;        /* NULL: not computed again */
    tg_call *call;              /* computes it ... */
    struct tg_remat *next;      /* ... as does the next one, before the same reader */
} tg_remat;

typedef struct {
    tg_list *list;
    bool all;                    /* whether or not it pays */
    int peak;                    /* the call at which most is held */
    int64_t held;                /* bytes, of what the run allocates and frees */
    tg_remat *remat, **inserted; /* for each call: of its out[0]; those computed before it */
    int n;                       /* second copies */
} work;

/* ---- where the peak is ---- */

static bool find_peak(work *w)
{
    const tg_list *l = w->list;
    int64_t *change = tg_run_take(w->list, sizeof *change * ((size_t)l->n + 1)), now = 0;
    if (!change) return false;
    w->held = w->peak = 0;
    for (int i = 0; i < l->n; i++) {
        TG_EACH_OUT(l->at[i], k) {
            const tg_storage *t = l->at[i]->out[k]->storage;
            if (!tg_dies(l, t)) continue;
            now += (int64_t)t->bytes;
            change[t->value->last_use + 1] -= (int64_t)t->bytes;
        }
        now += change[i];
        if (now <= w->held) continue;
        w->held = now;
        w->peak = i;
    }
    return true;
}

/* ---- readers before and after the peak ---- */

static tg_remat *remat_of(const tg_tensor *t) { return t->storage->value->remat; }

static bool is_candidate(const tg_list *l, const tg_call *c)
{
    return c->op->remade_by && c->out[0] && tg_dies(l, c->out[0]->storage);
}

static void note_use(const work *w, const tg_call *c, int i)
{
    double flops = i > w->peak && c->op->flops ? c->op->flops(c) : 0;
    TG_EACH_IN(c, k) {
        tg_remat *const r = remat_of(c->in[k]);
        if (!r) continue;
        if (i <= w->peak) r->last_early = i;
        else if (!r->first_late) r->first_late = i;
        r->flops += flops;
    }
}

static bool find_uses(work *w)
{
    const tg_list *l = w->list;
    w->remat = tg_run_take(w->list, sizeof *w->remat * (size_t)l->n);
    w->inserted = tg_run_take(w->list, sizeof *w->inserted * (size_t)l->n);
    if (!w->remat || !w->inserted) return false;
    for (int i = 0; i <= w->peak; i++) {
        w->remat[i].last_early = i;
        if (is_candidate(l, l->at[i])) l->at[i]->out[0]->storage->value->remat = w->remat + i;
    }
    for (int i = 0; i < l->n; i++) note_use(w, l->at[i], i);
    return true;
}

static void forget_uses(const tg_list *l)
{
    for (tg_value *v = l->values; v; v = v->next) v->remat = NULL;
}

/* ---- which values are computed again ---- */

/* Input k of the call that computes c's value again: c's inputs, then its outputs from 1 on. */
static tg_tensor *input_again(const tg_call *c, int k)
{
    return k < c->op->n_in ? c->in[k] : c->out[k - c->op->n_in + 1];
}

static bool written_between(const tg_list *l, const tg_storage *t, int from, int to)
{
    for (int i = from; i < to; i++)
        if (l->at[i]->op->writes)
            TG_EACH_IN(l->at[i], k)
                if (l->at[i]->in[k]->storage == t && tg_writes(l->at[i], k)) return true;
    return false;
}

/* Why its inputs are not there, alive and unchanged, when call `at` runs; NULL: they are. */
static const char *reject_inputs(const work *w, const tg_call *c, int i, int at)
{
    const tg_list *const l = w->list;
    for (int k = 0; k < c->op->remade_by->n_in; k++) {
        const tg_tensor *t = input_again(c, k);
        if (!t && k < c->op->n_in) continue;
        if (!t || (t->storage->value->last_use < at && tg_dies(l, t->storage))) return "its inputs are not kept either";
        if (written_between(l, t->storage, i, at)) return "its inputs are overwritten before backward";
    }
    return NULL;
}

static const char *reject_cost(const work *w, const tg_call *c, const tg_remat *r)
{
    double moved = (double)c->out[0]->storage->bytes;
    for (int k = 0; k < c->op->remade_by->n_in; k++)
        if (input_again(c, k)) moved += (double)input_again(c, k)->storage->bytes;
    if (w->all) return NULL;
    if (r->first_late - r->last_early < LEAST_GAP) return "backward reads it too soon after forward";
    return r->flops >= FLOPS_PER_BYTE * moved ? NULL : "backward computes too little with it";
}

/* Why the value of call i is kept; NULL: it is computed again. */
static const char *reject(const work *w, int i)
{
    const tg_call *const c = w->list->at[i];
    const tg_remat *const r = w->remat + i;
    if (!r->first_late)
        return is_candidate(w->list, c) ? "nothing reads it after the peak" : "it may be read after the run";
    const char *const why = reject_cost(w, c, r);
    return why ? why : reject_inputs(w, c, i, r->first_late);
}

/* ---- computing them again ---- */

/* t, or another view of its elements, on the second copy. */
static tg_tensor *on_second(work *w, const tg_remat *r, const tg_tensor *t)
{
    tg_tensor *twin = tg_run_take(w->list, sizeof *twin);
    if (!twin) return NULL;
    *twin = (tg_tensor){ .dtype = t->dtype, .rank = t->rank, .storage = r->storage };
    for (int i = 0; i < t->rank; i++) twin->dim[i] = t->dim[i];
    return twin;
}

static bool add_second(work *w, const tg_call *c, tg_remat *r)
{
    r->storage = tg_run_storage(w->list, c->out[0]->storage->bytes);
    r->call = tg_run_take(w->list, sizeof *r->call);
    if (!r->storage || !r->call) return false;
    *r->call = (tg_call){
        .op = c->op->remade_by,
        .attr = c->attr,
        .scope = c->scope,
        .where = c->where,
        .again = true,
        .out = { on_second(w, r, c->out[0]) },
    };
    for (int k = 0; k < r->call->op->n_in; k++) {
        r->call->in[k] = input_again(c, k);
        r->call->in_version[k] = k < c->op->n_in ? c->in_version[k] : r->call->in[k]->storage->version;
    }
    c->out[0]->storage->value->last_use = r->last_early; /* so that no other copy relies on it later */
    r->next = w->inserted[r->first_late];
    w->inserted[r->first_late] = r;
    w->n++;
    return r->call->out[0];
}

static bool choose(work *w)
{
    tg_list *const l = w->list;
    for (int i = 0; i <= w->peak; i++) {
        tg_remat *const r = w->remat + i;
        if (!r->first_late && !l->notes) continue;
        const char *const why = reject(w, i);
        if (l->notes && l->at[i]->op->remade_by) tg_explain_recompute(l, l->at[i], why, l->at[r->first_late]);
        if (!why && !add_second(w, l->at[i], r)) return false;
    }
    return true;
}

static bool redirect(work *w, tg_call *c)
{
    TG_EACH_IN(c, k) {
        const tg_remat *const r = remat_of(c->in[k]);
        if (!r || !r->storage) continue;
        c->in[k] = on_second(w, r, c->in[k]);
        c->in_version[k] = 0;
        if (!c->in[k]) return false;
    }
    return true;
}

static bool insert(work *w)
{
    tg_list *l = w->list;
    tg_call **at = tg_run_take(l, sizeof *at * (size_t)(l->n + w->n));
    int n = 0;
    if (!at) return false;
    for (int i = 0; i < l->n; i++) {
        for (const tg_remat *r = w->inserted[i]; r; r = r->next) at[n++] = r->call;
        if (i > w->peak && !redirect(w, l->at[i])) return false;
        at[n++] = l->at[i];
    }
    l->at = at;
    l->n = n;
    return true;
}

static bool lower_peak(work *w)
{
    w->n = 0;
    tg_find_last_uses(w->list);
    if (!find_peak(w)) return false;
    const int64_t least = w->all ? 0 : LEAST_HELD;
    if (w->list->notes) tg_explain_peak(w->list, w->held, least);
    if (w->held < least) return true;
    bool good = find_uses(w) && choose(w) && (!w->n || insert(w));
    forget_uses(w->list);
    return good;
}

bool tg_recompute(tg_list *l)
{
    work w = { .list = l, .all = l->program->options.recompute == TG_RECOMPUTE_ALL, .n = 1 };
    bool good = true;
    if (l->program->options.recompute == TG_RECOMPUTE_NONE || l->n < 2) return true;
    for (int pass = 0; good && w.n && pass < MOST_PASSES; pass++) good = lower_peak(&w);
    return good;
}
