/* test_faults.c - a kernel rejects its data anywhere in a step: parameters and buffers keep every byte, writes that did
 * not happen give their versions back, and training continues as if nothing had happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "expect.h"
#include <tilegrad/parallel.h>
#include <math.h>

/* ---- an operator that faults on demand, in forward or in backward ---- */

static int trigger; /* the `place` that faults now; 0: none */

typedef struct {
    int place;
} fuse_attr;

static void fuse_infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }

static void fuse_run(const tg_call *c, const tg_task *task)
{
    int place = ((const fuse_attr *)c->attr)->place;
    memcpy(tg_ptr(c->out[0]), tg_ptr(c->in[0]), (size_t)tg_count(c->in[0]) * sizeof(float));
    if (place == trigger) tg_fault_say(task->fault, task->index, "blown at %d", place);
}

static tg_tensor *fuse(tg_scope *s, tg_tensor *x, int place);

static void fuse_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = fuse(s, gout[0], -((const fuse_attr *)c->attr)->place);
}

static const tg_kernel fuse_kernel = { .name = "mine", .backend = "ref", .run = fuse_run };
static const tg_op fuse_op = {
    .name = "fuse",
    .n_in = 1,
    .n_out = 1,
    .attr_size = sizeof(fuse_attr),
    .infer = fuse_infer,
    .backward = fuse_backward,
    .kernels = TG_KERNELS(&fuse_kernel),
};

static tg_tensor *fuse(tg_scope *s, tg_tensor *x, int place)
{
    return tg_apply(s, &fuse_op, &x, &(fuse_attr){ place });
}

/* ---- a step with a fuse after each layer ---- */

enum { STEPS = 4, BAD = 2, PLACES = 10 };

static double fused_step(toy *t, tg_scope *s, bool reads)
{
    tg_tensor *x = fuse(s, t->x, 1);
    int place = 2;
    for (tg_module *m = t->net->first_child; m; m = m->next) x = fuse(s, tg_forward(s, m, x), place++);
    tg_tensor *loss = tg_cross_entropy(s, x, t->y);
    if (reads) tg_item(loss);
    tg_backward(s, loss);
    tg_update(s, t->optim);
    return tg_item(loss);
}

static void train(double loss[STEPS])
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    toy_open(&t, root);
    tg_require_grad(root, t.x);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        tg_seed(root, (uint64_t)i);
        tg_clear_grad(t.x);
        loss[i] = fused_step(&t, s, false);
    }
    expect_ok(root);
    tg_close(root);
}

static void expect_settled(const tg_scope *root)
{
    for (const tg_storage *t = root->storages; t; t = t->next) assert_int_equal(t->version, t->ran);
}

static void expect_no_gradients(tg_module *net)
{
    for (tg_module *m = net->first_child; m; m = m->next)
        for (tg_slot *slot = m->slots; slot; slot = slot->next) assert_null(tg_grad(slot->tensor));
}

/* Step number BAD faults at `place` and is repeated. */
static void blow_at(int place, const double want[STEPS])
{
    toy t;
    char message[64];
    tg_scope *root = tg_open(), *s = tg_train(root);
    toy_open(&t, root);
    tg_require_grad(root, t.x);
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        tg_seed(root, (uint64_t)i);
        tg_clear_grad(t.x);
        if (i == BAD) {
            uint64_t before = lasting_bytes(t.net, t.optim);
            trigger = place;
            assert_true(isnan(fused_step(&t, s, false)));
            trigger = 0;
            snprintf(message, sizeof message, "fuse: blown at %d", place);
            expect_message(s, message);
            tg_reset(s);
            expect_message(root, message);
            tg_clear(root);
            expect_settled(root);
            expect_no_gradients(t.net);
            assert_true(lasting_bytes(t.net, t.optim) == before);
            assert_int_equal(tg_steps(t.optim), BAD);
            tg_seed(root, (uint64_t)i);
        }
        double loss = fused_step(&t, s, false);
        if (loss != want[i]) fail_msg("fault at %d: step %d: loss %.9g, want %.9g", place, i, loss, want[i]);
    }
    tg_close(root);
}

static void a_fault_anywhere_changes_nothing(void **state)
{
    double want[STEPS];
    (void)state;
    train(want);
    for (int place = 1; place <= PLACES; place++) blow_at(place, want), blow_at(-place, want);
}

