/* gradient.c - a leaf's gradient between backward and update.
 *
 * It belongs to the leaf's scope, so that it outlives the step that computed it.  An update takes it back into the
 * step's scope; if both happen in one run, the gradient reuses memory that activations released. */
#include "core.h"

/* NULL also for a gradient that was never computed because its scope failed. */
tg_tensor *tg_grad(const tg_tensor *t)
{
    tg_tensor *g = t ? t->node->grad : NULL;
    return g && g->storage && (g->storage->data || g->storage->pending) ? g : NULL;
}

static void discard(tg_tensor *leaf)
{
    if (!leaf->node->grad || !leaf->node->grad->storage) return;
    tg_storage_free(leaf->node->grad->storage);
    leaf->node->grad->storage = NULL;
}

void tg_clear_grad(tg_tensor *t)
{
    if (!t || !t->storage || !tg_ok(t->storage->scope) || !tg_grad(t)) return;
    tg_run(t->storage->scope, true);
    if (tg_ok(t->storage->scope)) discard(t);
}

bool tg_adopt_grad(tg_scope *s, tg_tensor *leaf, tg_tensor *g)
{
    tg_scope *home = leaf->storage->scope;
    discard(leaf);
    if (!leaf->node->grad) leaf->node->grad = tg_tensor_on(home, NULL, g->dtype, leaf->rank, leaf->dim);
    if (!tg_ok(s)) return false;
    leaf->node->grad->node->lent = true;
    leaf->node->grad->dtype = g->dtype;
    leaf->node->grad->storage = g->storage;
    g->storage->outer = true;
    g->storage->leaf = g->storage->data && !g->storage->pending;
    tg_storage_move(g->storage, home);
    return true;
}

tg_tensor *tg_take_grad(tg_scope *s, tg_tensor *leaf)
{
    tg_tensor *g = tg_grad(leaf);
    if (!tg_ok(s) || !g) return NULL;
    tg_tensor *taken = tg_tensor_on(s, g->storage, g->dtype, g->rank, g->dim);
    if (!tg_ok(s)) return NULL;
    g->storage->outer = g->storage->leaf = false;
    g->storage->frame = s->program->options.eager ? 0 : TG_CLOSED; /* in eager mode its last use is unknown */
    tg_storage_move(g->storage, s);
    g->storage = NULL;
    return taken;
}

void tg_segment_begin(tg_scope *s)
{
    if (tg_ok(s) && !s->program->segment) s->program->segment = ++s->program->last_segment;
}

void tg_segment_end(tg_scope *s)
{
    if (s) s->program->segment = 0;
}
