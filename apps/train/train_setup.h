/* train_setup.h - creates the model, optimizer and data sets that the options ask for. */
#ifndef TG_APPS_TRAIN_SETUP_H
#define TG_APPS_TRAIN_SETUP_H
#include "training.h"

tg_schedule_config train_schedule(const training *t);
void train_set_up(training *t);
void train_describe(const training *t); /* on stdout */
#endif
