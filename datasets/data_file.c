/* data_file.c - reads plain and gzip files sequentially.  See data_file.h. */
#include "data_file.h"
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GZIP_FORMAT = 16 + MAX_WBITS, DEFLATE_RATIO = 1032, FIRST_PIECE = 1 << 20, LARGEST_PIECE = 1 << 30 };
static const uint64_t gzip_most = (uint64_t)1 << 30;

static bool refill(tg_file *f)
{
    ssize_t got;
    do got = read(f->fd, f->in, sizeof f->in);
    while (got < 0 && errno == EINTR);
    if (got < 0) tg_fail(f->s, "%s: cannot be read: %s", f->path, strerror(errno));
    f->z.next_in = f->in;
    f->z.avail_in = got > 0 ? (uInt)got : 0;
    return got > 0;
}

static void *zlib_alloc(void *unused, uInt items, uInt size)
{
    (void)unused;
    return tg_system_alloc((size_t)items * size);
}

static void zlib_free(void *unused, void *block)
{
    (void)unused;
    tg_system_free(block);
}

static void begin_gzip(tg_file *f)
{
    f->z.zalloc = zlib_alloc;
    f->z.zfree = zlib_free;
    f->gzip = inflateInit2(&f->z, GZIP_FORMAT) == Z_OK;
    if (!f->gzip) tg_fail(f->s, "%s: no memory to unpack it", f->path);
}

static bool is_gzip(const tg_file *f) { return f->z.avail_in >= 2 && f->in[0] == 0x1f && f->in[1] == 0x8b; }

bool tg_file_open(tg_file *f, tg_scope *s, const char *path)
{
    memset(f, 0, sizeof *f);
    f->s = s;
    f->path = path;
    f->fd = -1;
    if (!tg_ok(s)) return false;

    struct stat about;
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* do not block on a FIFO */
    if (f->fd < 0 || fstat(f->fd, &about) < 0) {
        tg_fail(s, "%s: cannot be opened: %s", path, strerror(errno));
    } else if (!S_ISREG(about.st_mode)) {
        tg_fail(s, "%s: not a regular file", path);
    } else {
        f->size = (uint64_t)about.st_size;
        if (refill(f) && is_gzip(f)) begin_gzip(f);
    }
    if (!tg_ok(s)) tg_file_close(f);
    return tg_ok(s);
}

void tg_file_close(tg_file *f)
{
    if (f->gzip) inflateEnd(&f->z);
    if (f->fd >= 0) close(f->fd);
    f->gzip = false;
    f->fd = -1;
}

static size_t copy_some(tg_file *f, uint8_t *to, size_t n)
{
    if (f->z.avail_in == 0 && !refill(f)) {
        f->ended = true;
        return 0;
    }
    const size_t now = n < f->z.avail_in ? n : f->z.avail_in;
    memcpy(to, f->z.next_in, now);
    f->z.next_in += now;
    f->z.avail_in -= (uInt)now;
    return now;
}

/* After a gzip member may come another one, or zeros up to the end of the file; anything else is an error. */
static void pass_member(tg_file *f)
{
    do {
        for (; f->z.avail_in > 0 && *f->z.next_in == 0; f->z.avail_in--) f->z.next_in++;
    } while (f->z.avail_in == 0 && refill(f));
    f->ended = f->z.avail_in == 0;
    if (f->ended) return;
    if (*f->z.next_in != 0x1f) tg_fail(f->s, "%s: trailing bytes after the gzip data", f->path);
    else inflateReset(&f->z);
}

static size_t inflate_some(tg_file *f, uint8_t *to, size_t n)
{
    if (f->z.avail_in == 0 && !refill(f)) {
        tg_fail(f->s, "%s: the gzip data end early, after %llu bytes of the file (truncated?)", f->path,
                (unsigned long long)f->size);
        return 0;
    }
    const uInt now = n < LARGEST_PIECE ? (uInt)n : LARGEST_PIECE;
    f->z.next_out = to;
    f->z.avail_out = now;
    const int status = inflate(&f->z, Z_NO_FLUSH);
    const uInt made = now - f->z.avail_out;
    if (status == Z_STREAM_END) {
        pass_member(f);
    } else if (status == Z_MEM_ERROR) {
        tg_fail(f->s, "%s: no memory to unpack it", f->path);
    } else if (status != Z_OK) {
        tg_fail(f->s, "%s: the gzip data are damaged: %s", f->path, f->z.msg ? f->z.msg : zError(status));
    }
    return made;
}

size_t tg_file_read(tg_file *f, void *to, size_t n)
{
    size_t have = 0;
    while (have < n && !f->ended && tg_ok(f->s)) {
        uint8_t *const rest = (uint8_t *)to + have;
        have += f->gzip ? inflate_some(f, rest, n - have) : copy_some(f, rest, n - have);
    }
    f->given += have;
    return tg_ok(f->s) ? have : 0;
}

uint64_t tg_file_most(const tg_file *f)
{
    uint64_t all = f->size;
    if (f->gzip) all = f->size < gzip_most / DEFLATE_RATIO ? f->size * DEFLATE_RATIO : gzip_most;
    return all > f->given ? all - f->given : 0;
}

void *tg_file_memory(tg_scope *s, const char *path, uint64_t bytes)
{
    void *const block = tg_ok(s) ? tg_system_alloc(bytes) : NULL;
    if (!block) tg_fail(s, "%s: no memory for %llu bytes", path, (unsigned long long)bytes);
    return block && tg_defer(s, tg_system_free, block) ? block : NULL;
}

/* A gzip file may hold less than it declares, so the block grows as bytes arrive. */
static uint8_t *grow(tg_file *f, uint8_t *old, size_t have, size_t bytes)
{
    uint8_t *const block = tg_system_alloc(bytes);
    if (!block) tg_fail(f->s, "%s: no memory for %zu bytes", f->path, bytes);
    if (block && have > 0) memcpy(block, old, have);
    tg_system_free(old);
    return block;
}

/* Whether the file can hold n more bytes at all; if not, fails. */
static bool can_hold(tg_file *f, uint64_t n)
{
    const uint64_t most = tg_file_most(f);
    if (n > most)
        tg_fail(f->s, "%s: declares %llu bytes of data, but holds at most %llu", f->path, (unsigned long long)n,
                (unsigned long long)most);
    return tg_ok(f->s);
}

static size_t next_size(const tg_file *f, size_t have, size_t n)
{
    const size_t room = have > 0 ? 2 * have : FIRST_PIECE;
    return f->gzip && room < n ? room : n;
}

uint8_t *tg_file_take(tg_file *f, uint64_t n)
{
    const uint64_t start = f->given;
    uint8_t *data = NULL;
    size_t have = 0;
    if (!tg_ok(f->s) || !can_hold(f, n)) return NULL;
    while (tg_ok(f->s) && have < n) {
        const size_t room = next_size(f, have, n);
        data = grow(f, data, have, room);
        if (data && tg_file_read(f, data + have, room - have) < room - have)
            tg_fail(f->s, "%s: ends after %llu bytes, want %llu", f->path, (unsigned long long)f->given,
                    (unsigned long long)(start + n));
        have = room;
    }
    if (!tg_ok(f->s)) {
        tg_system_free(data);
        return NULL;
    }
    return tg_defer(f->s, tg_system_free, data) ? data : NULL;
}

bool tg_file_end(tg_file *f)
{
    const uint64_t wanted = f->given;
    uint8_t more;
    if (tg_file_read(f, &more, 1) > 0)
        tg_fail(f->s, "%s: trailing data after its %llu bytes", f->path, (unsigned long long)wanted);
    return tg_ok(f->s);
}
