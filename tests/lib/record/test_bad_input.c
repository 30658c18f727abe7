/* test_bad_input.c - bad input fails immediately, with a message of what was given and what is accepted: bad_input.def.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tilegrad/tilegrad.h>
#include <math.h>

#define RANK(...)   (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
#define T(...)      tg_zeros(s, TG_F32, RANK(__VA_ARGS__), TG_DIM(__VA_ARGS__))
#define I(...)      tg_zeros(s, TG_I64, RANK(__VA_ARGS__), TG_DIM(__VA_ARGS__))
#define VALUE(call) tg_data(call)
#define CONV(...)   ((tg_conv2d_config){ __VA_ARGS__ })
#define CONVT(...)  ((tg_conv_transpose2d_config){ __VA_ARGS__ })
#define POOL(...)   ((tg_pool2d_config){ .kernel = { __VA_ARGS__ } })
#define BN(...)     ((tg_batch_norm2d_config){ __VA_ARGS__ })
#define NET         tg_layer_linear(s, (tg_layer_linear_config){ .in = 2, .out = 1 })
#define SET         tg_dataset_from(s, 2, 3, 3, 1, 2, zeros, zeros)

static const uint8_t zeros[18];

static void same(tg_scope *s, tg_module *m, tg_tensor *const *in, tg_tensor **out)
{
    (void)s, (void)m;
    out[0] = in[0];
}

static tg_tensor *swap(tg_scope *s, tg_tensor *x) { return tg_transpose(s, x, 0, 1); }

/* Batch norm in evaluation mode. */
static bool at_rest(tg_scope *s, tg_tensor *x, tg_tensor *gamma, tg_tensor *beta)
{
    tg_scope *rest = tg_push(s);
    tg_batch_norm2d(rest, x, gamma, beta, T(3), T(3), BN(0));
    tg_pop(rest);
    return tg_ok(s);
}

/* A gradient penalty differentiates the square of a gradient. */
static bool penalty(tg_scope *s)
{
    tg_tensor *w = tg_require_grad(s, T(2)), *g;
    tg_backward(s, tg_sum(s, tg_mul(s, w, w), (tg_axes){ 0 }));
    g = tg_grad(w);
    tg_backward(s, tg_sum(s, tg_mul(s, g, g), (tg_axes){ 0 }));
    return tg_ok(s);
}

#define ROW(name, call, message) \
    static void row_##name(tg_scope *s) { (void)zeros, (void)(call); }
#include "bad_input.def"
#undef ROW

typedef struct {
    const char *name, *message;
    void (*call)(tg_scope *s);
} bad_row;

static const bad_row rows[] = {
#define ROW(name, call, message) { #name, message, row_##name },
#include "bad_input.def"
#undef ROW
};
enum { ROWS = sizeof rows / sizeof *rows };
_Static_assert(ROWS >= 60, "the table has shrunk");

static void bad_input(void **state)
{
    const bad_row *row = *state;
    tg_scope *root = tg_open(), *s = tg_train(root);
    row->call(s);
    bool same = *row->message && !strcmp(tg_message(s), row->message);
    if (!same) print_error("%s: \"%s\"\n   want \"%s\"\n", row->name, tg_message(s), row->message);
    tg_close(root);
    assert_true(same);
}

int main(void)
{
    static struct CMUnitTest tests[ROWS];
    for (int i = 0; i < ROWS; i++) {
        union {
            const bad_row *row;
            void *state;
        } cast = { .row = rows + i };
        tests[i] = (struct CMUnitTest){ .name = rows[i].name, .test_func = bad_input, .initial_state = cast.state };
    }
    return _cmocka_run_group_tests("bad_input", tests, ROWS, NULL, NULL) != 0;
}
