/* training.h - a training under way: what the files of `tilegrad train` share. */
#ifndef TG_APPS_TRAINING_H
#define TG_APPS_TRAINING_H
#include "evaluate.h"
#include "made.h"
#include "progress.h"
#include "run_folder.h"
#include "train_options.h"

typedef struct {
    train_options o;
    tg_scope *root;
    tg_dataset *train, *test;
    tg_loader *train_batches, *test_batches;
    int64_t left_out; /* training images of each epoch: 0, or 1 (a last batch that batch norm cannot take) */
    tg_module *net;
    tg_optim *opt;
    const tg_optimize_report *report;
    run_folder out;
    made made;        /* of checkpoints written here */
    const char *from; /* the checkpoint it goes on from, or NULL */

    /* How far it is: with the loader's place, all that a checkpoint has of it.  Between two steps line.sums.seen images
     * of epoch line.epoch have been seen; if these are all of them, the test comes next. */
    progress line;
    int64_t step;         /* updates done */
    double test_accuracy; /* per cent, after the last epoch that ended */
    double best;          /* the best of these; -1: none yet */
    int64_t best_epoch;
    double epoch_began; /* training_seconds() then */
    double before;      /* seconds that were spent before this process */

    double began;                  /* seconds() when this process began to train */
    double saved;                  /* seconds() of the last numbered checkpoint */
    bool last_failed, best_failed; /* the last attempt to write this file */
    int64_t numbered_failed;       /* checkpoints by step that could not be written */
    int64_t odd_tests;             /* tests in which images had no class (NO_CLASS) */
    int16_t *guess;                /* [test->count]: the class that each test image is taken for, or NO_CLASS */
} training;

/* Seconds that the training took so far, before this process too. */
static inline double training_seconds(const training *t) { return t->before + seconds() - t->began; }
#endif
