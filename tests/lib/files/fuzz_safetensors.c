/* fuzz_safetensors.c - random files, on which the library and tests/oracle/safetensors_oracle.py must agree:
 * fuzz_safetensors ORACLE N [SEED].
 *
 * They agree if both refuse a file, or both read the same from it.  The library runs in a child process, with a limit
 * of 5 seconds per file, so that crashes and hangs are found like any other difference.  A file on which they disagree
 * is kept as fuzz_safetensors.SEED. */
#include "fuzz_safetensors_make.h"
#include <tilegrad/tensor_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

enum { BATCH = 10000, VERDICT = 16, SECONDS = 5, MOST_SHOWN = 5 };

typedef struct { /* shared with the child */
    uint64_t at; /* the seed of the file being judged */
    char verdict[BATCH][VERDICT];
} report;

static report *shared;
static fuzz_file file;

/* ---- the library's verdict ---- */

static uint32_t add(uint32_t sum, const char *text)
{
    return (uint32_t)crc32_z(sum, (const uint8_t *)text, strlen(text) + 1);
}

static uint32_t add_number(uint32_t sum, uint64_t number, const char *after, size_t n)
{
    char text[32];
    const int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return (uint32_t)crc32_z(crc32_z(sum, (const uint8_t *)text, (size_t)length), (const uint8_t *)after, n);
}

/* A hash of a file's contents: see the oracle. */
static uint32_t said(const tg_tensor_file *f)
{
    uint32_t sum = 0;
    for (int i = 0; i < f->n; i++) {
        const tg_file_tensor *const t = &f->tensor[i];
        sum = add(add(sum, t->name), t->dtype);
        for (int k = 0; k < t->rank; k++)
            sum = add_number(sum, (uint64_t)t->dim[k], k + 1 < t->rank ? "," : "", k + 1 < t->rank);
        sum = add_number(add_number(add(sum, ""), t->place, "", 1), t->place + t->bytes, "", 1);
    }
    for (int i = 0; i < f->n_meta; i++) sum = add(add(sum, f->meta[i].key), f->meta[i].value);
    return add_number(sum, f->marked, "", 0);
}

static void judge(tg_scope *s, const char *path, char verdict[VERDICT])
{
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    for (int i = 0; f && i < f->n; i++) tg_tensor_file_verify(s, f, i);
    snprintf(verdict, VERDICT, tg_ok(s) ? "%08x" : "refused", tg_ok(s) ? said(f) : 0);
    tg_reset(s);
    tg_clear(s);
}

/* A file without a folder. */
static int scratch_file(char path[64])
{
    const int fd = memfd_create("fuzz_safetensors", MFD_CLOEXEC);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void judge_all(uint64_t seed, int n)
{
    char path[64];
    const int fd = scratch_file(path);
    tg_scope *const s = tg_open();
    for (int i = 0; i < n; i++) {
        shared->at = seed + (uint64_t)i;
        fuzz_make_file(&file, shared->at);
        if (ftruncate(fd, (off_t)file.n) || pwrite(fd, file.at, file.n, 0) != (ssize_t)file.n) _exit(2);
        alarm(SECONDS);
        judge(s, path, shared->verdict[i]);
    }
    alarm(0);
    tg_close(s);
    _exit(0);
}

static bool library_judges(uint64_t seed, int n)
{
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) judge_all(seed, n);
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    printf("seed %llu: the library %s\n", (unsigned long long)shared->at,
           WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs" : "crashes");
    return false;
}

/* ---- the oracle's verdict ---- */

static void write_batch(const char *path, uint64_t seed, int n)
{
    FILE *const to = fopen(path, "wb");
    if (!to) exit(2);
    for (int i = 0; i < n; i++) {
        fuzz_make_file(&file, seed + (uint64_t)i);
        const uint32_t length = (uint32_t)file.n;
        if (fwrite(&length, sizeof length, 1, to) != 1 || fwrite(file.at, 1, file.n, to) != file.n) exit(2);
    }
    if (fclose(to)) exit(2);
}

static void keep(uint64_t seed)
{
    char name[64];
    fuzz_make_file(&file, seed);
    snprintf(name, sizeof name, "fuzz_safetensors.%llu", (unsigned long long)seed);
    FILE *const to = fopen(name, "wb");
    if (!to) return;
    fwrite(file.at, 1, file.n, to);
    fclose(to);
}

/* Returns the number of verdicts that differ; counts the files that both read. */
static int compare(FILE *oracle, uint64_t seed, int n, int *read)
{
    int wrong = 0;
    for (int i = 0; i < n; i++) {
        char line[64] = "";
        if (!fgets(line, sizeof line, oracle)) line[0] = 0;
        line[strcspn(line, "\n")] = 0;
        *read += line[0] != 'r';
        if (!strcmp(line, shared->verdict[i])) continue;
        if (wrong++ >= MOST_SHOWN) continue;
        printf("seed %llu: the library says %s, the oracle %s\n", (unsigned long long)seed + (unsigned)i,
               shared->verdict[i], line);
        keep(seed + (uint64_t)i);
    }
    return wrong;
}

static int ask_oracle(const char *script, uint64_t seed, int n, int *read)
{
    char path[64] = "/tmp/fuzz_safetensors_XXXXXX", command[4096];
    const int fd = mkstemp(path);
    if (fd < 0) exit(2);
    close(fd);
    write_batch(path, seed, n);
    snprintf(command, sizeof command, "python3 '%s' %s", script, path);
    FILE *const oracle = popen(command, "r");
    if (!oracle) exit(2);
    int wrong = compare(oracle, seed, n, read);
    if (pclose(oracle) != 0) wrong++, puts("the oracle has failed");
    unlink(path);
    return wrong;
}

int main(int argc, char **argv)
{
    const uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000, seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    int wrong = 0, read = 0;
    if (argc < 2) return fprintf(stderr, "usage: fuzz_safetensors ORACLE N [SEED]\n"), 2;
    if (system("command -v python3 >/dev/null") != 0) return puts("skipped: no python3 for the oracle"), 77;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    for (uint64_t done = 0; done < n && wrong < MOST_SHOWN; done += BATCH) {
        const int some = n - done < BATCH ? (int)(n - done) : BATCH;
        if (!library_judges(seed + done, some)) return 1;
        wrong += ask_oracle(argv[1], seed + done, some, &read);
    }
    printf("%llu files: %d read, the others refused, by both; %d differences\n", (unsigned long long)n, read, wrong);
    return wrong ? 1 : 0;
}
