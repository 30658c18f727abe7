/* command_bench.c - `tilegrad bench`: the speed of training steps, or of inference, on random images in memory. */
#include "command.h"
#include "bench_checkpoint.h"
#include "bench_layers.h"
#include "bench_ops.h"
#include "median.h"
#include "names.h"
#include "options.h"
#include "ranks.h"
#include "status_line.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 3 };

typedef struct {
    const tg_model_info *model;
    int batch, steps, optimizer;
    bool infer, bf16, layers, simplenet;
    const char *checkpoint; /* a folder, or NULL */
    const char *ops;        /* prefix of operators' names, or NULL */
} bench_options;

/* ---- the command line ---- */

enum {
    BATCH = 'b',
    DTYPE = 'd',
    STEPS = 'n',
    THREADS = 't',
    INFER = 'i',
    OPTIMIZER = 'o',
    LAYERS = 'l',
    CHECKPOINT = 'c',
    OPS = 'p'
};

static const struct argp_option table[] = {
    { "batch", BATCH, "N", 0, "images per step (128; resnet50: 32)", 0 },
    { "dtype", DTYPE, "TYPE", 0, "fp32 or bf16: weights and activations (fp32)", 0 },
    { "steps", STEPS, "N", 0, "steps to measure, after 3 warm-up steps (8)", 0 },
    { "threads", THREADS, "N", 0, "threads to compute with (all processors)", 0 },
    { "infer", INFER, NULL, 0, "forward only, instead of training", 0 },
    { "layers", LAYERS, NULL, 0, "each convolution separately, in its three passes, compared with oneDNN's", 0 },
    { "ops", OPS, "NAME", OPTION_ARG_OPTIONAL,
      "each operator by itself, forward and backward (those whose names "
      "begin so), with the kernels that ran; takes no MODEL",
      0 },
    { "checkpoint", CHECKPOINT, "DIR", 0, "measure saving to and loading from a file in DIR, instead of steps", 0 },
    { "optimizer", OPTIMIZER, "NAME", 0, "{optimizers} (sgd, with momentum 0.9)", 0 },
    { 0 },
};

static const char about[] =
    "Measures training steps (forward, loss, backward, update) on random images in memory.\n"
    "MODEL is {networks}; or simplenet: one convolution of 64 to 128 channels on "
    "images of 224x224, forward and backward, with --dtype bf16 under autocast.\v"
    "The first line has the speed and the peak memory; the second what a step costs beside its kernels, and how long "
    "the first step took to be done, from the start of the process.\n\n"
    "Examples:\n"
    "  tilegrad bench lenet\n"
    "  tilegrad bench resnet18c --batch 128 --threads 2 --steps 20\n"
    "  tilegrad bench resnet20 --dtype bf16\n"
    "  tilegrad bench resnet50 --batch 1 --infer\n"
    "  tilegrad bench --layers resnet50 --dtype bf16 --threads 1\n"
    "  tilegrad bench --ops=max --dtype bf16\n"
    "  tilegrad bench resnet50 --batch 1 --optimizer adam --checkpoint /tmp";

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const dtypes[] = { "fp32", "bf16", NULL };
    bench_options *const o = state->input;
    switch (key) {
    case BATCH: o->batch = (int)option_whole(state, "--batch", text, 1, 65536); return 0;
    case STEPS: o->steps = (int)option_whole(state, "--steps", text, 1, 1000000); return 0;
    case OPTIMIZER: o->optimizer = option_choice(state, "--optimizer", text, names_optimizers); return 0;
    case CHECKPOINT: o->checkpoint = text; return 0;
    case LAYERS: o->layers = true; return 0;
    case OPS: o->ops = text ? text : ""; return 0;
    case INFER: o->infer = true; return 0;
    case THREADS: option_threads(state, text); return 0;
    case DTYPE: o->bf16 = option_choice(state, "--dtype", text, dtypes); return 0;
    case ARGP_KEY_ARG:
        if (o->ops) argp_error(state, "--ops takes no model, but got '%s'", text);
        if (o->model || o->simplenet) argp_error(state, "too many arguments: '%s'", text);
        o->simplenet = !strcmp(text, "simplenet");
        if (!o->simplenet) o->model = option_model(state, text);
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (!o->ops) argp_error(state, "no model: try lenet");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* SimpleNet of PyTorch's guides: one convolution under autocast, forward and backward, without an update. */
static tg_module *make_simplenet(tg_scope *s, int classes)
{
    (void)classes;
    return tg_layer_conv2d(
        s, (tg_layer_conv2d_config){ .in = 64, .out = 128, .kernel = 3, .stride = 2, .pad = 1, .no_bias = true });
}
static const tg_model_info simplenet = { "simplenet", make_simplenet, { 224, 224, 64 }, "one convolution" };

static bench_options parse_line(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "MODEL", about, NULL, names_help, NULL };
    bench_options o = { .steps = 8 };
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    if (o.simplenet) o.model = &simplenet;
    if ((o.ops || o.layers) && o.steps > BENCH_MAX_STEPS) {
        fprintf(stderr, "tilegrad bench: --steps %d: want at most %d with --ops and --layers\n", o.steps,
                BENCH_MAX_STEPS);
        exit(EXIT_USAGE);
    }
    if (o.ops) return o;
    if (!o.batch) o.batch = o.simplenet ? 64 : strcmp(o.model->name, "resnet50") ? 128 : 32;
    return o;
}

