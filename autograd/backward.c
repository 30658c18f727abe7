/* backward.c - walks the record backwards and records the derivatives.
 *
 * Nothing is computed here: each taped call that a gradient reaches records its derivative.  Accumulating
 * contributions, summing over broadcast axes and casting dtypes are done here once for all operators.  Gradients of
 * intermediate values live as long as the walk; those of leaves outlive it. */
#include "autograd.h"
#include "core.h"
#include <string.h>

/* ---- accumulating gradients ---- */

/* A gradient has its tensor's dtype, with two exceptions: a leaf's gradient is f32, and a cast's result has gradients
 * in the dtype of the source's, so that the gradient of an f32 weight is not rounded on its way through a bf16 copy. */
static tg_dtype gradient_dtype(const tg_tensor *t)
{
    while (t->node->made && t->node->made->op == &tg_cast_op) t = t->node->made->in[0];
    return t->node->made ? t->dtype : TG_F32;
}

/* g with the shape and dtype that the gradient of t must have. */
static tg_tensor *fit_gradient(tg_scope *s, const tg_tensor *t, tg_tensor *g)
{
    const tg_dtype want = gradient_dtype(t);
    if (!tg_same_shape(t, g)) g = tg_sum_to(s, g, t->rank, t->dim);
    return tg_ok(s) && g->dtype != want ? tg_cast(s, g, want) : g;
}

static void accumulate(tg_scope *s, tg_tensor *t, tg_tensor *g, uint32_t walk)
{
    if (!t->node->needs_grad || !g || !tg_ok(s)) return;
    g = fit_gradient(s, t, g);
    t->node->walk_grad = t->node->walk == walk ? tg_add(s, t->node->walk_grad, g) : g;
    t->node->walk = walk;
}

/* ---- segments of tg_checkpoint: their calls are recorded again, with twins as outputs ---- */

static tg_tensor *twin_of(tg_tensor *t, const tg_call *c)
{
    return t && t->node->twin && t->node->made && t->node->made->segment == c->segment ? t->node->twin : t;
}

static bool record_twin(tg_scope *s, const tg_call *c)
{
    tg_call again = *c;
    again.taped = false;
    again.segment = 0;
    again.scope = s;
    TG_EACH_IN(&again, k) again.in[k] = twin_of(c->in[k], c);
    memset(again.out, 0, sizeof again.out);
    c->op->infer(s, &again);
    TG_EACH_IN(&again, k)
        if (tg_ok(s)) tg_need(s, again.in[k]);
    if (!tg_ok(s) || !tg_append(&again)) return false;
    TG_EACH_OUT(c, k) c->out[k]->node->twin = again.out[k];
    return true;
}

/* Records the whole segment that ends with call number `last` again, except for calls that write (side effects). */
static bool replay_segment(tg_scope *s, size_t last)
{
    const tg_program *p = s->program;
    uint32_t segment = p->record[last]->segment;
    size_t first = last;
    while (first > 0 && (!p->record[first - 1]->segment || p->record[first - 1]->segment == segment)) first--;
    for (size_t i = first; i <= last; i++) {
        const tg_call *c = p->record[i];
        if (c->segment == segment && !c->op->writes && !record_twin(s, c)) return false;
    }
    return true;
}

/* ---- the walk ---- */

static bool inputs_unmodified(tg_scope *s, const tg_call *c)
{
    TG_EACH_IN(c, k) {
        bool read = c->segment || (c->op->saves_in & TG_BIT(k));
        if (!read || c->in[k]->storage->version == c->in_version[k]) continue;
        tg_fail(s, "backward: %s%s%s: its input %d was written after the forward", c->where, *c->where ? ": " : "",
                tg_called(c), k);
        return false;
    }
    return true;
}

static bool reached(const tg_call *c, uint32_t walk, tg_tensor *gout[])
{
    bool any = false;
    memset(gout, 0, sizeof *gout * TG_MAX_OUT);
    TG_EACH_OUT(c, k) {
        gout[k] = c->out[k]->node->walk == walk ? c->out[k]->node->walk_grad : NULL;
        any = any || gout[k];
    }
    return any;
}

