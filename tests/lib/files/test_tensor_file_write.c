/* test_tensor_file_write.c - files that cannot be written, concurrent writers, leftovers, modes and links; and how
 * names are printed. */
#include "tensor_files.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static int files_in_folder(void)
{
    int n = 0;
    DIR *const folder = opendir(data_folder);
    for (const struct dirent *e; (e = readdir(folder));) n += e->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void refuses_bad_tensors(void **state)
{
    char name[514] = { 0 };
    memset(name, 'n', 513);
    const struct {
        const char *row;
        tg_file_tensor tensor;
        const char *contains;
    } rows[] = {
        { "no name", { .name = "", .dtype = "U8" }, "a tensor's name is empty" },
        { "513 bytes of name", { .name = name, .dtype = "U8" }, "a tensor's name is longer than 512 bytes" },
        { "a name in Latin 1", { .name = "\xe9t\xe9", .dtype = "U8" }, "is not valid UTF-8: '\\xe9t\\xe9'" },
        { "a line in a name", { .name = "a\nb", .dtype = "U8" }, "contains a control character: 'a\\u000ab'" },
        { "metadata", { .name = "__metadata__", .dtype = "U8" }, "no tensor can be named '__metadata__'" },
        { "dtype", { .name = "t", .dtype = "f32" }, "tensor 't': dtype f32 is unknown" },
        { "rank 9", { .name = "t", .dtype = "U8", .rank = 9 }, "tensor 't': rank 9, want 0 to 8" },
        { "rank -1", { .name = "t", .dtype = "U8", .rank = -1 }, "tensor 't': rank -1, want 0 to 8" },
        { "size -1",
          { .name = "t", .dtype = "U8", .rank = 1, .dim = { -1 } },
          "tensor 't': the shape has more than 2^48 bytes" },
        { "half a byte", { .name = "t", .dtype = "F4", .rank = 1, .dim = { 1 } }, "or not a whole number of bytes" },
        { "sizes wrap",
          { .name = "t", .dtype = "F32", .rank = 4, .dim = { 65536, 65536, 65536, 65536 } },
          "more than 2^48 bytes" },
        { "twice", { .name = "other", .dtype = "F32" }, "'other' is listed twice" },
        { "all of them",
          { .name = "t", .dtype = "U8", .rank = 1, .dim = { (int64_t)1 << 48 } },
          "the tensors have more than 2^48 bytes" },
    };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tg_file_tensor tensor[] = { { .name = "other", .dtype = "U8" }, rows[i].tensor };
        assert_null(tg_tensor_file_create(s, data_path("x"), tensor, 2, NULL, 0));
        data_refused(s, rows[i].row, data_path("x"), rows[i].contains);
    }
    assert_int_equal(files_in_folder(), 0);
    tg_close(s);
}

static void refuses_bad_metadata(void **state)
{
    const struct {
        const char *row;
        tg_file_meta meta;
        const char *contains;
    } rows[] = {
        { "a key in Latin 1", { "\xe9", "" }, "'\\xe9' is not valid UTF-8" },
        { "a value in Latin 1", { "a", "\xe9" }, "'a' is not valid UTF-8" },
        { "a mark", { "tilegrad.format", "1" }, "'tilegrad.format' is tilegrad's own" },
        { "another", { "tilegrad.header", "" }, "'tilegrad.header' is tilegrad's own" },
        { "the third", { "tilegrad.tensors", "" }, "'tilegrad.tensors' is tilegrad's own" },
        { "twice", { "other", "2" }, "'other' is listed twice" },
    };
    tg_scope *const s = tg_open();
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const tg_file_meta meta[] = { { "other", "1" }, rows[i].meta };
        assert_null(tg_tensor_file_create(s, data_path("x"), NULL, 0, meta, 2));
        data_refused(s, rows[i].row, data_path("x"), rows[i].contains);
    }
    char *const large = calloc(1, TG_MOST_HEADER);
    memset(large, 'x', TG_MOST_HEADER - 1);
    assert_null(tg_tensor_file_create(s, data_path("x"), NULL, 0, &(tg_file_meta){ "large", large }, 1));
    data_refused(s, "too large", data_path("x"), "its header would be above 16777216 bytes");
    large[TG_MOST_HEADER - 500] = 0;
    assert_true(write_tensors(s, data_path("x"), NULL, 0, &(tg_file_meta){ "large", large }, 1));
    assert_true(verify_file(s, data_path("x")));
    free(large);
    unlink(data_path("x"));
    assert_int_equal(files_in_folder(), 0);
    tg_close(s);
}

