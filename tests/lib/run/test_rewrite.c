/* test_rewrite.c - for each rule and each subset of the chain's outputs that is read: the same values as without rules,
 * and one call instead of the chain if the rule emits all of the subset.  In bf16 too, where a chain rounds between its
 * links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "op_table.h"
#include "run.h"

typedef struct {
    int link, out;
} chain_output;
enum { MOST_OUTPUTS = TG_MAX_OUT, ROWS_OF_A_RULE = 2 };

/* All outputs of a chain; the last link's first output comes first and is always read. */
static int outputs_of(const tg_rule *rule, chain_output list[MOST_OUTPUTS])
{
    const int last = chain_length(rule) - 1;
    int n = 0;
    list[n++] = (chain_output){ last, 0 };
    for (int j = 0; j <= last; j++)
        for (int o = 0; o < rule->chain[j]->n_out && n < MOST_OUTPUTS; o++)
            if (j != last || o != 0) list[n++] = (chain_output){ j, o };
    return n;
}

static bool emits(const tg_rule *rule, chain_output what)
{
    for (int k = 0; k < rule->n_emit; k++)
        if (rule->emit[k].link == what.link && rule->emit[k].out == what.out) return true;
    return false;
}

/* Runs the chain inside a module, so that only what is read is needed; returns the number of calls executed. */
static uint64_t run_chain(const chain_case *c, unsigned wanted, bool fuse, op_result *result)
{
    chain_output list[MOST_OUTPUTS];
    tg_tensor *in[TG_MAX_IN], *y[TG_MAX_CHAIN] = { NULL }, *read[TG_MAX_OUT] = { NULL };
    const int n = outputs_of(c->rule, list);
    tg_scope *root = tg_open(), *s = tg_push(root);
    *(spied = result) = (op_result){ 0 };
    tg_tree_options(root)->fuse = fuse;
    chain_inputs(root, c, in);
    const uint64_t before = tg_statistics(root).calls;
    tg_enter(s, "chain");
    for (int j = 0; c->rule->chain[j]; j++) y[j] = chain_link(s, c, j, j ? y[j - 1] : NULL, in);
    for (int k = 0; k < n; k++)
        if (wanted & TG_BIT(k)) read[k] = tg_output(y[list[k].link], list[k].out);
    tg_data(tg_leave(s, tg_apply(s, &spy_op, read, NULL)));
    snprintf(result->message, sizeof result->message, "%s", tg_message(s));
    const uint64_t calls = tg_statistics(root).calls - before;
    tg_close(root);
    return calls;
}

static void check(const chain_case *c, unsigned wanted, bool emitted, double least)
{
    op_result fused, plain;
    char why[HARNESS_TEXT];
    const double tolerance = c->sample->tolerance > least ? c->sample->tolerance : least;
    uint64_t calls = run_chain(c, wanted, true, &fused), links = run_chain(c, wanted, false, &plain) - 1;
    bool good = results_agree(&fused, &plain, tolerance, why);
    free_result(&fused);
    free_result(&plain);
    if (!good) fail_msg("%s/%s, want %#x: %s", c->rule->fused->name, c->sample->name, wanted, why);
    if (links != (uint64_t)chain_length(c->rule)) fail_msg("%s: %d calls without rules", c->sample->name, (int)links);
    if (emitted && calls != 2)
        fail_msg("%s/%s, want %#x: %d calls, want the fused one and its reader", c->rule->fused->name, c->sample->name,
                 wanted, (int)calls);
}

static void check_all(const chain_case *c, double least)
{
    chain_output list[MOST_OUTPUTS];
    const int n = outputs_of(c->rule, list);
    for (unsigned wanted = 1; wanted < TG_BIT(n); wanted += 2) {
        bool emitted = true;
        for (int k = 0; k < n; k++) emitted = emitted && (!(wanted & TG_BIT(k)) || emits(c->rule, list[k]));
        check(c, wanted, emitted, least);
    }
}

static void rule_test(void **state)
{
    const tg_rule *rule = *state;
    char why[HARNESS_TEXT];
    int rows = 0;
    for (const op_sample *row = rows_of(rule->fused); row->name && rows < ROWS_OF_A_RULE; row++) {
        const chain_case c = { rule, row };
        op_sample bf16;
        if (!chain_fires(&c)) continue;
        rows++;
        check_all(&c, 1e-5);
        if (!bf16_sample(rule->fused, row, &bf16, why)) print_message("%s/bf16 skipped: %s\n", row->name, why);
        else check_all(&(chain_case){ rule, &bf16 }, 0x1p-6);
    }
    if (!rows) fail_msg("%s: no row of the fused operator makes the rule fire", rule->fused->name);
}

int main(void)
{
    static const tg_rule *rules[MOST_CHAINS];
    int n = rules_of_all(rules), failed = 1;
    struct CMUnitTest *list = calloc((size_t)n + 1, sizeof *list);
    for (int i = 0; i < n && list; i++) {
        list[i].name = rules[i]->fused->name;
        list[i].test_func = rule_test;
        list[i].initial_state = (void *)rules[i];
    }
    if (list) failed = _cmocka_run_group_tests("rules", list, (size_t)n, NULL, NULL);
    free(list);
    return failed != 0;
}
