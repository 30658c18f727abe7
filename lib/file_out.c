/* file_out.c - see file_out.h. */
#include "file_out.h"
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 100, WRITE_BACK = 8 << 20 };            /* bytes after which the disk is set to work */

static bool give_up(tg_scope *s, tg_file_out *f, const char *what)
{
    tg_fail(s, "%s: %s: %s", f->path, what, strerror(errno));
    tg_out_abandon(f);
    return false;
}

/* Is what we opened still PATH.part?  Whoever held the lock before us may have renamed it, and anybody may remove it. */
static bool still_there(int fd, const char *part)
{
    struct stat held, there;
    if (TEMP_FAILURE_RETRY(fstat(fd, &held)) < 0 || TEMP_FAILURE_RETRY(lstat(part, &there)) < 0) return false;
    errno = ESTALE;
    return held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

/* Opens PATH.part, by whomever it was made, and locks it.  The file is not touched before that. */
static bool open_locked(tg_scope *s, tg_file_out *f)
{
    static const int flags = O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    for (int i = 0; i < TRIES; i++) {
        struct stat about;
        const int fd = TEMP_FAILURE_RETRY(open(f->part, flags, 0666));
        if (fd < 0) break;
        const bool other = TEMP_FAILURE_RETRY(fstat(fd, &about)) == 0 && !S_ISREG(about.st_mode);
        const bool locked = !other && TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) == 0;
        if (locked && still_there(fd, f->part)) {
            f->fd = fd;
            return true;
        }
        const int why = errno;
        close(fd);
        errno = why;
        if (other) tg_fail(s, "%s: not a regular file", f->part);
        else if (!locked && why == EWOULDBLOCK)
            tg_fail(s, "%s: another process is writing it (%s is locked)", f->path, f->part);
        if (!locked) break;
    }
    tg_fail(s, "%s: cannot be created (%s): %s", f->path, f->part, strerror(errno));
    return false;
}

static char *part_of(const char *path)
{
    const size_t size = strlen(path) + sizeof ".part";
    char *const  part = tg_system_alloc(size);
    if (part) snprintf(part, size, "%s.part", path);
    return part;
}

bool tg_out_begin(tg_scope *s, tg_file_out *f, const char *path)
{
    struct stat about;
    *f = (tg_file_out){ .path = path, .fd = -1 };
    if (!tg_ok(s)) return false;
    if (!*path) tg_fail(s, "a file to write: its path is empty");
    else if (TEMP_FAILURE_RETRY(stat(path, &about)) == 0 && !S_ISREG(about.st_mode))
        tg_fail(s, "%s: not a regular file", path);
    else if (!(f->part = part_of(path))) tg_fail(s, "%s: no memory to write it", path);
    if (tg_ok(s) && open_locked(s, f) && TEMP_FAILURE_RETRY(ftruncate(f->fd, 0)) < 0)
        return give_up(s, f, "cannot be emptied");
    if (!tg_ok(s)) tg_out_abandon(f);
    return tg_ok(s);
}

static bool put(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n)
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
    if (!tg_ok(s) || f->fd < 0 || !put(s, f, f->written, bytes, n)) return false;
    const uint64_t before = f->written / WRITE_BACK, now = (f->written += n) / WRITE_BACK;
    if (now > before)                    /* while the rest is made; that it failed shows in fsync */
        (void)sync_file_range(f->fd, (off_t)(before * WRITE_BACK), (off_t)((now - before) * WRITE_BACK),
                              SYNC_FILE_RANGE_WRITE);
    return true;
}

bool tg_out_rewrite(tg_scope *s, tg_file_out *f, uint64_t at, const void *bytes, size_t n)
{
    return tg_ok(s) && f->fd >= 0 && put(s, f, at, bytes, n);
}

/* The folder's entry lasts only when the folder was synced, too.  Some file systems cannot, and say EINVAL. */
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

bool tg_out_commit(tg_scope *s, tg_file_out *f)
{
    if (!tg_ok(s) || f->fd < 0) {
        tg_out_abandon(f);
        return false;
    }
    if (TEMP_FAILURE_RETRY(fsync(f->fd)) < 0) return give_up(s, f, "cannot be made to last (fsync)");
    if (!still_there(f->fd, f->part) || TEMP_FAILURE_RETRY(rename(f->part, f->path)) < 0)
        return give_up(s, f, "cannot take the place of the old file");
    tg_system_free(f->part);
    f->part = NULL;
    if (!sync_folder(f->path)) return give_up(s, f, "was written, but its folder cannot be made to last (fsync)");
    tg_out_abandon(f);
    return true;
}

/* The lock goes with the descriptor, so PATH.part is removed first, and only if it is ours. */
void tg_out_abandon(tg_file_out *f)
{
    if (f->fd >= 0) {
        if (f->part && still_there(f->fd, f->part)) TEMP_FAILURE_RETRY(unlink(f->part));
        close(f->fd);
    }
    tg_system_free(f->part);
    f->part = NULL;
    f->fd = -1;
}