/* Afterwards the old file is intact, and nothing else was left. */
static void a_broken_write_changes_nothing(void **state)
{
    tg_scope *const s = tg_open();
    tg_file_tensor tensor = { .name = "t", .dtype = "U8", .rank = 1, .dim = { 10 } };
    const char *const path = data_path("old");
    (void)state;
    assert_true(write_sample(s, path));
    for (int how = 0; how < 5; how++) {
        tg_scope *const step = tg_push(s);
        tg_tensor_writer *const w = tg_tensor_file_create(step, path, &tensor, 1, NULL, 0);
        assert_int_equal(files_in_folder(), 2);
        assert_true(tg_tensor_file_write(step, w, "012345678", how == 0 ? 10 : 9));
        if (how == 0) assert_false(tg_tensor_file_write(step, w, "9", 1));
        if (how == 1) assert_false(tg_tensor_file_commit(step, w));
        if (how == 2) tg_tensor_file_abandon(w);
        if (how == 3) tg_fail(step, "something else"), tg_tensor_file_commit(step, w);
        if (how == 0) data_refused(step, "too many", path, "1 bytes more than its tensors have");
        if (how == 1) data_refused(step, "too few", path, "tensor 't' was given 9 of its 10 bytes");
        if (how < 3) assert_false(tg_tensor_file_write(step, w, "", how < 2 ? 1 : 0) && how < 2);
        tg_pop(step);
        tg_clear(s);
        assert_int_equal(files_in_folder(), 1);
        assert_true(verify_file(s, path));
    }
    tg_close(s);
}

