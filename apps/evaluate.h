/* evaluate.h - what a classifier makes of images. */
#ifndef TG_APPS_EVALUATE_H
#define TG_APPS_EVALUATE_H
#include "tilegrad.h"

/* The class of each row of logits, where its largest number is, goes to guess (or NULL); returns how many are right. */
int64_t count_right(tg_tensor *logits, tg_tensor *truth, uint8_t *guess);
/* Guesses every image of a loader that does not shuffle, and returns how many were right; *loss (or NULL) is their mean
 * cross-entropy.  Stops early when a signal asks for it, or s fails. */
int64_t evaluate(tg_scope *s, tg_module *net, tg_loader *batches, uint8_t *guess, double *loss);
#endif
