/* train_state.h - the checkpoints of `tilegrad train`: what is in them, and when they are written. */
#ifndef TG_APPS_TRAIN_STATE_H
#define TG_APPS_TRAIN_STATE_H
#include "training.h"

/* train/options/...: the fields of train_options.h. */
tg_stateful train_options_state(train_options *o);
/* What a checkpoint holds.  A training goes on from the first TRAIN_LOADED: model, optimizer, loader, random numbers,
 * train/...; the others, the options and made/..., are looked at before there is a model. */
enum { TRAIN_LOADED = 5, TRAIN_THINGS = 7 };
void train_things(training *t, tg_stateful things[TRAIN_THINGS]);

/* Each writes a file of --out.  If that fails a warning says so, and the training goes on. */
void train_save_last(training *t);
void train_save_best(training *t);     /* if the last test was better than those before */
void train_save_numbered(training *t); /* if it is time (--save-every, --save-minutes); removes old ones (--keep) */
#endif
