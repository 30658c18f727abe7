/* bench_checkpoint.c - see bench_checkpoint.h.  Plain writing is like dd with conv=fsync, plain reading like cat; the
 * file is evicted from the page cache before each load or read. */
#include "bench_checkpoint.h"
#include "median.h"
#include "progress.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

typedef struct {
    tg_scope *root;
    tg_module *net;
    tg_optim *opt;
    const char *saved, *plain; /* paths */
    void *block;               /* [BLOCK] */
    double bytes;
} files;

static bool failed(const files *f, const char *path)
{
    tg_fail(f->root, "%s: %s", path, strerror(errno));
    return false;
}

/* ---- what is compared ---- */

static bool write_blocks(const files *f, int fd)
{
    for (double left = f->bytes; left > 0; left -= BLOCK)
        if (write(fd, f->block, left < BLOCK ? (size_t)left : BLOCK) < 0) return false;
    return fsync(fd) == 0;
}

static bool write_plain(const files *f)
{
    const int fd = open(f->plain, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) return failed(f, f->plain);
    const bool good = write_blocks(f, fd) || failed(f, f->plain);
    close(fd);
    return good;
}

static bool read_plain(const files *f)
{
    const int fd = open(f->saved, O_RDONLY);
    if (fd < 0) return failed(f, f->saved);
    ssize_t n = 1;
    while (n > 0) n = read(fd, f->block, BLOCK);
    close(fd);
    return n == 0 || failed(f, f->saved);
}

static bool save(const files *f)
{
    tg_save(f->root, f->saved, f->net, f->opt);
    return tg_ok(f->root);
}

static bool load(const files *f)
{
    tg_load(f->root, f->saved, f->net, f->opt);
    return tg_ok(f->root);
}

/* ---- in turn ---- */

static bool evict(const files *f)
{
    const int fd = open(f->saved, O_RDONLY);
    if (fd < 0) return failed(f, f->saved);
    const bool good = fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
    close(fd);
    return good || failed(f, f->saved);
}

static double rss_mib(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_maxrss / 1024;
}

typedef struct {
    const char *name;
    bool (*run)(const files *f);
    bool cold;
    double *took;
    double more; /* growth of the process's peak memory in MiB */
} contender;

static bool measure(const files *f, contender *c, int round)
{
    if (c->cold && !evict(f)) return false;
    const double before = rss_mib(), began = seconds();
    if (!c->run(f)) return false;
    c->took[round] = seconds() - began;
    if (rss_mib() - before > c->more) c->more = rss_mib() - before;
    return true;
}

static void print_pair(const files *f, contender *ours, contender *plain, int rounds)
{
    sort_numbers(ours->took, rounds);
    sort_numbers(plain->took, rounds);
    const double a = median(ours->took, rounds), b = median(plain->took, rounds);
    printf("%-5s %6.0f ms (%5.0f MB/s), %-26s %6.0f ms (%5.0f MB/s): %.2fx as long; memory +%.0f MiB\n", ours->name,
           1e3 * a, f->bytes / a / 1e6, plain->name, 1e3 * b, f->bytes / b / 1e6, a / b, ours->more);
}

static void compare(files *f, int rounds)
{
    contender all[] = {
        { .name = "save", .run = save },
        { .name = "written with fsync:", .run = write_plain },
        { .name = "load", .run = load, .cold = true },
        { .name = "read, not from cache:", .run = read_plain, .cold = true },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(all[i].took = tg_alloc(f->root, sizeof(double) * (size_t)rounds))) return;
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (!measure(f, &all[i], round)) return;
    printf("a file of %.0f MB, median of %d\n", f->bytes / 1e6, rounds);
    print_pair(f, &all[0], &all[1], rounds);
    print_pair(f, &all[2], &all[3], rounds);
}

static const char *path_in(tg_scope *s, const char *folder, const char *name)
{
    char *const path = tg_alloc(s, strlen(folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s/%s", folder, name);
    return path;
}

void bench_checkpoint(tg_scope *root, tg_module *net, tg_optim *opt, const char *folder, int rounds)
{
    files f = {
        .root = root,
        .net = net,
        .opt = opt,
        .saved = path_in(root, folder, "bench.safetensors"),
        .plain = path_in(root, folder, "bench.plain"),
        .block = tg_alloc(root, BLOCK),
    };
    if (!tg_ok(root)) return;
    memset(f.block, 0x5a, BLOCK);
    if (save(&f)) {
        const int fd = open(f.saved, O_RDONLY);
        f.bytes = fd < 0 ? 0 : (double)lseek(fd, 0, SEEK_END);
        if (fd >= 0) close(fd);
        compare(&f, rounds);
    }
    unlink(f.saved);
    unlink(f.plain);
}
