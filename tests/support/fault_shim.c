/* fault_shim.c - replaces the C library's system calls for reading and writing files, so that one of them can fail or
 * be the last.  Linked into test_crash_points; libfault_shim.so can be preloaded into any other program.
 *
 * FAULT_PATH: counts calls on paths that contain this text, and on files opened by such a path.  Unset: counts none.
 *
 * FAULT_AT: the number of the call that is hit, from 1.
 *
 * FAULT_HOW: kill: SIGKILL before the call.  torn: a write writes half of its bytes, then SIGKILL.  short: a write or
 * read processes half of its bytes.  A number: the call fails with this errno without any effect (close still closes).
 *
 * FAULT_LOG: a file to which the name of each counted call is appended, followed by " HIT" for the one that is hit. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_FILES = 1024 };

static bool watched[MOST_FILES];
static long calls;

static bool is_watched_path(const char *path)
{
    const char *const text = getenv("FAULT_PATH");
    return text && path && strstr(path, text);
}

static bool is_watched(int fd) { return fd >= 0 && fd < MOST_FILES && watched[fd]; }

static void watch(int fd, const char *path)
{
    if (fd >= 0 && fd < MOST_FILES) watched[fd] = is_watched_path(path);
}

/* By syscall numbers, which bypass the functions of this file. */
static void log_text(const char *text)
{
    const char *const path = getenv("FAULT_LOG");
    const long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd < 0) return;
    (void)!syscall(SYS_write, fd, text, strlen(text));
    syscall(SYS_close, fd);
}

static void die(void) { syscall(SYS_kill, getpid(), SIGKILL); }

static long number(const char *name)
{
    const char *const text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

/* Counts a call.  Returns its fault: 0 none, > 0 this errno, -1 half of the bytes, -2 half of the bytes and then death.
 */
static int count(const char *name, bool has_bytes)
{
    const char *const how = getenv("FAULT_HOW");
    const int kept = errno;
    const bool hit = ++calls == number("FAULT_AT") && how;
    log_text(name);
    log_text(hit ? " HIT\n" : "\n");
    errno = kept;
    if (!hit) return 0;
    if (!strcmp(how, "kill")) die();
    if (!strcmp(how, "torn")) return has_bytes ? -2 : 0;
    if (!strcmp(how, "short")) return has_bytes ? -1 : 0;
    return (int)number("FAULT_HOW");
}

static size_t half(size_t n) { return n > 1 ? n / 2 : n; }

static int fail(int why)
{
    errno = why;
    return -1;
}

#define REAL(name) (__extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name))
#define FAULT(watches, name) \
    do { \
        const int why = (watches) ? count(#name, false) : 0; \
        if (why > 0) return fail(why); \
    } while (0)

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    FAULT(is_watched_path(path), open);
    const int fd = REAL(open)(path, flags, mode);
    watch(fd, path);
    return fd;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    const int why = is_watched(fd) ? count("write", true) : 0;
    if (why > 0) return fail(why);
    const ssize_t done = REAL(write)(fd, bytes, why < 0 ? half(n) : n);
    if (why == -2) die();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    const int why = is_watched(fd) ? count("pwrite", true) : 0;
    if (why > 0) return fail(why);
    const ssize_t done = REAL(pwrite)(fd, bytes, why < 0 ? half(n) : n, at);
    if (why == -2) die();
    return done;
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    const int why = is_watched(fd) ? count("pread", true) : 0;
    if (why > 0) return fail(why);
    return REAL(pread)(fd, to, why < 0 ? half(n) : n, at);
}

int close(int fd)
{
    const int why = is_watched(fd) ? count("close", false) : 0;
    watch(fd, NULL);
    const int status = REAL(close)(fd);
    return why > 0 ? fail(why) : status;
}

int fsync(int fd)
{
    FAULT(is_watched(fd), fsync);
    return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    FAULT(is_watched(fd), fdatasync);
    return REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t n)
{
    FAULT(is_watched(fd), ftruncate);
    return REAL(ftruncate)(fd, n);
}

int flock(int fd, int what)
{
    FAULT(is_watched(fd), flock);
    return REAL(flock)(fd, what);
}

int fstat(int fd, struct stat *about)
{
    FAULT(is_watched(fd), fstat);
    return REAL(fstat)(fd, about);
}

int stat(const char *path, struct stat *about)
{
    FAULT(is_watched_path(path), stat);
    return REAL(stat)(path, about);
}

int lstat(const char *path, struct stat *about)
{
    FAULT(is_watched_path(path), lstat);
    return REAL(lstat)(path, about);
}

int rename(const char *from, const char *to)
{
    FAULT(is_watched_path(from), rename);
    return REAL(rename)(from, to);
}

int unlink(const char *path)
{
    FAULT(is_watched_path(path), unlink);
    return REAL(unlink)(path);
}

int sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
    FAULT(is_watched(fd), sync_file_range);
    return REAL(sync_file_range)(fd, from, n, flags);
}
