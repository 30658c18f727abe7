/* test_crash_points.c - a save is killed at each of its system calls, or each of them fails: the file must be the old
 * one or the new one.  fault_shim.c, linked into this program, injects the faults; each save is a process of its own.
 */
#include "tensor_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES = 3, PIECE = 3 << 20, MOST_CALLS = 200, TEXT = 1 << 14 };

static char program[4096], path[128]; /* of this program; of the file being saved */

/* ---- the process that saves: test_crash_points save PATH ---- */

static bool save(tg_scope *s, const char *to, const char *which)
{
    tg_file_tensor tensor[] = { { .name = "large", .dtype = "U8", .rank = 2, .dim = { PIECES, PIECE } },
                                { .name = "small", .dtype = "F32", .rank = 1, .dim = { 5 } } };
    const tg_file_meta meta = { "which", which };
    tg_tensor_writer *const w = tg_tensor_file_create(s, to, tensor, 2, &meta, 1);
    char *const bytes = malloc(PIECE);
    memset(bytes, which[0], PIECE);
    for (int i = 0; i < PIECES; i++) tg_tensor_file_write(s, w, bytes, PIECE);
    tg_tensor_file_write(s, w, bytes, 5 * sizeof(float));
    free(bytes);
    return tg_tensor_file_commit(s, w);
}

/* And the one that reads: test_crash_points load PATH. */
static int child_main(const char *mode, const char *file)
{
    tg_scope *const s = tg_open();
    const bool done = !strcmp(mode, "save") ? save(s, file, "new") : verify_file(s, file);
    if (!done) fputs(tg_message(s), stderr);
    tg_close(s);
    return done ? 0 : 1;
}

/* ---- running one of them with a fault ---- */

typedef struct {
    bool killed, saved;
    int calls;
    char hit[32], message[TEXT], log[TEXT]; /* the call that was hit; the log: a line for each call */
} outcome;

static void read_text(const char *name, char text[TEXT])
{
    FILE *const from = fopen(data_path(name), "r");
    const size_t n = from ? fread(text, 1, TEXT - 1, from) : 0;
    text[n] = 0;
    if (from) fclose(from);
}

static void run_child(const char *mode, int at, const char *how)
{
    char number[16];
    snprintf(number, sizeof number, "%d", at);
    setenv("FAULT_PATH", data_folder, 1);
    setenv("FAULT_AT", number, 1);
    setenv("FAULT_HOW", how, 1);
    setenv("FAULT_LOG", data_path("log"), 1);
    if (!freopen(data_path("message"), "w", stderr)) _exit(3);
    execl(program, program, mode, path, (char *)NULL);
    _exit(3);
}

static outcome child_with(const char *mode, int at, const char *how)
{
    outcome o = { .calls = 0 };
    int status = 0;
    unlink(data_path("log"));
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) run_child(mode, at, how);
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    read_text("message", o.message);
    read_text("log", o.log);
    o.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    o.saved = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!o.killed && !o.saved && !(WIFEXITED(status) && WEXITSTATUS(status) == 1))
        fail_msg("call %d, %s: status %d: %s", at, how, status, o.message);
    for (const char *line = o.log; *line; line = strchr(line, '\n') + 1, o.calls++) {
        const size_t n = strcspn(line, " \n");
        if (line[n] == ' ') snprintf(o.hit, sizeof o.hit, "%.*s", (int)n, line);
    }
    return o;
}

static outcome save_with(int at, const char *how) { return child_with("save", at, how); }

/* Whose bytes the file holds: 'o'ld or 'n'ew, all of them. */
static char content(void)
{
    tg_scope *const s = tg_open();
    tg_tensor_file *const f = tg_tensor_file_open(s, path);
    for (int i = 0; f && i < f->n; i++) tg_tensor_file_verify(s, f, i);
    if (!tg_ok(s)) fail_msg("%s", tg_message(s));
    assert_true(f->marked);
    const char which = tg_tensor_file_meta(f, "which")[0];
    tg_close(s);
    return which;
}

static void put_old(void)
{
    if (access(path, F_OK) == 0 && content() == 'o') return;
    tg_scope *const s = tg_open();
    assert_true(save(s, path, "old"));
    tg_close(s);
}

/* With nothing next to it, or the leftover of a killed process. */
static void begin_with_old(bool left)
{
    put_old();
    unlink(data_path("x.part"));
    const int part = left ? open(data_path("x.part"), O_CREAT | O_WRONLY, 0600 | S_ISVTX) : -1;
    assert_true(!left || (part >= 0 && close(part) == 0));
}

static bool part_is_there(void) { return access(data_path("x.part"), F_OK) == 0; }

/* ---- the tests ---- */

