/* zoo.c - the models by name. */
#include "layer.h"
#include <string.h>

static const tg_model_info models[] = {
    { "lenet", tg_lenet, { 28, 28, 1 }, "LeNet-5 with 32 and 64 channels: 28x28 grey" },
    { "mlp", tg_mlp, { 28, 28, 1 }, "two hidden layers of 1024: 28x28 grey" },
    { "resnet20", tg_resnet20, { 32, 32, 3 }, "ResNet-20 for CIFAR: 32x32 colour" },
    { "resnet18c", tg_resnet18c, { 32, 32, 3 }, "ResNet-18 with a 3x3 stem, for CIFAR: 32x32 colour" },
    { "resnet50", tg_resnet50, { 224, 224, 3 }, "ResNet-50: 224x224 colour" },
};

const tg_model_info *tg_models(int *count)
{
    if (count) *count = (int)(sizeof models / sizeof *models);
    return models;
}

const tg_model_info *tg_find_model(const char *name)
{
    for (size_t i = 0; name && i < sizeof models / sizeof *models; i++)
        if (!strcmp(models[i].name, name)) return &models[i];
    return NULL;
}
