/* command_train.c - `tilegrad train`: trains a model, shows its progress and tests it after each epoch. */
#include "command.h"
#include "check_loss.h"
#include "checkpoints.h"
#include "options.h"
#include "ranks.h"
#include "run_json.h"
#include "signals.h"
#include "train_resume.h"
#include "train_setup.h"
#include "train_state.h"
#include <math.h>

enum { STEPS_A_LINE = 50 }; /* steps per line of metrics.jsonl */

static bool running(const training *t) { return tg_ok(t->root) && !signals_stop(); }

static void write_metrics(training *t, progress_sums sums, double test_accuracy)
{
    const metrics m = { t->line.epoch,           t->step,
                        progress_loss(sums),     progress_accuracy(sums),
                        test_accuracy,           (double)tg_lr(t->opt),
                        progress_rate(&t->line), training_seconds(t) };
    run_folder_metrics(&t->out, &m);
}

/* ---- a step ---- */

/* The step failed on a non-finite loss: reports the layer where it originated. */
static void explain_loss(training *t, tg_scope *step, const tg_batch *b, const void *pixels)
{
    tg_tensor *const x = tg_from(t->root, TG_F32, b->x->rank, b->x->dim, pixels);
    tg_reset(step);
    tg_clear(t->root);
    tg_scope *const look = tg_push_modes(t->root, (tg_modes){ .train = true });
    const char *const where = check_loss_origin(look, t->net, x);
    tg_fail(t->root,
            "the loss is not a finite number, in epoch %lld after %lld updates; it began in: %s "
            "(a smaller --lr than %g may help)",
            (long long)t->line.epoch, (long long)t->step, where ? where : "?", (double)t->o.lr);
    tg_pop(look);
}

static void train_step(training *t, tg_scope *step, tg_batch *b)
{
    const float *const pixels = tg_f32(b->x);
    tg_tensor *const logits = tg_forward(step, t->net, b->x);
    tg_tensor *const loss = check_loss(step, tg_cross_entropy(step, logits, b->y));
    tg_backward(step, loss);
    tg_update(step, t->opt);
    if (check_loss_failed(step)) explain_loss(t, step, b, pixels);
    if (tg_ok(step)) {
        verdict v = { 0 };
        judge_rows(logits, b->y, NULL, &v);
        progress_step(&t->line, b->count, tg_item(loss), v.right);
    }
}

/* After a successful step. */
static void after_step(training *t)
{
    t->step++;
    if (t->step % STEPS_A_LINE == 0) write_metrics(t, progress_mark(&t->line), NAN);
    train_save_numbered(t);
    if (!signals_save()) return;
    train_save_last(t);
    if (!t->out.name || !t->last_failed)
        progress_line(&t->line, t->out.name ? "saved at step %lld\n" : "step %lld: not saved, there is no --out\n",
                      (long long)t->step);
}

/* ---- an epoch ---- */

/* At the end of an epoch the loader returns false once. */
static bool next_batch(training *t, tg_scope *step, tg_batch *b)
{
    if (!running(t) || t->line.sums.seen == t->line.images) return false;
    return tg_next(step, t->train_batches, b) || tg_next(step, t->train_batches, b);
}

static void train_epoch(training *t, tg_scope *step)
{
    progress_go(&t->line);
    for (tg_batch b; next_batch(t, step, &b);) {
        train_step(t, step, &b);
        tg_reset(step);
        if (tg_ok(t->root)) after_step(t);
    }
}

static void test(training *t)
{
    const verdict v = evaluate(t->root, t->net, t->test_batches, t->guess);
    if (!running(t)) return;
    t->test_accuracy = 100.0 * (double)v.right / (double)v.seen;
    if (v.none == 0) return;
    t->odd_tests++;
    progress_clear(&t->line);
    if (v.none == v.seen)
        tg_fail(t->root,
                "the test after epoch %lld: no image has a class, the network's outputs are not finite; "
                "its weights are not saved",
                (long long)t->line.epoch);
    else
        fprintf(stderr,
                "tilegrad train: the test after epoch %lld: %lld of %lld images have no class, the network's outputs "
                "are not finite\n",
                (long long)t->line.epoch, (long long)v.none, (long long)v.seen);
}

