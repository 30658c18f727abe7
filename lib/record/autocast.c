/* autocast.c - casts inputs by the operator's rule.  See tg_autocast in scope.h.
 *
 * A weight's cast is cached for the step: it is reused while the scope was not reset (same life), the weight not
 * written (same version), and the cast needs a gradient exactly if the weight needs one here. */
#include "core.h"

static bool is_float(const tg_tensor *t) { return t->dtype == TG_F32 || t->dtype == TG_BF16; }

static bool is_cached(const tg_scope *s, const tg_tensor *t, tg_dtype dtype)
{
    return t->node->cast && t->node->cast_life == s->life && t->node->cast_version == t->storage->version &&
           t->node->cast->dtype == dtype && t->node->cast->node->needs_grad == (t->node->needs_grad && s->modes.grad);
}

static tg_tensor *cast(tg_scope *s, tg_tensor *t, tg_dtype dtype)
{
    if (t->node->made) return tg_cast(s, t, dtype);
    if (is_cached(s, t, dtype)) return t->node->cast;
    t->node->cast = tg_cast(s, t, dtype);
    t->node->cast_life = s->life;
    t->node->cast_version = t->storage->version;
    return t->node->cast;
}

static tg_dtype widest(const tg_call *c)
{
    TG_EACH_IN(c, k)
        if ((c->op->casts & TG_BIT(k)) && c->in[k]->dtype == TG_F32) return TG_F32;
    return TG_BF16;
}

void tg_cast_inputs(tg_scope *s, tg_call *c)
{
    const tg_dtype dtype = c->op->cast_to == TG_CAST_BF16  ? TG_BF16
                           : c->op->cast_to == TG_CAST_F32 ? TG_F32
                                                           : widest(c);
    TG_EACH_IN(c, k)
        if ((c->op->casts & TG_BIT(k)) && is_float(c->in[k]) && c->in[k]->dtype != dtype && tg_ok(s))
            c->in[k] = cast(s, c->in[k], dtype);
}
