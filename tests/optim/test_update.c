/* test_update.c - updates of split weights: the master moves like an f32 weight, bit for bit, and packed weights
 * follow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "dispatch.h"
#include "expect.h"
#include "update.h"

enum { STEPS = 1000 };

typedef struct {
    tg_tensor *w, *state[TG_MAX_STATES];
} weights;

static weights weights_of(tg_scope *s, int rank, const int64_t *dim)
{
    weights all = { .w = tg_randn(s, 0, 0.1, rank, dim) };
    for (int k = 0; k < TG_MAX_STATES; k++) all.state[k] = tg_zeros(s, TG_F32, rank, dim);
    return all;
}

typedef enum { SGD, MOMENTUM, NESTEROV, ADAM, ADAMW } kind;
static const char *const kind_name[] = { "sgd", "momentum", "nesterov", "adam", "adamw" };

static void update(tg_scope *s, kind k, const weights *a, tg_tensor *g, tg_tensor *factor, int step)
{
    const tg_sgd_attr sgd = {
        .lr = 0.01,
        .weight_decay = 1e-3,
        .momentum = k == SGD ? 0 : 0.9,
        .nesterov = k == NESTEROV,
        .first = step == 0,
        .clip_value = 2,
    };
    const tg_adam_attr adam = {
        .lr = 1e-3,
        .weight_decay = 1e-2,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .step = step + 1,
    };
    if (k <= NESTEROV)
        tg_apply(s, &tg_sgd_update_op, (tg_tensor *[]){ a->w, g, k == SGD ? NULL : a->state[0], factor }, &sgd);
    else
        tg_apply(s, k == ADAM ? &tg_adam_update_op : &tg_adamw_update_op,
                 (tg_tensor *[]){ a->w, g, a->state[0], a->state[1], factor }, &adam);
}

static const tg_op *op_of(kind k)
{
    return k <= NESTEROV ? &tg_sgd_update_op : k == ADAM ? &tg_adam_update_op : &tg_adamw_update_op;
}

static void compare(kind k, const tg_kernel *kernel, int rank, const int64_t *dim)
{
    tg_scope *root = tg_open();
    tg_seed(root, 11);
    weights a = weights_of(root, rank, dim), b = { 0 };
    b.w = tg_copy(root, a.w);
    for (int i = 0; i < TG_MAX_STATES; i++) b.state[i] = tg_copy(root, a.state[i]);
    tg_split_masters(root, &b.w, 1);
    tg_force_kernel(op_of(k), kernel);
    for (int step = 0; step < STEPS; step++) {
        tg_scope *s = tg_push(root);
        tg_tensor *g = tg_randn(s, 0, 1, rank, dim), *factor = step % 3 ? tg_full(s, 0.7, 1, TG_DIM(1)) : NULL;
        update(s, k, &a, g, factor, step);
        update(s, k, &b, g, factor, step);
        tg_pop(s);
    }
    tg_force_kernel(NULL, NULL);
    expect_ok(root);
    const size_t bytes = sizeof(float) * (size_t)tg_count(a.w);
    if (memcmp(tg_data(a.w), tg_data(tg_copy(root, b.w)), bytes))
        fail_msg("%s, %s: the masters differ", kind_name[k], kernel->name);
    for (int i = 0; i < TG_MAX_STATES; i++)
        if (memcmp(tg_data(a.state[i]), tg_data(b.state[i]), bytes))
            fail_msg("%s, %s: states differ", kind_name[k], kernel->name);
    tg_close(root);
}

static void a_master_moves_as_an_f32_weight(void **state)
{
    (void)state;
    for (kind k = SGD; k <= ADAMW; k++)
        for (const tg_kernel *const *kernel = op_of(k)->kernels; *kernel; kernel++) {
            if ((*kernel)->isa > tg_max_isa()) {
                printf("skipped: %s with %s: this processor lacks it\n", kind_name[k], (*kernel)->name);
                continue;
            }
            compare(k, *kernel, 1, TG_DIM(1));
            compare(k, *kernel, 1, TG_DIM(17));
            compare(k, *kernel, 2, TG_DIM(33, 70));
        }
}

/* ---- packed forms ---- */

static int packed;

static size_t copy_bytes(const tg_tensor *w, const int32_t *key) { return (void)key, (size_t)tg_count(w) * 2; }

static void copy_pack(const tg_tensor *w, const int32_t *key, int64_t r0, int64_t r1, void *to)
{
    const int64_t row = tg_count(w) / w->dim[0];
    (void)key;
    assert_true(r0 % TG_LAYOUT_ROWS == 0 && (r1 % TG_LAYOUT_ROWS == 0 || r1 == w->dim[0]));
    memcpy((uint16_t *)to + r0 * row, (const uint16_t *)tg_ptr(w) + r0 * row, (size_t)((r1 - r0) * row) * 2);
    packed++;
}

static const tg_layout copy_layout = { "copy", copy_bytes, copy_pack };

static const tg_layout *wants_copy(const tg_call *c, int *input, int32_t *key)
{
    (void)c, (void)key;
    *input = 0;
    return &copy_layout;
}

static void show_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make(s, TG_BF16, c->in[0]->rank, c->in[0]->dim); }

static void show_run(const tg_call *c, const tg_task *t)
{
    memcpy(tg_ptr(c->out[0]), t->packed, (size_t)tg_count(c->in[0]) * 2);
}

static const tg_kernel show_kernel = { .name = "copy", .run = show_run, .layout = wants_copy };
static const tg_op show = {
    .name = "show",
    .n_in = 1,
    .n_out = 1,
    .infer = show_infer,
    .kernels = TG_KERNELS(&show_kernel),
};

/* For any shape, an update leaves the packed weights as if packed anew, and they aren't packed a second time. */
static void updates_write_packed_forms(void **state)
{
    static const int64_t dims[][2] = { { 1, 1 }, { 15, 3 }, { 16, 5000 }, { 17, 2 }, { 1000, 40 }, { 40000, 1 } };
    (void)state;
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        tg_scope *root = tg_open();
        weights a = weights_of(root, 2, dims[i]);
        tg_split_masters(root, &a.w, 1);
        tg_keep_packs(a.w);
        for (int step = 0; step < 3; step++) {
            tg_scope *s = tg_push(root);
            const int before = packed;
            tg_tensor *shown = tg_apply(s, &show, &a.w, NULL);
            assert_memory_equal(tg_data(shown), tg_data(a.w), (size_t)tg_count(a.w) * 2);
            assert_true(step == 0 ? packed > before : packed == before);
            update(s, MOMENTUM, &a, tg_randn(s, 0, 1, 2, dims[i]), NULL, step);
            tg_pop(s);
        }
        expect_ok(root);
        tg_close(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_master_moves_as_an_f32_weight),
        cmocka_unit_test(updates_write_packed_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
