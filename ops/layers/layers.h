/* layers.h - layers, containers and the model zoo.
 *
 * Initialisation is PyTorch's default, in the zoo as well (torchvision draws the convolutions of a ResNet from a normal
 * distribution): weights and biases are uniform in +-1/sqrt(fan_in), with fan_in = kh kw in/groups (ConvTranspose2d:
 * kh kw out/groups; Linear: in); norms start as the identity.  The values depend on tg_seed and on the order in which
 * layers are created.  A zeroed field of a config means its default; TG_ZERO (tensor.h) means 0. */
#ifndef TG_LAYERS_H
#define TG_LAYERS_H
#include "module.h"
#include "ops.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int in, out, kernel; /* square, unless kernel_w > 0; a stride, dilation or groups of 0 means 1 */
    int stride, pad, dilation, groups;
    int kernel_w, stride_w, pad_w, dilation_w; /* if kernel_w > 0: horizontal; those above are vertical */
    int output_pad, output_pad_w;              /* ConvTranspose2d only */
    bool no_bias;
} tg_layer_conv2d_config;
/* weight [out,kh,kw,in/groups], transposed: [in,kh,kw,out/groups]; bias [out] */
tg_module *tg_layer_conv2d(tg_scope *s, tg_layer_conv2d_config config);
tg_module *tg_layer_conv_transpose2d(tg_scope *s, tg_layer_conv2d_config config);

typedef struct {
    int in, out;
    bool no_bias;
} tg_layer_linear_config;
tg_module *tg_layer_linear(tg_scope *s, tg_layer_linear_config config); /* weight [out,in], bias [out] */
typedef struct {
    int features;
    float eps, momentum;
} tg_layer_batch_norm2d_config; /* 0 means 1e-5 and 0.1 */
/* weight, bias, running_mean, running_var [features], num_batches_tracked (i64, rank 0) */
tg_module *tg_layer_batch_norm2d(tg_scope *s, tg_layer_batch_norm2d_config config);
typedef struct {
    int rank;
    int64_t dim[TG_MAX_RANK];
    float eps;
} tg_layer_norm_config;
tg_module *tg_layer_layer_norm(tg_scope *s, tg_layer_norm_config config); /* weight, bias [dim] */

typedef struct {
    int kernel, stride, pad;
    bool exclude_pad;
} tg_layer_pool2d_config; /* a stride of 0 means the kernel's size */
tg_module *tg_layer_max_pool2d(tg_scope *s, tg_layer_pool2d_config config);
tg_module *tg_layer_avg_pool2d(tg_scope *s, tg_layer_pool2d_config config);
tg_module *tg_layer_adaptive_avg_pool2d(tg_scope *s, int oh, int ow);
tg_module *tg_layer_dropout(tg_scope *s, double p);
tg_module *tg_layer_leaky_relu(tg_scope *s, double slope);
/* Any function of one tensor as a layer: tg_layer_fn(s, "GELU", tg_gelu). */
tg_module *tg_layer_fn(tg_scope *s, const char *kind, tg_tensor *(*fn)(tg_scope *, tg_tensor *));
tg_module *tg_layer_relu(tg_scope *s);
tg_module *tg_layer_flatten(tg_scope *s);

/* Calls its children "0", "1", ... in order; the list ends with NULL. */
tg_module *tg_sequential(tg_scope *s, tg_module *const *list);
/* relu(body(x) + skip(x)), with children "body" and "skip"; if skip is NULL, relu(body(x) + x). */
tg_module *tg_residual(tg_scope *s, tg_module *body, tg_module *skip);

/* ---- the model zoo; inputs [n,28,28,1], [n,32,32,3], [n,224,224,3] ---- */
tg_module *tg_lenet(tg_scope *s, int classes);     /* conv 5x5 32, pool, conv 5x5 64, pool, linear 512, linear */
tg_module *tg_mlp(tg_scope *s, int classes);       /* 784-1024-1024-classes, relu */
tg_module *tg_resnet20(tg_scope *s, int classes);  /* He et al. 2015, CIFAR, 16 to 64 channels; torchvision's names */
tg_module *tg_resnet18c(tg_scope *s, int classes); /* ResNet-18 for CIFAR: a 3x3 stem, no pooling */
tg_module *tg_resnet50(tg_scope *s, int classes);  /* torchvision's: v1.5, stride in the 3x3 */

typedef struct {
    const char *name; /* "lenet" */
    tg_module *(*make)(tg_scope *s, int classes);
    int64_t input[3];  /* h, w, c */
    const char *about; /* "LeNet-5 with 32 and 64 channels: 28x28 grey" */
} tg_model_info;
const tg_model_info *tg_models(int *count);
const tg_model_info *tg_find_model(const char *name); /* NULL: none */

#ifdef __cplusplus
}
#endif
#endif
