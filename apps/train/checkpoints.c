/* checkpoints.c - see checkpoints.h. */
#include "checkpoints.h"
#include "run_folder.h"
#include <tilegrad/tensor_file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "ckpt-", whole[] = ".safetensors", part[] = ".safetensors.part";
enum { DIGITS = 8 };

/* The number in "ckpt-00001234.safetensors"; -1 for other names. */
static int64_t step_in_name(const char *name)
{
    const char *const digits = name + strlen(prefix);
    if (strncmp(name, prefix, strlen(prefix)) != 0) return -1;
    const size_t n = strspn(digits, "0123456789");
    return n >= DIGITS && n <= 18 && !strcmp(digits + n, whole) ? strtoll(digits, NULL, 10) : -1;
}

const char *checkpoint_name_of(int64_t step, checkpoint_name *name)
{
    snprintf(name->text, sizeof name->text, "%s%0*lld%s", prefix, DIGITS, (long long)step, whole);
    return name->text;
}

/* ---- looking into files ---- */

bool checkpoint_number(const tg_tensor_file *f, const char *key, int64_t least, int64_t *value)
{
    const char *const text = tg_tensor_file_meta(f, key);
    const size_t digits = text ? strspn(text, "0123456789") : 0;
    if (digits == 0 || text[digits]) return false;
    errno = 0;
    const long long number = strtoll(text, NULL, 10);
    if (errno || number < least || number > INT64_MAX / 2) return false;
    *value = number;
    return true;
}

/* The step stored in a file; fails s if there is none. */
static int64_t step_in_file(tg_scope *s, const tg_tensor_file *f)
{
    int64_t step = -1;
    if (!checkpoint_number(f, "train/step", 0, &step))
        tg_fail(s, "%s: training can't resume from it: no train/step", f->path);
    return step;
}

/* Why opening a file failed `attempt`, as a text in s; clears attempt.  System errors fail s. */
static const char *failure_of(tg_scope *s, tg_scope *attempt)
{
    const int system = tg_system_error(attempt);
    const char *const why = tg_strdup(s, tg_message(attempt));
    tg_clear(attempt);
    if (system) tg_fail_system(s, system, "%s", why ? why : "");
    return why;
}

static checkpoint read_checkpoint(tg_scope *s, const char *path, int64_t named)
{
    tg_scope *const attempt = tg_push(s);
    tg_tensor_file *const f = tg_tensor_file_open(attempt, path);
    const int64_t step = f ? step_in_file(attempt, f) : -1;
    checkpoint c = { .path = path, .numbered = named >= 0, .step = step };
    if (!tg_ok(attempt)) {
        c.unreadable = failure_of(s, attempt);
        c.step = c.numbered ? named : INT64_MAX;
    }
    tg_pop(attempt);
    return c;
}

const char *checkpoint_trouble(tg_scope *s, const char *path)
{
    tg_scope *const attempt = tg_push(s);
    tg_tensor_file *const f = tg_tensor_file_open(attempt, path);
    if (f && !f->marked) tg_fail(attempt, "%s: it has no checksums", path);
    for (int i = 0; f && i < f->n && tg_ok(attempt); i++) tg_tensor_file_verify(attempt, f, i);
    if (f && tg_ok(attempt)) step_in_file(attempt, f);
    const char *const why = tg_ok(attempt) ? NULL : failure_of(s, attempt);
    tg_pop(attempt);
    return why;
}

/* ---- all of a folder ---- */

static int newest_first(const void *a, const void *b)
{
    const checkpoint *const x = a, *const y = b;
    if (x->step != y->step) return x->step < y->step ? 1 : -1;
    return x->numbered - y->numbered;
}

static int is_checkpoint(const struct dirent *entry)
{
    return !strcmp(entry->d_name, LAST_NAME) || step_in_name(entry->d_name) >= 0;
}

/* A dangling link doesn't count. */
static bool is_there(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 || errno != ENOENT;
}

checkpoints checkpoints_in(tg_scope *s, const char *folder)
{
    struct dirent **entry = NULL;
    const int n = tg_ok(s) ? scandir(folder, &entry, is_checkpoint, NULL) : 0;
    if (n < 0 && errno != ENOENT) tg_fail_system(s, errno, "%s: cannot be listed: %s", folder, strerror(errno));
    checkpoints all = { .file = tg_alloc(s, sizeof *all.file * (size_t)(n > 0 ? n : 1)) };
    for (int i = 0; i < n; i++) {
        const char *const path = folder_path(s, folder, entry[i]->d_name);
        if (path && is_there(path)) all.file[all.n++] = read_checkpoint(s, path, step_in_name(entry[i]->d_name));
        free(entry[i]);
    }
    free(entry);
    if (all.n) qsort(all.file, (size_t)all.n, sizeof *all.file, newest_first);
    return all;
}

void checkpoints_prune(tg_scope *s, const char *folder, int64_t step, int64_t keep)
{
    tg_scope *const attempt = tg_push(s);
    const checkpoints all = checkpoints_in(attempt, folder);
    for (int i = 0; i < all.n; i++)
        if (all.file[i].numbered && all.file[i].step <= step && --keep < 0 && tg_ok(attempt)) unlink(all.file[i].path);
    tg_clear(attempt);
    tg_pop(attempt);
}

const char *checkpoints_drop(tg_scope *s, const char *folder, int64_t step)
{
    tg_scope *const attempt = tg_push(s);
    const checkpoints all = checkpoints_in(attempt, folder);
    const checkpoint *oldest = NULL;
    bool enough = false;
    for (int i = 0; i < all.n; i++)
        if (all.file[i].numbered && all.file[i].step <= step) oldest = &all.file[i];
    for (int i = 0; oldest && i < all.n && !enough; i++)
        enough = &all.file[i] != oldest && !checkpoint_trouble(attempt, all.file[i].path);
    const char *const path = enough && tg_ok(attempt) ? tg_strdup(s, oldest->path) : NULL;
    tg_clear(attempt);
    tg_pop(attempt);
    return path && unlink(path) == 0 ? path : NULL;
}

static void remove_file(tg_scope *s, const char *path)
{
    if (path && tg_ok(s) && unlink(path) != 0 && errno != ENOENT)
        tg_fail_system(s, errno, "%s: cannot be removed: %s", path, strerror(errno));
}

void checkpoints_remove(tg_scope *s, const char *folder)
{
    struct dirent **entry = NULL;
    const int n = tg_ok(s) ? scandir(folder, &entry, is_checkpoint, NULL) : 0;
    if (n < 0) tg_fail_system(s, errno, "%s: cannot be listed: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        remove_file(s, folder_path(s, folder, entry[i]->d_name));
        free(entry[i]);
    }
    free(entry);
    remove_file(s, folder_path(s, folder, BEST_NAME));
}

static int is_part(const struct dirent *entry)
{
    const char *const at = strstr(entry->d_name, part);
    checkpoint_name name;
    if (!at || strspn(at + strlen(part), "0123456789") != strlen(at) - strlen(part)) return 0;
    snprintf(name.text, sizeof name.text, "%.*s%s", (int)(at - entry->d_name), entry->d_name, whole);
    return step_in_name(name.text) >= 0;
}

void checkpoints_sweep(const char *folder)
{
    struct dirent **entry = NULL;
    const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int n = at >= 0 ? scandirat(at, ".", &entry, is_part, NULL) : 0;
    for (int i = 0; i < n; i++) {
        unlinkat(at, entry[i]->d_name, 0);
        free(entry[i]);
    }
    free(entry);
    if (at >= 0) close(at);
}
