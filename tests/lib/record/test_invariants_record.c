/* test_invariants_record.c - invariants of the record and of the passes that rewrite it: numbers 1, 2, 7, 8, 9 and 16
 * of seventeen (the others: test_invariants_run.c).  test_rewrite_hazards and fuzz_programs check more cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "expect.h"
#include "op_table.h"
#include "witness.h"

typedef struct {
    uint64_t drawn;
} dice;
static uint32_t roll(dice *d, uint32_t n) { return tg_random_below((tg_stream){ 4, 2 }, d->drawn++, n); }

/* ---- 1: between append and reset the record does not change, except for `walked` ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return h;
}

static uint64_t record_hash(const tg_program *p, size_t n)
{
    uint64_t h = 1;
    for (size_t i = 0; i < n; i++) {
        tg_call c = *p->record[i];
        c.walked = false;
        h = mix(h, c.in, sizeof c.in);
        h = mix(h, c.out, sizeof c.out);
        h = mix(h, c.in_version, sizeof c.in_version);
        h = mix(h, &c.op, sizeof c.op);
        h = mix(h, &c.kernel, sizeof c.kernel);
        if (c.op->attr_size) h = mix(h, c.attr, c.op->attr_size);
    }
    return h;
}

static void i01_the_record_is_not_edited(void **state)
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    (void)state;
    toy_open(&t, root);
    const tg_program *p = root->program;
    tg_tensor *y = tg_forward(s, t.net, t.x), *loss = tg_cross_entropy(s, y, t.y);
    size_t forward = p->n;
    uint64_t hash = record_hash(p, forward);
    tg_data(y);
    assert_true(record_hash(p, forward) == hash);
    tg_backward(s, loss);
    assert_true(record_hash(p, forward) == hash);
    size_t all = p->n;
    hash = record_hash(p, all);
    tg_update(s, t.optim);
    assert_true(record_hash(p, all) == hash);
    tg_close(root);
}

/* ---- 2, 7: versions; each effect runs once, in order, after every call that can fault and does not depend on it ----
 */

enum { STORAGES = 4, CALLS = 60 };

typedef struct {
    int reads, writes, made;
} deed; /* leaves read and written, or -1; whether it creates a tensor */

static bool clashes(const deed *b, const deed *a)
{
    if (a->writes >= 0 && (a->writes == b->reads || a->writes == b->writes)) return true;
    return b->writes >= 0 && b->writes == a->reads;
}

static void expect_order(const deed *deeds, int n)
{
    static bool depends[CALLS][CALLS];
    int place[CALLS];
    memset(depends, 0, sizeof depends);
    for (int i = 0; i < n; i++) place[seen.order[i]] = i;
    for (int b = 0; b < n; b++)
        for (int a = b - 1; a >= 0; a--) {
            if (!clashes(deeds + b, deeds + a)) continue;
            depends[b][a] = true;
            for (int z = 0; z < a; z++) depends[b][z] |= depends[a][z];
        }
    for (int b = 0; b < n; b++) {
        bool after_an_effect = false;
        for (int a = 0; a < b; a++) {
            after_an_effect |= depends[b][a] && deeds[a].writes >= 0;
            if (depends[b][a]) assert_true(place[b] > place[a]);
        }
        for (int a = 0; a < n && deeds[b].made && !after_an_effect; a++) /* b may fault: no effect may precede it */
            if (deeds[a].writes >= 0) assert_true(place[a] > place[b]);
    }
}

static void random_effects(dice *d)
{
    tg_scope *root = tg_open(), *s = tg_push(root);
    tg_tensor *leaf[STORAGES];
    deed deeds[CALLS];
    for (int i = 0; i < STORAGES; i++) leaf[i] = tg_zeros(root, TG_F32, 1, TG_DIM(1));
    witness_start();
    for (int i = 0; i < CALLS; i++) {
        int a = (int)roll(d, STORAGES), b = (int)roll(d, STORAGES);
        deeds[i] = (deed){ a, -1, 1 };
        if (roll(d, 2)) {
            deeds[i] = (deed){ a == b ? -1 : a, b, 0 };
            touch(s, i, leaf[b], a == b ? NULL : leaf[a]);
        } else probe(s, i, leaf[a]);
    }
    tg_run(s, true);
    expect_ok(s);
    assert_int_equal(seen.n, CALLS);
    assert_int_equal(seen.stale, 0);
    expect_order(deeds, CALLS);
    tg_close(root);
}

