/* test_environment.c - variables of ours with values that mean nothing, and names that are nearly theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tilegrad.h"
#include <stdlib.h>
#include <string.h>

static const struct { const char *name, *value, *message; } values[] = {
    { "TG_BACKEND", "", NULL },
    { "TG_BACKEND", "ref", NULL },
    { "TG_BACKEND", "ref,brgemm", NULL },
    { "TG_BACKEND", "vectr", "TG_BACKEND=vectr in the environment: want a list of ref,vector,openblas,onednn,brgemm" },
    { "TG_BACKEND", "ref, vector",
      "TG_BACKEND=ref, vector in the environment: want a list of ref,vector,openblas,onednn,brgemm" },
    { "TG_MAX_ISA", "avx512", NULL },
    { "TG_MAX_ISA", "avx512,avx2",
      "TG_MAX_ISA=avx512,avx2 in the environment: want one of generic,avx2,avx512,avx512_bf16,amx" },
    { "TG_MAX_ISA", "AVX2", "TG_MAX_ISA=AVX2 in the environment: want one of generic,avx2,avx512,avx512_bf16,amx" },
    { "TG_VERBOSE", "0", NULL },
    { "TG_VERBOSE", "dispatc", "TG_VERBOSE=dispatc in the environment: want a list of 0,1,dispatch" },
    { "TG_RECOMPUTE", "all", NULL },
    { "TG_RECOMPUTE", "some", "TG_RECOMPUTE=some in the environment: want one of 0,1,all" },
    { "TG_EAGER", "0", NULL },
    { "TG_EAGER", "no", "TG_EAGER=no in the environment: want one of 0,1" },
    { "TG_FUSE", "off", "TG_FUSE=off in the environment: want one of 0,1" },
    { "TG_EPILOGUE", "2", "TG_EPILOGUE=2 in the environment: want one of 0,1" },
    { "TG_BIND", "true", "TG_BIND=true in the environment: want one of 0,1" },
    { "TG_WINOGRAD", "-1", "TG_WINOGRAD=-1 in the environment: want one of 0,1" },
    { "TG_ASSUME_AMX", "yes", "TG_ASSUME_AMX=yes in the environment: want one of 0,1" },
    { "TG_SAMPLE_DIR", "any text", NULL },
};

static void a_value_that_means_nothing_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const char *const before = getenv(values[i].name);
        char *const       saved = before ? strdup(before) : NULL;
        setenv(values[i].name, values[i].value, 1);
        tg_scope *const root = tg_open();
        assert_int_equal(tg_ok(root), !values[i].message);
        assert_string_equal(tg_message(root), values[i].message ? values[i].message : "");
        tg_clear(root);                                /* who knows better may go on */
        assert_true(tg_ok(root));
        tg_close(root);
        if (saved) setenv(values[i].name, saved, 1);
        else unsetenv(values[i].name);
        free(saved);
    }
}

static const struct { const char *name, *warning; } names[] = {
    { "TG_BACKND", "TG_BACKND in the environment is not read: TG_BACKEND is" },
    { "TG_BACKENDS", "TG_BACKENDS in the environment is not read: TG_BACKEND is" },
    { "TG_MAXISA", "TG_MAXISA in the environment is not read: TG_MAX_ISA is" },
    { "TG_EAGRE", "TG_EAGRE in the environment is not read: TG_EAGER is" },
    { "TG_LOG_LEVEL", "" },
    { "TG_TF_PATH", "" },
    { "TG_A_NAME_THAT_IS_LONGER_THAN_ANY_OF_OURS", "" },
    { "BACKEND", "" },
};

static void a_name_that_is_nearly_ours_is_a_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv(names[i].name, "0", 1);
        assert_string_equal(tg_environment_warning(), names[i].warning);
        tg_scope *const root = tg_open();
        assert_true(tg_ok(root));
        tg_close(root);
        unsetenv(names[i].name);
    }
    assert_string_equal(tg_environment_warning(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_means_nothing_is_an_error), cmocka_unit_test(a_name_that_is_nearly_ours_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
