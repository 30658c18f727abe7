/* test_bf16.c - bf16: rounding, mixing with f32, gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "dispatch.h"
#include "expect.h"
#include "op_table.h"
#include "run.h"

/* ---- casts round as tg_f32_to_bf16 does, by every kernel; denormals may be flushed to zero ---- */

enum { EXPONENTS = 512, PATTERNS = 9 };
/* Lower halves: 0, the smallest, around the midpoint, the largest; after an even and an odd upper half. */
static const uint32_t low[PATTERNS] = { 0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x17fff, 0x18000, 0x18001 };

static void casts_round_to_nearest(void **state)
{
    static float values[EXPONENTS * PATTERNS * 2];
    int n = 0;
    (void)state;
    for (uint32_t e = 0; e < EXPONENTS; e++)
        for (int p = 0; p < 2 * PATTERNS; p++, n++) {
            const uint32_t bits = e << 23 | low[p % PATTERNS] | (p < PATTERNS ? 0 : 0x7e0000);
            memcpy(values + n, &bits, sizeof bits);
        }
    for (const tg_kernel *const *k = tg_cast_op.kernels; *k; k++) {
        if ((*k)->isa > tg_max_isa()) continue;
        tg_scope *s = tg_open();
        tg_force_kernel(&tg_cast_op, *k);
        const uint16_t *bf16 = tg_data(tg_cast(s, tg_from(s, TG_F32, 1, TG_DIM(n), values), TG_BF16));
        tg_force_kernel(NULL, NULL);
        expect_ok(s);
        for (int i = 0; i < n; i++)
            if (bf16[i] != tg_f32_to_bf16(values[i]) && !(fabsf(values[i]) < FLT_MIN))
                fail_msg("%s: %a becomes %#x, want %#x", (*k)->name, (double)values[i], bf16[i],
                         tg_f32_to_bf16(values[i]));
        tg_close(s);
    }
}

/* ---- bf16 beside f32 ---- */

/* 1 + 2^-12 isn't representable in bf16: it survives only if the other side is widened to f32. */
static void bf16_beside_f32_becomes_f32(void **state)
{
    tg_scope *s = tg_open();
    tg_tensor *x = vector(s, NUMBERS(1 + 0x1p-12, -3)), *h = tg_cast(s, vector(s, NUMBERS(1, 2)), TG_BF16);
    (void)state;
    expect_numbers(tg_mul(s, x, h), NUMBERS(1 + 0x1p-12, -6));
    expect_numbers(tg_mul(s, h, x), NUMBERS(1 + 0x1p-12, -6));
    expect_numbers(tg_add(s, h, x), NUMBERS(2 + 0x1p-12, -1));
    expect_numbers(tg_sub(s, x, h), NUMBERS(0x1p-12, -5));
    expect_numbers(tg_div(s, x, h), NUMBERS(1 + 0x1p-12, -1.5));
    expect_numbers(tg_concat(s, (tg_tensor *const[]){ h, x, h }, 3, 0), NUMBERS(1, 2, 1 + 0x1p-12, -3, 1, 2));
    expect_numbers(tg_mse(s, h, x, TG_NONE), NUMBERS(0x1p-24, 25));
    expect_number(tg_l1(s, h, h, TG_MEAN), 0);
    assert_int_equal(tg_add(s, h, h)->dtype, TG_BF16);
    assert_int_equal(tg_bce_with_logits(s, h, h, TG_NONE)->dtype, TG_F32);
    expect_ok(s);
    tg_close(s);
}

static void cross_entropy_of_bf16_is_f32(void **state)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *w = tg_require_grad(root, tg_from(root, TG_F32, 2, TG_DIM(1, 2), (const float[]){ 0, 1 }));
    tg_tensor *logits = tg_cast(s, w, TG_BF16), *class = tg_from(s, TG_I64, 1, TG_DIM(1), (const int64_t[]){ 0 });
    tg_tensor *loss = tg_cross_entropy(s, logits, class);
    (void)state;
    tg_backward(s, loss);
    expect_number(loss, log(1 + exp(1)));
    const float *g = tg_data(tg_grad(w));
    expect_ok(s);
    assert_true(fabs((double)g[1] - 1 / (1 + exp(-1))) < 0x1p-9 && g[1] == -g[0]);
    const tg_cross_entropy_config mean = { .reduction = TG_MEAN };
    expect_number(tg_nll_loss(s, tg_log_softmax(s, logits, -1), class, mean),
                  (double)tg_bf16_to_f32(tg_f32_to_bf16((float)log(1 + exp(1)))));
    tg_close(root);
}

/* ---- backward in bf16 against backward in f32, on the same values ---- */

/* Stores the gradients of the row's inputs one after another; returns the number of elements.  f32: compute in f32, on
 * values that bf16 represents exactly. */