/* A read in the middle of a step starts a run of its own, which commits what came before, as in eager mode. */
static void a_read_commits_what_came_before(void **state)
{
    toy t;
    tg_scope *root = tg_open(), *s = tg_train(root);
    (void)state;
    toy_open(&t, root);
    tg_require_grad(root, t.x);
    tg_tensor *mean = tg_find_param(t.net, "1.running_mean"), *w = tg_find_param(t.net, "0.weight");
    float mean_before = ((const float *)tg_data(mean))[0], w_before = ((const float *)tg_data(w))[0];
    trigger = -2;
    fused_step(&t, s, true);
    trigger = 0;
    expect_message(s, "fuse: blown at -2");
    tg_reset(s);
    tg_clear(root);
    expect_settled(root);
    assert_true(((const float *)tg_data(mean))[0] != mean_before);
    assert_true(((const float *)tg_data(w))[0] == w_before);
    tg_close(root);
}

/* ---- wrong labels ---- */

static void a_class_out_of_range(void **state)
{
    static const int64_t wrong[] = { 3, -1, INT64_MAX, INT64_MIN };
    (void)state;
    for (int i = 0; i < 4; i++) {
        toy t;
        tg_scope *root = tg_open(), *s = tg_train(root);
        toy_open(&t, root);
        uint64_t before = lasting_bytes(t.net, t.optim);
        ((int64_t *)tg_edit(root, t.y))[1] = wrong[i];
        assert_true(isnan(toy_step(&t, s)));
        assert_non_null(strstr(tg_message(s), "cross_entropy: class "));
        tg_reset(s);
        tg_clear(root);
        expect_settled(root);
        assert_true(lasting_bytes(t.net, t.optim) == before);
        tg_close(root);
    }
}

/* Accumulated gradients of earlier micro-batches survive a fault in a later one. */
static void earlier_micro_batches_survive(void **state)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *p = weight(root, NUMBERS(2, 3));
    (void)state;
    tg_backward(s, tg_sum(s, tg_mul(s, p, p), (tg_axes){ 0 }));
    tg_reset(s);
    trigger = 1;
    tg_backward(s, tg_sum(s, fuse(s, tg_mul(s, p, p), 1), (tg_axes){ 0 }));
    tg_reset(s);
    trigger = 0;
    expect_message(root, "fuse: blown at 1");
    tg_clear(root);
    expect_numbers(tg_grad(p), NUMBERS(4, 6));
    tg_backward(s, tg_sum(s, tg_mul(s, p, p), (tg_axes){ 0 }));
    expect_numbers(tg_grad(p), NUMBERS(8, 12));
    tg_close(root);
}

/* The lowest task's message wins, whatever the number of workers. */
static int64_t many(const tg_call *c, int phase) { return phase == 0 ? tg_count(c->in[0]) : 0; }

static void picky_run(const tg_call *c, const tg_task *task)
{
    if (tg_get(c->in[0], task->index) < 0) tg_fault_say(task->fault, task->index, "element %d", (int)task->index);
    tg_set(c->out[0], task->index, 0);
}

static const tg_kernel picky_kernel = { .name = "mine", .backend = "ref", .tasks = many, .run = picky_run };
static const tg_op picky_op = {
    .name = "picky",
    .n_in = 1,
    .n_out = 1,
    .infer = fuse_infer,
    .kernels = TG_KERNELS(&picky_kernel),
};

static void the_lowest_task_is_reported(void **state)
{
    int before = tg_threads();
    (void)state;
    for (int threads = 1; threads <= 4; threads *= 2) {
        tg_scope *root = tg_open();
        tg_tensor *x = tg_full(root, -1, 1, TG_DIM(1000));
        float *data = tg_edit(root, x);
        for (int i = 0; i < 137; i++) data[i] = 1;
        tg_set_threads(threads);
        tg_data(tg_apply(root, &picky_op, &x, NULL));
        expect_message(root, "picky: element 137");
        tg_close(root);
    }
    tg_set_threads(before);
}

int main(void)
{
    const struct CMUnitTest faults[] = {
        cmocka_unit_test(a_fault_anywhere_changes_nothing),
        cmocka_unit_test(a_read_commits_what_came_before),
        cmocka_unit_test(a_class_out_of_range),
        cmocka_unit_test(earlier_micro_batches_survive),
        cmocka_unit_test(the_lowest_task_is_reported),
    };
    return cmocka_run_group_tests(faults, NULL, NULL);
}
