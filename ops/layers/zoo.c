/* zoo.c - the models by name. */
#include "layer.h"
#include <string.h>

static const tg_model_info models[] = {
#define TG_NETWORK(name, h, w, c, about) { #name, tg_##name, { h, w, c }, about },
#include "networks.def"
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
