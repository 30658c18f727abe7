/* test_environment.c - TG_ variables with invalid values, and misspelt names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "dispatch.h"
#include <tilegrad/tilegrad.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
    const char *name, *value, *message;
} values[] = {
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
    { "TG_VERBOSE", "rewrite,graph", NULL },
    { "TG_VERBOSE", "dispatc", "TG_VERBOSE=dispatc in the environment: want a list of 0,1,dispatch,rewrite,graph" },
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
        char *const saved = before ? strdup(before) : NULL;
        setenv(values[i].name, values[i].value, 1);
        tg_scope *const root = tg_open();
        assert_int_equal(tg_ok(root), !values[i].message);
        assert_string_equal(tg_message(root), values[i].message ? values[i].message : "");
        tg_clear(root); /* a program may continue all the same */
        assert_true(tg_ok(root));
        tg_close(root);
        if (saved) setenv(values[i].name, saved, 1);
        else unsetenv(values[i].name);
        free(saved);
    }
}

static const struct {
    const char *name, *warning;
} names[] = {
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

/* ---- libraries: none is loaded while address space is limited, whatever the limit ---- */

static void convolve(tg_scope *root)
{
    tg_tensor *const x = tg_full(root, 1, 4, TG_DIM(1, 4, 4, 1)), *const w = tg_full(root, 1, 4, TG_DIM(1, 3, 3, 1));
    tg_tensor *const y = tg_conv2d(root, x, w, NULL, (tg_conv2d_config){ 0 });
    tg_data(tg_linear(root, tg_reshape(root, y, 2, TG_DIM(2, 2)), tg_full(root, 1, 2, TG_DIM(3, 2)), NULL));
}

#define ASKED(backend) "the backend " backend " was asked for (TG_BACKEND, tg_set_backends) but cannot be used: "
#if TG_WITH_ONEDNN
#define NO_ONEDNN "conv2d: " ASKED("onednn") "libdnnl.so."
#else
#define NO_ONEDNN "conv2d: " ASKED("onednn") "not in this build"
#endif
#if TG_WITH_OPENBLAS
#define NO_OPENBLAS "linear: " ASKED("openblas") "/"
#else
#define NO_OPENBLAS "linear: " ASKED("openblas") "not in this build"
#endif
static const struct {
    const char *name, *backends, *message;
} libraries[] = {
    { "one that was asked for", "onednn", NO_ONEDNN },
    { "another one", "openblas", NO_OPENBLAS },
    { "both by default", NULL, "" },
    { "one again, after it was missing", "ref,onednn", NO_ONEDNN },
    { "neither", "ref,vector", "" },
};

static void a_library_that_was_asked_for_has_to_work(void **state)
{
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    const rlim_t much = (rlim_t)1 << 62;
    const struct rlimit limited = { before.rlim_max < much ? before.rlim_max : much, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_AS, &limited), 0);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        tg_scope *const root = tg_open();
        const char *const want = libraries[i].message;
        assert_true(tg_set_backends(libraries[i].backends));
        convolve(root);
        const char *const got = tg_message(root);
        if (strncmp(got, want, strlen(want)) || (!*want && *got))
            fail_msg("%s: got \"%s\", want \"%s\"", libraries[i].name, got, want);
        tg_close(root);
    }
    tg_set_backends(NULL);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_means_nothing_is_an_error),
        cmocka_unit_test(a_name_that_is_nearly_ours_is_a_warning),
        cmocka_unit_test(a_library_that_was_asked_for_has_to_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