static void report_epoch(training *t)
{
    const progress *const p = &t->line;
    const double took = training_seconds(t) - t->epoch_began;
    progress_line(&t->line, "epoch %lld/%lld  loss %.4f  accuracy %.1f %%  test accuracy %.1f %%  %.0f img/s  %.1f s\n",
                  (long long)p->epoch, (long long)p->epochs, progress_loss(p->sums), progress_accuracy(p->sums),
                  t->test_accuracy, progress_rate(p), took);
    write_metrics(t, p->sums, t->test_accuracy);
}

static void run_epoch(training *t, tg_scope *step)
{
    train_epoch(t, step);
    if (running(t)) test(t);
    if (!running(t)) return;
    report_epoch(t);
    train_save_best(t);
    progress_next_epoch(&t->line);
    t->epoch_began = training_seconds(t);
    train_save_last(t);
}

static void run(training *t)
{
    const bool none_left = t->line.epoch > t->line.epochs;
    t->began = t->saved = seconds();
    tg_scope *const step = tg_train(t->root);
    while (running(t) && t->line.epoch <= t->line.epochs) run_epoch(t, step);
    tg_pop(step);
    if (none_left) test(t); /* for the summary below */
    if (!running(t)) return;
    run_folder_predictions(t->root, t->out.name, t->test, t->test->class_names, t->guess);
    printf("\ntest accuracy %.2f %% after %lld epochs in %.1f s\n", t->test_accuracy, (long long)t->line.epochs,
           training_seconds(t));
}

/* ---- the end ---- */

static int stopped(training *t)
{
    train_save_last(t);
    fprintf(stderr, "tilegrad train: %s in epoch %lld after %lld updates%s\n", signals_word(), (long long)t->line.epoch,
            (long long)t->step, t->out.name && !t->last_failed ? "; --resume auto continues" : "");
    return t->last_failed ? EXIT_FAILED : 128 + signals_stop();
}

/* Reports what was not saved; false: everything was. */
static bool report_unsaved(const training *t)
{
    const run_folder *const out = &t->out;
    const bool any = t->last_failed || t->best_failed || t->numbered_failed || out->lines_lost;
    if (!any) return false;
    fprintf(stderr, "tilegrad train: not saved:");
    if (t->last_failed) fprintf(stderr, " %s of step %lld;", LAST_NAME, (long long)t->step);
    if (t->best_failed) fprintf(stderr, " %s (%.1f %%);", BEST_NAME, t->test_accuracy);
    if (t->numbered_failed) fprintf(stderr, " %lld checkpoints by step;", (long long)t->numbered_failed);
    if (out->lines_lost) fprintf(stderr, " %lld lines of metrics;", (long long)out->lines_lost);
    fprintf(stderr, " earlier files are unchanged\n");
    return true;
}

static int finish(training *t)
{
    progress_clear(&t->line);
    const bool failed = !tg_ok(t->root), stop = !failed && signals_stop();
    if (failed) fprintf(stderr, "tilegrad train: %s\n", tg_message(t->root));
    const int status = stop ? stopped(t) : EXIT_OK;
    const bool unsaved = report_unsaved(t);
    return failed ? EXIT_FAILED : stop ? status : unsaved || t->odd_tests ? EXIT_FAILED : EXIT_OK;
}

static int train(training *t, int argc, char **argv)
{
    train_describe(t);
    train_clear_folder(t);
    run_folder_begin(t->root, &t->out, t->step, t->line.epoch);
    run_json log = run_json_begin(t->root, t->out.name, argc, argv, &t->o, t->from);
    if (tg_ok(t->root)) run(t);
    const int status = finish(t);
    const char *const how = status == EXIT_OK ? "done" : status == EXIT_FAILED ? "failed" : "stopped";
    return run_json_end(&log, how, t->step, t->best) ? status : EXIT_FAILED;
}

int command_train(int argc, char **argv)
{
    training t = { .o = train_parse(argc, argv), .root = tg_open(), .line = progress_start(stdout, 0, 0) };
    ranks_report(argv[0]);
    options_threads_report(argv[0]);
    signals_watch();
    signals_watch_save();
    train_choose(&t);
    train_set_up(&t);
    train_restore(&t);
    const int status = tg_ok(t.root) ? train(&t, argc, argv) : finish(&t);
    run_folder_close(&t.out);
    tg_close(t.root);
    return status;
}