/* Killed in front of every call, or within every write. */
static void killed_at_each(const char *how, const char *call, bool left)
{
    begin_with_old(left);
    const outcome clean = save_with(0, "kill");
    const int calls = clean.calls;
    int landed = 0, old = 0;
    assert_true(clean.saved && calls >= 15 && !part_is_there());
    for (int at = 1; at <= calls; at++) {
        begin_with_old(left);
        const outcome o = save_with(at, how);
        assert_string_not_equal(o.hit, "");
        assert_int_equal(o.killed, !call || !strcmp(o.hit, call));
        landed += o.killed;
        old += o.killed && content() == 'o';
        if (o.killed && content() == 'n' && !strstr(o.log, "rename\n"))
            fail_msg("call %d, %s: the new file before rename", at, o.hit);
    }
    if (!call) assert_int_equal(landed, calls);
    assert_in_range(landed, 5, calls);
    printf("%s: %d of %d calls, all landed: %d times the old file, %d times the new one\n", how, landed, calls, old,
           landed - old);
}

static void killed_anywhere(void **state)
{
    (void)state;
    for (int left = 0; left < 2; left++) {
        killed_at_each("kill", NULL, left);
        killed_at_each("torn", "pwrite", left);
    }
    begin_with_old(false);
    assert_true(save_with(save_with(0, "kill").calls / 2, "kill").killed && part_is_there());
    assert_true(save_with(0, "kill").saved && content() == 'n' && !part_is_there()); /* the leftover is removed */
}

/* Calls that may fail without harm, and those that leave an empty PATH.part, which cannot be removed without its lock.
 */
static bool harmless(const char *call)
{
    return !strcmp(call, "stat") || !strcmp(call, "fstat") || !strcmp(call, "lstat") || !strcmp(call, "close") ||
           !strcmp(call, "sync_file_range");
}

static void fails_once(int at, int why)
{
    char how[16];
    snprintf(how, sizeof how, "%d", why);
    const outcome o = save_with(at, how);
    const bool renamed = strstr(o.log, "rename\n") != NULL;
    assert_string_not_equal(o.hit, "");
    if (o.saved) {
        if (why != EINTR && !harmless(o.hit)) fail_msg("call %d, %s: errno %d was not noticed", at, o.hit, why);
    } else {
        if (why == EINTR) fail_msg("call %d, %s: EINTR: %s", at, o.hit, o.message);
        if (strncmp(o.message, path, strlen(path)) || !strstr(o.message, strerror(why)))
            fail_msg("call %d, %s: errno %d: %s", at, o.hit, why, o.message);
    }
    assert_int_equal(content(), o.saved || renamed ? 'n' : 'o');
    assert_int_equal(part_is_there(), !o.saved && !strcmp(o.hit, "flock"));
}

static void each_call_fails_once(void **state)
{
    static const int errors[] = { ENOSPC, EIO, EDQUOT, EINTR };
    int runs = 0;
    (void)state;
    begin_with_old(false);
    const int calls = save_with(0, "kill").calls;
    for (int e = 0; e < 4; e++)
        for (int at = 1; at <= calls; at++, runs++) {
            begin_with_old(false);
            fails_once(at, errors[e]);
        }
    printf("%d runs: each of %d calls failed once with each of 4 errors\n", runs, calls);
}

static void short_writes_go_on(void **state)
{
    int landed = 0;
    (void)state;
    begin_with_old(false);
    const int calls = save_with(0, "kill").calls;
    for (int at = 1; at <= calls; at++) {
        begin_with_old(false);
        const outcome o = save_with(at, "short");
        assert_true(o.saved && content() == 'n');
        landed += !strcmp(o.hit, "pwrite");
    }
    assert_in_range(landed, 4, calls);
}

static void reading_goes_on_or_says_why(void **state)
{
    static const char *const hows[] = { "short", "EINTR", "EIO" };
    char eintr[16], eio[16];
    (void)state;
    snprintf(eintr, sizeof eintr, "%d", EINTR);
    snprintf(eio, sizeof eio, "%d", EIO);
    begin_with_old(false);
    const int calls = child_with("load", 0, "kill").calls;
    assert_in_range(calls, 30, MOST_CALLS);
    for (int h = 0; h < 3; h++)
        for (int at = 1; at <= calls; at++) {
            const outcome o = child_with("load", at, h == 0 ? "short" : h == 1 ? eintr : eio);
            const bool may_fail = h == 2 && strcmp(o.hit, "close") != 0;
            if (o.saved == may_fail) fail_msg("call %d, %s, %s: %s", at, o.hit, hows[h], o.message);
            if (may_fail) assert_true(!strncmp(o.message, path, strlen(path)) && strstr(o.message, strerror(EIO)));
        }
}

