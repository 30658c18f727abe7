/* test_version.c - the version's macros and the library's function agree, and the macros work in #if. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <tilegrad/tilegrad.h>

#if TG_VERSION_MAJOR < 0 || TG_VERSION_MINOR < 0 || TG_VERSION_PATCH < 0
#error "a version has no negative parts"
#endif

static void macros_and_function_agree(void **state)
{
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", TG_VERSION_MAJOR, TG_VERSION_MINOR, TG_VERSION_PATCH);
    assert_string_equal(TG_VERSION, text);
    assert_string_equal(tg_version(), text);
}

int main(void)
{
    const struct CMUnitTest version[] = { cmocka_unit_test(macros_and_function_agree) };
    return cmocka_run_group_tests(version, NULL, NULL);
}