static void refuses_bad_paths(void **state)
{
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    tg_scope *const s = tg_open();
    (void)state;
    data_folder_empty();
    assert_int_equal(symlink("loop", data_path("loop")), 0);
    assert_int_equal(symlink("nowhere/x", data_path("dangling")), 0);
    assert_int_equal(mkdir(data_path("folder"), 0700), 0);
    const struct {
        const char *path, *contains;
    } rows[] = {
        { "", "the path of a file to write is empty" },
        { data_path("nowhere/x"), "cannot be created" },
        { data_path("folder"), "not a regular file" },
        { data_path("loop"), "Too many levels of symbolic links" },
        { data_path("dangling"), "cannot be created" },
        { "/dev/null", "not a regular file" },
        { longest, "File name too long" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_null(tg_tensor_file_create(s, rows[i].path, NULL, 0, NULL, 0));
        data_refused(s, rows[i].path, "", rows[i].contains);
    }
    assert_null(tg_tensor_file_create(s, NULL, NULL, 0, NULL, 0));
    data_refused(s, "NULL", "tg_tensor_file_create: path is NULL", "");
    assert_int_equal(files_in_folder(), 3);
    data_folder_empty();
    tg_close(s);
}

/* If another process (here: another open file) holds the lock, writing fails.  If it dies, its leftover, recognised by
 * the sticky bit, is replaced. */
static void only_one_writes(void **state)
{
    tg_scope *const s = tg_open();
    (void)state;
    const int other = open(data_path("x.part"), O_CREAT | O_RDWR, 0666 | S_ISVTX);
    assert_int_equal(write(other, "left by another", 15), 15);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_false(write_sample(s, data_path("x")));
    data_refused(s, "locked", data_path("x"), "another process is writing it");
    assert_int_equal(files_in_folder(), 1);
    close(other);
    assert_true(write_sample(s, data_path("x")) && verify_file(s, data_path("x")));
    assert_int_equal(files_in_folder(), 1);
    tg_tensor_writer *const w = tg_tensor_file_create(s, data_path("x"), NULL, 0, NULL, 0);
    assert_null(tg_tensor_file_create(s, data_path("x"), NULL, 0, NULL, 0));
    data_refused(s, "twice in a process", data_path("x"), "another process is writing it");
    assert_true(tg_tensor_file_commit(s, w));
    tg_close(s);
}

static void put_text(const char *path, const char *text)
{
    FILE *const to = fopen(path, "w");
    assert_true(to && fputs(text, to) >= 0 && fclose(to) == 0);
}

static void has_text(const char *path, const char *want)
{
    char got[64] = "";
    FILE *const from = fopen(path, "r");
    assert_non_null(from);
    (void)!fgets(got, sizeof got, from);
    fclose(from);
    assert_string_equal(got, want);
}

/* Anything at PATH.part that is not a writer's leftover stays, whatever it is. */
static void nobody_elses_file_is_touched(void **state)
{
    tg_scope *const s = tg_open();
    struct stat about;
    (void)state;
    data_folder_empty();
    put_text(data_path("x.part"), "a text");
    put_text(data_path("other"), "linked");
    assert_int_equal(chmod(data_path("other"), 0600 | S_ISVTX), 0);
    assert_int_equal(link(data_path("other"), data_path("x.part1")), 0);
    assert_int_equal(symlink("other", data_path("x.part2")), 0);
    assert_int_equal(mkfifo(data_path("x.part3"), 0600), 0);
    assert_int_equal(mkdir(data_path("x.part4"), 0700), 0);
    assert_true(write_sample(s, data_path("x")) && verify_file(s, data_path("x")));
    assert_true(write_sample(s, data_path("x")) && verify_file(s, data_path("x")));
    assert_int_equal(files_in_folder(), 7);
    has_text(data_path("x.part"), "a text");
    has_text(data_path("other"), "linked");
    assert_true(lstat(data_path("x.part3"), &about) == 0 && S_ISFIFO(about.st_mode));
    assert_int_equal(rmdir(data_path("x.part4")), 0);
    data_folder_empty();
    tg_close(s);
}

static int mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode & 07777;
}

/* With umask 027 a new file gets 0640; a replaced one keeps its mode. */
static void modes_stay(void **state)
{
    static const int modes[] = { 0600, 0400, 0666, 0777, 0751 };
    const mode_t before = umask(027);
    tg_scope *const s = tg_open();
    (void)state;
    assert_true(write_sample(s, data_path("x")));
    assert_int_equal(mode_of(data_path("x")), 0640);
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_int_equal(chmod(data_path("x"), (mode_t)modes[i]), 0);
        assert_true(write_sample(s, data_path("x")) && verify_file(s, data_path("x")));
        assert_int_equal(mode_of(data_path("x")), modes[i]);
    }
    umask(before);
    data_folder_empty();
    tg_close(s);
}

/* The file being written is never more readable than the old one, even after a killed process left one behind. */
static void a_private_file_is_private_while_it_is_written(void **state)
{
    tg_file_tensor tensor = { .name = "t", .dtype = "U8", .rank = 1, .dim = { 10 } };
    tg_scope *const s = tg_open();
    (void)state;
    for (int left = 0; left < 2; left++) {
        put_text(data_path("x"), "old");
        assert_int_equal(chmod(data_path("x"), 0600), 0);
        if (left)
            put_text(data_path("x.part"), "left"), assert_int_equal(chmod(data_path("x.part"), 0644 | S_ISVTX), 0);
        tg_tensor_writer *const w = tg_tensor_file_create(s, data_path("x"), &tensor, 1, NULL, 0);
        assert_int_equal(mode_of(data_path("x.part")), 0600 | S_ISVTX);
        tg_tensor_file_abandon(w);
        assert_int_equal(files_in_folder(), 1);
        has_text(data_path("x"), "old");
    }
    data_folder_empty();
    tg_close(s);
}

