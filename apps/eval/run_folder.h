/* run_folder.h - the folder of --out: who is writing there, metrics.jsonl, predictions.png.
 *
 * Once a training has begun, metrics that cannot be written do not end it: a warning goes to stderr when that happens
 * for the first time, or again after it had worked. */
#ifndef TG_APPS_RUN_FOLDER_H
#define TG_APPS_RUN_FOLDER_H
#include <tilegrad/tilegrad.h>
#include <stdio.h>

typedef struct {
    const char *name;   /* of the folder; NULL: nothing is ever written */
    int lock;           /* the folder, locked: one training at a time; -1: it cannot be */
    int metrics;        /* the file; -1: none */
    bool metrics_fail;  /* the last line could not be written */
    int64_t lines_lost; /* could not be written */
} run_folder;

const char *folder_path(tg_scope *s, const char *folder, const char *name); /* "folder/name", in s */

bool folder_make(tg_scope *s, const char *path); /* with those above it; false and s failed if it cannot be */

/* Makes the folder, and metrics.jsonl, so one learns before the training that it cannot be written. */
run_folder run_folder_open(tg_scope *s, const char *name);
/* Takes the lines off metrics.jsonl that come after a training's place: of later steps, of the ends of later epochs. */
void run_folder_begin(tg_scope *s, run_folder *r, int64_t step, int64_t epoch);

typedef struct {
    int64_t epoch, step;
    double loss, accuracy; /* per cent.  Of an epoch; of the steps since the last line */
    double test_accuracy;  /* per cent, at the end of an epoch; NaN: a line within one */
    double lr;             /* of the next step */
    double rate, seconds;  /* images a second while training; since the training began, stops left out */
} metrics;
void run_folder_metrics(run_folder *r, const metrics *m);
/* predictions.png: the first test images, each with its true class and guess[i], the class it was taken for (or
 * NO_CLASS, see evaluate.h). */
void run_folder_predictions(tg_scope *s, const char *folder, const tg_dataset *test, const char *const *class_name,
                            const int16_t *guess);
void run_folder_close(run_folder *r);
#endif
