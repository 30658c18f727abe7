/* train_options.c - the command line of `tilegrad train`. */
#include "train_options.h"
#include "names.h"
#include "options.h"
#include <math.h>
#include <string.h>

static const char *const dtype_names[] = { "fp32", "bf16", NULL };
static const char *const schedule_names[] = { "constant", "step", "cosine", "one-cycle", NULL };

enum {
    DATA = 'd',
    EPOCHS = 'e',
    BATCH = 'b',
    LR = 'l',
    SEED = 's',
    THREADS = 't',
    OUT = 'o',
    RESUME = 'r',
    MODEL = 0x100,
    DATA_DIR,
    OPTIMIZER,
    MOMENTUM,
    WEIGHT_DECAY,
    SCHEDULE,
    WARMUP,
    AUGMENT,
    DTYPE,
    REPORT,
    SAVE_EVERY,
    SAVE_MINUTES,
    KEEP
};

#define AT(field) offsetof(train_options, field)
const train_field train_fields[TRAIN_FIELDS] = {
    { "model", MODEL, FIELD_CHOICE, AT(model), 0, 0, names_networks, true },
    { "epochs", EPOCHS, FIELD_WHOLE, AT(epochs), 1, 100000, NULL, false },
    { "batch", BATCH, FIELD_WHOLE, AT(batch), 1, 65536, NULL, true },
    { "optimizer", OPTIMIZER, FIELD_CHOICE, AT(optimizer), 0, 0, names_optimizers, true },
    { "lr", LR, FIELD_REAL, AT(lr), 0, 1e6, NULL, false },
    { "momentum", MOMENTUM, FIELD_REAL, AT(momentum), 0, 0.9999, NULL, true },
    { "weight-decay", WEIGHT_DECAY, FIELD_REAL, AT(weight_decay), 0, 1000, NULL, true },
    { "schedule", SCHEDULE, FIELD_CHOICE, AT(schedule), 0, 0, schedule_names, false },
    { "warmup", WARMUP, FIELD_WHOLE, AT(warmup), 0, INT32_MAX, NULL, false },
    { "dtype", DTYPE, FIELD_CHOICE, AT(bf16), 0, 0, dtype_names, true },
    { "augment", AUGMENT, FIELD_FLAG, AT(augment), 0, 0, NULL, true },
    { "seed", SEED, FIELD_SEED, AT(seed), 0, 0, NULL, true },
};

static const struct argp_option table[] = {
    { NULL, 0, NULL, 0, "Data:", 1 },
    { "data", DATA, "SET", 0,
      "{datasets}, or a folder with IDX or CIFAR files "
      "(default: fashion-mnist for grey networks, cifar10 for colour)",
      1 },
    { "data-dir", DATA_DIR, "DIR", 0, "where the files of a named set are", 1 },
    { "augment", AUGMENT, NULL, 0, "crop and mirror the training images at random", 1 },
    { NULL, 0, NULL, 0, "Training:", 2 },
    { "epochs", EPOCHS, "N", 0, "passes over the training images (5)", 2 },
    { "batch", BATCH, "N", 0, "images per step (128)", 2 },
    { "optimizer", OPTIMIZER, "NAME", 0, "{optimizers} (sgd)", 2 },
    { "lr", LR, "X", 0, "learning rate (0.05 for sgd, else 0.001)", 2 },
    { "momentum", MOMENTUM, "X", 0, "of sgd (0.9)", 2 },
    { "weight-decay", WEIGHT_DECAY, "X", 0, "of weights, but not of biases and norms (0.01 for adamw, else 0)", 2 },
    { "schedule", SCHEDULE, "NAME", 0,
      "of the learning rate: constant, step (a tenth after each third), "
      "cosine (to zero) or one-cycle (cosine)",
      2 },
    { "dtype", DTYPE, "TYPE", 0,
      "fp32 or bf16: weights and activations; sums and updates are FP32 "
      "(fp32)",
      2 },
    { "report", REPORT, NULL, 0, "report for each layer what was optimized, or why not", 2 },
    { "warmup", WARMUP, "N", 0, "updates over which the learning rate rises from 0 (0)", 2 },
    { NULL, 0, NULL, 0, "Running:", 3 },
    { "seed", SEED, "N", 0, "of the initial weights, the order of images, the augmentation (1)", 3 },
    { "threads", THREADS, "N", 0, "threads to compute with (all processors)", 3 },
    { NULL, 0, NULL, 0, "Results and checkpoints:", 4 },
    { "out", OUT, "DIR", 0,
      "write to this folder run.json (how it was run), metrics.jsonl, "
      "predictions.png, last.safetensors (all that resuming needs; after each "
      "epoch) and best.safetensors (the weights with the best test accuracy)",
      4 },
    { "save-every", SAVE_EVERY, "STEPS", 0, "also write ckpt-NUMBER.safetensors every STEPS steps", 4 },
    { "save-minutes", SAVE_MINUTES, "M", 0, "the same, every M minutes", 4 },
    { "keep", KEEP, "N", 0, "keep the last N of these (3)", 4 },
    { "resume", RESUME, "WHERE", 0,
      "resume from: auto (the newest undamaged checkpoint in --out; start if "
      "there is none), a file, or none (start, and remove the checkpoints in "
      "--out)",
      4 },
    { 0 },
};

