/* residual.c - relu(body(x) + skip(x)). */
#include "layer.h"

typedef struct {
    tg_module base;
    tg_module *body, *skip;
} residual;

tg_tensor *tg_add_relu(tg_scope *s, tg_tensor *branch, tg_tensor *shortcut)
{
    return tg_relu(s, tg_add(s, branch, shortcut));
}

static tg_tensor *residual_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const residual *r = (const residual *)m;
    tg_tensor *branch = tg_forward(s, r->body, x);
    return tg_add_relu(s, branch, r->skip ? tg_forward(s, r->skip, x) : x);
}

tg_module *tg_residual(tg_scope *s, tg_module *body, tg_module *skip)
{
    residual *r = (residual *)tg_module_new(s, sizeof *r, "Residual", residual_forward);
    if (!r) return NULL;
    r->body = tg_child(s, &r->base, "body", body);
    r->skip = skip ? tg_child(s, &r->base, "skip", skip) : NULL;
    return tg_ok(s) ? &r->base : NULL;
}
