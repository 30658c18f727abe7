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

/* Why opening a file failed `look`, as a text in s; clears look.  System errors fail s. */
static const char *judge(tg_scope *s, tg_scope *look)
{
    const int system = tg_system_error(look);
    const char *const why = tg_strdup(s, tg_message(look));
    tg_clear(look);
    if (system) tg_fail_system(s, system, "%s", why ? why : "");
    return why;
}

static checkpoint read_checkpoint(tg_scope *s, const char *path, int64_t named)
{
    tg_scope *const look = tg_push(s);
    tg_tensor_file *const f = tg_tensor_file_open(look, path);
    const int64_t step = f ? step_in_file(look, f) : -1;
    checkpoint c = { .path = path, .numbered = named >= 0, .step = step };
    if (!tg_ok(look)) {
        c.unreadable = judge(s, look);
        c.step = c.numbered ? named : INT64_MAX;
    }
    tg_pop(look);
    return c;
}

const char *checkpoint_trouble(tg_scope *s, const char *path)
{
    tg_scope *const look = tg_push(s);
    tg_tensor_file *const f = tg_tensor_file_open(look, path);
    if (f && !f->marked) tg_fail(look, "%s: it has no checksums", path);
    for (int i = 0; f && i < f->n && tg_ok(look); i++) tg_tensor_file_verify(look, f, i);
    if (f && tg_ok(look)) step_in_file(look, f);
    const char *const why = tg_ok(look) ? NULL : judge(s, look);
    tg_pop(look);
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
    tg_scope *const look = tg_push(s);
    const checkpoints all = checkpoints_in(look, folder);
    for (int i = 0; i < all.n; i++)
        if (all.file[i].numbered && all.file[i].step <= step && --keep < 0 && tg_ok(look)) unlink(all.file[i].path);
    tg_clear(look);
    tg_pop(look);
}

const char *checkpoints_drop(tg_scope *s, const char *folder, int64_t step)
{
    tg_scope *const look = tg_push(s);
    const checkpoints all = checkpoints_in(look, folder);
    const checkpoint *oldest = NULL;
    bool enough = false;
    for (int i = 0; i < all.n; i++)
        if (all.file[i].numbered && all.file[i].step <= step) oldest = &all.file[i];
    for (int i = 0; oldest && i < all.n && !enough; i++)
        enough = &all.file[i] != oldest && !checkpoint_trouble(look, all.file[i].path);
    const char *const path = enough && tg_ok(look) ? tg_strdup(s, oldest->path) : NULL;
    tg_clear(look);
    tg_pop(look);
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
