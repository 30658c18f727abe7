/* bench_ops.c - see bench_ops.h.  Inputs pass through a probe, an operator that drops their gradients: backward
 * computes the gradients of the row's formula and nothing else. */
#include "bench_ops.h"
#include "median.h"
#include "run.h"
#include <stdio.h>
#include <string.h>

enum { ALL_INPUTS = BENCH_INPUTS + 1 };

/* ---- the probe ---- */

static void probe_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_alias(s, c->in[0], c->in[0]->rank, c->in[0]->dim); }

static void probe_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    (void)s, (void)c, (void)gout, (void)gin;
}

static const tg_kernel no_kernel = { .name = "ref", .backend = "ref" }; /* an alias computes nothing */
static const tg_op probe = {
    .name = "probe",
    .n_in = 1,
    .n_out = 1,
    .alias = true,
    .infer = probe_infer,
    .backward = probe_backward,
    .kernels = TG_KERNELS(&no_kernel),
};

/* ---- what ran ---- */

typedef struct {
    char kernels[256];
    double bytes;
    int calls;
} account;

static double bytes_of(const tg_tensor *t) { return t ? (double)tg_count(t) * (double)tg_dtype_size(t->dtype) : 0; }

static bool observe_kernel(void *context, const tg_call *c)
{
    account *const a = context;
    const size_t used = strlen(a->kernels);
    if (c->op->alias) return true;
    for (int k = 0; k < TG_MAX_IN; k++) a->bytes += bytes_of(c->in[k]);
    for (int k = 0; k < TG_MAX_OUT; k++) a->bytes += bytes_of(c->out[k]);
    snprintf(a->kernels + used, sizeof a->kernels - used, "%s%s/%s", used ? " " : "", c->op->name, c->kernel->name);
    return true;
}

/* Runs the recorded calls; the time of their kernels in milliseconds. */
static double run(tg_scope *s, account *a)
{
    tg_options *const options = tg_tree_options(s);
    const double before = tg_statistics(s).run_ms;
    *a = (account){ .bytes = 0 };
    options->observe = observe_kernel;
    options->context = a;
    tg_run(s, true);
    options->observe = NULL;
    return tg_statistics(s).run_ms - before;
}

/* ---- a row ---- */

typedef struct {
    double forward[BENCH_MAX_STEPS], backward[BENCH_MAX_STEPS];
    account first, second;
} times;

static int make_inputs(tg_scope *s, const bench_op *row, bool bf16, tg_tensor *in[])
{
    int n = 0;
    for (; n < BENCH_INPUTS && row->in[n].rank; n++) {
        const bench_shape *const shape = &row->in[n];
        tg_tensor *const values = tg_rand(s, 0.1, 1, shape->rank, shape->dim);
        in[n] = bf16 && shape->rank > 1 ? tg_copy(s, tg_cast(s, values, TG_BF16)) : values;
        tg_require_grad(s, in[n]);
    }
    if (!row->classes) return n;
    in[n] = tg_zeros(s, TG_I64, 1, row->in[0].dim);
    int64_t *const at = tg_edit(s, in[n]);
    for (int64_t i = 0; at && i < row->in[0].dim[0]; i++) at[i] = i * 7 % row->classes;
    return n + 1;
}

static void measure(tg_scope *root, const bench_op *row, tg_tensor *const in[], int n, int round, times *t)
{
    tg_scope *s = tg_train(root);
    tg_tensor *probed[ALL_INPUTS];
    for (int i = 0; i < n; i++) probed[i] = row->classes && i == n - 1 ? in[i] : tg_apply(s, &probe, &in[i], NULL);
    tg_tensor *const y = row->formula(s, probed);
    t->forward[round] = run(s, &t->first);
    t->backward[round] = 0;
    if (tg_ok(s) && y->dtype != TG_I64) {
        tg_tensor *const gy = tg_cast(s, tg_full(s, 1, y->rank, y->dim), y->dtype);
        tg_data(gy);
        tg_backward_from(s, y, gy);
        t->backward[round] = run(s, &t->second);
    }
    tg_pop(s);
}

static void print_pass(const bench_op *row, bool bf16, const char *pass, double ms, double elements, const account *a)
{
    char shapes[160] = "";
    for (int i = 0; i < BENCH_INPUTS && row->in[i].rank; i++)
        for (int k = 0; k < row->in[i].rank; k++)
            snprintf(shapes + strlen(shapes), sizeof shapes - strlen(shapes), "%s%lld",
                     k   ? "x"
                     : i ? ","
                         : "",
                     (long long)row->in[i].dim[k]);
    printf("%-17s %-34s %-4s %-8s %9.3f %8.3f %7.1f  %s\n", row->name, shapes, bf16 ? "bf16" : "fp32", pass, ms,
           ms * 1e6 / elements, a->bytes / ms * 1e-6, a->kernels);
    fflush(stdout);
}

static void bench_row(tg_scope *root, const bench_op *row, bool bf16, int rounds)
{
    static times t;
    tg_scope *const s = tg_push(root);
    tg_tensor *in[ALL_INPUTS];
    const int n = make_inputs(s, row, bf16, in);
    const double elements = (double)tg_count(in[0]);
    measure(s, row, in, n, 0, &t);
    for (int i = 0; i < rounds && tg_ok(s); i++) measure(s, row, in, n, i, &t);
    if (tg_ok(s)) {
        sort_numbers(t.forward, rounds);
        sort_numbers(t.backward, rounds);
        print_pass(row, bf16, "forward", median(t.forward, rounds), elements, &t.first);
        if (t.backward[0] > 0) print_pass(row, bf16, "backward", median(t.backward, rounds), elements, &t.second);
    }
    tg_pop(s);
}

void bench_ops(tg_scope *root, const char *only, bool bf16, int rounds)
{
    printf("%-17s %-34s %-4s %-8s %9s %8s %7s  kernels\n", "operator", "inputs", "type", "pass", "ms", "ns each",
           "GB/s");
    for (const bench_op *row = bench_op_rows; row->name && tg_ok(root); row++)
        if (!strncmp(row->name, only, strlen(only))) bench_row(root, row, bf16, rounds);
}
