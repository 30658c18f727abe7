/* model_data.h - opens a model's images: a named set, or a folder. */
#ifndef TG_APPS_MODEL_DATA_H
#define TG_APPS_MODEL_DATA_H
#include <tilegrad/tilegrad.h>

bool data_is_named(const char *set);              /* a set of datasets.def, not a folder */
const char *data_for(const tg_model_info *model); /* the model's default named set */
/* NULL if s has failed: no such set or folder, or images that don't fit the model.  dir NULL: the usual places. */
tg_dataset *data_open(tg_scope *s, const tg_model_info *model, const char *set, const char *dir, tg_split split);
#endif
