/* test_amx_refusals.c - the emulator refuses invalid tile instructions, as the processor does, with a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "amx_emulator.h"
#include "tile_code.h"
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

TILES_USED static void without_config(void)
{
    RELEASE();
    TILEZERO(0);
}
TILES_USED static void empty_tile(void)
{
    const shapes s = one_shape(1, 16, 64);
    configure(&s);
    TILEZERO(1);
}
TILES_USED static void many_rows(void)
{
    const shapes s = one_shape(1, 17, 64);
    configure(&s);
}
TILES_USED static void second_palette(void)
{
    const shapes s = { .palette = 2 };
    configure(&s);
}
TILES_USED static void ninth_tile(void)
{
    const shapes s = one_shape(9, 16, 64);
    configure(&s);
}
TILES_USED static void odd_shapes(void)
{
    const shapes s = { .palette = 1, .rows = { 16, 15, 16 }, .row_bytes = { 64, 64, 64 } };
    configure(&s);
    ASM("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" ::);
}
TILES_USED static void same_tile(void)
{
    const shapes s = one_shape(3, 16, 64);
    configure(&s);
    __asm__ volatile(".byte 0xc4, 0xe2, 0x7a, 0x5c, 0xc1"); /* tdpbf16ps tmm0, tmm1, tmm0 */
}
static void no_instruction(void) { __asm__ volatile("ud2"); }

#ifdef __SANITIZE_ADDRESS__
TILES_USED static void load_beyond(void)
{
    const shapes s = one_shape(1, 16, 64);
    uint8_t *block = malloc(16 * 64 - 1);
    configure(&s);
    TILELOAD(0, block, 64);
}
TILES_USED static void store_beyond(void)
{
    const shapes s = one_shape(1, 16, 64);
    uint8_t *block = malloc(16 * 80 - 17);
    configure(&s);
    TILESTORE(0, block, 80);
}
#endif

typedef struct {
    const char *name;
    void (*run)(void);
    const char *message;
} refusal;

static const refusal refusals[] = {
    { "without_config", without_config, "without a configuration" },
    { "empty_tile", empty_tile, "leaves empty" },
    { "many_rows", many_rows, "more than 16 rows" },
    { "second_palette", second_palette, "neither 0 nor 1" },
    { "ninth_tile", ninth_tile, "above tmm7" },
    { "odd_shapes", odd_shapes, "shapes do not fit" },
    { "same_tile", same_tile, "not different ones" },
    { "no_instruction", no_instruction, "no tile instruction that it knows" },
#ifdef __SANITIZE_ADDRESS__
    { "load_beyond", load_beyond, "heap-buffer-overflow" },
    { "store_beyond", store_beyond, "heap-buffer-overflow" },
#endif
};

static void in_child(const refusal *r, int out)
{
    dup2(out, STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    r->run();
    _exit(0);
}

static void refusal_test(void **state)
{
    const refusal *r = *state;
    char text[8192];
    size_t n = 0;
    ssize_t got;
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) in_child(r, ends[1]);
    close(ends[1]);
    while (n + 1 < sizeof text && (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0) n += (size_t)got;
    close(ends[0]);
    waitpid(child, &status, 0);
    text[n] = 0;
    if (!strstr(text, r->message)) fail_msg("%s: wants \"%s\", says: %s", r->name, r->message, text);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    struct CMUnitTest tests[sizeof refusals / sizeof *refusals];
    const size_t n = sizeof refusals / sizeof *refusals;
    if (!amx_emulator_install()) {
        printf("skipped: this processor has tiles, or lacks what their emulator needs\n");
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){ .name = refusals[i].name,
                                        .test_func = refusal_test,
                                        .initial_state = (void *)(uintptr_t)(refusals + i) };
    return _cmocka_run_group_tests("amx_refusals", tests, n, NULL, NULL);
}
