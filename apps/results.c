/* results.c - the folder of --out. */
#include "results.h"
#include "grid.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool make_folder(const char *path)
{
    struct stat what;
    if (mkdir(path, 0777) == 0) return true;
    return errno == EEXIST && stat(path, &what) == 0 && (S_ISDIR(what.st_mode) || (errno = ENOTDIR, false));
}

static bool make_folders(tg_scope *s, const char *path)
{
    char *const own = tg_alloc(s, strlen(path) + 1);
    if (own) strcpy(own, path);
    for (char *slash = own ? strchr(own + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!make_folder(own)) return false;
        *slash = '/';
    }
    return own && make_folder(own);
}

/* "folder/name", in s. */
static const char *path_of(tg_scope *s, const results *r, const char *name)
{
    const size_t size = strlen(r->folder) + strlen(name) + 2;
    char *const  path = tg_alloc(s, size);
    if (path) snprintf(path, size, "%s/%s", r->folder, name);
    return path;
}

results results_open(tg_scope *s, const char *folder)
{
    results r = { .folder = folder };
    if (!folder) return r;
    if (!*folder) {
        tg_fail(s, "--out: want the name of a folder");
        return r;
    }
    const char *const path = make_folders(s, folder) ? path_of(s, &r, "log.csv") : NULL;
    r.log = path ? fopen(path, "w") : NULL;
    if (r.log) fprintf(r.log, "epoch,loss,accuracy,test_accuracy,images_per_second,seconds\n");
    else tg_fail(s, "--out %s: cannot write there: %s", folder, strerror(errno));
    return r;
}

void results_epoch(tg_scope *s, results *r, const epoch_result *e)
{
    if (!r->log) return;
    fprintf(r->log, "%d,%.6f,%.3f,%.3f,%.1f,%.2f\n", e->epoch, e->loss, e->accuracy, e->test_accuracy, e->rate,
            e->seconds);
    if (fflush(r->log) != 0) tg_fail(s, "%s/log.csv: %s", r->folder, strerror(errno));
}

static const char *class_name(tg_scope *s, const tg_dataset *d, int class)
{
    if (d->class_names) return d->class_names[class];
    char text[16];
    snprintf(text, sizeof text, "%d", class);
    return tg_strdup(s, text);
}

void results_predictions(tg_scope *s, const results *r, const tg_dataset *test, const uint8_t *guess)
{
    enum { COLUMNS = 10, IMAGES = 60 };
    if (!r->folder || !tg_ok(s)) return;
    const int count = test->count < IMAGES ? (int)test->count : IMAGES;
    const int64_t size = (int64_t)test->h * test->w * test->c;
    grid_cell cells[IMAGES];
    for (int i = 0; i < count; i++)
        cells[i] = (grid_cell){ test->images + i * size, class_name(s, test, test->labels[i]),
                                class_name(s, test, guess[i]), guess[i] != test->labels[i] };
    char message[256];
    const char *const path = path_of(s, r, "predictions.png");
    if (path && !grid_write(path, cells, count, COLUMNS, test->h, test->w, test->c, message)) tg_fail(s, "%s", message);
}

void results_close(results *r)
{
    if (r->log) fclose(r->log);
    r->log = NULL;
}
