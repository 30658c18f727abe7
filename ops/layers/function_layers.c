/* function_layers.c - layers without parameters: a function, optionally with one number. */
#include "layer.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    tg_module base;
    tg_tensor *(*fn)(tg_scope *s, tg_tensor *x);
} function_layer;
typedef struct {
    tg_module base;
    double number;
} numbered_layer;

static tg_tensor *function_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return ((function_layer *)m)->fn(s, x);
}

static tg_tensor *dropout_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_dropout(s, x, ((numbered_layer *)m)->number);
}

static tg_tensor *leaky_relu_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    return tg_leaky_relu(s, x, ((numbered_layer *)m)->number);
}

tg_module *tg_layer_fn(tg_scope *s, const char *kind, tg_tensor *(*fn)(tg_scope *, tg_tensor *))
{
    if (tg_ok(s) && !fn) tg_fail(s, "%s: the function is NULL", kind ? kind : "module");
    function_layer *f = (function_layer *)tg_module_new(s, sizeof *f, kind, function_layer_forward);
    if (f) f->fn = fn;
    return f ? &f->base : NULL;
}

tg_module *tg_layer_relu(tg_scope *s) { return tg_layer_fn(s, "ReLU", tg_relu); }
tg_module *tg_layer_flatten(tg_scope *s) { return tg_layer_fn(s, "Flatten", tg_flatten); }

static tg_module *new_numbered(tg_scope *s, const char *kind, tg_forward_fn forward, double number)
{
    numbered_layer *n = (numbered_layer *)tg_module_new(s, sizeof *n, kind, forward);
    if (!n) return NULL;
    n->number = number;
    snprintf(n->base.detail, sizeof n->base.detail, "%g", number);
    return &n->base;
}

tg_module *tg_layer_dropout(tg_scope *s, double p)
{
    if (tg_ok(s) && !(p >= 0 && p < 1)) tg_fail(s, "Dropout: p %g, want 0 <= p < 1", p);
    return new_numbered(s, "Dropout", dropout_layer_forward, p);
}

tg_module *tg_layer_leaky_relu(tg_scope *s, double slope)
{
    if (tg_ok(s) && !isfinite(slope)) tg_fail(s, "LeakyReLU: slope %g, want a finite number", slope);
    return new_numbered(s, "LeakyReLU", leaky_relu_layer_forward, slope);
}
