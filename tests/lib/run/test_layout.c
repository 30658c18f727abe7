/* test_layout.c - weights packed as a kernel asks: in scratch, or kept and rewritten by updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "dispatch.h"
#include <tilegrad/tilegrad.h>

/* ---- an operator whose kernel reads w backwards: y = sum of w[i] x[i], and an effect that doubles w ---- */

static atomic_int packed_rows;

static size_t reversed_bytes(const tg_tensor *w, const int32_t *key)
{
    assert_int_equal(key[0], 7);
    return (size_t)tg_count(w) * sizeof(float);
}

static void reversed_pack(const tg_tensor *w, const int32_t *key, int64_t r0, int64_t r1, void *to)
{
    const int64_t n = w->dim[0];
    const float *from = tg_ptr(w);
    assert_true(key[0] == 7 && r0 % TG_LAYOUT_ROWS == 0 && r0 < r1 && r1 <= n);
    packed_rows += (int)(r1 - r0);
    for (int64_t r = r0; r < r1; r++) ((float *)to)[n - 1 - r] = from[r];
}

static const tg_layout reversed = { "reversed", reversed_bytes, reversed_pack };

static const tg_layout *wants_reversed(const tg_call *c, int *input, int32_t *key)
{
    (void)c;
    *input = 1;
    key[0] = 7;
    return &reversed;
}

static void dot_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make(s, TG_F32, 1, TG_DIM(1)); }
static tg_scratch dot_scratch(const tg_call *c) { return (void)c, (tg_scratch){ .shared = 4, .worker = 4 }; }

static void dot_run(const tg_call *c, const tg_task *t)
{
    const float *x = tg_ptr(c->in[0]), *w = t->packed;
    const int64_t n = tg_count(c->in[0]);
    float *shared = t->shared, *own = t->scratch;
    *shared = *own = 0; /* not in the packed bytes */
    for (int64_t i = 0; i < n; i++) *own += x[i] * w[n - 1 - i];
    *(float *)tg_ptr(c->out[0]) = *own;
}

static const tg_kernel dot_kernel = {
    .name = "reversed",
    .run = dot_run,
    .layout = wants_reversed,
    .scratch = dot_scratch,
};
static const tg_op dot = {
    .name = "dot",
    .n_in = 2,
    .n_out = 1,
    .infer = dot_infer,
    .kernels = TG_KERNELS(&dot_kernel),
};

static void double_infer(tg_scope *s, tg_call *c) { (void)s, (void)c; }

static void double_run(const tg_call *c, const tg_task *t)
{
    float *w = tg_ptr(c->in[0]);
    (void)t;
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) w[i] *= 2;
    if (c->kernel->repacks) tg_repack(c->in[0], 0, c->in[0]->dim[0]);
}

static const tg_kernel repacking = { .name = "repacking", .run = double_run, .repacks = true };
static const tg_kernel careless = { .name = "careless", .run = double_run };
static const tg_op double_op = {
    .name = "double",
    .n_in = 1,
    .writes = 1,
    .infer = double_infer,
    .kernels = TG_KERNELS(&repacking, &careless),
};

enum { N = 100 };
static tg_tensor *x, *w;

static void begin(tg_scope *s)
{
    x = tg_zeros(s, TG_F32, 1, TG_DIM(N));
    w = tg_zeros(s, TG_F32, 1, TG_DIM(N));
    float *a = tg_edit(s, x), *b = tg_edit(s, w);
    for (int i = 0; i < N; i++) a[i] = 1, b[i] = (float)i;
    a[0] = 3;
    b[0] = 50;
    packed_rows = 0;
}

static double dot_now(tg_scope *s)
{
    tg_scope *step = tg_push(s);
    const double y = tg_item(tg_apply(step, &dot, (tg_tensor *[]){ x, w }, NULL));
    tg_pop(step);
    return y;
}

static void double_now(tg_scope *s)
{
    tg_scope *step = tg_push(s);
    tg_apply(step, &double_op, &w, NULL);
    tg_pop(step);
}

enum { FIRST = 150 + 99 * 50 };

static void is_packed_for_each_call_unless_kept(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    begin(s);
    assert_true(dot_now(s) == FIRST && dot_now(s) == FIRST);
    assert_int_equal(packed_rows, 2 * N);
    tg_keep_packs(w);
    assert_true(dot_now(s) == FIRST && dot_now(s) == FIRST);
    assert_int_equal(packed_rows, 3 * N);
    tg_close(s);
}

static void an_edit_makes_it_stale(void **state)
{
    (void)state;
    tg_scope *s = tg_open();
    begin(s);
    tg_keep_packs(w);
    dot_now(s);
    *(float *)tg_edit(s, w) = 51;
    assert_true(dot_now(s) == FIRST + 3);
    assert_int_equal(packed_rows, 2 * N);
    tg_close(s);
}

/* An update rewrites the packed forms that were used since the last update; a kernel that knows nothing of them leaves
 * them stale. */
static void updates_write_what_is_used(void **state)
{
    (void)state;
    for (int careful = 0; careful < 2; careful++) {
        tg_scope *s = tg_open();
        begin(s);
        tg_keep_packs(w);
        tg_force_kernel(&double_op, careful ? &repacking : &careless);
        dot_now(s);
        double_now(s);
        assert_int_equal(packed_rows, careful ? 2 * N : N);
        assert_true(dot_now(s) == 2 * FIRST);
        assert_int_equal(packed_rows, 2 * N);
        double_now(s);
        double_now(s); /* not read in between: not packed again */
        assert_int_equal(packed_rows, careful ? 3 * N : 2 * N);
        assert_true(dot_now(s) == 8 * FIRST);
        assert_int_equal(packed_rows, careful ? 4 * N : 3 * N);
        tg_force_kernel(NULL, NULL);
        tg_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_packed_for_each_call_unless_kept),
        cmocka_unit_test(an_edit_makes_it_stale),
        cmocka_unit_test(updates_write_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
