/* training.h - the state of a training run, which the files of `tilegrad train` share. */
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
    int64_t left_out; /* images dropped per epoch: 0, or 1 (a last batch too small for batch norm) */
    tg_module *net;
    tg_optim *opt;
    const tg_optimize_report *report;
    run_folder out;
    made made;        /* provenance of the checkpoints written here */
    const char *from; /* the checkpoint it resumes from, or NULL */

    /* Progress: with the loader's position, all of it that a checkpoint stores.  Between steps, line.sums.seen images
     * of epoch line.epoch have been seen; once that is all of them, the test is next. */
    progress line;
    int64_t step;         /* updates done */
    double test_accuracy; /* percent, after the last completed epoch */
    double best;          /* the best so far; -1: none yet */
    int64_t best_epoch;
    double epoch_began; /* training_seconds() when the epoch began */
    double before;      /* seconds spent in earlier processes */

    double began;                  /* seconds() when this process started training */
    double saved;                  /* seconds() of the last numbered checkpoint */
    bool last_failed, best_failed; /* the last attempt to write last or best failed */
    int64_t numbered_failed;       /* numbered checkpoints that could not be written */
    int64_t odd_tests;             /* tests with NO_CLASS images */
    int16_t *guess;                /* [test->count]: each test image's predicted class, or NO_CLASS */
} training;

/* Training time so far, earlier processes included. */
static inline double training_seconds(const training *t) { return t->before + seconds() - t->began; }
#endif
