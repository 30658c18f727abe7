/* test_ops.c - every operator x row x kernel against ref, and backward against finite differences.
 *
 * Each row also runs with bf16 inputs if the operator supports them.  Tests are named operator/row/kernel,
 * operator/row/kernel/bf16 and operator/row/gradcheck; `test_ops conv2d` runs those with this prefix,
 * `test_ops conv2d brgemm_amx_bf16` those of one kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "op_table.h"

typedef struct {
    const tg_op *op;
    const op_sample *sample;
    const tg_kernel *kernel; /* NULL: a gradcheck, or an alias */
    char name[160];
    uint64_t bits[TG_MAX_OUT + 2]; /* hashes of the results, for each set of wanted outputs; 0: not run */
} op_case;

typedef struct {
    struct CMUnitTest *test;
    op_case *cases;
    size_t n;
    const char *only, *kernel;
} test_list;

static test_list all;

/* ---- one kernel on one row ---- */

static double tolerance_of(const op_case *t) { return t->sample->tolerance > 0 ? t->sample->tolerance : 1e-5; }

static uint64_t bits_of(const op_result *r)
{
    uint64_t h = 14695981039346656037u;
    for (int k = 0; k < RESULT_PARTS; k++)
        for (size_t i = 0; r->part[k].bytes && i < (size_t)r->part[k].count * tg_dtype_size(r->part[k].dtype); i++)
            h = (h ^ ((const uint8_t *)r->part[k].bytes)[i]) * 0x100000001b3u;
    return h ? h : 1;
}

/* The results of ref for the current row, cached for all of its kernels: ref is the slowest. */
static struct {
    const op_sample *sample;
    op_result of[TG_MAX_OUT + 2];
    bool made[TG_MAX_OUT + 2];
} expected;

static void forget_expected(void)
{
    for (int set = 0; set < TG_MAX_OUT + 2; set++)
        if (expected.made[set]) free_result(&expected.of[set]);
    memset(&expected, 0, sizeof expected);
}

static const op_result *expected_of(const op_case *t, int set)
{
    if (expected.sample != t->sample) forget_expected();
    expected.sample = t->sample;
    if (!expected.made[set]) run_sample(t->op, t->sample, ref_of(t->op), wanted_set(t->op, set), &expected.of[set]);
    expected.made[set] = true;
    return &expected.of[set];
}

static void compare_with_ref(op_case *t, int set)
{
    op_result got;
    char why[HARNESS_TEXT];
    run_sample(t->op, t->sample, t->kernel, wanted_set(t->op, set), &got);
    bool agree = results_agree(&got, expected_of(t, set), tolerance_of(t), why);
    t->bits[set] = bits_of(&got);
    free_result(&got);
    if (!agree) fail_msg("%s, want outputs %#x: %s", t->name, wanted_set(t->op, set), why);
}

static void kernel_test(void **state)
{
    op_case *t = *state;
    char why[HARNESS_TEXT] = "";
    int ran = 0;
    for (int set = 0; set < wanted_sets(t->op); set++) {
        if (kernel_refuses(t->op, t->sample, t->kernel, wanted_set(t->op, set), why)) continue;
        if (*why) fail_msg("%s: %s", t->name, why);
        compare_with_ref(t, set);
        ran++;
    }
    if (ran) return;
    print_message("%s skipped: %s\n", t->name, why);
    skip();
}

/* ---- the same bits on other numbers of threads ---- */

/* Libraries that split reductions by the number of threads can't guarantee the same bits. */
static bool promises_bits(const tg_kernel *k) { return strcmp(k->backend, "onednn") && strcmp(k->backend, "openblas"); }

static bool has_run(const op_case *t)
{
    for (int set = 0; set < wanted_sets(t->op); set++)
        if (t->bits[set]) return true;
    return false;
}

static int count_other_bits(const op_case *t)
{
    int other = 0;
    for (int set = 0; set < wanted_sets(t->op); set++) {
        op_result again;
        if (!t->bits[set]) continue;
        run_sample(t->op, t->sample, t->kernel, wanted_set(t->op, set), &again);
        other += bits_of(&again) != t->bits[set];
        free_result(&again);
    }
    if (other) print_error("%s: bits differ from one thread's\n", t->name);
    return other;
}

static void threads_test(void **state)
{
    int threads = *(const int *)*state, other = 0, same = 0, before = tg_threads();
    tg_set_threads(threads);
    for (size_t i = 0; i < all.n; i++) {
        const op_case *t = all.test[i].initial_state;
        if (all.test[i].test_func != kernel_test || !has_run(t)) continue;
        if (!promises_bits(t->kernel)) print_message("%s: same bits skipped: %s\n", t->name, t->kernel->backend);
        else if (count_other_bits(t)) other++;
        else same++;
    }
    tg_set_threads(before);
    print_message("%d rows give the same bits with %d threads\n", same, threads);
    assert_int_equal(other, 0);
}

