/* run_folder.c - see run_folder.h. */
#include "run_folder.h"
#include "grid.h"
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
    char *const  path = tg_alloc(s, size);
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
        tg_fail(s, "--out %s: this is rank %d of %d that %s started, and the others would write there, too; start one "
                "process, or end the name with the rank: --out %s-%d", path, r.rank, r.size, r.launcher, path, r.rank);
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
    r->metrics = path ? fopen(path, "a") : NULL;
    if (path && !r->metrics) tg_fail(s, "--out %s: cannot write there: %s", r->name, strerror(errno));
}

run_folder run_folder_open(tg_scope *s, const char *name)
{
    run_folder r = { .name = name, .lock = -1 };
    if (!name || !tg_ok(s) || !folder_make(s, name)) return r;
    r.lock = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r.lock >= 0 && flock(r.lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        tg_fail(s, "--out %s: another training is writing there", name);
    else open_metrics(s, &r);
    return r;
}

void run_folder_close(run_folder *r)
{
    if (r->metrics) fclose(r->metrics);
    if (r->lock >= 0) close(r->lock);
    *r = (run_folder){ .lock = -1 };
}

/* ---- metrics.jsonl ---- */

/* A line of this training's past; what a crash left of one is none. */
static bool belongs(const char *line, int64_t step, int64_t epoch)
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
    char  *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, from) > 0)
        if (belongs(line, step, epoch)) fputs(line, to);
    free(line);
    return !ferror(from) && !ferror(to);
}

void run_folder_begin(tg_scope *s, run_folder *r, int64_t step, int64_t epoch)
{
    if (!r->name || !tg_ok(s)) return;
    const char *const path = folder_path(s, r->name, metrics_name);
    const char *const part = folder_path(s, r->name, "metrics.part");
    FILE *const from = path ? fopen(path, "r") : NULL, *const to = part ? fopen(part, "w") : NULL;
    bool done = from && to && copy_lines(from, to, step, epoch);
    if (from) fclose(from);
    if (to) done = !fclose(to) && done;
    if (!done || rename(part, path) != 0)
        tg_fail(s, "%s: cannot be written: %s", path ? path : r->name, strerror(errno));
    if (r->metrics) fclose(r->metrics);
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

void run_folder_metrics(run_folder *r, const metrics *m)
{
    if (!r->metrics) return;
    json_t *const line = json_of(m);
    errno = 0;
    const bool done = line && json_dumpf(line, r->metrics, JSON_COMPACT | JSON_REAL_PRECISION(7)) == 0 &&
                      fputc('\n', r->metrics) != EOF && fflush(r->metrics) == 0;
    json_decref(line);
    if (!done) clearerr(r->metrics);
    if (!done && !r->metrics_fail)
        fprintf(stderr, "tilegrad train: %s/%s: cannot be written: %s; training goes on\n", r->name, metrics_name,
                strerror(errno));
    r->metrics_fail = !done;
}

/* ---- predictions.png ---- */

void run_folder_predictions(tg_scope *s, const char *folder, const tg_dataset *test, const char *const *class_name,
                            const uint8_t *guess)
{
    enum { COLUMNS = 10, IMAGES = 60 };
    if (!folder || !tg_ok(s)) return;
    const int count = test->count < IMAGES ? (int)test->count : IMAGES;
    const int64_t size = (int64_t)test->h * test->w * test->c;
    grid_cell cells[IMAGES];
    for (int i = 0; i < count; i++)
        cells[i] = (grid_cell){ test->images + i * size, class_name[test->labels[i]], class_name[guess[i]],
                                guess[i] != test->labels[i] };
    char message[256];
    const char *const path = folder_path(s, folder, "predictions.png");
    if (path && !grid_write(path, cells, count, COLUMNS, test->h, test->w, test->c, message)) tg_fail(s, "%s", message);
}