static void differentiate(tg_scope *s, tg_call *c, tg_tensor *const gout[], uint32_t walk)
{
    tg_tensor *gin[TG_MAX_IN] = { NULL };
    tg_call seen = *c;
    if (c->segment) {
        TG_EACH_IN(c, k) seen.in[k] = twin_of(c->in[k], c);
        TG_EACH_OUT(c, k) seen.out[k] = twin_of(c->out[k], c);
        TG_EACH_IN(c, k) seen.in[k]->node->needs_grad = c->in[k]->node->needs_grad;
    }
    s->program->walking = c->where;
    c->op->backward(s, &seen, gout, gin);
    TG_EACH_IN(c, k) accumulate(s, c->in[k], gin[k], walk);
    if (!c->walked) tg_uncount_savers(c); /* recorded calls read the saved values now */
    c->walked = true;
}

static void walk_record(tg_scope *s, size_t end, uint32_t walk)
{
    const tg_program *p = s->program;
    uint32_t replayed = 0;
    for (size_t i = end; i-- > 0 && tg_ok(s);) {
        tg_call *c = p->record[i];
        tg_tensor *gout[TG_MAX_OUT];
        if (!c->taped || c->again || !reached(c, walk, gout) || !inputs_unmodified(s, c)) continue;
        if (c->segment && c->segment != replayed) {
            replayed = c->segment;
            if (!replay_segment(s, i)) return;
        }
        differentiate(s, c, gout, walk);
    }
}

/* ---- leaves ---- */

/* The walk's gradient becomes the leaf's: it is added to one that exists, adopted if nothing else uses it, or copied.
 */
static void set_leaf_gradient(tg_scope *s, tg_tensor *leaf)
{
    tg_tensor *g = leaf->node->walk_grad, *had = tg_grad(leaf);
    leaf->node->walk_grad = NULL;
    if (had) {
        tg_apply(s, &tg_accumulate_op, (tg_tensor *[]){ had, g }, NULL);
        return;
    }
    bool own = g->storage->made && !g->storage->outer && !g->storage->leaf && g->storage->frame == TG_CLOSED;
    if (!own || g->storage->bytes != sizeof(float) * (size_t)tg_count(leaf)) g = tg_apply(s, &tg_copy_op, &g, NULL);
    if (tg_ok(s)) tg_adopt_grad(s, leaf, g);
}

static void set_leaf_gradients(tg_scope *s, size_t end, uint32_t walk)
{
    const tg_program *p = s->program;
    for (size_t i = 0; i < end && tg_ok(s); i++) {
        const tg_call *c = p->record[i];
        if (!c->taped) continue;
        TG_EACH_IN(c, k)
            if (!c->in[k]->node->made && c->in[k]->node->walk == walk && c->in[k]->node->walk_grad)
                set_leaf_gradient(s, c->in[k]);
    }
}

/* Whether y was computed from a gradient. */
static bool depends_on_gradient(tg_program *p, tg_tensor *y)
{
    const uint32_t walk = ++p->walk;
    y->node->walk = walk;
    y->node->walk_grad = NULL;
    if (y->node->lent || y->storage->outer) return true;
    for (size_t i = p->n; i-- > 0;) {
        const tg_call *c = p->record[i];
        bool leads = false;
        TG_EACH_OUT(c, k) leads = leads || c->out[k]->node->walk == walk;
        TG_EACH_IN(c, k) {
            tg_tensor *t = c->in[k];
            if (!leads) break;
            if (t->storage->outer || t->storage->frame == TG_CLOSED) return true;
            t->node->walk = walk;
            t->node->walk_grad = NULL;
        }
    }
    return false;
}

static void fail_without_gradient(tg_scope *s, tg_tensor *y)
{
    if (depends_on_gradient(s->program, y))
        tg_fail(s,
                "backward: the loss is computed from gradients, which are constants here: there is no double backward");
    else
        tg_fail(s, "backward: nothing that the loss depends on needs a gradient, or it was computed in a scope without "
                   "gradients");
}

static bool check(tg_scope *s, tg_tensor *y)
{
    if (!tg_ok(s)) return false;
    if (!y) return tg_fail(s, "backward: the loss is NULL"), false;
    if (!y->storage) return tg_fail(s, "backward: the tensor has no elements: it comes from a failed scope"), false;
    if (y->storage->program != s->program)
        return tg_fail(s, "backward: the loss belongs to another tree of scopes"), false;
    if (!y->node->needs_grad) return fail_without_gradient(s, y), false;
    if (s->program->walking) return tg_fail(s, "backward: called within a backward"), false;
    return true;
}

