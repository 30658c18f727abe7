/* command_eval.c - `tilegrad eval`: tests a checkpoint's weights, class by class. */
#include "command.h"
#include "confusion.h"
#include "evaluate.h"
#include "made.h"
#include "model_data.h"
#include "names.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "ranks.h"
#include "run_folder.h"
#include <string.h>

typedef struct {
    const char *path, *data, *data_dir, *out;
    const tg_model_info *model; /* NULL: from the file */
    int classes, batch, dtype;  /* classes 0, dtype -1: from the file */
} eval_options;

typedef struct {
    eval_options o;
    tg_scope *root;
    made made; /* the file's provenance */
    tg_dataset *test;
    tg_loader *batches;
    tg_module *net;
    int16_t *guess; /* [test->count]: predicted classes, or NO_CLASS */
    confusion confusion;
    verdict verdict;
    double took; /* seconds */
} evaluation;

enum { DATA = 'd', BATCH = 'b', THREADS = 't', OUT = 'o', MODEL = 'm', DATA_DIR = 0x100, CLASSES, DTYPE };
static const char *const dtype_names[] = { "fp32", "bf16", NULL };

static const struct argp_option table[] = {
    { "data", DATA, "SET", 0,
      "{datasets}, or a folder with IDX or CIFAR files "
      "(what it was trained on)",
      1 },
    { "data-dir", DATA_DIR, "DIR", 0, "where the files of a named set are", 1 },
    { "batch", BATCH, "N", 0, "images per batch (250)", 1 },
    { "dtype", DTYPE, "TYPE", 0, "fp32 or bf16 (as it was trained)", 1 },
    { "threads", THREADS, "N", 0, "threads to compute with (all processors)", 1 },
    { "out", OUT, "DIR", 0, "write confusion.png and predictions.png there", 1 },
    { "model", MODEL, "NAME", 0, "whose weights these are, if the file does not say", 1 },
    { "classes", CLASSES, "N", 0, "number of classes of the model (that of the images)", 1 },
    { 0 },
};

static const char about[] =
    "Reports a checkpoint's test accuracy, class by class.\n"
    "CHECKPOINT is a file from `tilegrad train --out`, which contains all that is needed; or any safetensors file with "
    "the weights of a known model under PyTorch's names.\v"
    "Examples:\n"
    "  tilegrad eval runs/lenet/best.safetensors\n"
    "  tilegrad eval runs/lenet/last.safetensors --data fashion-mnist --out x\n"
    "  tilegrad eval theirs.safetensors --model resnet20 --data-dir cifar-10";

