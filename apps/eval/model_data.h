/* model_data.h - the images for a model: a set by its name, or a folder. */
#ifndef TG_APPS_MODEL_DATA_H
#define TG_APPS_MODEL_DATA_H
#include <tilegrad/tilegrad.h>

bool data_is_named(const char *set);              /* "sample", "fashion-mnist", "cifar10": no folder */
const char *data_for(const tg_model_info *model); /* the named set that fits it */
/* NULL once s has failed: no such set or folder, images that the model does not take.  dir NULL: the usual places. */
tg_dataset *data_open(tg_scope *s, const tg_model_info *model, const char *set, const char *dir, tg_split split);
#endif
