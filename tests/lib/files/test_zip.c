/* test_zip.c - handmade .npz files: unusual ones, and hostile ones. */
#include "system.h"
#include "zip_files.h"

static const struct {
    const char *row;
    zip_member a, b;
    zip_end end;
    const char *contains;
} rows[] = {
    { "stored", .a = { .data = 9 }, .b = { .data = 5 } },
    { "deflated", .a = { .data = 9, .deflated = true }, .b = { .data = 5 } },
    { "zip64", .a = { .data = 9, .deflated = true, .wide = true }, .b = { .data = 5, .wide = true },
      .end = { .wide = true } },
    { "descriptor", .a = { .data = 9, .deflated = true, .descriptor = true, .streamed = true },
      .b = { .data = 5, .descriptor = true, .streamed = true, .wide = true } },
    { "descriptor, sizes too", .a = { .data = 9, .descriptor = true } },
    { "absolute names are names", .a = { .name = "/etc/passwd.npy", .data = 1 },
      .b = { .name = "../../x.npy", .data = 2 } },
    { "UTF-8", .a = { .name = "\xc3\xbc.npy", .data = 1, .flags = 1 << 11 } },
    { "unknown extra field", .a = { .data = 1, .extra = "\x55\xaa\4\0abcd" } },
    { "encrypted", .a = { .data = 9 }, .b = { .flags = 1 }, .contains = "b: is encrypted" },
    { "strong encryption", .a = { .data = 9, .flags = 1 << 6 }, .contains = "a: is encrypted" },
    { "a patch", .a = { .flags = 1 << 5 }, .contains = "has unknown flags" },
    { "bzip2", .a = { .method = 12 }, .contains = "a method other than deflate" },
    { "another disk", .a = { .disk = 1 }, .contains = "is on another disk" },
    { "several disks", .end = { .disk = 1 }, .contains = "is part of a multi-disk archive" },
    { "CRC", .a = { .data = 9 }, .b = { .crc = 1 }, .contains = "b.npy: its header contradicts" },
    { "CRC, streamed", .a = { .data = 9, .descriptor = true, .streamed = true, .crc = 1 },
      .contains = "a.npy: its data descriptor contradicts" },
    { "local sizes", .a = { .data = 9, .local = 1 }, .contains = "a.npy: its header contradicts" },
    { "local sizes, zip64", .a = { .data = 9, .local = 1, .wide = true }, .contains = "a.npy: its header contradicts" },
    { "local name", .a = { .local_name = "c.npy" }, .contains = "a.npy: its header contradicts" },
    { "longer local name", .a = { .local_name = "ac.npy" }, .contains = "another name" },
    { "stored, two sizes", .a = { .data = 9, .size = 1 }, .contains = "is stored, but its two sizes differ" },
    { "bomb", .a = { .data = 9, .deflated = true, .size = 1 << 30 },
      .contains = "than its compressed ones can inflate to" },
    { "less than declared", .a = { .dict = NPY_F4("(9,)"), .data = 32, .size = 4, .deflated = true },
      .contains = "a: its compressed bytes end early" },
    { "more than declared", .a = { .dict = NPY_F4("(9,)"), .data = 40, .size = -4, .deflated = true },
      .contains = "a: its compressed bytes continue past its size" },
    { "more, and none expected", .a = { .dict = NPY_F4("(0,)"), .data = 4, .size = -4, .deflated = true },
      .contains = "a: its compressed bytes continue past its size" },
    { "bytes after the stream", .a = { .data = 9, .deflated = true, .after = 3 },
      .contains = "a: its compressed bytes continue" },
    { "cut stream", .a = { .data = 900, .deflated = true, .packed = -3, .after = 0 },
      .contains = "b.npy: bytes before it belong to no member" },
    { "packed too long", .a = { .data = 9, .deflated = true, .packed = 3 },
      .contains = "b.npy: overlaps the member before it" },
    { "one place for two", .a = { .data = 9 }, .b = { .data = 9, .place = -142 },
      .contains = "overlaps the member before it" },
    { "overlaps the directory", .a = { .data = 9 }, .b = { .packed = 10, .size = 10 },
      .contains = "its last member overlaps its directory" },
    { "beyond the end", .a = { .data = 9 }, .b = { .packed = 5000, .size = 5000 },
      .contains = "b.npy: extends past the end of the file" },
    { "a place in the middle", .a = { .data = 9 }, .b = { .place = 1 },
      .contains = "bytes before it belong to no member" },
    { "a gap", .a = { .data = 9 }, .b = { .gap = 7 }, .contains = "b.npy: bytes before it belong to no member" },
    { "a gap at the end", .a = { .data = 9 }, .end = { .gap = 7 },
      .contains = "bytes before its directory belong to no member" },
    { "twice a name", .a = { .data = 9 }, .b = { .name = "a.npy" }, .contains = "named 'a'" },
    { "nested", .a = { .name = "a.npz", .data = 9 } },
    { "nested, under another name", .a = { .raw = "PK\3\4 and so on" },
      .contains = "a: not a .npy file: it does not start" },
    { "empty member", .a = { .raw = "" }, .contains = "a: ends early" },
    { "PyTorch", .a = { .name = "archive/data.pkl", .data = 9 }, .b = { .name = "archive/data/0", .data = 9 },
      .contains = "a PyTorch pickle" },
    { "a pickle beside", .a = { .name = "data.pkl", .data = 9 } },
    { "no arrays", .a = { .name = "word/document.xml", .data = 9 }, .b = { .name = "readme.txt", .data = 9 },
      .contains = "none of its members is a .npy" },
    { "folder", .a = { .name = "a/", .raw = "" }, .b = { .name = "a/x.npy", .data = 9 } },
    { "another member, encrypted", .a = { .name = "readme.txt", .data = 9, .flags = 1 } },
    { "no name", .a = { .name = ".npy", .data = 9 }, .contains = ".npy: is empty" },
    { "control character", .a = { .name = "a\33[31m.npy", .data = 9 },
      .contains = "a\\\\u001b[31m.npy: contains a control character" },
    { "other letters", .a = { .name = "\xfc.npy", .data = 9 }, .contains = "neither ASCII nor flagged as UTF-8" },
    { "bad UTF-8", .a = { .name = "\xfc.npy", .data = 9, .flags = 1 << 11 }, .contains = "is not valid UTF-8" },
    { "1 TB announced", .a = { .dict = NPY_F4("(500000, 500000)"), .data = 16 },
      .contains = "a: holds 16 bytes of data, want 1000000000000 by its shape and dtype F32" },
    { "more members", .a = { .name = "a name that is as long as a whole entry here.npy" }, .end = { .members = 1 },
      .contains = "malformed ZIP directory" },
    { "one more member", .end = { .members = 1 }, .contains = "more members than its directory can hold" },
    { "65535 members", .end = { .members = 65533 }, .contains = "more members than its directory can hold" },
    { "fewer members", .end = { .members = -1 }, .contains = "malformed ZIP directory" },
    { "longer directory", .end = { .bytes = 1 }, .contains = "its directory is not where its end says" },
    { "huge directory", .end = { .bytes = 0x7fffff00 }, .contains = "its directory is not where its end says" },
    { "directory elsewhere", .end = { .place = -1 }, .contains = "its directory is not where its end says" },
    { "zip64 contradicts", .end = { .wide = true, .bytes = 1 }, .contains = "contradict each other" },
    { "zip64 directory", .end = { .wide = true, .wide_bytes = 1, .bytes = 1 },
      .contains = "its directory is not where" },
    { "zip64 record elsewhere", .end = { .wide = true, .wide_at = -1 }, .contains = "zip64 locator does not point" },
    { "zip64 field for nothing", .a = { .extra = "\1\0\4\0abcd" }, .contains = "a zip64 field is too long" },
    { "zip64 sizes nobody needs", .a = { .twice = 1 } },
    { "zip64 field that lies", .a = { .twice = 2 }, .contains = "a zip64 field contradicts the header" },
    { "extra field too long", .a = { .extra = "\2\0\5\0abcd" }, .contains = "malformed extra fields" },
    { "comment", .end = { .comment = "made on a Tuesday" } },
    { "comment, zip64", .end = { .comment = "made on a Tuesday", .wide = true } },
    { "comment, cut", .end = { .comment = "made on a Tuesday", .comment_size = 1 }, .contains = "something follows" },
    { "comment, and more", .end = { .comment = "made on a Tuesday", .tail = "x" }, .contains = "something follows" },
    { "an end in the comment", .end = { .comment = "PK\5\6 and so on, for as long as an end" },
      .contains = "something follows" },
    { "something follows", .end = { .tail = "x" }, .contains = "something follows" },
};

static void takes_or_refuses(void **state)
{
    (void)state;
    tg_scope *const s = tg_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zip_member m[] = { rows[i].a, rows[i].b };
        if (!m[0].name) m[0].name = "a.npy";
        if (!m[1].name) m[1].name = "b.npy";
        const blob b = zip_make(m, 2, rows[i].end);
        const uint64_t before = tg_system_requests();
        zip_expect(s, rows[i].row, &b, rows[i].contains);
        assert_true(tg_system_requests() - before < 100);
    }
    const blob nothing = zip_make(NULL, 0, (zip_end){ 0 });
    zip_expect(s, "no members", &nothing, NULL);
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(takes_or_refuses) };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
