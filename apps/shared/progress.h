/* progress.h - how far a training is: one line that is drawn again and again on a terminal, plain lines elsewhere.
 *
 *     progress p = progress_start(stdout, epochs, images);
 *     progress_go(&p);
 *     for (each step) progress_step(&p, count, loss, right);
 *     progress_line(&p, "epoch 1 ...\n");                  // a line that stays
 *     progress_next_epoch(&p); */
#ifndef TG_APPS_PROGRESS_H
#define TG_APPS_PROGRESS_H
#include "status_line.h"

typedef struct {
    int64_t seen;
    double loss, right;
} progress_sums; /* over images: how many, losses, right ones */

typedef struct {
    status_line line;
    int64_t epoch, epochs;       /* the current one, from 1; past the last when all are done */
    int64_t images, done;        /* in an epoch; seen in all before this one */
    progress_sums sums, marked;  /* of this epoch; what they were at the last progress_mark */
    double train_seconds, since; /* spent training; the last step's end */
} progress;

progress progress_start(FILE *to, int64_t epochs, int64_t images);
void progress_go(progress *p);         /* the clock of training runs from here on */
void progress_next_epoch(progress *p); /* its sums are 0 */
/* A step with `count` images, `right` of them right, and their mean loss is done. */
void progress_step(progress *p, int count, double loss, int64_t right);
void progress_line(progress *p, const char *format, ...) TG_PRINTF(2, 3);
void progress_clear(progress *p);         /* takes the line off the terminal */
double progress_rate(const progress *p);  /* images a second, while training */
double progress_loss(progress_sums sums); /* means; of accuracy in per cent */
double progress_accuracy(progress_sums sums);
progress_sums progress_mark(progress *p); /* the sums since the last mark of this epoch */
#endif
