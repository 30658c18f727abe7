/* results.h - the folder of --out. */
#ifndef TG_APPS_RESULTS_H
#define TG_APPS_RESULTS_H
#include "tilegrad.h"
#include <stdio.h>

typedef struct {
    const char *folder;
    FILE       *log;                     /* log.csv: a line an epoch */
} results;

/* Makes the folder, with those above it, and begins log.csv: so one learns before the training that it cannot be
 * written.  folder NULL: nothing is ever written. */
results results_open(tg_scope *s, const char *folder);
typedef struct {
    int    epoch;
    double loss, accuracy, test_accuracy;    /* accuracies in per cent */
    double rate, seconds;                    /* images a second while training; of the whole epoch */
} epoch_result;
void    results_epoch(tg_scope *s, results *r, const epoch_result *e);
/* predictions.png: the first test images, each with its true class and guess[i], the class it was taken for. */
void    results_predictions(tg_scope *s, const results *r, const tg_dataset *test, const uint8_t *guess);
void    results_close(results *r);
#endif
