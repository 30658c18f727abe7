/* command_train.c - `tilegrad train`: trains a model, shows how it goes, tests it after each epoch. */
#include "command.h"
#include "check_loss.h"
#include "interrupt.h"
#include "progress.h"
#include "results.h"
#include "train_data.h"

typedef struct {
    train_options o;
    tg_scope     *root;
    tg_dataset   *train, *test;
    tg_loader    *train_batches, *test_batches;
    tg_module    *net;
    tg_optim     *opt;
    const tg_optimize_report *report;
    uint8_t      *guess;                 /* [test->count]: the class that each test image is taken for */
    results       out;
    progress      line;
    double        test_accuracy;         /* per cent, after the last epoch */
} training;

static bool going_on(const training *t) { return tg_ok(t->root) && !interrupted(); }

/* ---- setting up ---- */

static tg_optim *make_optimizer(tg_scope *root, tg_module *net, const train_options *o)
{
    const tg_sgd_config  sgd  = { .lr = o->lr, .momentum = o->momentum, .weight_decay = o->weight_decay };
    const tg_adam_config adam = { .lr = o->lr, .weight_decay = o->weight_decay };
    tg_optim *const opt = o->optimizer == OPTIMIZER_SGD ? tg_sgd(root, net, sgd)
                        : o->optimizer == OPTIMIZER_ADAM ? tg_adam(root, net, adam) : tg_adamw(root, net, adam);
    if (o->weight_decay > 0) tg_no_decay_on_bias_and_norm(root, opt);
    return opt;
}

static tg_schedule_config schedule(const training *t)
{
    const int64_t total = tg_loader_batches(t->train_batches) * t->o.epochs;
    return (tg_schedule_config){ .kind = t->o.schedule, .total = total, .warmup = t->o.warmup,
                                 .every = (total + 2) / 3, .gamma = 0.1f };
}

static void set_up(training *t)
{
    const train_options *const o = &t->o;
    tg_scope *const root = t->root;
    t->out   = results_open(root, o->out);
    t->train = train_data(root, o, TG_TRAIN);
    t->test  = train_data(root, o, TG_TEST);
    if (!tg_ok(root)) return;
    tg_seed(root, o->seed);
    const tg_loader_config plain     = { .batch = o->batch, .seed = o->seed };
    const tg_loader_config augmented = { o->batch, o->seed, .crop_pad = t->train->h / 8, .flip = true };
    const tg_loader_config in_order  = { .batch = 250, .no_shuffle = true };
    t->train_batches = tg_loader_new(root, t->train, o->augment ? augmented : plain);
    t->test_batches  = tg_loader_new(root, t->test, in_order);
    t->guess         = tg_alloc(root, (size_t)t->test->count);
    t->net           = o->model->make(root, t->train->classes);
    t->opt           = make_optimizer(root, t->net, o);
    t->report        = tg_optimize(root, t->net, t->opt, o->bf16 ? TG_BF16 : TG_F32);
    if (!tg_ok(root)) return;
    tg_schedule(root, t->opt, schedule(t));
    t->line = progress_start(stdout, o->epochs, t->train->count);
}

static void describe(training *t)
{
    const train_options *const o = &t->o;
    const tg_dataset    *const d = t->train;
    if (d->note) printf("%s\n", d->note);
    printf("%s: %lld parameters\n", o->model->name, (long long)tg_param_count(t->net));
    printf("%s: %lld training and %lld test images of %dx%dx%d, %d classes\n", d->name, (long long)d->count,
           (long long)t->test->count, d->h, d->w, d->c, d->classes);
    if (o->report) tg_print_report(t->report, stdout);
    printf("%s, %s, lr %g %s, batch %d, %d epochs, seed %llu, %d threads%s\n\n", o->bf16 ? "bf16" : "fp32", optimizer_names[o->optimizer], o->lr,
           schedule_names[o->schedule], o->batch, o->epochs, (unsigned long long)o->seed, tg_threads(),
           tg_threads_bound() ? " (bound)" : "");
    fflush(stdout);
}

/* ---- training and testing ---- */

/* The class of each row of logits, where its largest number is, goes to guess (or NULL); returns how many are right. */
static int64_t count_right(tg_tensor *logits, tg_tensor *truth, uint8_t *guess)
{
    const int64_t *const want = tg_data(truth);
    const int64_t classes = logits->dim[1];
    int64_t right = 0;
    for (int64_t i = 0; tg_data(logits) && want && i < logits->dim[0]; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (tg_get(logits, i * classes + c) > tg_get(logits, i * classes + best)) best = c;
        if (guess) guess[i] = (uint8_t)best;
        right += best == want[i];
    }
    return right;
}