static void i02_i07_effects_run_once_and_in_order(void **state)
{
    dice d = { 0 };
    (void)state;
    for (int i = 0; i < 100; i++) random_effects(&d);
}

/* ---- 8: backward reads only gradients and the values that its masks name ---- */

/* A tensor of the same shape whose values would spoil any result. */
static tg_tensor *poisoned(tg_scope *s, const tg_tensor *t)
{
    tg_tensor *p = tg_zeros(s, t->dtype, t->rank, t->dim);
    void *bytes = tg_edit(s, p);
    if (bytes) memset(bytes, 0xff, (size_t)tg_count(t) * tg_dtype_size(t->dtype));
    p->node->needs_grad = t->node->needs_grad;
    return p;
}

static void differentiate(tg_scope *s, const tg_call *c, tg_tensor *gout, op_result *result)
{
    tg_tensor *gin[TG_MAX_IN] = { NULL }, *gouts[TG_MAX_OUT] = { gout };
    c->op->backward(s, c, gouts, gin);
    for (int k = 0; k < c->op->n_in; k++)
        if (gin[k] && tg_count(gin[k]) && tg_data(gin[k])) keep_part(result->part + TG_MAX_OUT + k, gin[k]);
    snprintf(result->message, sizeof result->message, "%s", tg_message(s));
}

static void mask_honesty(const tg_op *op, const op_sample *row)
{
    tg_scope *root = tg_open(), *s = tg_train(root), *g = tg_push(s);
    tg_tensor *in[TG_MAX_IN];
    char why[HARNESS_TEXT];
    op_result honest = { 0 }, blind = { 0 };
    make_inputs(root, op, row, in);
    for (int k = 0; k < op->n_in; k++)
        if (in[k] && in[k]->dtype == TG_F32) tg_require_grad(root, in[k]);
    tg_tensor *y = tg_apply(s, op, in, row->attr), *gout = tg_rand(g, -1, 1, y->rank, y->dim);
    if (y->dtype != TG_F32) gout = tg_cast(g, gout, y->dtype);
    expect_ok(s);
    tg_data(y);
    tg_call c = *y->node->made;
    differentiate(g, &c, gout, &honest);
    TG_EACH_IN(&c, k)
        if (!(op->saves_in & TG_BIT(k))) c.in[k] = poisoned(g, c.in[k]);
    TG_EACH_OUT(&c, k)
        if (!(op->saves_out & TG_BIT(k))) c.out[k] = poisoned(g, c.out[k]);
    differentiate(g, &c, gout, &blind);
    bool same = !*honest.message && !*blind.message && results_identical(&honest, &blind, why);
    if (!same) print_error("%s/%s: %s%s%s\n", op->name, row->name, honest.message, blind.message, why);
    free_result(&honest);
    free_result(&blind);
    tg_close(root);
    assert_true(same);
}

static void i08_backward_reads_what_its_masks_name(void **state)
{
    (void)state;
    for (int i = 0; i < op_table_count; i++)
        for (const op_sample *row = op_table[i].samples; row->name && op_table[i].op->backward; row++)
            mask_honesty(op_table[i].op, row);
}

/* ---- 9: for every rule, fused == chain, whichever outputs are wanted ---- */

