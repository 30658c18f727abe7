/* train_resume.h - resuming from a checkpoint: selects it, adopts its options, restores its state. */
#ifndef TG_APPS_TRAIN_RESUME_H
#define TG_APPS_TRAIN_RESUME_H
#include "training.h"

/* Call in this order.  Each does nothing once t->root has failed.
 *
 * Sets t->from to the file that --resume selects; NULL: start.  With "auto", reports which files it skipped, and why.
 * Options missing from the command line are taken from the file; those that must agree with it and don't are listed in
 * one message.  Fails if --out holds checkpoints of later steps, which the next "auto" would select. */
void train_choose(training *t);
/* After train_set_up: loads the file, and defines a new schedule if an option asks for one. */
void train_restore(training *t);
/* Just before training: removes the remains of interrupted saves, and with --resume none all checkpoints. */
void train_clear_folder(training *t);
#endif
