/* run_folder.c - see run_folder.h. */
#include "run_folder.h"
#include "evaluate.h"
#include "file_out.h"
#include "grid.h"
#include "output.h"
#include "ranks.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char metrics_name[] = "metrics.jsonl";

const char *folder_path(tg_scope *s, const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *const path = tg_alloc(s, size);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* ---- opening ---- */

static bool make_folder(const char *path)
{
    struct stat what;
    if (mkdir(path, 0777) == 0) return true;
    return errno == EEXIST && stat(path, &what) == 0 && (S_ISDIR(what.st_mode) || (errno = ENOTDIR, false));
}

bool folder_make(tg_scope *s, const char *path)
{
    if (!ranks_own(path)) {
        const ranks r = ranks_here();
        tg_fail(s,
                "--out %s: this is rank %d of %d that %s started, and the others would write there, too; start one "
                "process, or end the name with the rank: --out %s-%d",
                path, r.rank, r.size, r.launcher, path, r.rank);
        return false;
    }
    char *const own = tg_alloc(s, strlen(path) + 1);
    if (!own) return false;
    strcpy(own, path);
    bool made = true;
    for (char *slash = strchr(own + (*own == '/'), '/'); slash && made; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_folder(own);
        *slash = '/';
    }
    if (!made || !make_folder(own)) tg_fail(s, "--out %s: cannot write there: %s", path, strerror(errno));
    return tg_ok(s);
}

static void open_metrics(tg_scope *s, run_folder *r)
{
    const char *const path = folder_path(s, r->name, metrics_name);
    r->metrics = path ? TEMP_FAILURE_RETRY(open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) : -1;
    if (path && r->metrics < 0) tg_fail_system(s, errno, "--out %s: cannot write there: %s", r->name, strerror(errno));
}

static void close_metrics(run_folder *r)
{
    if (r->metrics >= 0) close(r->metrics);
    r->metrics = -1;
}

run_folder run_folder_open(tg_scope *s, const char *name)
{
    run_folder r = { .name = name, .lock = -1, .metrics = -1 };
    if (!name || !tg_ok(s) || !folder_make(s, name)) return r;
    r.lock = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r.lock >= 0 && flock(r.lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        tg_fail(s, "--out %s: another training is writing there", name);
    else open_metrics(s, &r);
    return r;
}

void run_folder_close(run_folder *r)
{
    close_metrics(r);
    if (r->lock >= 0) close(r->lock);
    *r = (run_folder){ .lock = -1, .metrics = -1 };
}

/* ---- metrics.jsonl ---- */

/* Is it a line from before this step?  Partial lines left by a crash are not. */
static bool is_earlier(const char *line, int64_t step, int64_t epoch)
{
    json_int_t its_step = 0, its_epoch = 0;
    json_t *const object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const bool known = object && json_unpack(object, "{s:I, s:I}", "step", &its_step, "epoch", &its_epoch) == 0;
    const bool at_end = known && json_object_get(object, "test_accuracy");
    json_decref(object);
    return known && its_step <= step && (!at_end || its_epoch < epoch);
}

static bool copy_lines(FILE *from, FILE *to, int64_t step, int64_t epoch)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, from) > 0)
        if (is_earlier(line, step, epoch)) fputs(line, to);
    free(line);
    return !ferror(from) && !ferror(to);
}

void run_folder_begin(tg_scope *s, run_folder *r, int64_t step, int64_t epoch)
{
    char *text = NULL;
    size_t size = 0;
    if (!r->name || !tg_ok(s)) return;
    const char *const path = folder_path(s, r->name, metrics_name);
    FILE *const from = path ? fopen(path, "re") : NULL, *const to = from ? open_memstream(&text, &size) : NULL;
    bool done = to && copy_lines(from, to, step, epoch);
    if (to) done = !fclose(to) && done;
    if (!done) tg_fail_system(s, errno, "%s/%s: cannot be read: %s", r->name, metrics_name, strerror(errno));
    if (from) fclose(from);
    tg_out_whole(s, path, text, size);
    free(text);
    close_metrics(r);
    open_metrics(s, r);
}

static json_t *json_of(const metrics *m)
{
    json_t *const line = json_pack("{s:I, s:I, s:f, s:f}", "epoch", (json_int_t)m->epoch, "step", (json_int_t)m->step,
                                   "loss", m->loss, "accuracy", m->accuracy);
    if (line && !isnan(m->test_accuracy)) json_object_set_new(line, "test_accuracy", json_real(m->test_accuracy));
    json_t *const more = json_pack("{s:f, s:f, s:f}", "lr", m->lr, "images_per_second", m->rate, "seconds", m->seconds);
    if (line && more) json_object_update(line, more);
    json_decref(more);
    return line;
}

/* Writes the whole line or nothing: a partial line would corrupt the next. */
static bool append(int fd, const char *text, size_t n)
{
    const off_t end = lseek(fd, 0, SEEK_END);
    for (ssize_t some; n > 0; text += some, n -= (size_t)some) {
        some = TEMP_FAILURE_RETRY(write(fd, text, n));
        if (some > 0) continue;
        const int why = some < 0 ? errno : ENOSPC;
        (void)!ftruncate(fd, end);
        errno = why;
        return false;
    }
    return true;
}

void run_folder_metrics(run_folder *r, const metrics *m)
{
    if (r->metrics < 0) return;
    json_t *const line = json_of(m);
    char *const text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(7)) : NULL;
    const size_t n = text ? strlen(text) : 0;
    if (text) text[n] = '\n'; /* replaces the terminator */
    errno = ENOMEM;
    const bool done = text && append(r->metrics, text, n + 1);
    output_text name;
    if (!done && !r->metrics_fail)
        fprintf(stderr, "tilegrad train: %s/%s: cannot be written: %s; training continues\n",
                output_name(r->name, &name), metrics_name, strerror(errno));
    r->metrics_fail = !done;
    r->lines_lost += !done;
    free(text);
    json_decref(line);
}

/* ---- predictions.png ---- */

void run_folder_predictions(tg_scope *s, const char *folder, const tg_dataset *test, const char *const *class_name,
                            const int16_t *guess)
{
    enum { COLUMNS = 10, IMAGES = 60 };
    if (!folder || !tg_ok(s)) return;
    const int count = test->count < IMAGES ? (int)test->count : IMAGES;
    const int64_t size = (int64_t)test->h * test->w * test->c;
    grid_cell cells[IMAGES];
    for (int i = 0; i < count; i++)
        cells[i] = (grid_cell){ test->images + i * size, class_name[test->labels[i]],
                                guess[i] == NO_CLASS ? "no class" : class_name[guess[i]], guess[i] != test->labels[i] };
    const char *const path = folder_path(s, folder, "predictions.png");
    if (path) grid_write(s, path, cells, count, COLUMNS, test->h, test->w, test->c);
}