/* The step failed: its loss was not a number.  Tells where that began, in the terms of the model. */
static void explain_loss(training *t, tg_scope *step, const tg_batch *b, const void *pixels, int epoch)
{
    tg_tensor *const x = tg_from(t->root, TG_F32, b->x->rank, b->x->dim, pixels);
    tg_reset(step);
    tg_clear(t->root);
    tg_scope *const look  = tg_push_modes(t->root, (tg_modes){ .train = true });
    const char *const where = check_loss_origin(look, t->net, x);
    tg_fail(t->root, "the loss is not a finite number, in epoch %d after %lld updates; it began in: %s "
            "(a smaller --lr than %g may help)", epoch, (long long)tg_steps(t->opt), where ? where : "?", t->o.lr);
    tg_pop(look);
}

static void train_epoch(training *t, tg_scope *step, int epoch)
{
    progress_epoch(&t->line, epoch);
    for (tg_batch b; going_on(t) && tg_next(step, t->train_batches, &b); tg_reset(step)) {
        const void *const pixels = tg_data(b.x);
        tg_tensor  *const logits = tg_forward(step, t->net, b.x);
        tg_tensor  *const loss   = check_loss(step, tg_cross_entropy(step, logits, b.y));
        tg_backward(step, loss);
        tg_update(step, t->opt);
        if (check_loss_failed(step)) explain_loss(t, step, &b, pixels, epoch);
        if (tg_ok(step)) progress_step(&t->line, b.count, tg_item(loss), count_right(logits, b.y, NULL));
    }
}

static void test(training *t)
{
    tg_scope *const look = tg_push(t->root);
    int64_t right = 0;
    for (tg_batch b; going_on(t) && tg_next(look, t->test_batches, &b); tg_reset(look))
        right += count_right(tg_forward(look, t->net, b.x), b.y, t->guess + b.first);
    tg_pop(look);
    t->test_accuracy = 100.0 * (double)right / (double)t->test->count;
}

static void run_epoch(training *t, tg_scope *step, int epoch)
{
    const double began = seconds();
    train_epoch(t, step, epoch);
    if (going_on(t)) test(t);
    if (!going_on(t)) return;
    const epoch_result e = { epoch, progress_loss(&t->line), progress_accuracy(&t->line), t->test_accuracy,
                             progress_rate(&t->line), seconds() - began };
    progress_line(&t->line, "epoch %d/%d  loss %.4f  accuracy %.1f %%  test accuracy %.1f %%  %.0f img/s  %.1f s\n",
                  epoch, t->o.epochs, e.loss, e.accuracy, e.test_accuracy, e.rate, e.seconds);
    results_epoch(t->root, &t->out, &e);
}

static void run(training *t)
{
    const double began = seconds();
    tg_scope *const step = tg_train(t->root);
    for (int epoch = 1; epoch <= t->o.epochs && going_on(t); epoch++) run_epoch(t, step, epoch);
    tg_pop(step);
    if (!going_on(t)) return;
    results_predictions(t->root, &t->out, t->test, t->guess);
    printf("\ntest accuracy %.2f %% after %d epochs in %.1f s\n", t->test_accuracy, t->o.epochs, seconds() - began);
}

/* ---- the end ---- */

static int report(training *t)
{
    progress_clear(&t->line);
    if (!tg_ok(t->root)) {
        fprintf(stderr, "tilegrad train: %s\n", tg_message(t->root));
        return EXIT_FAILED;
    }
    if (!interrupted()) return EXIT_OK;
    fprintf(stderr, "tilegrad train: interrupted in epoch %d after %lld updates\n", t->line.epoch,
            (long long)tg_steps(t->opt));
    return EXIT_INTERRUPTED;
}

int command_train(int argc, char **argv)
{
    training t = { .o = train_parse(argc, argv), .root = tg_open(), .line = progress_start(stdout, 0, 0) };
    interrupt_watch();
    set_up(&t);
    if (tg_ok(t.root)) {
        describe(&t);
        run(&t);
    }
    const int status = report(&t);
    results_close(&t.out);
    tg_close(t.root);
    return status;
}