static const char about[] =
    "Trains a network and reports its accuracy on test images after each epoch.\n"
    "MODEL is {inputs}: height, width and channels of its images.\v"
    "Examples:\n"
    "  tilegrad train lenet --data sample --epochs 10 --out runs/lenet\n"
    "  tilegrad train lenet --dtype bf16 --report\n"
    "  tilegrad train mlp --optimizer adam --epochs 3\n"
    "  tilegrad train resnet20 --data-dir cifar-10-batches-bin --augment\n"
    "  tilegrad train lenet --data my-idx-files --seed 7 --threads 2\n"
    "  tilegrad train lenet --out runs/lenet --save-minutes 10 --resume auto\n"
    "  tilegrad train --resume runs/lenet/last.safetensors --epochs 20\n\n"
    "Resuming needs no other options: those not given are taken from the file (--out: its folder), and those given "
    "must agree with it, except --epochs, --lr, --schedule and --warmup, which define a new learning-rate schedule "
    "that counts the steps already done.\n\n"
    "Ctrl-C, SIGTERM, SIGHUP and SIGPIPE save and stop after the current step; a second Ctrl-C or SIGTERM quits. "
    "SIGUSR1 saves.";

/* ---- fields ---- */

bool train_given(const train_options *o, const char *name)
{
    int i = 0;
    while (strcmp(train_fields[i].name, name) != 0) i++;
    return o->given >> i & 1;
}

const char *train_field_text(const train_field *f, const train_options *o, field_text *text)
{
    const void *const value = (const char *)o + f->offset;
    const size_t size = sizeof text->text;
    switch (f->kind) {
    case FIELD_WHOLE: snprintf(text->text, size, "%lld", (long long)*(const int64_t *)value); break;
    case FIELD_SEED: snprintf(text->text, size, "%llu", (unsigned long long)*(const uint64_t *)value); break;
    case FIELD_REAL: snprintf(text->text, size, "%.7g", (double)*(const float *)value); break;
    case FIELD_CHOICE: snprintf(text->text, size, "%s", f->choices[*(const int *)value]); break;
    case FIELD_FLAG: snprintf(text->text, size, "%s", *(const bool *)value ? "yes" : "no"); break;
    }
    return text->text;
}

/* The field with this key, or NULL. */
static const train_field *field_of(int key)
{
    for (int i = 0; i < TRAIN_FIELDS; i++)
        if (train_fields[i].key == key) return &train_fields[i];
    return NULL;
}

