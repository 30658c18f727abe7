/* train_options.h - the command line of `tilegrad train`, and the options that checkpoints store. */
#ifndef TG_APPS_TRAIN_OPTIONS_H
#define TG_APPS_TRAIN_OPTIONS_H
#include <tilegrad/tilegrad.h>

typedef struct {
    /* what is trained: train_fields, which checkpoints store */
    int model; /* index in tg_models(); -1: not given */
    int64_t epochs, batch;
    int optimizer;                    /* an optimizer_kind (names.h) */
    float lr, momentum, weight_decay; /* NaN: not given */
    int schedule;                     /* a tg_schedule_kind */
    int64_t warmup;                   /* updates */
    int bf16;                         /* --dtype bf16 */
    bool augment;
    uint64_t seed;
    /* the images; stored in checkpoints as made/data and made/data_dir (made.h) */
    const char *data;     /* a set of datasets.def, a folder; NULL: the model's default */
    const char *data_dir; /* location of the named set; NULL: the usual places */
    /* how it runs */
    const char *out;          /* folder for results, or NULL */
    const char *resume;       /* "auto", "none", a path; NULL: not given */
    int64_t save_every, keep; /* steps (0: never); number of these files to keep */
    double save_minutes;      /* 0: never */
    bool report;
    uint32_t given; /* bit i: train_fields[i] was on the command line */
} train_options;

typedef enum { FIELD_WHOLE, FIELD_SEED, FIELD_REAL, FIELD_CHOICE, FIELD_FLAG } field_kind;

/* An option that checkpoints store: --NAME on the command line, train/options/NAME in a file. */
typedef struct {
    const char *name;
    int key; /* argp's */
    field_kind kind;
    size_t offset;      /* in train_options: int64_t, uint64_t, float, int, bool */
    double least, most; /* range of whole and real numbers */
    const char *const *choices;
    bool fixed; /* the command line must agree with the file */
} train_field;

enum { TRAIN_FIELDS = 12 };
extern const train_field train_fields[TRAIN_FIELDS];

bool train_given(const train_options *o, const char *name); /* was it on the command line? */
/* A field's value as written on the command line. */
typedef struct {
    char text[40];
} field_text;
const char *train_field_text(const train_field *field, const train_options *o, field_text *text);

const tg_model_info *train_model(const train_options *o);
const char *train_dtype(const train_options *o), *train_optimizer(const train_options *o),
    *train_schedule_name(const train_options *o); /* "bf16", "sgd", "cosine" */

/* Parses the command line and fills in defaults, except for the learning rate and weight decay: these depend on the
 * optimizer and are NaN until train_settle.  Ends the program with status 2 if the command line is wrong. */
train_options train_parse(int argc, char **argv);
void train_settle(train_options *o);
#endif
