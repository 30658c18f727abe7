/* resnet.c - residual networks (He et al. 2015), with torchvision's names.
 *
 * A basic block is conv3x3 - bn - relu - conv3x3 - bn. A bottleneck is conv1x1 - bn - relu - conv3x3 - bn - relu -
 * conv1x1 - bn, to four times the channels. The block's input is added, followed by relu. Where a block changes the
 * shape, the input passes through conv1x1 - bn ("downsample"). The stride is in the first 3x3. */
#include "layer.h"
#include <stdio.h>

enum { MAX_STAGES = 4, MAX_CONVS = 3 };

typedef struct {
    tg_module base;
    int convs;
    tg_module *conv[MAX_CONVS], *bn[MAX_CONVS];
    tg_module *downsample; /* NULL: identity */
} resnet_block;

typedef struct {
    tg_module base;
    tg_module *conv1, *bn1, *stage[MAX_STAGES], *fc;
    bool pool; /* 3x3 max pooling with stride 2 after the stem */
    int stages;
} resnet;

typedef struct {
    int stages, depth[MAX_STAGES], width; /* blocks in each stage; channels of the first, doubled in each further one */
    bool bottleneck, imagenet;            /* imagenet: 7x7 stem with stride 2, and pooling */
} resnet_plan;

/* Conv2d and BatchNorm2d number i (from 1) of m, as children "conv1" and "bn1". */
static void add_conv_bn(tg_scope *s, tg_module *m, int i, tg_layer_conv2d_config config, tg_module **conv,
                        tg_module **bn)
{
    char name[24];
    config.no_bias = true;
    snprintf(name, sizeof name, "conv%d", i);
    *conv = tg_child(s, m, name, tg_layer_conv2d(s, config));
    snprintf(name, sizeof name, "bn%d", i);
    *bn = tg_child(s, m, name, tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = config.out }));
}

static tg_tensor *resnet_block_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const resnet_block *b = (const resnet_block *)m;
    tg_tensor *y = x;
    for (int i = 0; i < b->convs; i++) {
        y = tg_forward(s, b->bn[i], tg_forward(s, b->conv[i], y));
        if (i + 1 < b->convs) y = tg_relu(s, y);
    }
    return tg_add_relu(s, y, b->downsample ? tg_forward(s, b->downsample, x) : x);
}

static tg_module *new_block(tg_scope *s, bool bottleneck, int in, int width, int stride)
{
    resnet_block *b =
        (resnet_block *)tg_module_new(s, sizeof *b, bottleneck ? "Bottleneck" : "BasicBlock", resnet_block_forward);
    if (!b) return NULL;
    const int out = bottleneck ? 4 * width : width;
    const tg_layer_conv2d_config basic[] = {
        { .in = in, .out = width, .kernel = 3, .pad = 1, .stride = stride },
        { .in = width, .out = width, .kernel = 3, .pad = 1 },
    }, narrow[] = {
        { .in = in, .out = width, .kernel = 1 },
        { .in = width, .out = width, .kernel = 3, .pad = 1, .stride = stride },
        { .in = width, .out = out, .kernel = 1 },
    };
    b->convs = bottleneck ? 3 : 2;
    for (int i = 0; i < b->convs; i++)
        add_conv_bn(s, &b->base, i + 1, bottleneck ? narrow[i] : basic[i], &b->conv[i], &b->bn[i]);
    if (stride == 1 && in == out) return &b->base;
    tg_module *list[] = { tg_layer_conv2d(
                              s, (tg_layer_conv2d_config){ in, out, .kernel = 1, .stride = stride, .no_bias = true }),
                          tg_layer_batch_norm2d(s, (tg_layer_batch_norm2d_config){ .features = out }), NULL };
    b->downsample = tg_child(s, &b->base, "downsample", tg_sequential(s, list));
    return &b->base;
}

static tg_module *new_stage(tg_scope *s, const resnet_plan *p, int stage, int *channels)
{
    const int depth = p->depth[stage], width = p->width << stage;
    tg_module **const list = tg_alloc(s, sizeof *list * (size_t)(depth + 1));
    for (int i = 0; i < depth && list; i++) {
        list[i] = new_block(s, p->bottleneck, *channels, width, stage > 0 && i == 0 ? 2 : 1);
        *channels = p->bottleneck ? 4 * width : width;
    }
    if (list) list[depth] = NULL;
    return tg_sequential(s, list);
}

/* torchvision pools after relu, with the same result. Backward needs relu's result, which is smaller after pooling. */
static tg_tensor *resnet_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    const resnet *r = (const resnet *)m;
    x = tg_forward(s, r->bn1, tg_forward(s, r->conv1, x));
    if (r->pool) x = tg_max_pool2d(s, x, (tg_pool2d_config){ .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 } });
    x = tg_relu(s, x);
    for (int i = 0; i < r->stages; i++) x = tg_forward(s, r->stage[i], x);
    return tg_forward(s, r->fc, tg_flatten(s, tg_adaptive_avg_pool2d(s, x, 1, 1)));
}

static tg_module *new_resnet(tg_scope *s, const char *kind, int classes, const resnet_plan *p)
{
    resnet *r = (resnet *)tg_module_new(s, sizeof *r, kind, resnet_forward);
    if (!r) return NULL;
    int channels = p->width;
    tg_layer_conv2d_config stem = { .in = 3, .out = p->width, .kernel = 3, .pad = 1 };
    if (p->imagenet) stem.kernel = 7, stem.stride = 2, stem.pad = 3;
    add_conv_bn(s, &r->base, 1, stem, &r->conv1, &r->bn1);
    r->pool = p->imagenet;
    r->stages = p->stages;
    for (int i = 0; i < p->stages; i++) {
        char name[24];
        snprintf(name, sizeof name, "layer%d", i + 1);
        r->stage[i] = tg_child(s, &r->base, name, new_stage(s, p, i, &channels));
    }
    r->fc = tg_child(s, &r->base, "fc", tg_layer_linear(s, (tg_layer_linear_config){ .in = channels, .out = classes }));
    return tg_ok(s) ? &r->base : NULL;
}

tg_module *tg_resnet20(tg_scope *s, int classes)
{
    return new_resnet(s, "ResNet20", classes, &(resnet_plan){ .stages = 3, .depth = { 3, 3, 3 }, .width = 16 });
}

tg_module *tg_resnet18c(tg_scope *s, int classes)
{
    return new_resnet(s, "ResNet18c", classes, &(resnet_plan){ .stages = 4, .depth = { 2, 2, 2, 2 }, .width = 64 });
}

tg_module *tg_resnet50(tg_scope *s, int classes)
{
    const resnet_plan p = { .stages = 4, .depth = { 3, 4, 6, 3 }, .width = 64, .bottleneck = true, .imagenet = true };
    return new_resnet(s, "ResNet50", classes, &p);
}
