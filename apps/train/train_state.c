/* train_state.c - see train_state.h. */
#include "train_state.h"
#include "checkpoints.h"
#include "machine.h"
#include "output.h"
#include <errno.h>
#include <math.h>

/* ---- train/options/ ---- */

static void visit_field(tg_state *to, const train_field *f, train_options *o)
{
    void *const value = (char *)o + f->offset;
    char name[40];
    snprintf(name, sizeof name, "options/%s", f->name);
    switch (f->kind) {
    case FIELD_WHOLE: tg_state_int(to, name, value, (int64_t)f->least, (int64_t)f->most); break;
    case FIELD_SEED: tg_state_u64(to, name, value); break;
    case FIELD_REAL: tg_state_float(to, name, value, (double)(float)f->least, (double)(float)f->most); break;
    case FIELD_CHOICE: tg_state_choice(to, name, value, f->choices); break;
    case FIELD_FLAG: tg_state_flag(to, name, value); break;
    }
}

static void visit_options(tg_state *to, void *what)
{
    for (int i = 0; i < TRAIN_FIELDS; i++) visit_field(to, &train_fields[i], what);
}

tg_stateful train_options_state(train_options *o)
{
    return (tg_stateful){ .prefix = "train/", .what = o, .visit = visit_options };
}

/* ---- train/ ---- */

static void visit_sums(tg_state *to, progress_sums *sums, int64_t images, const char *seen, const char *loss,
                       const char *right)
{
    tg_state_int(to, seen, &sums->seen, 0, images);
    tg_state_double(to, loss, &sums->loss, -HUGE_VAL, HUGE_VAL);
    tg_state_double(to, right, &sums->right, 0, (double)images);
}

static void visit_place(tg_state *to, void *what)
{
    static const double ages = 1e12;
    training *const t = what;
    progress *const p = &t->line;
    tg_state_int(to, "step", &t->step, 0, INT64_MAX / 2);
    tg_state_int(to, "epoch", &p->epoch, 1, p->epochs + 1);
    visit_sums(to, &p->sums, p->images, "seen", "loss", "right");
    visit_sums(to, &p->marked, p->images, "marked/seen", "marked/loss", "marked/right");
    tg_state_int(to, "seen_before", &p->done, 0, INT64_MAX / 2);
    tg_state_double(to, "test_accuracy", &t->test_accuracy, 0, 100);
    tg_state_double(to, "best", &t->best, -1, 100);
    tg_state_int(to, "best_epoch", &t->best_epoch, 0, INT64_MAX / 2);
    tg_state_double(to, "seconds", &t->before, 0, ages);
    tg_state_double(to, "epoch_began", &t->epoch_began, 0, ages);
    tg_state_double(to, "training_seconds", &p->train_seconds, 0, ages);
}

void train_things(training *t, tg_stateful things[TRAIN_THINGS])
{
    things[0] = tg_module_state(t->net);
    things[1] = tg_optim_state(t->opt);
    things[2] = tg_loader_state(t->train_batches);
    things[3] = tg_random_state(t->root);
    things[4] = (tg_stateful){ .prefix = "train/", .what = t, .visit = visit_place };
    things[5] = train_options_state(&t->o);
    things[6] = made_state(&t->made);
}

/* ---- saving ---- */

/* The elapsed time is saved; the process that resumes starts from it. */
static void read_clocks(training *t, char date[24])
{
    const double now = seconds();
    t->before += now - t->began;
    t->began = now;
    machine_date(date);
    t->made.date = date;
}

/* On a full disk, removes the oldest numbered checkpoint: newer state matters more. */
static bool make_room(training *t, int error)
{
    if (error != ENOSPC && error != EDQUOT) return false;
    tg_scope *const look = tg_push(t->root);
    output_text name;
    const char *const path = checkpoints_drop(look, t->out.name, t->step);
    progress_clear(&t->line);
    if (path) fprintf(stderr, "tilegrad train: no space left: removed %s\n", output_name(path, &name));
    tg_pop(look);
    return path;
}

/* One attempt: 0, or the errno (-1: none) and the reason, allocated in `words`. */
static int try_save(training *t, const char *name, const tg_stateful *things, int n, tg_scope *words, const char **why)
{
    tg_scope *const attempt = tg_push(t->root);
    tg_save_all(attempt, folder_path(attempt, t->out.name, name), things, n);
    const int error = tg_ok(attempt) ? 0 : tg_system_error(attempt) ? tg_system_error(attempt) : -1;
    if (error) *why = tg_strdup(words, tg_message(attempt));
    tg_clear(attempt);
    tg_pop(attempt);
    return error;
}

static bool save(training *t, const char *name, const tg_stateful *things, int n)
{
    char date[24];
    const char *why = "";
    int error;
    read_clocks(t, date);
    tg_scope *const words = tg_push(t->root);
    t->made.backends = machine_backends(words, NULL); /* names the libraries loaded by now */
    do error = try_save(t, name, things, n, words, &why);
    while (error && make_room(t, error));
    if (error) {
        progress_clear(&t->line);
        fprintf(stderr, "tilegrad train: not saved: %s\n", why ? why : name);
    }
    tg_pop(words);
    return !error;
}

static bool save_all(training *t, const char *name)
{
    tg_stateful things[TRAIN_THINGS];
    train_things(t, things);
    return save(t, name, things, TRAIN_THINGS);
}

void train_save_last(training *t)
{
    if (t->out.name && tg_ok(t->root)) t->last_failed = !save_all(t, LAST_NAME);
}

void train_save_best(training *t)
{
    if (!tg_ok(t->root) || !(t->test_accuracy > t->best)) return;
    const tg_stateful things[] = { tg_module_state(t->net), made_state(&t->made) };
    t->best_failed = t->out.name && !save(t, BEST_NAME, things, 2);
    if (t->best_failed) return; /* a later, worse one is better than none */
    t->best = t->test_accuracy;
    t->best_epoch = t->line.epoch;
}

static bool is_time(const training *t)
{
    const train_options *const o = &t->o;
    return (o->save_every && t->step % o->save_every == 0) ||
           (o->save_minutes > 0 && seconds() - t->saved >= 60 * o->save_minutes);
}

/* Removes old files only if the new one can be read back. */
static void prune(training *t, const char *name)
{
    tg_scope *const look = tg_push(t->root);
    const char *const path = folder_path(look, t->out.name, name), *const trouble = checkpoint_trouble(look, path);
    if (trouble) fprintf(stderr, "tilegrad train: %s; older checkpoints stay\n", trouble);
    else checkpoints_prune(look, t->out.name, t->step, t->o.keep);
    tg_clear(look);
    tg_pop(look);
}

void train_save_numbered(training *t)
{
    if (!t->out.name || !tg_ok(t->root) || !is_time(t)) return;
    checkpoint_name name;
    t->saved = seconds();
    if (save_all(t, checkpoint_name_of(t->step, &name))) prune(t, name.text);
    else t->numbered_failed++;
}