/* Runs the chain with these outputs wanted: a bit for each output of all links. */
static int run_wanting(const chain_case *c, bool fuse, unsigned wanted, op_result *result)
{
    tg_scope *root = tg_open(), *s = tg_push(root);
    tg_tensor *in[TG_MAX_IN], *y = NULL, *wants[TG_MAX_IN] = { NULL };
    int n = 0, bit = 0;
    tg_tree_options(root)->fuse = fuse;
    *result = (op_result){ 0 };
    spied = result;
    chain_inputs(root, c, in);
    tg_enter(s, "chain");
    for (int j = 0; c->rule->chain[j]; j++) {
        y = chain_link(s, c, j, y, in);
        for (int k = 0; k < c->rule->chain[j]->n_out; k++, bit++)
            if ((wanted & TG_BIT(bit)) && tg_count(tg_output(y, k)) && n < TG_MAX_OUT) wants[n++] = tg_output(y, k);
    }
    tg_data(tg_leave(s, tg_apply(s, &spy_op, wants, NULL)));
    snprintf(result->message, sizeof result->message, "%s", tg_message(s));
    tg_close(root);
    return bit;
}

static void every_subset(const chain_case *c)
{
    int bits = 1;
    for (unsigned wanted = 0; wanted < TG_BIT(bits); wanted++) {
        op_result fused, plain;
        char why[HARNESS_TEXT];
        bits = run_wanting(c, true, wanted, &fused);
        run_wanting(c, false, wanted, &plain);
        bool same = results_agree(&fused, &plain, c->sample->tolerance > 1e-4 ? c->sample->tolerance : 1e-4, why);
        free_result(&fused);
        free_result(&plain);
        if (!same) fail_msg("%s/%s, want %#x: %s", c->rule->fused->name, c->sample->name, wanted, why);
    }
}

static void i09_fused_equals_chain(void **state)
{
    const tg_rule *rules[MOST_CHAINS];
    int n = rules_of_all(rules);
    (void)state;
    for (int i = 0; i < n; i++)
        for (const op_sample *row = rows_of(rules[i]->fused); row->name; row++)
            every_subset(&(chain_case){ rules[i], row });
}

/* ---- 16: attributes hold neither pointers nor batch sizes ---- */

/* Attributes of one training step of LeNet, one call after the other. */
static size_t attributes(int64_t batch, uint8_t *bytes, size_t room)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_module *net = tg_lenet(root, 10);
    tg_tensor *x = tg_zeros(root, TG_F32, 4, TG_DIM(batch, 28, 28, 1)), *y = tg_zeros(root, TG_I64, 1, TG_DIM(batch));
    size_t n = 0;
    tg_backward(s, tg_cross_entropy(s, tg_forward(s, net, x), y));
    for (size_t i = 0; i < root->program->n; i++) {
        const tg_call *c = root->program->record[i];
        if (c->op->attr_size && n + c->op->attr_size <= room) memcpy(bytes + n, c->attr, c->op->attr_size);
        n += c->op->attr_size;
    }
    expect_ok(root);
    tg_close(root);
    return n;
}

static void i16_attributes_hold_no_pointers_and_no_batch_sizes(void **state)
{
    enum { ROOM = 65536 };
    static uint8_t two[ROOM], three[ROOM];
    (void)state;
    size_t n = attributes(2, two, ROOM);
    void *moves = malloc(1 << 20); /* so that later allocations have other addresses */
    assert_int_equal(attributes(3, three, ROOM), n);
    free(moves);
    assert_true(n > 100 && n < ROOM);
    assert_memory_equal(two, three, n);
}

int main(void)
{
    const struct CMUnitTest invariants[] = {
        cmocka_unit_test(i01_the_record_is_not_edited),
        cmocka_unit_test(i02_i07_effects_run_once_and_in_order),
        cmocka_unit_test(i08_backward_reads_what_its_masks_name),
        cmocka_unit_test(i09_fused_equals_chain),
        cmocka_unit_test(i16_attributes_hold_no_pointers_and_no_batch_sizes),
    };
    tg_set_threads(1); /* many tiny programs: waking workers would cost more than it gains */
    return cmocka_run_group_tests(invariants, NULL, NULL);
}
