/* progress.h - the progress of a training run: a line redrawn in place on a terminal, plain lines elsewhere.
 *
 *     progress p = progress_start(stdout, epochs, images);
 *     progress_go(&p);
 *     for (each step) progress_step(&p, count, loss, right);
 *     progress_line(&p, "epoch 1 ...\n");                  // a permanent line
 *     progress_next_epoch(&p); */
#ifndef TG_APPS_PROGRESS_H
#define TG_APPS_PROGRESS_H
#include "status_line.h"

typedef struct {
    int64_t seen;
    double loss, right;
} progress_sums; /* over images: their number, losses, correct predictions */

typedef struct {
    status_line line;
    int64_t epoch, epochs;       /* the current one, from 1; epochs + 1 once all are done */
    int64_t images, done;        /* per epoch; seen in all earlier epochs */
    progress_sums sums, marked;  /* of this epoch; their values at the last progress_mark */
    double train_seconds, since; /* spent training; when the last step ended */
} progress;

progress progress_start(FILE *to, int64_t epochs, int64_t images);
void progress_go(progress *p);         /* starts the training clock */
void progress_next_epoch(progress *p); /* resets the sums */
/* Records a step of `count` images: their mean loss and the number of correct predictions. */
void progress_step(progress *p, int count, double loss, int64_t right);
void progress_line(progress *p, const char *format, ...) TG_PRINTF(2, 3);
void progress_clear(progress *p);         /* erases the line from the terminal */
double progress_rate(const progress *p);  /* training images per second */
double progress_loss(progress_sums sums); /* means; accuracy in percent */
double progress_accuracy(progress_sums sums);
progress_sums progress_mark(progress *p); /* the sums since this epoch's last mark */
#endif
