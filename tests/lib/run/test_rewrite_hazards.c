/* test_rewrite_hazards.c - for each rule: {read, write} x {before, inside, after the chain} x {input, intermediate,
 * output}.
 *
 * Whatever a program does around the links of a chain, it sees the same values as without rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "op_table.h"
#include "run.h"

typedef enum { READ_CALL, READ_DOOR, WRITE_CALL, WRITE_DOOR, KINDS } hazard_kind;
static const char *const kind_names[KINDS] = {
    "read_by_a_call",
    "read_by_tg_data",
    "write_by_a_call",
    "write_by_tg_edit",
};

typedef struct {
    hazard_kind kind;
    int when;        /* before link number `when`; the chain's length: after it */
    int input, link; /* what: this input, or out[0] of this link; the other is -1 */
    bool held;       /* user code made the links' results, instead of modules */
} hazard;

typedef struct {
    tg_scope *root, *s;
    const chain_case *c;
    const hazard *h;
    tg_tensor *in[TG_MAX_IN], *out[TG_MAX_CHAIN], *seen; /* seen: what the hazard read */
} hazard_run;

static tg_tensor *target(const hazard_run *r) { return r->h->input >= 0 ? r->in[r->h->input] : r->out[r->h->link]; }

static tg_tensor *quarter_like(tg_scope *s, const tg_tensor *t) { return tg_full(s, 0.25, t->rank, t->dim); }

static void strike(hazard_run *r)
{
    tg_tensor *t = target(r);
    float *x;
    if (tg_made_by(t) && r->h->input >= 0 && r->h->kind >= WRITE_CALL)
        return; /* outputs of forward calls are no leaves */
    switch (r->h->kind) {
    case READ_CALL: r->seen = tg_apply(r->s, &tg_copy_op, &t, NULL); break;
    case READ_DOOR: r->seen = tg_data(t) ? t : NULL; break;
    case WRITE_CALL: tg_apply(r->s, &tg_accumulate_op, (tg_tensor *[]){ t, quarter_like(r->root, t) }, NULL); break;
    default:
        if ((x = tg_edit(r->s, t))) x[0] += 0.25f;
    }
}

/* Part k: out[k] of the last link; TG_MAX_OUT - 1: what was read; from TG_MAX_OUT: the inputs as they are left. */
static void collect(hazard_run *r, int length, op_result *result)
{
    tg_tensor *outs[TG_MAX_IN] = { NULL };
    spied = result;
    for (int k = 0; k < r->c->rule->chain[length - 1]->n_out; k++) {
        tg_tensor *t = tg_output(r->out[length - 1], k);
        outs[k] = tg_count(t) ? t : NULL;
    }
    tg_data(tg_apply(r->s, &spy_op, outs, NULL));
    if (r->seen && tg_data(r->seen)) keep_part(result->part + TG_MAX_OUT - 1, r->seen);
    for (int k = 0; k < TG_MAX_IN; k++)
        if (r->in[k] && tg_data(r->in[k])) keep_part(result->part + TG_MAX_OUT + k, r->in[k]);
}

static void run_hazard(const chain_case *c, const hazard *h, tg_options options, op_result *result)
{
    hazard_run r = { .root = tg_open(), .c = c, .h = h };
    int length = chain_length(c->rule);
    *result = (op_result){ 0 };
    *tg_tree_options(r.root) = options;
    r.s = tg_push(r.root);
    chain_inputs(r.root, c, r.in);
    for (int j = 0; j <= length; j++) {
        if (h->when == j) strike(&r);
        if (j == length) break;
        if (!h->held) tg_enter(r.s, "link");
        r.out[j] = chain_link(r.s, c, j, j ? r.out[j - 1] : NULL, r.in);
        if (!h->held) tg_leave(r.s, j == length - 1 ? r.out[j] : NULL);
    }
    collect(&r, length, result);
    snprintf(result->message, sizeof result->message, "%s", tg_message(r.s));
    tg_close(r.root);
}

/* ---- all hazards of a chain ---- */

static void check(const chain_case *c, const hazard *h)
{
    op_result fused, plain;
    char why[HARNESS_TEXT];
    run_hazard(c, h, (tg_options){ .fuse = true }, &fused);
    run_hazard(c, h, (tg_options){ .eager = h->held }, &plain);
    bool writes_result = h->link >= 0 && h->kind >= WRITE_CALL;
    double tolerance = c->sample->tolerance > 1e-4 ? c->sample->tolerance : 1e-4;
    bool good = writes_result ? *fused.message && !strcmp(fused.message, plain.message)
                              : results_agree(&fused, &plain, tolerance, why);
    if (writes_result) snprintf(why, sizeof why, "\"%.200s\" against \"%.200s\"", fused.message, plain.message);
    free_result(&fused);
    free_result(&plain);
    if (!good)
        fail_msg("%s/%s: %s, before link %d, input %d, link %d, %s: %s", c->rule->fused->name, c->sample->name,
                 kind_names[h->kind], h->when, h->input, h->link, h->held ? "held" : "internal", why);
}

static void check_inputs(const chain_case *c, hazard h)
{
    h.link = -1;
    for (h.input = 0; h.input < c->rule->fused->n_in; h.input++) {
        const sample_in *row = c->sample->in + h.input;
        if (row->given && (row->dtype == TG_F32 || h.kind < WRITE_CALL)) check(c, &h);
    }
}

static void check_results(const chain_case *c, hazard h)
{
    h.input = -1;
    for (h.link = 0; h.link < h.when; h.link++) check(c, &h);
}

typedef struct {
    const tg_rule *rule;
    hazard_kind kind;
    char name[128];
} hazard_test;

static void hazards(void **state)
{
    const hazard_test *t = *state;
    int fired = 0;
    for (const op_sample *row = rows_of(t->rule->fused); row->name && fired < 2; row++) {
        const chain_case c = { t->rule, row };
        if (!chain_fires(&c)) continue;
        fired++;
        for (int when = 0; when <= chain_length(t->rule); when++)
            for (int held = t->kind == WRITE_DOOR; held < 2; held++) { /* tg_edit runs, which frees internal values */
                const hazard h = { .kind = t->kind, .when = when, .held = held };
                check_inputs(&c, h);
                check_results(&c, h);
            }
    }
    if (!fired) fail_msg("%s: no row of the fused operator makes the rule fire", t->name);
}

int main(void)
{
    const tg_rule *rules[MOST_CHAINS];
    int n = rules_of_all(rules), failed = 1;
    size_t tests = (size_t)n * KINDS;
    tg_set_threads(1); /* many tiny programs: waking workers costs more than it saves */
    struct CMUnitTest *list = calloc(tests + 1, sizeof *list);
    hazard_test *what = calloc(tests + 1, sizeof *what);
    for (size_t i = 0; i < tests && list && what; i++) {
        what[i] = (hazard_test){ .rule = rules[i / KINDS], .kind = (hazard_kind)(i % KINDS) };
        snprintf(what[i].name, sizeof what[i].name, "%s/%s", what[i].rule->fused->name, kind_names[what[i].kind]);
        list[i] = (struct CMUnitTest){ .name = what[i].name, .test_func = hazards, .initial_state = what + i };
    }
    if (list && what) failed = _cmocka_run_group_tests("hazards", list, tests, NULL, NULL);
    free(list);
    free(what);
    return failed != 0;
}
