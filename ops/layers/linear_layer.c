/* linear_layer.c - Linear. */
#include "layer.h"
#include <stdio.h>

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias; /* [out, in], [out] or NULL */
} linear_layer;

static tg_tensor *linear_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const linear_layer *l = (const linear_layer *)m;
    return tg_linear(s, x, l->weight, l->bias);
}

tg_module *tg_layer_linear(tg_scope *s, tg_layer_linear_config c)
{
    if (!tg_layer_wants(s, "Linear", "in", c.in, 1) || !tg_layer_wants(s, "Linear", "out", c.out, 1)) return NULL;
    linear_layer *l = (linear_layer *)tg_module_new(s, sizeof *l, "Linear", linear_layer_forward);
    if (!l) return NULL;
    l->weight = tg_weight(s, &l->base, "weight", tg_init_uniform(s, c.in, 2, TG_DIM(c.out, c.in)));
    if (!c.no_bias) l->bias = tg_param(s, &l->base, "bias", tg_init_uniform(s, c.in, 1, TG_DIM(c.out)));
    snprintf(l->base.detail, sizeof l->base.detail, "%d, %d", c.in, c.out);
    return tg_ok(s) ? &l->base : NULL;
}