static void parse_field(struct argp_state *state, const train_field *f, char *text)
{
    train_options *const o = state->input;
    void *const to = (char *)o + f->offset;
    char name[24];
    snprintf(name, sizeof name, "--%s", f->name);
    o->given |= 1u << (f - train_fields);
    switch (f->kind) {
    case FIELD_WHOLE: *(int64_t *)to = option_whole(state, name, text, (int64_t)f->least, (int64_t)f->most); break;
    case FIELD_SEED: *(uint64_t *)to = (uint64_t)option_whole(state, name, text, 0, INT64_MAX); break;
    case FIELD_REAL: *(float *)to = (float)option_number(state, name, text, f->least, f->most); break;
    case FIELD_CHOICE: *(int *)to = option_choice(state, name, text, f->choices); break;
    case FIELD_FLAG: *(bool *)to = true; break;
    }
}

static void parse_model(struct argp_state *state, const char *text)
{
    train_options *const o = state->input;
    int count;
    if (o->model >= 0) argp_error(state, "too many arguments: '%s'", text);
    o->model = (int)(option_model(state, text) - tg_models(&count));
    o->given |= 1u << (field_of(MODEL) - train_fields);
}

/* ---- the line ---- */

static bool resumes(const train_options *o) { return o->resume && strcmp(o->resume, "none") != 0; }

static void check_line(struct argp_state *state)
{
    const train_options *const o = state->input;
    if (o->model < 0 && !resumes(o)) argp_error(state, "no model: try lenet");
    if (o->out && !*o->out) argp_error(state, "--out '': want the name of a folder");
    if (o->resume && !*o->resume) argp_error(state, "--resume '': want auto, none or a file");
    if (o->out) return;
    if (o->resume && !strcmp(o->resume, "auto")) argp_error(state, "--resume auto: want --out DIR as well");
    if ((o->save_every || o->save_minutes > 0) && !resumes(o))
        argp_error(state, "--save-%s: want --out DIR as well", o->save_every ? "every" : "minutes");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    train_options *const o = state->input;
    const train_field *const f = field_of(key);
    if (f) return parse_field(state, f, text), 0;
    switch (key) {
    case DATA: o->data = text; return 0;
    case DATA_DIR: o->data_dir = text; return 0;
    case OUT: o->out = text; return 0;
    case RESUME: o->resume = text; return 0;
    case REPORT: o->report = true; return 0;
    case THREADS: option_threads(state, text); return 0;
    case SAVE_EVERY: o->save_every = option_whole(state, "--save-every", text, 1, INT32_MAX); return 0;
    case SAVE_MINUTES: o->save_minutes = option_number(state, "--save-minutes", text, 1e-6, 1e6); return 0;
    case KEEP: o->keep = option_whole(state, "--keep", text, 1, INT32_MAX); return 0;
    case ARGP_KEY_ARG: parse_model(state, text); return 0;
    case ARGP_KEY_END: check_line(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

train_options train_parse(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "MODEL", about, NULL, names_help, NULL };
    train_options o = {
        .model = -1,
        .epochs = 5,
        .batch = 128,
        .lr = NAN,
        .momentum = 0.9f,
        .weight_decay = NAN,
        .schedule = TG_COSINE,
        .seed = 1,
        .keep = 3,
    };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    return o;
}

void train_settle(train_options *o)
{
    if (isnan(o->lr)) o->lr = optimizer_lr((optimizer_kind)o->optimizer);
    if (isnan(o->weight_decay)) o->weight_decay = optimizer_decay((optimizer_kind)o->optimizer);
}

const tg_model_info *train_model(const train_options *o)
{
    int count;
    return tg_models(&count) + o->model;
}

const char *train_dtype(const train_options *o) { return dtype_names[o->bf16]; }
const char *train_optimizer(const train_options *o) { return names_optimizers[o->optimizer]; }
const char *train_schedule_name(const train_options *o) { return schedule_names[o->schedule]; }
