/* pool_layers.c - MaxPool2d, AvgPool2d, AdaptiveAvgPool2d. */
#include "layer.h"
#include <stdio.h>

typedef struct {
    tg_module base;
    tg_pool2d_config config;
} pool_layer;
typedef struct {
    tg_module base;
    int oh, ow;
} adaptive_pool_layer;

static tg_tensor *max_pool2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_max_pool2d(s, x, ((const pool_layer *)m)->config);
}

static tg_tensor *avg_pool2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_avg_pool2d(s, x, ((const pool_layer *)m)->config);
}

static tg_tensor *adaptive_avg_pool2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const adaptive_pool_layer *p = (const adaptive_pool_layer *)m;
    return tg_adaptive_avg_pool2d(s, x, p->oh, p->ow);
}

static tg_module *new_pool(tg_scope *s, const char *kind, tg_forward_fn forward, tg_layer_pool2d_config c)
{
    if (!tg_layer_wants(s, kind, "kernel", c.kernel, 1) || !tg_layer_wants(s, kind, "stride", c.stride, 0) ||
        !tg_layer_wants(s, kind, "pad", c.pad, 0))
        return NULL;
    if (c.pad > c.kernel / 2) tg_fail(s, "%s: pad %d, want at most half of kernel %d", kind, c.pad, c.kernel);
    pool_layer *p = (pool_layer *)tg_module_new(s, sizeof *p, kind, forward);
    if (!p) return NULL;
    const int stride = c.stride ? c.stride : c.kernel;
    p->config = (tg_pool2d_config){ { c.kernel, c.kernel }, { stride, stride }, { c.pad, c.pad }, c.exclude_pad };
    snprintf(p->base.detail, sizeof p->base.detail, "%dx%d, stride %d", c.kernel, c.kernel, stride);
    return &p->base;
}

tg_module *tg_layer_max_pool2d(tg_scope *s, tg_layer_pool2d_config c)
{
    return new_pool(s, "MaxPool2d", max_pool2d_layer_forward, c);
}
tg_module *tg_layer_avg_pool2d(tg_scope *s, tg_layer_pool2d_config c)
{
    return new_pool(s, "AvgPool2d", avg_pool2d_layer_forward, c);
}

tg_module *tg_layer_adaptive_avg_pool2d(tg_scope *s, int oh, int ow)
{
    const char *kind = "AdaptiveAvgPool2d";
    if (!tg_layer_wants(s, kind, "oh", oh, 1) || !tg_layer_wants(s, kind, "ow", ow, 1)) return NULL;
    adaptive_pool_layer *p =
        (adaptive_pool_layer *)tg_module_new(s, sizeof *p, kind, adaptive_avg_pool2d_layer_forward);
    if (!p) return NULL;
    p->oh = oh;
    p->ow = ow;
    snprintf(p->base.detail, sizeof p->base.detail, "%dx%d", oh, ow);
    return &p->base;
}
