/* train_resume.c - see train_resume.h. */
#include "train_resume.h"
#include "checkpoints.h"
#include "model_data.h"
#include "output.h"
#include "train_setup.h"
#include "train_state.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- which file ---- */

static bool resume_is(const training *t, const char *what) { return t->o.resume && !strcmp(t->o.resume, what); }

static const char *newest_intact(training *t, const checkpoints *all)
{
    output_text name;
    for (int i = 0; i < all->n; i++) {
        const char *const trouble = checkpoint_trouble(t->root, all->file[i].path);
        if (!trouble) return all->file[i].path;
        if (!tg_ok(t->root)) return NULL;
        fprintf(stderr, "tilegrad train: passed over: %s\n", trouble);
    }
    if (t->o.model < 0)
        tg_fail(t->root, "--out %s: no checkpoint to resume from, and no MODEL to start with", t->out.name);
    else printf("nothing to go on from in %s: starts anew\n", output_name(t->out.name, &name));
    return NULL;
}

/* The folder of a file, in s. */
static const char *folder_of(tg_scope *s, const char *path)
{
    const char *const slash = strrchr(path, '/');
    if (!slash) return ".";
    const size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *const folder = tg_alloc(s, length + 1);
    if (folder) memcpy(folder, path, length);
    return folder;
}

/* Damaged files don't matter: "auto" skips them, too. */
static void refuse_later(training *t, const checkpoints *all)
{
    for (int i = 0; i < all->n; i++) {
        const checkpoint *const c = &all->file[i];
        if (!tg_ok(t->root)) return;
        if (c->unreadable || c->step <= t->step || checkpoint_trouble(t->root, c->path)) continue;
        tg_fail(t->root, "--out %s: holds %s of step %lld: --resume auto resumes from it%s, or use another folder",
                t->out.name, strrchr(c->path, '/') + 1, (long long)c->step,
                t->from ? "; remove it" : ", --resume none removes it and starts");
        return;
    }
}

/* ---- its options ---- */

static void copy_field(const train_field *f, const train_options *from, train_options *to)
{
    static const size_t size[] = {
        [FIELD_WHOLE] = sizeof(int64_t), [FIELD_SEED] = sizeof(uint64_t), [FIELD_REAL] = sizeof(float),
        [FIELD_CHOICE] = sizeof(int),    [FIELD_FLAG] = sizeof(bool),
    };
    memcpy((char *)to + f->offset, (const char *)from + f->offset, size[f->kind]);
}

/* Appends "--batch 64 (128 in the file)". */
static void note_difference(char *text, size_t size, const char *name, const char *here, const char *there)
{
    const size_t used = strlen(text);
    tg_name_text safe;
    tg_printable(there, &safe);
    snprintf(text + used, size - used, "%s%s %s (%s in the file)", used ? ", " : "", name, here, safe.text);
}

static void adopt_fields(train_options *o, const train_options *file, char *text, size_t size)
{
    for (int i = 0; i < TRAIN_FIELDS; i++) {
        const train_field *const f = &train_fields[i];
        field_text here, there;
        char name[40];
        if (!train_given(o, f->name)) copy_field(f, file, o);
        train_field_text(f, o, &here);
        train_field_text(f, file, &there);
        snprintf(name, sizeof name, "--%s", f->name);
        if (f->fixed && strcmp(here.text, there.text) != 0)
            note_difference(text, size, strcmp(f->name, "model") ? name : "MODEL", here.text, there.text);
    }
}

/* A named set must be the file's; a folder may have moved, and the loader checks its number of images. */
static void adopt_data(train_options *o, const made *file, char *text, size_t size)
{
    if (!o->data) o->data = file->data;
    else if (file->data && strcmp(o->data, file->data) != 0 && (data_is_named(o->data) || data_is_named(file->data)))
        note_difference(text, size, "--data", o->data, file->data);
    if (!o->data_dir) o->data_dir = file->data_dir;
}

/* The current epoch, from 1. */
static int64_t epoch_in(training *t, const tg_tensor_file *f)
{
    const char *const text = tg_tensor_file_meta(f, "train/epoch");
    tg_name_text safe;
    int64_t epoch = 1;
    if (!checkpoint_number(f, "train/epoch", 1, &epoch))
        tg_fail(t->root, "%s: train/epoch is \"%s\", want a whole number of at least 1", t->from,
                tg_printable(text, &safe));
    return epoch;
}

