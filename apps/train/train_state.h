/* train_state.h - the checkpoints of `tilegrad train`: their contents, and when to write them. */
#ifndef TG_APPS_TRAIN_STATE_H
#define TG_APPS_TRAIN_STATE_H
#include "training.h"

/* train/options/...: the fields of train_options.h. */
tg_stateful train_options_state(train_options *o);
/* The contents of a checkpoint.  Resuming loads the first TRAIN_LOADED: model, optimizer, loader, random state,
 * train/...; the options and made/... are read before the model is created. */
enum { TRAIN_LOADED = 5, TRAIN_THINGS = 7 };
void train_things(training *t, tg_stateful things[TRAIN_THINGS]);

/* Each writes a file in --out.  A failure is reported and training continues. */
void train_save_last(training *t);
void train_save_best(training *t);     /* if the last test is the best so far */
void train_save_numbered(training *t); /* if one is due (--save-every, --save-minutes); removes old ones (--keep) */
#endif
