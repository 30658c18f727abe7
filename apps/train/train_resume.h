/* train_resume.h - going on from a checkpoint: which one, with which options, from where. */
#ifndef TG_APPS_TRAIN_RESUME_H
#define TG_APPS_TRAIN_RESUME_H
#include "training.h"

/* In this order.  Each does nothing once t->root has failed.
 *
 * The file that --resume asks for becomes t->from; NULL: the training starts.  With "auto" it says which files it
 * passed over, and why.  Options that were not on the line become the file's; those that have to agree with it, and do
 * not, are named in one message.  Fails if --out holds checkpoints of later steps, which the next "auto" would take. */
void train_choose(training *t);
/* Once all is set up: loads the file, and sets the schedule anew if an option says so. */
void train_restore(training *t);
/* Just before the training: removes what saves that were cut short left, and with --resume none all checkpoints. */
void train_clear_folder(training *t);
#endif
