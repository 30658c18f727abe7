/* train_options.h - the command line of `tilegrad train`. */
#ifndef TG_APPS_TRAIN_OPTIONS_H
#define TG_APPS_TRAIN_OPTIONS_H
#include "tilegrad.h"

typedef enum { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW } optimizer_kind;

typedef struct {
    const tg_model_info *model;
    const char      *data;               /* "sample", "fashion-mnist", "cifar10", a folder; NULL: what fits the model */
    const char      *data_dir;           /* where the named set lies; NULL: the usual places */
    const char      *out;                /* folder for results, or NULL */
    int              epochs, batch;
    optimizer_kind   optimizer;
    float            lr, momentum, weight_decay;
    tg_schedule_kind schedule;
    int64_t          warmup;             /* updates */
    uint64_t         seed;
    bool             augment, bf16, report;
} train_options;

/* The names that --optimizer and --schedule take, by their numbers; each list ends with NULL. */
extern const char *const optimizer_names[], *const schedule_names[];

/* Fills everything in, defaults too; ends the program with status 2 if the line is wrong. */
train_options train_parse(int argc, char **argv);
#endif
