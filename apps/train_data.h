/* train_data.h - the images that `tilegrad train` trains on. */
#ifndef TG_APPS_TRAIN_DATA_H
#define TG_APPS_TRAIN_DATA_H
#include "train_options.h"

/* The set that the options name, or fits the model; NULL once root has failed: no such set, or it does not fit. */
tg_dataset *train_data(tg_scope *root, const train_options *o, tg_split split);
#endif
