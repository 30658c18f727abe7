/* evaluate.h - what a classifier makes of images. */
#ifndef TG_APPS_EVALUATE_H
#define TG_APPS_EVALUATE_H
#include <tilegrad/tilegrad.h>

/* A row of logits has the class of its largest.  If one of them is NaN, or the largest is infinite (so that softmax
 * gives NaN), it has none, and is never right. */
enum { NO_CLASS = -1 };

typedef struct {
    int64_t seen, right, none; /* rows; of the right class; without a class */
    double loss;               /* the mean cross-entropy of evaluate */
} verdict;

/* Adds the rows of logits [n, classes] to v, and writes the class of each to guess (or NULL). */
void judge_rows(tg_tensor *logits, tg_tensor *truth, int16_t *guess, verdict *v);
/* Judges every image of a loader that does not shuffle.  Stops early when a signal asks for it, or s fails. */
verdict evaluate(tg_scope *s, tg_module *net, tg_loader *batches, int16_t *guess);
#endif