static void adopt_options(training *t, const tg_tensor_file *f)
{
    char text[1024] = "";
    train_options file = t->o;
    const tg_stateful options = train_options_state(&file);
    tg_load_all(t->root, t->from, &options, 1);
    const made then = made_read(t->root, f);
    if (!tg_ok(t->root)) return;
    adopt_fields(&t->o, &file, text, sizeof text);
    adopt_data(&t->o, &then, text, sizeof text);
    const long long done = epoch_in(t, f) - 1;
    if (*text) tg_fail(t->root, "%s: made with other options: %s", t->from, text);
    else if (done > t->o.epochs) tg_fail(t->root, "--epochs %lld: %lld are done", (long long)t->o.epochs, done);
}

static void adopt(training *t)
{
    tg_tensor_file *const f = tg_tensor_file_open(t->root, t->from);
    if (!f) return;
    if (checkpoint_number(f, "train/step", 0, &t->step)) adopt_options(t, f);
    else tg_fail(t->root, "%s: training can't resume from it: no train/step (tilegrad eval may accept it)", t->from);
    tg_tensor_file_close(f);
}

void train_choose(training *t)
{
    tg_scope *const s = t->root;
    if (!tg_ok(s)) return;
    if (t->o.resume && !resume_is(t, "auto") && !resume_is(t, "none")) t->from = t->o.resume;
    if (t->from && !t->o.out) t->o.out = folder_of(s, t->from);
    t->out = run_folder_open(s, t->o.out);
    const bool look = t->out.name && tg_ok(s) && !resume_is(t, "none");
    const checkpoints all = look ? checkpoints_in(s, t->out.name) : (checkpoints){ NULL, 0 };
    if (resume_is(t, "auto") && tg_ok(s)) t->from = newest_intact(t, &all);
    if (t->from && tg_ok(s)) adopt(t);
    if (tg_ok(s) && !resume_is(t, "auto") && !resume_is(t, "none")) refuse_later(t, &all);
}

/* ---- where it was ---- */

static void restore_schedule(training *t)
{
    static const char *const options[] = { "epochs", "lr", "schedule", "warmup" };
    bool given = false;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) given |= train_given(&t->o, options[i]);
    if (!given) return;
    tg_set_lr(t->root, t->opt, t->o.lr);
    tg_schedule(t->root, t->opt, train_schedule(t));
}

static void report(training *t, const made *file)
{
    const char *const other = made_differences(t->root, file, &t->made);
    output_text name;
    printf("goes on from %s: epoch %lld, step %lld\n", output_name(t->from, &name), (long long)t->line.epoch,
           (long long)t->step);
    if (other && *other) printf("not to the bit as without the stop: the file was made with %s\n", other);
}

/* If the best file is in another folder, or gone, the search for the best starts anew. */
static void check_best(training *t)
{
    if (t->out.name && access(folder_path(t->root, t->out.name, BEST_NAME), F_OK) != 0) t->best = -1;
}

/* The images seen in the epoch must match the loader's position; at its end, the sums may belong to the next epoch. */
static void check_place(training *t, const tg_tensor_file *f)
{
    const progress *const p = &t->line;
    int64_t batch = 0;
    checkpoint_number(f, "loader/batch", 0, &batch);
    const int64_t given = batch < p->images / t->o.batch ? batch * t->o.batch : p->images;
    if (p->marked.seen > p->sums.seen) tg_fail(t->root, "%s: train/marked/seen exceeds train/seen", t->from);
    if (p->sums.seen == given || (p->sums.seen == 0 && given == p->images)) return;
    tg_fail(t->root, "%s: train/seen is %lld, want %lld: the images of %lld batches (loader/batch)", t->from,
            (long long)p->sums.seen, (long long)given, (long long)batch);
}

void train_restore(training *t)
{
    if (!t->from || !tg_ok(t->root)) return;
    tg_stateful things[TRAIN_THINGS];
    train_things(t, things);
    tg_load_all(t->root, t->from, things, TRAIN_LOADED);
    restore_schedule(t);
    tg_tensor_file *const f = tg_ok(t->root) ? tg_tensor_file_open(t->root, t->from) : NULL;
    if (!f) return;
    const made then = made_read(t->root, f);
    check_place(t, f);
    if (tg_ok(t->root)) {
        check_best(t);
        report(t, &then);
    }
    tg_tensor_file_close(f);
}

void train_clear_folder(training *t)
{
    if (!tg_ok(t->root) || !t->out.name) return;
    checkpoints_sweep(t->out.name);
    if (resume_is(t, "none")) checkpoints_remove(t->root, t->out.name);
}