static const char *last_line(const char *log, const char *line)
{
    const char *last = NULL;
    for (const char *at = log; (at = strstr(at, line)); at++) last = at;
    return last;
}

/* The order that survives a power loss: data, fsync, rename, fsync of the folder. */
static void what_lasts_is_synced_in_order(void **state)
{
    (void)state;
    const outcome o = save_with(0, "kill");
    const char *const written = last_line(o.log, "\npwrite\n"), *const renamed = last_line(o.log, "\nrename\n");
    assert_true(written && renamed && written < renamed);
    const char *const synced = strstr(written, "\nfsync\n");
    assert_true(synced && synced < renamed && strstr(renamed, "\nfsync\n"));
}

/* ---- a full disk ---- */

/* In a file system of 12 MiB, 9 of which the old file uses. */
static void fill_disk(void)
{
    char folder[256], full[300];
    snprintf(folder, sizeof folder, "%s", data_path("disk"));
    snprintf(full, sizeof full, "%s/x", folder);
    if (unshare(getuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", folder, "tmpfs", 0, "size=12m"))
        _exit(77);
    tg_scope *const s = tg_open();
    if (!save(s, full, "old")) _exit(2);
    if (save(s, full, "new") || !strstr(tg_message(s), strerror(ENOSPC)) || strncmp(tg_message(s), full, strlen(full)))
        _exit(3);
    tg_clear(s);
    _exit(verify_file(s, full) && access(strcat(full, ".part"), F_OK) ? 0 : 4);
}

/* The same with a limit (ulimit -f), which needs no privileges. */
static void reach_limit(void)
{
    const struct rlimit limit = { 5 << 20, 5 << 20 };
    signal(SIGXFSZ, SIG_IGN);
    tg_scope *const s = tg_open();
    if (!save(s, path, "old") || setrlimit(RLIMIT_FSIZE, &limit)) _exit(2);
    if (save(s, path, "new") || !strstr(tg_message(s), strerror(EFBIG))) _exit(3);
    tg_clear(s);
    _exit(verify_file(s, path) && !part_is_there() ? 0 : 4);
}

static int status_of(void (*child)(void))
{
    int status = 0;
    fflush(NULL);
    const pid_t process = fork();
    if (process == 0) child();
    assert_true(process > 0 && waitpid(process, &status, 0) == process && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_disk_is_full(void **state)
{
    (void)state;
    assert_int_equal(mkdir(data_path("disk"), 0700), 0);
    const int status = status_of(fill_disk);
    rmdir(data_path("disk"));
    if (status == 77) puts("skipped: no file system may be mounted here"), skip();
    assert_int_equal(status, 0);
}

static void the_largest_size_is_reached(void **state)
{
    (void)state;
    assert_int_equal(status_of(reach_limit), 0);
}

/* ---- concurrent writers ---- */

/* Saves in an endless loop; retries if another process is writing. */
static void save_for_ever(const char *which)
{
    tg_scope *const s = tg_open();
    for (;;) {
        save(s, path, which);
        if (!tg_ok(s) && !strstr(tg_message(s), "another process")) _exit(3);
        tg_reset(s);
        tg_clear(s);
    }
}

static void several_write_and_are_killed(void **state)
{
    enum { WRITERS = 3, ROUNDS = 40 };
    pid_t writer[WRITERS];
    int news = 0, status;
    (void)state;
    begin_with_old(false);
    fflush(NULL);
    for (int i = 0; i < ROUNDS + WRITERS; i++) {
        if (i >= WRITERS) {
            usleep(20000);
            news += content() == 'n';
            assert_true(kill(writer[i % WRITERS], SIGKILL) == 0 && waitpid(writer[i % WRITERS], &status, 0) > 0);
            assert_true(WIFSIGNALED(status));
        }
        if (i < ROUNDS && (writer[i % WRITERS] = fork()) == 0) save_for_ever(i % 2 ? "new" : "old");
    }
    printf("%d writers killed, the file was whole every time (%d times another's)\n", ROUNDS, news);
}

static int begin_group(void **state)
{
    const int status = data_folder_begin(state);
    snprintf(path, sizeof path, "%s/x", data_folder);
    return status;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_anywhere),
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(short_writes_go_on),
        cmocka_unit_test(reading_goes_on_or_says_why),
        cmocka_unit_test(what_lasts_is_synced_in_order),
        cmocka_unit_test(the_disk_is_full),
        cmocka_unit_test(the_largest_size_is_reached),
        cmocka_unit_test(several_write_and_are_killed),
    };
    if (argc == 3) return child_main(argv[1], argv[2]);
    if (!realpath("/proc/self/exe", program)) return 1;
    return cmocka_run_group_tests(tests, begin_group, data_folder_end);
}