/* Through links into other folders, and links to links, the target is replaced or created. */
static void links_stay_links(void **state)
{
    static const char *const links[][2] = {
        { "here", "file" },         { "twice", "here" },           { "folder/up", "../file" },
        { "down", "folder/other" }, { "absent", "folder/absent" },
    };
    char text[64];
    tg_scope *const s = tg_open();
    (void)state;
    assert_int_equal(mkdir(data_path("folder"), 0700), 0);
    put_text(data_path("file"), "old");
    put_text(data_path("folder/other"), "old");
    for (size_t i = 0; i < COUNT(links); i++) assert_int_equal(symlink(links[i][1], data_path(links[i][0])), 0);
    for (size_t i = 0; i < COUNT(links); i++) {
        const char *const path = data_path(links[i][0]);
        assert_true(write_sample(s, path) && verify_file(s, path));
        const ssize_t n = readlink(path, text, sizeof text - 1);
        text[n > 0 ? n : 0] = 0;
        assert_string_equal(text, links[i][1]);
    }
    assert_int_equal(files_in_folder(), 6);
    assert_true(verify_file(s, data_path("file")) && verify_file(s, data_path("folder/other")) &&
                verify_file(s, data_path("folder/absent")));
    for (size_t i = 0; i < COUNT(links); i++) unlink(data_path(links[i][0]));
    unlink(data_path("folder/other"));
    unlink(data_path("folder/absent"));
    assert_int_equal(rmdir(data_path("folder")), 0);
    data_folder_empty();
    tg_close(s);
}

static void a_path_without_folder(void **state)
{
    char here[4096];
    tg_scope *const s = tg_open();
    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(data_folder), 0);
    assert_true(write_sample(s, "plain") && verify_file(s, "plain"));
    assert_int_equal(chdir(here), 0);
    tg_close(s);
}

static void names_are_printed_harmlessly(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { "layer1.0.conv1.weight", "layer1.0.conv1.weight" },
        { "", "" },
        { "\xc3\xa9 \xf0\x9f\x98\x80", "\xc3\xa9 \xf0\x9f\x98\x80" },
        { "a\\b", "a\\\\b" },
        { "\x1b[31m\a\r\n\x7f", "\\u001b[31m\\u0007\\u000d\\u000a\\u007f" },
        { "\xc2\x9b"
          "2J",
          "\\u009b2J" },
        { "\xff\xc3", "\\xff\\xc3" },
        { "\xe2\x80\xae", "\\u202e" },
        { "\xe2\x80\x8b\xef\xbb\xbf\xc2\xad", "\\u200b\\ufeff\\u00ad" },
        { "\xf3\xa0\x81\x81", "\\ue0041" },
    };
    char long_name[600];
    tg_name_text text;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) assert_string_equal(tg_printable(rows[i].name, &text), rows[i].text);
    for (size_t n = 0; n < sizeof long_name; n++) {
        memset(long_name, 'n', n);
        long_name[n] = 0;
        tg_printable(long_name, &text);
        assert_int_equal(strlen(text.text), n > 252 ? 255 : n);
        assert_string_equal(text.text + strlen(text.text) - (n > 252 ? 3 : 0), n > 252 ? "..." : "");
        memset(long_name, '\x1b', n);
        assert_in_range(strlen(tg_printable(long_name, &text)), n < 42 ? 6 * n : 252, 255);
    }
    assert_string_equal(tg_printable(NULL, &text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(a_broken_write_changes_nothing),
        cmocka_unit_test(refuses_bad_paths),
        cmocka_unit_test(only_one_writes),
        cmocka_unit_test(a_path_without_folder),
        cmocka_unit_test(nobody_elses_file_is_touched),
        cmocka_unit_test(modes_stay),
        cmocka_unit_test(links_stay_links),
        cmocka_unit_test(names_are_printed_harmlessly),
        cmocka_unit_test(a_private_file_is_private_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