static error_t parse(int key, char *text, struct argp_state *state)
{
    eval_options *const o = state->input;
    switch (key) {
    case DATA: o->data = text; return 0;
    case DATA_DIR: o->data_dir = text; return 0;
    case OUT: o->out = text; return 0;
    case MODEL: o->model = option_model(state, text); return 0;
    case BATCH: o->batch = (int)option_whole(state, "--batch", text, 1, 65536); return 0;
    case CLASSES: o->classes = (int)option_whole(state, "--classes", text, 1, 256); return 0;
    case DTYPE: o->dtype = option_choice(state, "--dtype", text, dtype_names); return 0;
    case THREADS: option_threads(state, text); return 0;
    case ARGP_KEY_ARG:
        if (o->path) argp_error(state, "too many arguments: '%s'", text);
        o->path = text;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "no checkpoint: want a file"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what it is ---- */

static void read_made(evaluation *e)
{
    eval_options *const o = &e->o;
    tg_tensor_file *const f = tg_tensor_file_open(e->root, o->path);
    if (!f) return;
    e->made = made_read(e->root, f);
    tg_tensor_file_close(f);
    tg_name_text name;
    if (!o->model && !e->made.model) tg_fail(e->root, "%s: names no model (no made/model): want --model NAME", o->path);
    else if (!o->model) o->model = tg_find_model(e->made.model);
    if (tg_ok(e->root) && !o->model)
        tg_fail(e->root, "%s: made/model \"%s\" is unknown to this version", o->path,
                tg_printable(e->made.model, &name));
    if (!o->classes) o->classes = made_classes(&e->made);
    if (o->dtype < 0) o->dtype = e->made.dtype && !strcmp(e->made.dtype, "bf16");
    if (!o->data) o->data = e->made.data;
    if (!o->data_dir) o->data_dir = e->made.data_dir;
    if (!o->data && o->model) o->data = data_for(o->model);
}

static void open_test(evaluation *e)
{
    const eval_options *const o = &e->o;
    e->test = data_open(e->root, o->model, o->data, o->data_dir, TG_TEST);
    if (!e->test) return;
    if (!e->o.classes) e->o.classes = e->test->classes;
    if (o->classes != e->test->classes)
        tg_fail(e->root, "%s has %d classes, %s has %d", o->path, o->classes, e->test->name, e->test->classes);
    made_normalize(e->root, &e->made, e->test);
    const char *const *const name = made_class_names(e->root, &e->made, e->o.classes);
    e->confusion = (confusion){ .classes = e->o.classes, .name = name ? name : e->test->class_names };
}

static void set_up(evaluation *e)
{
    tg_scope *const root = e->root;
    read_made(e);
    if (tg_ok(root)) open_test(e);
    if (!tg_ok(root)) return;
    e->net = e->o.model->make(root, e->o.classes);
    tg_load(root, e->o.path, e->net, NULL);
    tg_optimize(root, e->net, NULL, e->o.dtype ? TG_BF16 : TG_F32);
    e->batches = tg_loader_new(root, e->test, (tg_loader_config){ .batch = e->o.batch, .no_shuffle = true });
    e->guess = tg_alloc(root, sizeof *e->guess * (size_t)e->test->count);
}

/* ---- what it can ---- */

static void count(evaluation *e)
{
    const int classes = e->confusion.classes;
    int64_t *const pair = tg_alloc(e->root, sizeof *pair * (size_t)classes * (size_t)(classes + 1));
    for (int64_t i = 0; pair && i < e->test->count; i++)
        pair[e->test->labels[i] * (classes + 1) + (e->guess[i] == NO_CLASS ? classes : e->guess[i])]++;
    e->confusion.count = pair;
}

static void run(evaluation *e)
{
    const double began = seconds();
    e->verdict = evaluate(e->root, e->net, e->batches, e->guess);
    e->took = seconds() - began;
    if (tg_ok(e->root)) count(e);
}

static double per_cent(int64_t part, int64_t all) { return all ? 100.0 * (double)part / (double)all : 0; }

static void print_class(const confusion *c, int k, int width)
{
    const int64_t all = confusion_of(c, k);
    const int worst = confusion_worst(c, k);
    const int64_t taken = worst < 0 ? 0 : confusion_at(c, k, worst);
    printf("  %-*s %6lld", width, c->name[k], (long long)all);
    if (all) printf("  %5.1f %%", per_cent(confusion_at(c, k, k), all));
    if (worst >= 0) printf("   %s (%.1f %%)", c->name[worst], per_cent(taken, all));
    printf("\n");
}

static void print(const evaluation *e)
{
    const confusion *const c = &e->confusion;
    output_text set;
    int width = (int)strlen("class");
    for (int k = 0; k < c->classes; k++) width = (int)strlen(c->name[k]) > width ? (int)strlen(c->name[k]) : width;
    printf("%s, %s, %s: %lld test images\n\n", e->o.model->name, dtype_names[e->o.dtype],
           output_name(e->test->name, &set), (long long)e->test->count);
    printf("  %-*s images   right   most often taken for\n", width, "class");
    for (int k = 0; k < c->classes; k++) print_class(c, k, width);
    printf("\ntest accuracy %.2f %%  loss %.4f  %.0f img/s\n", per_cent(e->verdict.right, e->test->count),
           e->verdict.loss, (double)e->test->count / e->took);
}

static void write_pictures(evaluation *e)
{
    if (!e->o.out || !tg_ok(e->root) || !folder_make(e->root, e->o.out)) return;
    const char *const path = folder_path(e->root, e->o.out, "confusion.png");
    if (path) confusion_write(e->root, path, &e->confusion);
    run_folder_predictions(e->root, e->o.out, e->test, e->confusion.name, e->guess);
}

int command_eval(int argc, char **argv)
{
    static const struct argp parser = { table, parse, "CHECKPOINT", about, NULL, names_help, NULL };
    evaluation e = { .o = { .batch = 250, .dtype = -1 } };
    argp_parse(&parser, argc, argv, 0, NULL, &e.o);
    ranks_report(argv[0]);
    options_threads_report(argv[0]);
    e.root = tg_open();
    set_up(&e);
    if (tg_ok(e.root)) run(&e);
    if (tg_ok(e.root)) print(&e);
    write_pictures(&e);
    if (e.verdict.none > 0)
        tg_fail(e.root, "%lld of %lld test images have no class: the network's outputs are not finite",
                (long long)e.verdict.none, (long long)e.verdict.seen);
    const int status = tg_ok(e.root) ? EXIT_OK : EXIT_FAILED;
    if (status) fprintf(stderr, "tilegrad eval: %s\n", tg_message(e.root));
    tg_close(e.root);
    return status;
}
