/* lenet.c - LeNet-5 in its modern form: wider, with relu and max pooling. */
#include "layer.h"

tg_module *tg_lenet(tg_scope *s, int classes)
{
    tg_module *list[] = { tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 1, .out = 32, .kernel = 5, .pad = 2 }),
                          tg_layer_relu(s),
                          tg_layer_max_pool2d(s, (tg_layer_pool2d_config){ .kernel = 2 }),
                          tg_layer_conv2d(s, (tg_layer_conv2d_config){ .in = 32, .out = 64, .kernel = 5, .pad = 2 }),
                          tg_layer_relu(s),
                          tg_layer_max_pool2d(s, (tg_layer_pool2d_config){ .kernel = 2 }),
                          tg_layer_flatten(s),
                          tg_layer_linear(s, (tg_layer_linear_config){ .in = 64 * 7 * 7, .out = 512 }),
                          tg_layer_relu(s),
                          tg_layer_linear(s, (tg_layer_linear_config){ .in = 512, .out = classes }),
                          NULL };
    return tg_sequential(s, list);
}