static int64_t gradients(const tg_op *op, const op_sample *bf16, bool f32, float *to, int64_t room,
                         char why[HARNESS_TEXT])
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *in[TG_MAX_IN], *x[TG_MAX_IN];
    int64_t n = 0;
    make_inputs(root, op, bf16, in);
    for (int k = 0; k < TG_MAX_IN; k++) {
        x[k] = in[k];
        if (in[k] && (in[k]->dtype == TG_BF16 || in[k]->dtype == TG_F32)) tg_require_grad(root, in[k]);
        if (in[k] && f32 && in[k]->dtype == TG_BF16) x[k] = tg_cast(s, in[k], TG_F32);
    }
    tg_tensor *y = tg_apply(s, op, x, bf16->attr);
    tg_tensor *seed = tg_copy(root, tg_cast(s, tg_rand(s, -1, 1, y->rank, y->dim), TG_BF16));
    tg_backward_from(s, y, tg_cast(s, seed, y->dtype));
    for (int k = 0; k < TG_MAX_IN; k++) {
        tg_tensor *g = in[k] && tg_needs_grad(in[k]) ? tg_grad(in[k]) : NULL;
        if (!g || !tg_data(g) || n + tg_count(g) > room) continue;
        memcpy(to + n, tg_data(g), sizeof *to * (size_t)tg_count(g));
        n += tg_count(g);
    }
    snprintf(why, HARNESS_TEXT, "%s%s", tg_message(root), tg_message(s));
    tg_close(root);
    return n;
}

static bool gradients_agree(const tg_op *op, const op_sample *bf16, char why[HARNESS_TEXT])
{
    enum { ROOM = 100000 };
    static float one[ROOM], other[ROOM];
    double distance = 0, size = 0;
    int64_t n = gradients(op, bf16, false, one, ROOM, why);
    if (*why || gradients(op, bf16, true, other, ROOM, why) != n || *why) return false;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(one[i]) && isnan(other[i])) continue;
        distance += (double)(one[i] - other[i]) * (double)(one[i] - other[i]);
        size += (double)other[i] * (double)other[i];
    }
    snprintf(why, HARNESS_TEXT, "off by %g of %g", sqrt(distance), sqrt(size));
    return sqrt(distance) <= 0x1p-6 * sqrt(size) + 1e-3;
}

static void backward_agrees_with_f32(void **state)
{
    int rows = 0, wrong = 0;
    (void)state;
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; op_table[i].op->backward && row->name; row++) {
            op_sample bf16;
            char why[HARNESS_TEXT];
            if (row->grad_tolerance < 0 || !bf16_sample(op_table[i].op, row, &bf16, why)) continue;
            rows++;
            if (gradients_agree(op_table[i].op, &bf16, why)) continue;
            print_error("%s/%s: %s\n", op_table[i].op->name, row->name, why);
            wrong++;
        }
    print_message("%d rows\n", rows);
    assert_int_equal(wrong, 0);
    assert_true(rows > 100);
}

/* ---- an operator whose fast kernel supports f32 only: it runs between casts ---- */

static int fast_calls;

static void blend_infer(tg_scope *s, tg_call *c)
{
    if (tg_want_same_shape(s, c, 0, 1)) c->out[0] = tg_make_like(s, c->in[0]);
}

static void blend_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0; i < tg_count(c->out[0]); i++)
        tg_set(c->out[0], i, 2 * tg_get(c->in[0], i) + tg_get(c->in[1], i));
}

static void blend_fast(const tg_call *c, const tg_task *task)
{
    fast_calls++;
    blend_run(c, task);
}

static const char *f32_only(const tg_call *c)
{
    return c->in[0]->dtype == TG_F32 && c->in[1]->dtype == TG_F32 && c->out[0]->dtype == TG_F32 ? NULL : "needs f32";
}

static void faulty_run(const tg_call *c, const tg_task *task) { (void)c, tg_fault_say(task->fault, 0, "no"); }

static const tg_kernel fast = { .name = "fast", .backend = "vector", .reject = f32_only, .run = blend_fast };
static const tg_kernel slow = { .name = "ref", .backend = "ref", .run = blend_run };
static const tg_kernel faulty = { .name = "faulty", .backend = "vector", .reject = f32_only, .run = faulty_run };
static const tg_op blend_op = {
    .name = "blend",
    .n_in = 2,
    .n_out = 1,
    .infer = blend_infer,
    .kernels = TG_KERNELS(&fast, &slow),
};
static const tg_op slow_op = {
    .name = "blend",
    .n_in = 2,
    .n_out = 1,
    .infer = blend_infer,
    .kernels = TG_KERNELS(&slow),
};
static const tg_op faulty_op = {
    .name = "blend",
    .n_in = 2,
    .n_out = 1,
    .infer = blend_infer,
    .kernels = TG_KERNELS(&faulty, &slow),
};
static const tg_op add_to_op = {
    .name = "add_to",
    .n_in = 2,
    .n_out = 1,
    .writes = TG_BIT(0),
    .infer = blend_infer,
    .kernels = TG_KERNELS(&fast, &slow),
};

