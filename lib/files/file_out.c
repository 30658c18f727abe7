/* file_out.c - writes a file next to its target and renames it into place.  See file_out.h. */
#include "file_out.h"
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 1000, MAX_LINKS = 40, WRITE_BACK = 8 << 20 }; /* WRITE_BACK: bytes after which write-back is started */

static bool give_up(tg_scope *s, tg_file_out *f, const char *what)
{
    tg_fail_system(s, errno, "%s: %s: %s", f->path, what, strerror(errno));
    tg_out_abandon(f);
    return false;
}

/* ---- names ---- */

/* Resolves the symbolic links that `path` points to; false sets errno. */
static bool follow_links(const char *path, char to[PATH_MAX])
{
    char link[PATH_MAX];
    errno = ENAMETOOLONG;
    if (strlen(path) >= PATH_MAX) return false;
    strcpy(to, path);
    for (int i = 0; i < MAX_LINKS; i++) {
        const ssize_t n = readlink(to, link, sizeof link - 1);
        if (n < 0) return true; /* not a link, or does not exist */
        link[n] = 0;
        char *const slash = *link == '/' ? NULL : strrchr(to, '/'), *const name = slash ? slash + 1 : to;
        errno = ENAMETOOLONG;
        if ((size_t)(name - to) + (size_t)n >= PATH_MAX) return false;
        strcpy(name, link);
    }
    errno = ELOOP;
    return false;
}

static bool name_files(tg_scope *s, tg_file_out *f)
{
    char target[PATH_MAX];
    if (!follow_links(f->path, target)) return give_up(s, f, "cannot be written");
    const size_t size = strlen(target) + 1;
    f->target = tg_system_alloc(size);
    f->part = tg_system_alloc(size + sizeof ".part-2147483648");
    if (f->target && f->part) memcpy(f->target, target, size);
    else tg_fail_system(s, ENOMEM, "%s: no memory to write it", f->path);
    return tg_ok(s);
}

/* ---- PATH.part ---- */

/* Whether the open file is still PATH.part.  The previous holder of the lock may have renamed it, and anyone may have
 * removed it. */
static bool is_current(int fd, const char *part)
{
    struct stat held, there;
    if (TEMP_FAILURE_RETRY(fstat(fd, &held)) < 0 || TEMP_FAILURE_RETRY(lstat(part, &there)) < 0) return false;
    errno = ESTALE;
    return held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

typedef enum { MADE, TAKEN, BUSY, GONE, FAILED } part_kind;

/* Removes the leftover of a killed process instead of reusing it, because another process may be reading it. */
static part_kind inspect_part(int fd, const char *part)
{
    struct stat about;
    if (TEMP_FAILURE_RETRY(fstat(fd, &about)) < 0 || !S_ISREG(about.st_mode)) return TAKEN;
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) < 0) return errno == EWOULDBLOCK ? BUSY : TAKEN;
    if (!is_current(fd, part)) return GONE;
    const bool left = about.st_mode & S_ISVTX && about.st_nlink == 1 && about.st_uid == geteuid();
    return left && TEMP_FAILURE_RETRY(unlink(part)) == 0 ? GONE : TAKEN;
}

/* Creates f->part and locks it. */
static part_kind make_part(tg_file_out *f)
{
    static const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    f->fd = TEMP_FAILURE_RETRY(open(f->part, flags | O_CREAT | O_EXCL, f->mode | S_ISVTX));
    if (f->fd >= 0) {
        if (TEMP_FAILURE_RETRY(flock(f->fd, LOCK_EX | LOCK_NB)) < 0) return errno == EWOULDBLOCK ? BUSY : FAILED;
        return is_current(f->fd, f->part) ? MADE : GONE;
    }
    if (errno != EEXIST) return FAILED;
    const int fd = TEMP_FAILURE_RETRY(open(f->part, flags & ~O_RDWR));
    if (fd < 0) return errno == ENOENT ? GONE : TAKEN;
    const part_kind kind = inspect_part(fd, f->part);
    close(fd);
    return kind;
}

static void close_part(tg_file_out *f)
{
    const int why = errno;
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    errno = why;
}

static bool open_locked(tg_scope *s, tg_file_out *f)
{
    for (int i = 0, name = 0; i < TRIES; i++) {
        if (name) sprintf(f->part, "%s.part%d", f->target, name);
        else sprintf(f->part, "%s.part", f->target);
        const part_kind kind = make_part(f);
        if (kind == MADE) return true;
        close_part(f);
        if (kind == BUSY) tg_fail(s, "%s: another process is writing it (%s is locked)", f->path, f->part);
        if (kind == FAILED)
            tg_fail_system(s, errno, "%s: cannot be created (%s): %s", f->path, f->part, strerror(errno));
        if (!tg_ok(s)) return false;
        name += kind == TAKEN;
    }
    tg_fail(s, "%s: cannot be created: %s.part, .part1 ... all exist", f->path, f->target);
    return false;
}

