/* conv_layers.c - Conv2d and ConvTranspose2d. */
#include "layer.h"
#include <stdio.h>

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias; /* bias NULL: none */
    tg_conv2d_config conv;
    tg_conv_transpose2d_config transpose;
} conv_layer;

static tg_tensor *conv2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const conv_layer *c = (const conv_layer *)m;
    return tg_conv2d(s, x, c->weight, c->bias, c->conv);
}

static tg_tensor *conv_transpose2d_layer_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const conv_layer *c = (const conv_layer *)m;
    return tg_conv_transpose2d(s, x, c->weight, c->bias, c->transpose);
}

/* The config with defaults resolved and horizontal values filled in. */
static tg_layer_conv2d_config resolve_config(tg_layer_conv2d_config c)
{
    if (!c.stride) c.stride = 1;
    if (!c.dilation) c.dilation = 1;
    if (!c.groups) c.groups = 1;
    if (c.kernel_w) {
        if (!c.stride_w) c.stride_w = 1;
        if (!c.dilation_w) c.dilation_w = 1;
        return c;
    }
    c.kernel_w = c.kernel;
    c.stride_w = c.stride;
    c.pad_w = c.pad;
    c.dilation_w = c.dilation;
    c.output_pad_w = c.output_pad;
    return c;
}

static bool check_config(tg_scope *s, const char *kind, const tg_layer_conv2d_config *c)
{
    const struct {
        const char *name;
        int got, least;
    } field[] = {
        { "in", c->in, 1 },
        { "out", c->out, 1 },
        { "kernel", c->kernel, 1 },
        { "stride", c->stride, 1 },
        { "pad", c->pad, 0 },
        { "dilation", c->dilation, 1 },
        { "groups", c->groups, 1 },
        { "kernel_w", c->kernel_w, 1 },
        { "stride_w", c->stride_w, 1 },
        { "pad_w", c->pad_w, 0 },
        { "dilation_w", c->dilation_w, 1 },
        { "output_pad", c->output_pad, 0 },
        { "output_pad_w", c->output_pad_w, 0 },
    };
    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        if (!tg_layer_wants(s, kind, field[i].name, field[i].got, field[i].least)) return false;
    if (c->in % c->groups || c->out % c->groups)
        tg_fail(s, "%s: in %d, out %d, want multiples of groups %d", kind, c->in, c->out, c->groups);
    return tg_ok(s);
}

static void describe_conv(conv_layer *c, const tg_layer_conv2d_config *config)
{
    char *at = c->base.detail, *end = at + sizeof c->base.detail;
    at += snprintf(at, (size_t)(end - at), "%d, %d, %dx%d", config->in, config->out, config->kernel, config->kernel_w);
    if (config->stride > 1 && at < end) at += snprintf(at, (size_t)(end - at), ", stride %d", config->stride);
    if (config->pad > 0 && at < end) at += snprintf(at, (size_t)(end - at), ", pad %d", config->pad);
    if (config->dilation > 1 && at < end) at += snprintf(at, (size_t)(end - at), ", dilation %d", config->dilation);
    if (config->groups > 1 && at < end) snprintf(at, (size_t)(end - at), ", groups %d", config->groups);
}

/* weight [first, kh, kw, second], bias [out] */
static tg_module *new_conv(tg_scope *s, const char *kind, tg_forward_fn forward, const tg_layer_conv2d_config *c,
                           int first, int second)
{
    conv_layer *m = (conv_layer *)tg_module_new(s, sizeof *m, kind, forward);
    if (!m) return NULL;
    double fan_in = (double)c->kernel * c->kernel_w * second;
    const int64_t *dim = TG_DIM(first, c->kernel, c->kernel_w, second);
    m->weight = tg_weight(s, &m->base, "weight", tg_init_uniform(s, fan_in, 4, dim));
    if (c->groups > 1 && c->in == c->groups && c->out == c->groups && m->base.slots)
        m->base.slots->f32_because = "depthwise convolutions have no BF16 backward-weights";
    if (!c->no_bias) m->bias = tg_param(s, &m->base, "bias", tg_init_uniform(s, fan_in, 1, TG_DIM(c->out)));
    m->conv = (tg_conv2d_config){
        .stride = { c->stride, c->stride_w },
        .pad = { c->pad, c->pad_w },
        .dilation = { c->dilation, c->dilation_w },
        .groups = c->groups,
    };
    m->transpose = (tg_conv_transpose2d_config){
        .stride = { c->stride, c->stride_w },
        .pad = { c->pad, c->pad_w },
        .dilation = { c->dilation, c->dilation_w },
        .output_pad = { c->output_pad, c->output_pad_w },
        .groups = c->groups,
    };
    describe_conv(m, c);
    return tg_ok(s) ? &m->base : NULL;
}

tg_module *tg_layer_conv2d(tg_scope *s, tg_layer_conv2d_config config)
{
    const tg_layer_conv2d_config c = resolve_config(config);
    if (!check_config(s, "Conv2d", &c)) return NULL;
    return new_conv(s, "Conv2d", conv2d_layer_forward, &c, c.out, c.in / c.groups);
}

tg_module *tg_layer_conv_transpose2d(tg_scope *s, tg_layer_conv2d_config config)
{
    const tg_layer_conv2d_config c = resolve_config(config);
    if (!check_config(s, "ConvTranspose2d", &c)) return NULL;
    return new_conv(s, "ConvTranspose2d", conv_transpose2d_layer_forward, &c, c.in, c.out / c.groups);
}
