/* norm_layers.c - BatchNorm2d and LayerNorm. */
#include "attr.h"
#include "layer.h"
#include <stdio.h>

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias, *mean, *var, *tracked;
    tg_batch_norm2d_config config;
} batch_norm_layer;

static tg_tensor *batch_norm2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const batch_norm_layer *b = (const batch_norm_layer *)m;
    if (tg_scope_modes(s).train) tg_apply(s, &tg_increment_op, (tg_tensor *[]){ b->tracked }, NULL);
    return tg_batch_norm2d(s, x, b->weight, b->bias, b->mean, b->var, b->config);
}

static bool check_fraction(tg_scope *s, const char *kind, const char *field, float got, float most)
{
    if (tg_ok(s) && !(got == TG_ZERO || (got >= 0 && got <= most)))
        tg_fail(s, "%s: %s %g, want 0 to %g", kind, field, (double)got, (double)most);
    return tg_ok(s);
}

tg_module *tg_layer_batch_norm2d(tg_scope *s, tg_layer_batch_norm2d_config c)
{
    const char *kind = "BatchNorm2d";
    if (!tg_layer_wants(s, kind, "features", c.features, 1) || !check_fraction(s, kind, "eps", c.eps, 1) ||
        !check_fraction(s, kind, "momentum", c.momentum, 1))
        return NULL;
    batch_norm_layer *b = (batch_norm_layer *)tg_module_new(s, sizeof *b, kind, batch_norm2d_layer_forward);
    if (!b) return NULL;
    const int64_t *dim = TG_DIM(c.features);
    b->weight = tg_param(s, &b->base, "weight", tg_full(s, 1, 1, dim));
    b->bias = tg_param(s, &b->base, "bias", tg_zeros(s, TG_F32, 1, dim));
    b->mean = tg_buffer(s, &b->base, "running_mean", tg_zeros(s, TG_F32, 1, dim));
    b->var = tg_buffer(s, &b->base, "running_var", tg_full(s, 1, 1, dim));
    b->tracked = tg_buffer(s, &b->base, "num_batches_tracked", tg_zeros(s, TG_I64, 0, NULL));
    b->config = (tg_batch_norm2d_config){ c.eps, c.momentum };
    snprintf(b->base.detail, sizeof b->base.detail, "%d", c.features);
    return tg_ok(s) ? &b->base : NULL;
}

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias;
    double eps;
} layer_norm_layer;

static tg_tensor *layer_norm_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const layer_norm_layer *l = (const layer_norm_layer *)m;
    return tg_layer_norm(s, x, l->weight, l->bias, l->eps);
}

tg_module *tg_layer_layer_norm(tg_scope *s, tg_layer_norm_config c)
{
    const char *kind = "LayerNorm";
    if (!tg_layer_wants(s, kind, "rank", c.rank, 1) || !check_fraction(s, kind, "eps", c.eps, 1)) return NULL;
    layer_norm_layer *l = (layer_norm_layer *)tg_module_new(s, sizeof *l, kind, layer_norm_layer_forward);
    if (!l) return NULL;
    l->weight = tg_param(s, &l->base, "weight", tg_full(s, 1, c.rank, c.dim));
    l->bias = tg_param(s, &l->base, "bias", tg_zeros(s, TG_F32, c.rank, c.dim));
    tg_file_axis(s, &l->base, "weight", 0);
    tg_file_axis(s, &l->base, "bias", 0);
    tg_decays(s, &l->base, "weight", false);
    l->eps = (double)c.eps;
    if (!tg_ok(s)) return NULL;
    tg_shape_text shape;
    snprintf(l->base.detail, sizeof l->base.detail, "%.90s", tg_shape(l->weight, &shape));
    return &l->base;
}
