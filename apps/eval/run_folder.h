/* run_folder.h - the --out folder: its lock, metrics.jsonl, predictions.png.
 *
 * Once training has started, failing to write metrics doesn't end it: stderr gets a warning the first time, and again
 * if it fails after having recovered. */
#ifndef TG_APPS_RUN_FOLDER_H
#define TG_APPS_RUN_FOLDER_H
#include <tilegrad/tilegrad.h>
#include <stdio.h>

typedef struct {
    const char *name;   /* of the folder; NULL: never write */
    int lock;           /* the locked folder: one training run at a time; -1: locking failed */
    int metrics;        /* the file; -1: none */
    bool metrics_fail;  /* writing the last line failed */
    int64_t lines_lost; /* lines that could not be written */
} run_folder;

const char *folder_path(tg_scope *s, const char *folder, const char *name); /* "folder/name", in s */

bool folder_make(tg_scope *s, const char *path); /* with its parents; on failure, fails s and returns false */

/* Creates the folder and metrics.jsonl, so that failures surface before training starts. */
run_folder run_folder_open(tg_scope *s, const char *name);
/* Removes the lines of metrics.jsonl beyond the current position: later steps, and the ends of later epochs. */
void run_folder_begin(tg_scope *s, run_folder *r, int64_t step, int64_t epoch);

typedef struct {
    int64_t epoch, step;
    double loss, accuracy; /* accuracy in percent; of an epoch, or of the steps since the last line */
    double test_accuracy;  /* percent, at the end of an epoch; NaN within one */
    double lr;             /* of the next step */
    double rate, seconds;  /* images per second while training; seconds since the start, without interruptions */
} metrics;
void run_folder_metrics(run_folder *r, const metrics *m);
/* Writes predictions.png: the first test images, each with its true class and its predicted class guess[i] (may be
 * NO_CLASS, see evaluate.h). */
void run_folder_predictions(tg_scope *s, const char *folder, const tg_dataset *test, const char *const *class_name,
                            const int16_t *guess);
void run_folder_close(run_folder *r);
#endif
