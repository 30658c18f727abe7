/* progress.h - how far a training is: one line that is drawn again and again on a terminal, plain lines elsewhere.
 *
 *     progress p = progress_start(stdout, epochs, images);
 *     for (each step) progress_step(&p, epoch, count, loss, right);
 *     progress_line(&p, "epoch 1 ...\n");                  // a line that stays */
#ifndef TG_APPS_PROGRESS_H
#define TG_APPS_PROGRESS_H
#include "status_line.h"

typedef struct {
    status_line line;
    int     epoch, epochs;               /* the current one, from 1 */
    int64_t images, seen, done;          /* in an epoch; of this one; of all before */
    double  loss, right;                 /* sums over this epoch's images */
    double  train_seconds, since;        /* spent training; the last step's end */
} progress;

progress progress_start(FILE *to, int epochs, int64_t images);
void     progress_epoch(progress *p, int epoch);              /* begins an epoch: its sums are 0, the clock runs */
/* A step with `count` images, `right` of them right, and their mean loss is done. */
void     progress_step (progress *p, int count, double loss, int64_t right);
void     progress_line (progress *p, const char *format, ...) TG_PRINTF(2, 3);
void     progress_clear(progress *p);                         /* takes the line off the terminal */
double   progress_rate (const progress *p);                   /* images a second, while training */
double   progress_loss (const progress *p);                   /* means of this epoch */
double   progress_accuracy(const progress *p);
#endif
