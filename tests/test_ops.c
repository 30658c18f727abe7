/* test_ops.c - every operator x row x kernel against ref, backward against differences.
 *
 * Tests are named operator/row/kernel and operator/row/gradcheck; `test_ops conv2d` runs those whose names begin so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "op_table.h"

typedef struct {
    const tg_op     *op;
    const op_sample *sample;
    const tg_kernel *kernel;             /* NULL: a gradcheck, or an alias */
    char             name[160];
} op_case;

/* ---- one kernel on one row ---- */

static double tolerance_of(const op_case *t) { return t->sample->tolerance > 0 ? t->sample->tolerance : 1e-5; }

/* Libraries that cut a reduction by the number of threads cannot promise the same bits. */
static bool promises_bits(const tg_kernel *k) { return strcmp(k->backend, "onednn") && strcmp(k->backend, "openblas"); }

static void expect_same_bits(const op_case *t, unsigned wanted, const op_result *first)
{
    int  before = tg_threads();
    char why[HARNESS_TEXT];
    for (int threads = 2; threads <= 4; threads *= 2) {
        op_result again;
        tg_set_threads(threads);
        run_sample(t->op, t->sample, t->kernel, wanted, &again);
        bool same = results_identical(&again, first, why);
        free_result(&again);
        tg_set_threads(before);
        if (!same) fail_msg("%s: %d threads give other bits than %d: %s", t->name, threads, before, why);
    }
}

static void compare_with_ref(const op_case *t, unsigned wanted)
{
    op_result ref, got;
    char      why[HARNESS_TEXT];
    run_sample(t->op, t->sample, ref_of(t->op), wanted, &ref);
    run_sample(t->op, t->sample, t->kernel, wanted, &got);
    bool agree = results_agree(&got, &ref, tolerance_of(t), why);
    if (agree && promises_bits(t->kernel)) expect_same_bits(t, wanted, &got);
    free_result(&ref);
    free_result(&got);
    if (!agree) fail_msg("%s, wanted outputs %#x: %s", t->name, wanted, why);
}

static void kernel_test(void **state)
{
    const op_case *t = *state;
    char           why[HARNESS_TEXT] = "";
    int            ran = 0;
    for (int i = 0; i < wanted_sets(t->op); i++) {
        unsigned wanted = wanted_set(t->op, i);
        if (kernel_refuses(t->op, t->sample, t->kernel, wanted, why)) continue;
        if (*why) fail_msg("%s: %s", t->name, why);
        compare_with_ref(t, wanted);
        ran++;
    }
    if (ran && !promises_bits(t->kernel))
        print_message("%s: same bits with other threads skipped: %s\n", t->name, t->kernel->backend);
    if (ran) return;
    print_message("%s skipped: %s\n", t->name, why);
    skip();
}

/* An alias computes nothing: its output has the bytes of its input. */
static void alias_test(void **state)
{
    const op_case *t = *state;
    tg_tensor     *in[TG_MAX_IN];
    tg_scope      *s = tg_open();
    make_inputs(s, t->op, t->sample, in);
    tg_tensor *y = tg_apply(s, t->op, in, t->sample->attr);
    bool       same = tg_data(y) && tg_data(in[0]) && tg_count(y) == tg_count(in[0]) &&
                !memcmp(tg_data(y), tg_data(in[0]), (size_t)tg_count(y) * tg_dtype_size(y->dtype));
    if (!same) print_error("%s: %s\n", t->name, tg_message(s));
    tg_close(s);
    assert_true(same);
}

static void gradcheck_test(void **state)
{
    const op_case *t = *state;
    char           why[256];
    tg_scope      *s = tg_open();
    bool           good = gradcheck_sample(s, t->op, t->sample, why);
    tg_close(s);
    if (!good) fail_msg("%s: %s", t->name, why);
}

/* ---- the list of tests, built at run time ---- */

typedef struct {
    struct CMUnitTest *test;
    op_case           *cases;
    size_t             n;
    const char        *only;
} test_list;

static void add(test_list *l, op_case c, const char *kind, CMUnitTestFunction run)
{
    op_case *to = l->cases + l->n;
    *to = c;
    snprintf(to->name, sizeof to->name, "%s/%s/%s", c.op->name, c.sample->name, kind);
    if (l->only && strncmp(to->name, l->only, strlen(l->only))) return;
    l->test[l->n++] = (struct CMUnitTest){ .name = to->name, .test_func = run, .initial_state = to };
}

static size_t kernels_of(const tg_op *op)
{
    size_t n = 0;
    while (op->kernels && op->kernels[n]) n++;
    return n;
}

static size_t most_tests(void)
{
    size_t n = 0;
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name; row++) n += kernels_of(op_table[i].op) + 2;
    return n;
}

static void add_row(test_list *l, const tg_op *op, const op_sample *row)
{
    const op_case plain = { .op = op, .sample = row };
    if (op->alias) add(l, plain, "alias", alias_test);
    for (size_t k = 0; !op->alias && k < kernels_of(op); k++)
        add(l, (op_case){ op, row, op->kernels[k], "" }, op->kernels[k]->name, kernel_test);
    if (op->backward && row->grad_tolerance >= 0) add(l, plain, "gradcheck", gradcheck_test);
}

int main(int argc, char **argv)
{
    size_t    most = most_tests();
    test_list l = { calloc(most + 1, sizeof *l.test), calloc(most + 1, sizeof *l.cases), 0, argc > 1 ? argv[1] : NULL };
    if (!l.test || !l.cases) return 1;
    tg_set_threads(1);                   /* many tiny programs: waking workers costs more than they do */
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name; row++) add_row(&l, op_table[i].op, row);
    int failed = _cmocka_run_group_tests("operators", l.test, l.n, NULL, NULL);
    free(l.test);
    free(l.cases);
    return failed != 0;
}
