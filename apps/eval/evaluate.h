/* evaluate.h - evaluates a classifier on images. */
#ifndef TG_APPS_EVALUATE_H
#define TG_APPS_EVALUATE_H
#include <tilegrad/tilegrad.h>

/* The prediction of a row of logits is the class of the largest.  If any is NaN, or the largest is infinite (softmax
 * would return NaN), there is none, which never counts as right. */
enum { NO_CLASS = -1 };

typedef struct {
    int64_t seen, right, none; /* rows in all, predicted correctly, without a prediction */
    double loss;               /* the mean cross-entropy of evaluate */
} verdict;

/* Adds the rows of logits [n, classes] to v, and stores their predictions in guess (may be NULL). */
void judge_rows(tg_tensor *logits, tg_tensor *truth, int16_t *guess, verdict *v);
/* Evaluates every image of an unshuffled loader.  Stops early on a signal, or when s fails. */
verdict evaluate(tg_scope *s, tg_module *net, tg_loader *batches, int16_t *guess);
#endif