/* ---- measuring ---- */

typedef struct {
    const bench_options *o;
    tg_scope *root, *step;
    tg_tensor *x, *y;
    tg_module *net;
    tg_optim *opt;
} bench;

static tg_tensor *random_classes(tg_scope *s, int64_t count, int classes)
{
    tg_tensor *const y = tg_zeros(s, TG_I64, 1, &count);
    const tg_stream from = tg_draw_stream(s);
    int64_t *const at = tg_edit(s, y);
    for (int64_t i = 0; at && i < count; i++) at[i] = tg_random_below(from, (uint64_t)i, (uint32_t)classes);
    return y;
}

static bench set_up(tg_scope *root, const bench_options *o)
{
    const int64_t *const in = o->model->input;
    const int classes = in[0] > 32 ? 1000 : 10; /* ImageNet, or a small data set */
    bench b = { .o = o, .root = root, .step = o->infer ? tg_push(root) : tg_train(root) };
    b.net = o->model->make(root, classes);
    if (o->simplenet) tg_autocast(b.step, o->bf16);
    b.x = tg_randn(root, 0, 1, 4, TG_DIM(o->batch, in[0], in[1], in[2]));
    if (o->simplenet) return b;
    b.y = random_classes(root, o->batch, classes);
    if (!o->infer)
        b.opt = optimizer_new(root, b.net, (optimizer_kind)o->optimizer, o->optimizer == OPTIMIZER_sgd ? 0.01f : 0.001f,
                              0.9f, 0);
    tg_optimize(root, b.net, b.opt, o->bf16 ? TG_BF16 : TG_F32);
    return b;
}

/* Runs a step; returns its time in seconds. */
static double measure(const bench *b)
{
    const double began = seconds();
    tg_tensor *const out = tg_forward(b->step, b->net, b->x);
    if (b->o->infer) tg_data(out);
    else if (b->o->simplenet) tg_backward(b->step, tg_sum(b->step, out, (tg_axes){ 0 }));
    else {
        tg_backward(b->step, tg_cross_entropy(b->step, out, b->y));
        tg_update(b->step, b->opt);
    }
    tg_reset(b->step);
    if (b->o->simplenet) tg_clear_grad(b->net->slots->tensor);
    return seconds() - began;
}

/* Seconds since the process started, by the start time in /proc/self/stat, in clock ticks. */
static double process_age(void)
{
    char text[1024];
    FILE *const file = fopen("/proc/self/stat", "r");
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the end of field 2; the start time is field 22 */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (!at) return 0;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- reporting ---- */

static void print_speed(const bench_options *o, const double *sorted)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    const bool plain = o->infer || o->optimizer == OPTIMIZER_sgd;
    printf("tilegrad %s %s b%d %s %s%s%s t%d: %.1f img/s median, %.1f best, rss %ld MiB\n", TG_VERSION, o->model->name,
           o->batch, o->bf16 ? "bf16" : "fp32", o->infer ? "infer" : "train", plain ? "" : "-",
           plain ? "" : names_optimizers[o->optimizer], tg_threads(), o->batch / median(sorted, o->steps),
           o->batch / sorted[0], used.ru_maxrss / 1024);
}

static void print_costs(const bench_options *o, const tg_stats *before, const tg_stats *after, double first)
{
    const double n = o->steps;
    printf("  a step: %.0f calls in %.0f runs, recording %.3f ms, planning %.3f ms, kernels %.2f ms; "
           "tensors %.0f MiB at most; first step done after %.2f s\n",
           (double)(after->calls - before->calls) / n, (double)(after->runs - before->runs) / n,
           (after->record_ms - before->record_ms) / n, (after->plan_ms - before->plan_ms) / n,
           (after->run_ms - before->run_ms) / n, (double)after->peak_bytes / 1048576, first);
}

static void run(const bench *b, double *took)
{
    double first = 0;
    for (int i = 0; i < WARM_UP; i++) {
        measure(b);
        if (i == 0) first = process_age();
    }
    const tg_stats before = tg_statistics(b->root);
    for (int i = 0; i < b->o->steps && tg_ok(b->root); i++) took[i] = measure(b);
    const tg_stats after = tg_statistics(b->root);
    if (!tg_ok(b->root)) return;
    sort_numbers(took, b->o->steps);
    print_speed(b->o, took);
    print_costs(b->o, &before, &after, first);
}

int command_bench(int argc, char **argv)
{
    const bench_options o = parse_line(argc, argv);
    ranks_report(argv[0]);
    options_threads_report(argv[0]);
    tg_scope *const root = tg_open();
    double *const took = tg_alloc(root, sizeof *took * (size_t)o.steps);
    if (o.ops) bench_ops(root, o.ops, o.bf16, o.steps);
    else if (o.layers) bench_layers(root, o.model, o.batch, o.bf16, o.steps);
    else if (took) {
        const bench b = set_up(root, &o);
        if (o.checkpoint) {
            measure(&b); /* the first step creates the optimizer's state */
            bench_checkpoint(root, b.net, b.opt, o.checkpoint, o.steps);
        } else {
            run(&b, took);
        }
    }
    const int status = tg_ok(root) ? EXIT_OK : EXIT_FAILED;
    if (status) fprintf(stderr, "tilegrad bench: %s\n", tg_message(root));
    tg_close(root);
    return status;
}
