/* mlp.c - a multi-layer perceptron for 28x28 images. */
#include "layer.h"

tg_module *tg_mlp(tg_scope *s, int classes)
{
    tg_module *list[] = { tg_layer_flatten(s),
                          tg_layer_linear(s, (tg_layer_linear_config){ .in = 28 * 28, .out = 1024 }),
                          tg_layer_relu(s),
                          tg_layer_linear(s, (tg_layer_linear_config){ .in = 1024, .out = 1024 }),
                          tg_layer_relu(s),
                          tg_layer_linear(s, (tg_layer_linear_config){ .in = 1024, .out = classes }),
                          NULL };
    return tg_sequential(s, list);
}
