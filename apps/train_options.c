/* train_options.c - the command line of `tilegrad train`. */
#include "train_options.h"
#include "options.h"
#include <math.h>

const char *const optimizer_names[] = { "sgd", "adam", "adamw", NULL };
static const char *const dtype_names[] = { "fp32", "bf16", NULL };
const char *const schedule_names[]  = { "constant", "step", "cosine", "one-cycle", NULL };

enum { DATA = 'd', EPOCHS = 'e', BATCH = 'b', LR = 'l', SEED = 's', THREADS = 't', OUT = 'o',
       DATA_DIR = 0x100, OPTIMIZER, MOMENTUM, WEIGHT_DECAY, SCHEDULE, WARMUP, AUGMENT, DTYPE, REPORT };

static const struct argp_option table[] = {
    { NULL, 0, NULL, 0, "Data:", 1 },
    { "data",     DATA,     "SET", 0, "sample, fashion-mnist, cifar10, or a folder with IDX or CIFAR files "
                                      "(default: fashion-mnist for lenet and mlp, cifar10 for the others)", 1 },
    { "data-dir", DATA_DIR, "DIR", 0, "where the files of a named set lie", 1 },
    { "augment",  AUGMENT,  NULL,  0, "crop and mirror the training images at random", 1 },
    { NULL, 0, NULL, 0, "Training:", 2 },
    { "epochs",       EPOCHS,       "N",    0, "passes over the training images (5)", 2 },
    { "batch",        BATCH,        "N",    0, "images a step (128)", 2 },
    { "optimizer",    OPTIMIZER,    "NAME", 0, "sgd, adam or adamw (sgd)", 2 },
    { "lr",           LR,           "X",    0, "learning rate (0.05 for sgd, else 0.001)", 2 },
    { "momentum",     MOMENTUM,     "X",    0, "of sgd (0.9)", 2 },
    { "weight-decay", WEIGHT_DECAY, "X",    0, "of weights, not of biases and norms (0.01 for adamw, else 0)", 2 },
    { "schedule",     SCHEDULE,     "NAME", 0, "of the learning rate: constant, step (a tenth after each third), "
                                               "cosine (to zero) or one-cycle (cosine)", 2 },
    { "dtype",        DTYPE,        "TYPE", 0, "fp32 or bf16: weights and activations; sums and updates are FP32 (fp32)", 2 },
    { "report",       REPORT,       NULL,   0, "say for each layer what was made faster, or why not", 2 },
    { "warmup",       WARMUP,       "N",    0, "updates in which the learning rate grows from 0 (0)", 2 },
    { NULL, 0, NULL, 0, "Running:", 3 },
    { "seed",    SEED,    "N",   0, "of initial weights, order of images, augmentation (1)", 3 },
    { "threads", THREADS, "N",   0, "threads to compute with (all processors)", 3 },
    { "out",     OUT,     "DIR", 0, "write log.csv and predictions.png there", 3 },
    { 0 },
};

static const char about[] =
    "Trains a network and tells its accuracy on test images after each epoch.\n"
    "MODEL is lenet or mlp (28x28 grey), resnet20, resnet18c or resnet50 (colour).\v"
    "Examples:\n"
    "  tilegrad train lenet --data sample --epochs 10 --out runs/lenet\n"
    "  tilegrad train lenet --dtype bf16 --report\n"
    "  tilegrad train mlp --optimizer adam --epochs 3\n"
    "  tilegrad train resnet20 --data-dir cifar-10-batches-bin --augment\n"
    "  tilegrad train lenet --data my-idx-files --seed 7 --threads 2\n\n"
    "Ctrl-C stops after the current step.";

static error_t parse_number(int key, char *text, struct argp_state *state)
{
    train_options *const o = state->input;
    switch (key) {
    case EPOCHS:       o->epochs       = (int)option_whole(state, "--epochs", text, 1, 100000);            return 0;
    case BATCH:        o->batch        = (int)option_whole(state, "--batch", text, 1, 65536);              return 0;
    case SEED:         o->seed         = (uint64_t)option_whole(state, "--seed", text, 0, INT64_MAX);      return 0;
    case WARMUP:       o->warmup       = option_whole(state, "--warmup", text, 0, INT32_MAX);              return 0;
    case LR:           o->lr           = (float)option_number(state, "--lr", text, 1e-12, 1e6);            return 0;
    case MOMENTUM:     o->momentum     = (float)option_number(state, "--momentum", text, 0, 0.9999);       return 0;
    case WEIGHT_DECAY: o->weight_decay = (float)option_number(state, "--weight-decay", text, 0, 1000);     return 0;
    case THREADS:      option_threads(state, text);                                                        return 0;
    default:           return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    train_options *const o = state->input;
    switch (key) {
    case DATA:      o->data      = text; return 0;
    case DATA_DIR:  o->data_dir  = text; return 0;
    case OUT:       o->out       = text; return 0;
    case AUGMENT:   o->augment   = true; return 0;
    case REPORT:    o->report    = true; return 0;
    case DTYPE:     o->bf16      = option_choice(state, "--dtype", text, dtype_names); return 0;
    case OPTIMIZER: o->optimizer = option_choice(state, "--optimizer", text, optimizer_names); return 0;
    case SCHEDULE:  o->schedule  = option_choice(state, "--schedule", text, schedule_names);   return 0;
    case ARGP_KEY_ARG:
        if (o->model) argp_error(state, "too many arguments: '%s'", text);
        o->model = option_model(state, text);
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "no model: try lenet"); return 0;
    default: return parse_number(key, text, state);
    }
}

train_options train_parse(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "MODEL", about, NULL, NULL, NULL };
    train_options o = { .epochs = 5, .batch = 128, .lr = NAN, .momentum = 0.9f, .weight_decay = NAN,
                        .schedule = TG_COSINE, .seed = 1 };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    if (isnan(o.lr))           o.lr           = o.optimizer == OPTIMIZER_SGD ? 0.05f : 0.001f;
    if (isnan(o.weight_decay)) o.weight_decay = o.optimizer == OPTIMIZER_ADAMW ? 0.01f : 0;
    return o;
}