/* A new file gets the mode that the system chooses (umask); a replaced one keeps its own. */
static void set_mode(tg_file_out *f, bool replaces)
{
    struct stat about;
    if (replaces) (void)!fchmod(f->fd, f->mode | S_ISVTX);
    else if (TEMP_FAILURE_RETRY(fstat(f->fd, &about)) == 0) f->mode = about.st_mode & 0777;
}

bool tg_out_begin(tg_scope *s, tg_file_out *f, const char *path)
{
    struct stat about;
    *f = (tg_file_out){ .path = path, .fd = -1, .mode = 0666 };
    if (!tg_ok(s)) return false;
    const bool replaces = *path && TEMP_FAILURE_RETRY(stat(path, &about)) == 0;
    if (!*path) tg_fail(s, "the path of a file to write is empty");
    else if (replaces && !S_ISREG(about.st_mode)) tg_fail(s, "%s: not a regular file", path);
    if (replaces) f->mode = about.st_mode & 0777;
    if (tg_ok(s) && name_files(s, f) && open_locked(s, f)) {
        set_mode(f, replaces);
        return true;
    }
    tg_out_abandon(f);
    return false;
}

/* ---- bytes ---- */

static bool write_at(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        const char *const from = (const char *)bytes + done;
        const ssize_t some = TEMP_FAILURE_RETRY(pwrite(f->fd, from, n - done, (off_t)(at + done)));
        if (some == 0) errno = ENOSPC;
        if (some <= 0) return give_up(s, f, "cannot be written");
        done += (size_t)some;
    }
    return true;
}

bool tg_out_write(tg_scope *s, tg_file_out *f, const void *bytes, size_t n)
{
    if (!tg_ok(s) || f->fd < 0 || !write_at(s, f, f->written, bytes, n)) return false;
    const uint64_t before = f->written / WRITE_BACK, now = (f->written += n) / WRITE_BACK;
    if (now > before) /* overlaps with producing the rest; fsync reports any error */
        (void)sync_file_range(f->fd, (off_t)(before * WRITE_BACK), (off_t)((now - before) * WRITE_BACK),
                              SYNC_FILE_RANGE_WRITE);
    return true;
}

bool tg_out_rewrite(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n)
{
    return tg_ok(s) && f->fd >= 0 && write_at(s, f, at, bytes, n);
}

/* The directory entry is durable only once the directory is synced, too.  Some file systems cannot do that and return
 * EINVAL. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *const slash = strrchr(path, '/');
    const int length = slash && slash > path ? (int)(slash - path) : 1;
    if (snprintf(folder, sizeof folder, "%.*s", length, slash ? path : ".") >= (int)sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    const int fd = TEMP_FAILURE_RETRY(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0) return false;
    const bool synced = TEMP_FAILURE_RETRY(fsync(fd)) == 0 || errno == EINVAL;
    const int why = errno;
    close(fd);
    errno = why;
    return synced;
}

/* Copies the owner and group of the old file, as far as the system allows. */
static void copy_owner(const tg_file_out *f)
{
    struct stat old, new;
    if (TEMP_FAILURE_RETRY(stat(f->target, &old)) < 0 || TEMP_FAILURE_RETRY(fstat(f->fd, &new)) < 0) return;
    if (old.st_uid == new.st_uid && old.st_gid == new.st_gid) return;
    if (fchown(f->fd, old.st_uid, old.st_gid) != 0) (void)!fchown(f->fd, (uid_t)-1, old.st_gid);
    (void)!fchmod(f->fd, f->mode | S_ISVTX);
}

bool tg_out_commit(tg_scope *s, tg_file_out *f)
{
    if (!tg_ok(s) || f->fd < 0) {
        tg_out_abandon(f);
        return false;
    }
    copy_owner(f);
    if (TEMP_FAILURE_RETRY(fsync(f->fd)) < 0) return give_up(s, f, "cannot be synced to disk (fsync)");
    if (!is_current(f->fd, f->part)) return give_up(s, f, "cannot replace the old file");
    (void)!fchmod(f->fd, f->mode); /* last: without the sticky bit it no longer counts as a leftover */
    if (TEMP_FAILURE_RETRY(rename(f->part, f->target)) < 0) return give_up(s, f, "cannot replace the old file");
    tg_system_free(f->part);
    f->part = NULL;
    if (!sync_folder(f->target)) return give_up(s, f, "was written, but its folder cannot be synced to disk (fsync)");
    tg_out_abandon(f);
    return true;
}

/* Closing the descriptor drops the lock, so PATH.part is removed first, and only if it is ours. */
void tg_out_abandon(tg_file_out *f)
{
    if (f->fd >= 0) {
        if (f->part && is_current(f->fd, f->part)) TEMP_FAILURE_RETRY(unlink(f->part));
        close(f->fd);
    }
    tg_system_free(f->target);
    tg_system_free(f->part);
    f->target = f->part = NULL;
    f->fd = -1;
}

bool tg_out_whole(tg_scope *s, const char *path, const void *bytes, size_t n)
{
    tg_file_out f;
    return tg_out_begin(s, &f, path) && tg_out_write(s, &f, bytes, n) && tg_out_commit(s, &f);
}