/* Records the kernels that ran, as "cast cast fast cast". */
static bool note_kernel(void *context, const tg_call *c)
{
    char *text = context;
    const char *name = c->op == &tg_cast_op ? "cast" : c->kernel->name;
    snprintf(text + strlen(text), HARNESS_TEXT - strlen(text), "%s%s", *text ? " " : "", name);
    return true;
}

static tg_tensor *blend(tg_scope *s, const tg_op *op, tg_tensor *a, tg_tensor *b)
{
    return tg_apply(s, op, (tg_tensor *const[]){ a, b }, NULL);
}

/* Runs it on x and x, or on x and another tensor, and checks which kernels ran. */
static void expect_kernels(const tg_op *op, tg_dtype dtype, bool twice, const char *want)
{
    static const double three_x[] = { 3, -9, 1.5 }, two_x_and_z[] = { 3, -2, 1 + 0x1p-7 };
    tg_scope *root = tg_open(), *s = tg_push(root);
    char ran[HARNESS_TEXT] = "";
    tg_tensor *x = tg_copy(root, tg_cast(s, vector(s, NUMBERS(1, -3, 0.5)), dtype));
    tg_tensor *z = tg_copy(root, tg_cast(s, vector(s, NUMBERS(1, 4, 0x1p-7)), dtype));
    tg_reset(s);
    const uint64_t bytes = tg_statistics(root).bytes;
    tg_tree_options(root)->observe = note_kernel;
    tg_tree_options(root)->context = ran;
    tg_tensor *y = blend(s, op, x, twice ? x : z);
    assert_int_equal(y->dtype, dtype);
    assert_non_null(tg_data(y));
    for (int i = 0; i < 3; i++) assert_true(tg_get(y, i) == (twice ? three_x : two_x_and_z)[i]);
    expect_ok(s);
    assert_string_equal(ran, want);
    const uint64_t one = 64;                                   /* block sizes are multiples of this */
    assert_true(tg_statistics(root).bytes <= bytes + 2 * one); /* y and its gap: the rest has been freed */
    tg_reset(s);
    assert_int_equal(tg_statistics(root).bytes, bytes);
    tg_close(root);
}

static void f32_kernels_run_between_casts(void **state)
{
    (void)state;
    fast_calls = 0;
    expect_kernels(&blend_op, TG_BF16, false, "cast cast fast cast");
    expect_kernels(&blend_op, TG_BF16, true, "cast fast cast");
    expect_kernels(&blend_op, TG_F32, false, "fast");
    assert_int_equal(fast_calls, 3);
    expect_kernels(&slow_op, TG_BF16, false, "ref");
    tg_set_backends("ref");
    expect_kernels(&blend_op, TG_BF16, false, "ref");
    tg_set_backends(NULL);
    tg_force_kernel(&blend_op, &slow);
    expect_kernels(&blend_op, TG_BF16, false, "ref");
    tg_force_kernel(NULL, NULL);
    assert_int_equal(fast_calls, 3);
}

static void a_fault_between_casts_leaves_no_memory(void **state)
{
    tg_scope *root = tg_open(), *s = tg_push(root);
    tg_tensor *x = tg_copy(root, tg_cast(s, vector(s, NUMBERS(1, 2)), TG_BF16));
    (void)state;
    tg_reset(s);
    const uint64_t bytes = tg_statistics(root).bytes;
    assert_null(tg_data(blend(s, &faulty_op, x, x)));
    expect_message(s, "blend: no");
    tg_pop(s);
    assert_int_equal(tg_statistics(root).bytes, bytes);
    tg_close(root);
}

/* An effect on a bf16 leaf must write the leaf itself, not a widened copy. */
static void effects_on_bf16_are_not_widened(void **state)
{
    tg_scope *root = tg_open();
    char ran[HARNESS_TEXT] = "";
    tg_tensor *x = tg_zeros(root, TG_BF16, 1, TG_DIM(2));
    (void)state;
    tg_tree_options(root)->observe = note_kernel;
    tg_tree_options(root)->context = ran;
    tg_data(blend(root, &add_to_op, x, x));
    expect_ok(root);
    assert_string_equal(ran, "ref");
    tg_close(root);
}

int main(void)
{
    const struct CMUnitTest bf16[] = {
        cmocka_unit_test(casts_round_to_nearest),          cmocka_unit_test(bf16_beside_f32_becomes_f32),
        cmocka_unit_test(cross_entropy_of_bf16_is_f32),    cmocka_unit_test(backward_agrees_with_f32),
        cmocka_unit_test(f32_kernels_run_between_casts),   cmocka_unit_test(a_fault_between_casts_leaves_no_memory),
        cmocka_unit_test(effects_on_bf16_are_not_widened),
    };
    return cmocka_run_group_tests(bf16, NULL, NULL);
}