/* ---- tg_backward_to: during the walk, only tensors on a path to the given leaves need a gradient ---- */

static void spare(tg_tensor *leaf)
{
    leaf->node->spared = true;
    leaf->node->needs_grad = false;
}

static void unspare(tg_tensor *leaf)
{
    if (leaf->node->spared) leaf->node->needs_grad = true;
    leaf->node->spared = false;
}

static bool any_wanted(const tg_call *c)
{
    TG_EACH_IN(c, k)
        if (c->in[k]->node->needs_grad) return true;
    return false;
}

/* Spares all leaves but these, and all values that depend on spared leaves only. */
static void restrict_to(const tg_program *p, tg_tensor *const *leaves, int n)
{
    for (size_t i = 0; i < p->n; i++) {
        const tg_call *c = p->record[i];
        if (!c->taped) continue;
        TG_EACH_IN(c, k)
            if (!c->in[k]->node->made && c->in[k]->node->needs_grad) spare(c->in[k]);
    }
    for (int i = 0; i < n; i++) unspare(leaves[i]);
    for (size_t i = 0; i < p->n; i++) {
        const tg_call *c = p->record[i];
        const bool wanted = c->taped && any_wanted(c);
        if (c->taped)
            TG_EACH_OUT(c, k) c->out[k]->node->needs_grad = wanted;
    }
}

static void unrestrict(const tg_program *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const tg_call *c = p->record[i];
        if (!c->taped) continue;
        TG_EACH_IN(c, k) unspare(c->in[k]);
        TG_EACH_OUT(c, k) c->out[k]->node->needs_grad = true;
    }
}

static bool check_leaves(tg_scope *s, tg_tensor *const *leaves, int n)
{
    if (n > 0 && !leaves) return tg_fail(s, "backward: the list of leaves is NULL"), false;
    for (int i = 0; i < n; i++) {
        const tg_tensor *t = leaves[i];
        if (!t || !t->storage) return tg_fail(s, "backward: leaf %d %s", i, t ? "has no elements" : "is NULL"), false;
        if (t->node->made)
            return tg_fail(s, "backward: tensor %d is the result of %s, want a leaf", i, t->node->made->op->name),
                   false;
        if (t->storage->program != s->program)
            return tg_fail(s, "backward: leaf %d belongs to another tree of scopes", i), false;
    }
    return true;
}

void tg_backward_to(tg_scope *s, tg_tensor *loss, tg_tensor *const *leaves, int n)
{
    if (!check(s, loss) || !check_leaves(s, leaves, n)) return;
    const tg_program *p = s->program;
    restrict_to(p, leaves, n);
    if (loss->node->needs_grad) tg_backward(s, loss);
    else tg_fail(s, "backward: the loss depends on none of the given leaves that need a gradient");
    unrestrict(p);
}

void tg_backward_from(tg_scope *s, tg_tensor *y, tg_tensor *gradient)
{
    tg_shape_text one, other;
    if (!check(s, y)) return;
    if (!gradient || !gradient->storage || !tg_same_shape(y, gradient)) {
        tg_fail(s, "backward: gradient %s, want %s", gradient ? tg_shape(gradient, &one) : "NULL", tg_shape(y, &other));
        return;
    }
    tg_program *p = s->program;
    uint32_t walk = ++p->walk, segment = p->segment;
    size_t end = p->n;
    p->walking = "";
    p->segment = 0;
    accumulate(s, y, gradient, walk);
    walk_record(s, end, walk);
    set_leaf_gradients(s, end, walk);
    if (tg_ok(s) && !y->node->made && y->node->walk_grad) set_leaf_gradient(s, y);
    p->walking = NULL;
    p->segment = segment;
}

void tg_backward(tg_scope *s, tg_tensor *loss)
{
    tg_shape_text shape;
    if (!check(s, loss)) return;
    if (tg_count(loss) != 1) {
        tg_fail(s, "backward: the loss has shape %s, want one element (tg_backward_from takes others)",
                tg_shape(loss, &shape));
        return;
    }
    s->program->walking = ""; /* the seed is internal, like the walk */
    tg_tensor *one = tg_fill(s, 1, loss->rank, loss->dim);
    s->program->walking = NULL;
    if (tg_ok(s)) tg_backward_from(s, loss, one);
}
