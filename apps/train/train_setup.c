/* train_setup.c - see train_setup.h. */
#include "train_setup.h"
#include "model_data.h"
#include "names.h"
#include "output.h"

static tg_optim *make_optimizer(tg_scope *root, tg_module *net, const train_options *o)
{
    tg_optim *const opt = optimizer_new(root, net, (optimizer_kind)o->optimizer, o->lr > 0 ? o->lr : TG_ZERO,
                                        o->momentum, o->weight_decay);
    if (o->weight_decay > 0) tg_no_decay_on_bias_and_norm(root, opt);
    return opt;
}

tg_schedule_config train_schedule(const training *t)
{
    const int64_t total = tg_loader_batches(t->train_batches) * t->o.epochs;
    return (tg_schedule_config){
        .kind = (tg_schedule_kind)t->o.schedule,
        .total = total,
        .warmup = t->o.warmup,
        .every = (total + 2) / 3,
        .gamma = 0.1f,
    };
}

static void open_data(training *t)
{
    train_options *const o = &t->o;
    const tg_model_info *const model = train_model(o);
    if (!o->data) o->data = data_for(model);
    t->train = data_open(t->root, model, o->data, o->data_dir, TG_TRAIN);
    t->test = data_open(t->root, model, o->data, o->data_dir, TG_TEST);
}

/* Can the network train on batches of n images?  Checks shapes only, runs nothing. */
static bool accepts(training *t, int64_t n)
{
    const tg_dataset *const d = t->train;
    tg_scope *const look = tg_train(t->root);
    tg_forward(look, t->net, tg_zeros(look, TG_F32, 4, TG_DIM(n, d->h, d->w, d->c)));
    const bool accepted = tg_ok(look);
    tg_fail(look, "only checked");
    tg_pop(look);
    tg_clear(t->root);
    return accepted;
}

/* Batch norm has no variance if a single image leaves it one value per channel.  Detected before the first step: such
 * a last batch is left out. */
static void check_last_batch(training *t)
{
    const int64_t count = t->train->count, batch = t->o.batch;
    if (!tg_ok(t->root) || count % batch != (batch > 1) || accepts(t, 1) || !accepts(t, 2)) return;
    t->left_out = 1;
    if (batch == 1)
        tg_fail(t->root, "%s: batch norm needs at least two of these images per step: want --batch 2 or more",
                train_model(&t->o)->name);
    else if (count == 1)
        tg_fail(t->root, "%s: batch norm needs at least two of these images per step, %s has one",
                train_model(&t->o)->name, t->train->name);
}

static void make_loaders(training *t)
{
    const train_options *const o = &t->o;
    const int batch = (int)o->batch;
    const bool whole = t->left_out > 0;
    const tg_loader_config plain = { .batch = batch, .seed = o->seed, .drop_last = whole };
    const tg_loader_config augmented = {
        .batch = batch,
        .seed = o->seed,
        .drop_last = whole,
        .crop_pad = t->train->h / 8,
        .flip = true,
    };
    const tg_loader_config in_order = { .batch = 250, .no_shuffle = true };
    t->train_batches = tg_loader_new(t->root, t->train, o->augment ? augmented : plain);
    t->test_batches = tg_loader_new(t->root, t->test, in_order);
    t->guess = tg_alloc(t->root, sizeof *t->guess * (size_t)t->test->count);
}

void train_set_up(training *t)
{
    const train_options *const o = &t->o;
    tg_scope *const root = t->root;
    if (!tg_ok(root)) return;
    train_settle(&t->o);
    open_data(t);
    if (!tg_ok(root)) return;
    tg_seed(root, o->seed);
    t->net = train_model(o)->make(root, t->train->classes);
    check_last_batch(t);
    make_loaders(t);
    t->opt = make_optimizer(root, t->net, o);
    t->report = tg_optimize(root, t->net, t->opt, o->bf16 ? TG_BF16 : TG_F32);
    t->made = made_here(root, train_model(o), t->train, o->data, o->data_dir, train_dtype(o));
    if (!tg_ok(root)) return;
    tg_schedule(root, t->opt, train_schedule(t));
    t->line = progress_start(stdout, o->epochs, t->train->count - t->left_out);
    t->best = -1;
}

void train_describe(const training *t)
{
    const train_options *const o = &t->o;
    const tg_dataset *const d = t->train;
    output_text name;
    if (d->note) printf("%s\n", d->note);
    printf("%s: %lld parameters\n", train_model(o)->name, (long long)tg_param_count(t->net));
    printf("%s: %lld training and %lld test images of %dx%dx%d, %d classes\n", output_name(d->name, &name),
           (long long)d->count, (long long)t->test->count, d->h, d->w, d->c, d->classes);
    if (t->left_out)
        printf("one image is left out of each epoch: batches of %lld leave one, and batch norm wants two\n",
               (long long)o->batch);
    if (o->report) tg_print_report(t->report, stdout);
    printf("%s, %s, lr %g %s, batch %lld, %lld epochs, seed %llu, %d threads%s\n\n", train_dtype(o), train_optimizer(o),
           (double)o->lr, train_schedule_name(o), (long long)o->batch, (long long)o->epochs,
           (unsigned long long)o->seed, tg_threads(), tg_threads_bound() ? " (bound)" : "");
    fflush(stdout);
}
