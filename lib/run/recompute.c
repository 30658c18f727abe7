/* recompute.c - what backward reads of a cheap call's result is made again, shortly before, instead of being kept.
 *
 * The peak of a training step lies where forward ends and backward begins.  A value that lives across it, but was made
 * by an operator that says how to make it again (tg_op.remade_by) from what lives there anyway, becomes two: the
 * readers before the peak have the first, the readers after it a second, which the list makes before the first of them.
 * The second has the bits of the first: same kernels, same inputs, none written in between.
 *
 * Not every such value: only where a run holds much, and where the late readers compute so much for each byte that
 * reading and writing it once more does not count. */
#include "steps.h"

enum {
    HELD_AT_LEAST = 48 << 20, /* bytes at the peak: less may lie in the third level of the cache */
    FLOPS_A_BYTE = 40,        /* of late readers, for each byte that making the value again moves */
    AWAY = 16,                /* calls that run between the last early and the first late reader */
    PASSES = 4,               /* a run may have several peaks: micro-batches */
};

typedef struct tg_second {      /* of the value that call number i of the list makes in out[0] */
    int last_early, first_late; /* uses: up to the peak, and after it; first_late 0: none */
    double flops;               /* of the late readers */
    tg_storage *storage;        /* of the second copy; NULL: there is none */
    tg_call *made;              /* the call that makes it ... */
    struct tg_second *also;     /* ... and another one that stands before the same call */
} tg_second;

typedef struct {
    tg_list *list;
    bool all;                    /* whatever it saves and costs */
    int peak;                    /* the call at which most is held */
    int64_t held;                /* bytes, of what the run makes and gives back */
    tg_second *second, **before; /* for each call: of its out[0]; those that stand before it */
    int n;                       /* second copies */
} work;

/* ---- where the peak is ---- */

static bool find_peak(work *w)
{
    const tg_list *l = w->list;
    int64_t *change = tg_run_take(w->list, sizeof *change * ((size_t)l->n + 1)), now = 0;
    if (!change) return false;
    w->held = w->peak = 0;
    for (int i = 0; i <= l->n; i++) change[i] = 0;
    for (int i = 0; i < l->n; i++) {
        TG_EACH_OUT(l->at[i], k) {
            const tg_storage *t = l->at[i]->out[k]->storage;
            if (!tg_dies(l, t)) continue;
            now += (int64_t)t->bytes;
            change[t->last_use + 1] -= (int64_t)t->bytes;
        }
        now += change[i];
        if (now <= w->held) continue;
        w->held = now;
        w->peak = i;
    }
    return true;
}

/* ---- who reads what, before the peak and after ---- */

static bool may_have_second(const tg_list *l, const tg_call *c)
{
    return c->op->remade_by && c->out[0] && tg_dies(l, c->out[0]->storage);
}

static void note_use(const work *w, const tg_call *c, int i)
{
    double flops = i > w->peak && c->op->flops ? c->op->flops(c) : 0;
    TG_EACH_IN(c, k) {
        tg_second *s = c->in[k]->storage->second;
        if (!s) continue;
        if (i <= w->peak) s->last_early = i;
        else if (!s->first_late) s->first_late = i;
        s->flops += flops;
    }
}

static bool find_uses(work *w)
{
    const tg_list *l = w->list;
    w->second = tg_run_take(w->list, sizeof *w->second * (size_t)l->n);
    w->before = tg_run_take(w->list, sizeof *w->before * (size_t)l->n);
    if (!w->second || !w->before) return false;
    for (int i = 0; i < l->n; i++) {
        w->second[i] = (tg_second){ .last_early = i };
        w->before[i] = NULL;
        if (i <= w->peak && may_have_second(l, l->at[i])) l->at[i]->out[0]->storage->second = w->second + i;
    }
    for (int i = 0; i < l->n; i++) note_use(w, l->at[i], i);
    return true;
}

static void forget_uses(const tg_list *l)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i]->out[0]) l->at[i]->out[0]->storage->second = NULL;
}

/* ---- which values ---- */

/* Input k of the call that would make the value of c again: c's inputs, then its outputs from 1 on. */
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