/* An alias computes nothing: its output has its input's bytes. */
static void alias_test(void **state)
{
    const op_case *t = *state;
    tg_tensor *in[TG_MAX_IN];
    tg_scope *s = tg_open();
    make_inputs(s, t->op, t->sample, in);
    tg_tensor *y = tg_apply(s, t->op, in, t->sample->attr);
    bool same = tg_data(y) && tg_data(in[0]) && tg_count(y) == tg_count(in[0]) &&
                !memcmp(tg_data(y), tg_data(in[0]), (size_t)tg_count(y) * tg_dtype_size(y->dtype));
    if (!same) print_error("%s: %s\n", t->name, tg_message(s));
    tg_close(s);
    assert_true(same);
}

static void gradcheck_test(void **state)
{
    const op_case *t = *state;
    char why[256];
    tg_scope *s = tg_open();
    bool good = gradcheck_sample(s, t->op, t->sample, why);
    tg_close(s);
    if (!good) fail_msg("%s: %s", t->name, why);
}

/* ---- the list of tests ---- */

static void add(test_list *l, op_case c, const char *kind, CMUnitTestFunction run)
{
    op_case *to = l->cases + l->n;
    *to = c;
    snprintf(to->name, sizeof to->name, "%s/%s/%s", c.op->name, c.sample->name, kind);
    if (l->only && strncmp(to->name, l->only, strlen(l->only))) return;
    if (l->kernel && (!c.kernel || strcmp(c.kernel->name, l->kernel))) return;
    l->test[l->n++] = (struct CMUnitTest){ .name = to->name, .test_func = run, .initial_state = to };
}

static void bf16_is_refused(void **state)
{
    const op_case *t = *state;
    op_sample bf16;
    char why[HARNESS_TEXT];
    assert_false(bf16_sample(t->op, t->sample, &bf16, why));
    print_message("%s skipped: %s\n", t->name, why);
    skip();
}

static size_t kernels_of(const tg_op *op)
{
    size_t n = 0;
    while (op->kernels && op->kernels[n]) n++;
    return n;
}

static size_t most_rows(void)
{
    size_t n = 0;
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name; row++) n++;
    return n;
}

static size_t most_tests(void)
{
    size_t n = 0;
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name; row++) n += 2 * (kernels_of(op_table[i].op) + 2);
    return n;
}

static void add_kernels(test_list *l, const op_case *plain, const char *suffix)
{
    const tg_op *op = plain->op;
    char kind[64];
    snprintf(kind, sizeof kind, "alias%s", suffix);
    if (op->alias) add(l, *plain, kind, alias_test);
    for (size_t k = 0; !op->alias && k < kernels_of(op); k++) {
        op_case c = *plain;
        c.kernel = op->kernels[k];
        snprintf(kind, sizeof kind, "%s%s", c.kernel->name, suffix);
        add(l, c, kind, kernel_test);
    }
}

/* bf16: room for the row with bf16 inputs. */
static void add_row(test_list *l, const tg_op *op, const op_sample *row, op_sample *bf16)
{
    const op_case plain = { .op = op, .sample = row };
    char why[HARNESS_TEXT];
    add_kernels(l, &plain, "");
    if (op->backward && row->grad_tolerance >= 0) add(l, plain, "gradcheck", gradcheck_test);
    if (bf16_sample(op, row, bf16, why)) add_kernels(l, &(op_case){ .op = op, .sample = bf16 }, "/bf16");
    else add(l, plain, "bf16", bf16_is_refused);
}

static void add_rows(test_list *l, op_sample *halves)
{
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name; row++) add_row(l, op_table[i].op, row, halves++);
}

int main(int argc, char **argv)
{
    static int two = 2, four = 4;
    size_t most = most_tests() + 2;
    op_sample *halves = calloc(most_rows() + 1, sizeof *halves);
    all = (test_list){ calloc(most + 1, sizeof *all.test), calloc(most + 1, sizeof *all.cases), 0,
                       argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL };
    if (!all.test || !all.cases || !halves) return 1;
    tg_set_threads(1); /* for tiny calls, waking workers costs more than the work */
    add_rows(&all, halves);
    size_t n = all.n;
    all.test[n++] = (struct CMUnitTest){ .name = "two_threads", .test_func = threads_test, .initial_state = &two };
    all.test[n++] = (struct CMUnitTest){ .name = "four_threads", .test_func = threads_test, .initial_state = &four };
    int failed = _cmocka_run_group_tests("operators", all.test, n, NULL, NULL);
    forget_expected();
    free(all.test);
    free(all.cases);
    free(halves);
    return failed != 0;
}
