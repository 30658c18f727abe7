/* test_messages.c - a scope's message is one printable line, and tg_system_error reports the system's errors. */
#include "data_files.h"
#include <tilegrad/state.h>
#include <tilegrad/tensor_file.h>
#include <errno.h>
#include <string.h>

static void messages_are_one_printable_line(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "a file: No such file", "a file: No such file" },
        { "d\xc3\xa9j\xc3\xa0 vu", "d\xc3\xa9j\xc3\xa0 vu" },
        { "a\nb\r\t", "a\\u000ab\\u000d\\u0009" },
        { "\x1b[31m\x7f", "\\u001b[31m\\u007f" },
        { "\xc2\x9b"
          "2J",
          "\\u009b2J" },
        { "\x9b"
          "2J\xff\xe2\x80",
          "\\x9b2J\\xff\\xe2\\x80" },
        { "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c", "\\u202e\\u2066\\u200f\\u061c" },
        { "\xed\xa0\x80\xc0\x80", "\\xed\\xa0\\x80\\xc0\\x80" },
        { "a\\b", "a\\b" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_scope *const s = tg_open();
        tg_fail(s, "%s", rows[i].text);
        assert_string_equal(tg_message(s), rows[i].message);
        assert_int_equal(tg_system_error(s), 0);
        tg_close(s);
    }
    for (size_t n = 80; n < 4000; n = 5 * n / 4) { /* longer than the scope's buffer */
        char text[4001], want[6 * 4000 + 1];
        memset(text, '\x1b', n);
        text[n] = 0;
        for (size_t i = 0; i <= n; i++) strcpy(want + 6 * i, i < n ? "\\u001b" : "");
        tg_scope *const s = tg_open(), *const child = tg_push(s);
        tg_fail(child, "%s", text);
        assert_string_equal(tg_message(child), want);
        tg_pop(child);
        assert_string_equal(tg_message(s), want);
        tg_close(s);
    }
}

static void refuse(tg_scope *s, int what)
{
    switch (what) {
    case 0: tg_tensor_file_open(s, "no/such/file"); break;
    case 1: tg_tensor_file_open(s, "/"); break;
    case 2: tg_save_all(s, "/proc/none", NULL, 0); break;
    case 3: tg_alloc(s, SIZE_MAX / 4); break;
    case 4: tg_tensor_file_open(s, data_path("damaged")); break;
    default: tg_fail(s, "a mistake");
    }
}

/* The errno is passed up from child scopes with the message, and cleared with it. */
static void the_system_s_errors_are_known(void **state)
{
    static const int want[] = { ENOENT, EISDIR, ENOENT, ENOMEM, 0, 0 };
    (void)state;
    data_put("damaged", "12345678", 8);
    for (int i = 0; i < (int)(sizeof want / sizeof *want); i++) {
        tg_scope *const s = tg_open(), *const child = tg_push(s);
        refuse(child, i);
        assert_false(tg_ok(child));
        assert_int_equal(tg_system_error(child), want[i]);
        assert_int_equal(tg_system_error(s), 0);
        tg_pop(child);
        assert_int_equal(tg_system_error(s), want[i]);
        tg_clear(s);
        assert_int_equal(tg_system_error(s), 0);
        tg_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_one_printable_line),
        cmocka_unit_test(the_system_s_errors_are_known),
    };
    return cmocka_run_group_tests(tests, data_folder_begin, data_folder_end);
}