/* What is needed is there anyway when the first late reader runs, with the same numbers. */
static bool can_be_made(const work *w, const tg_call *c, int i, int at)
{
    for (int k = 0; k < c->op->remade_by->n_in; k++) {
        const tg_tensor *t = input_again(c, k);
        if (!t && k < c->op->n_in) continue;
        if (!t || (t->storage->last_use < at && tg_dies(w->list, t->storage))) return false;
        if (written_between(w->list, t->storage, i, at)) return false;
    }
    return true;
}

static bool is_worth_it(const work *w, const tg_call *c, const tg_second *s)
{
    double moved = (double)c->out[0]->storage->bytes;
    for (int k = 0; k < c->op->remade_by->n_in; k++)
        if (input_again(c, k)) moved += (double)input_again(c, k)->storage->bytes;
    return w->all || (s->first_late - s->last_early >= AWAY && s->flops >= FLOPS_A_BYTE * moved);
}

/* ---- making them again ---- */

/* t, or another view of its numbers, in the second copy. */
static tg_tensor *on_second(work *w, const tg_second *s, const tg_tensor *t)
{
    tg_tensor *twin = tg_run_take(w->list, sizeof *twin);
    if (!twin) return NULL;
    *twin = (tg_tensor){ .dtype = t->dtype, .rank = t->rank, .storage = s->storage };
    for (int i = 0; i < t->rank; i++) twin->dim[i] = t->dim[i];
    return twin;
}

static bool add_second(work *w, const tg_call *c, tg_second *s)
{
    s->storage = tg_run_take(w->list, sizeof *s->storage);
    s->made = tg_run_take(w->list, sizeof *s->made);
    if (!s->storage || !s->made) return false;
    *s->storage = (tg_storage){ .bytes = c->out[0]->storage->bytes, .program = w->list->program, .frame = TG_OF_RUN };
    *s->made = (tg_call){
        .op = c->op->remade_by,
        .attr = c->attr,
        .scope = c->scope,
        .where = c->where,
        .again = true,
        .out = { on_second(w, s, c->out[0]) },
    };
    for (int k = 0; k < s->made->op->n_in; k++) {
        s->made->in[k] = input_again(c, k);
        s->made->in_version[k] = k < c->op->n_in ? c->in_version[k] : s->made->in[k]->storage->version;
    }
    c->out[0]->storage->last_use = s->last_early; /* so that nothing counts on it later */
    s->also = w->before[s->first_late];
    w->before[s->first_late] = s;
    w->n++;
    return s->made->out[0];
}

static bool choose(work *w)
{
    for (int i = 0; i <= w->peak; i++) {
        const tg_call *c = w->list->at[i];
        tg_second *s = w->second + i;
        if (!s->first_late || !is_worth_it(w, c, s) || !can_be_made(w, c, i, s->first_late)) continue;
        if (!add_second(w, c, s)) return false;
    }
    return true;
}

static bool redirect(work *w, tg_call *c)
{
    TG_EACH_IN(c, k) {
        const tg_second *s = c->in[k]->storage->second;
        if (!s || !s->storage) continue;
        c->in[k] = on_second(w, s, c->in[k]);
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
        for (const tg_second *s = w->before[i]; s; s = s->also) at[n++] = s->made;
        if (i > w->peak && !redirect(w, l->at[i])) return false;
        at[n++] = l->at[i];
    }
    l->at = at;
    l->n = n;
    return true;
}

static bool relieve_peak(work *w)
{
    w->n = 0;
    tg_find_last_uses(w->list);
    if (!find_peak(w)) return false;
    if (!w->all && w->held < HELD_AT_LEAST) return true;
    bool good = find_uses(w) && choose(w) && (!w->n || insert(w));
    forget_uses(w->list);
    return good;
}

bool tg_recompute(tg_list *l)
{
    work w = { .list = l, .all = l->program->options.recompute == TG_RECOMPUTE_ALL, .n = 1 };
    bool good = true;
    if (l->program->options.recompute == TG_RECOMPUTE_NONE || l->n < 2) return true;
    for (int pass = 0; good && w.n && pass < PASSES; pass++) good = relieve_peak(&w);
    return good;
}
