/* test_intermediates.c - every tensor of LeNet and ResNet-20 can be read at any time and has the eager values; only
 * after an update may the read fail because its inputs have been overwritten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core.h"
#include "expect.h"
#include <math.h>

typedef struct {
    const char *name;
    tg_module *(*make)(tg_scope *s, int classes);
    int64_t batch, size, channels;
} network;

static const network lenet = { "lenet", tg_lenet, 2, 28, 1 }, resnet20 = { "resnet20", tg_resnet20, 2, 8, 3 };

typedef enum { EACH_CALL, AFTER_FORWARD, AFTER_BACKWARD, AFTER_UPDATE, MOMENTS } moment;
enum { MOST = 1024 };

/* Every output of forward as the eager run computed it. */
typedef struct {
    int n, call[MOST], out[MOST];
    int64_t count[MOST];
    double *numbers[MOST];
} lesson;

/* A step in which one output is read, or in the eager run each of them. */
typedef struct {
    tg_scope *root, *s;
    tg_module *net;
    tg_optim *optim;
    lesson *teach;
    int call, out; /* the target: out[out] of call number `call`, not counting recomputed calls */
    bool early;    /* read as soon as it is recorded */
    size_t looked; /* recorded calls examined so far */
    int number;    /* of the next call */
    tg_tensor *found;
} reading;

static reading *now; /* forward functions take no context */
enum { MOST_MODULES = 256 };
static struct {
    tg_module *module;
    tg_forward_fn forward;
} original[MOST_MODULES];
static int originals;

/* ---- calls as they are recorded ---- */

static void learn(lesson *l, int call, int out, tg_tensor *t)
{
    int64_t n = tg_count(t);
    if (!tg_data(t) || l->n == MOST) return;
    l->numbers[l->n] = calloc((size_t)n, sizeof(double));
    for (int64_t i = 0; l->numbers[l->n] && i < n; i++) l->numbers[l->n][i] = tg_get(t, i);
    l->call[l->n] = call, l->out[l->n] = out, l->count[l->n] = n;
    l->n++;
}

static void look(reading *r)
{
    const tg_program *p = r->root->program;
    for (; r->looked < p->n; r->looked++) {
        const tg_call *c = p->record[r->looked];
        if (c->again) continue;
        if (r->teach)
            TG_EACH_OUT(c, k) learn(r->teach, r->number, k, c->out[k]);
        if (r->number == r->call && c->out[r->out]) {
            r->found = c->out[r->out];
            if (r->early) tg_data(r->found);
        }
        r->number++;
    }
}

static tg_tensor *watched_forward(tg_scope *s, tg_module *m, tg_tensor *x)
{
    tg_tensor *y = NULL;
    for (int i = 0; i < originals && !y; i++)
        if (original[i].module == m) y = original[i].forward(s, m, x);
    look(now);
    return y;
}

static void watch(tg_module *m)
{
    if (originals == MOST_MODULES) return;
    original[originals].module = m;
    original[originals++].forward = m->forward;
    m->forward = watched_forward;
    for (tg_module *c = m->first_child; c; c = c->next) watch(c);
}

/* ---- a step ---- */

static void open_reading(reading *r, const network *n, tg_options options)
{
    r->root = tg_open();
    *tg_tree_options(r->root) = options;
    tg_seed(r->root, 1);
    r->net = n->make(r->root, 10);
    r->optim = tg_sgd(r->root, r->net, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.9f });
    r->s = tg_train(r->root);
    originals = 0;
    now = r;
    watch(r->net);
}

static void read_now(const reading *r, const lesson *l, int target, moment when)
{
    const tg_tensor *t = r->found;
    assert_non_null(t);
    if (!tg_data(r->found)) {
        if (when == AFTER_UPDATE && strstr(tg_message(r->s), ": its result was not kept, and its input ")) return;
        fail_msg("out[%d] of call %d, moment %d: %s", r->out, r->call, (int)when, tg_message(r->s));
    }
    double most = 1;
    for (int64_t i = 0; i < tg_count(t); i++) most = fmax(most, fabs(l->numbers[target][i]));
    for (int64_t i = 0; i < tg_count(t); i++)
        if (fabs(tg_get(t, i) - l->numbers[target][i]) > 1e-4 * most)
            fail_msg("out[%d] of call %d (%s), moment %d: %.9g at %d, eager %.9g", r->out, r->call,
                     t->node->made->op->name, (int)when, tg_get(t, i), (int)i, l->numbers[target][i]);
}

/* The scope reports whether the read was refused. */
static void step_and_read(reading *r, const network *n, const lesson *l, int target, moment when)
{
    tg_tensor *x = tg_randn(r->root, 0, 1, 4, TG_DIM(n->batch, n->size, n->size, n->channels));
    tg_tensor *y = tg_from(r->root, TG_I64, 1, TG_DIM(2), (int64_t[]){ 3, 7 });
    tg_tensor *loss = tg_cross_entropy(r->s, tg_forward(r->s, r->net, x), y);
    look(r);
    if (when <= AFTER_FORWARD && l) read_now(r, l, target, when);
    tg_backward(r->s, loss);
    if (when == AFTER_BACKWARD) read_now(r, l, target, when);
    tg_update(r->s, r->optim);
    if (when == AFTER_UPDATE) read_now(r, l, target, when);
}

static void check_network(const network *n)
{
    static lesson l;
    reading teacher = { .teach = &l, .call = -1 };
    int refused = 0;
    l.n = 0;
    open_reading(&teacher, n, (tg_options){ .eager = true });
    step_and_read(&teacher, n, NULL, 0, MOMENTS);
    expect_ok(teacher.root);
    tg_close(teacher.root);
    for (int when = 0; when < MOMENTS; when++)
        for (int target = 0; target < l.n; target++) {
            reading r = { .call = l.call[target], .out = l.out[target], .early = when == EACH_CALL };
            open_reading(&r, n, (tg_options){ .fuse = true });
            step_and_read(&r, n, &l, target, (moment)when);
            refused += !tg_ok(r.s);
            tg_close(r.root);
        }
    print_message("%s: %d tensors at %d moments, %d refused after the update\n", n->name, l.n, MOMENTS, refused);
    for (int i = 0; i < l.n; i++) free(l.numbers[i]);
}

static void any_tensor_of_lenet(void **state)
{
    (void)state;
    check_network(&lenet);
}

static void any_tensor_of_resnet20(void **state)
{
    (void)state;
    check_network(&resnet20);
}

/* ---- eager, unfused and fused train to the same losses ---- */

enum { STEPS = 8 };

static void train(const network *n, tg_options options, double loss[STEPS])
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    *tg_tree_options(root) = options;
    tg_seed(root, 2);
    tg_module *net = n->make(root, 10);
    tg_optim *optim = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.01f, .momentum = 0.9f });
    tg_tensor *x = tg_randn(root, 0, 1, 4, TG_DIM(8, n->size, n->size, n->channels));
    tg_tensor *y = tg_from(root, TG_I64, 1, TG_DIM(8), (int64_t[]){ 3, 7, 0, 1, 1, 9, 4, 3 });
    for (int i = 0; i < STEPS; i++, tg_reset(s)) {
        tg_tensor *l = tg_cross_entropy(s, tg_forward(s, net, x), y);
        tg_backward(s, l);
        tg_update(s, optim);
        loss[i] = tg_item(l);
    }
    expect_ok(root);
    tg_close(root);
}

static void same_losses(const network *n)
{
    static const tg_options ways[] = { { .fuse = true }, { .eager = true, .fuse = true }, { .eager = true } };
    double want[STEPS], got[STEPS];
    train(n, (tg_options){ .fuse = false }, want);
    assert_true(want[STEPS - 1] < want[0]);
    for (int w = 0; w < 3; w++) {
        train(n, ways[w], got);
        for (int i = 0; i < STEPS; i++)
            if (!(fabs(got[i] - want[i]) <= 1e-5 * fabs(want[i])))
                fail_msg("%s, way %d, step %d: loss %.9g, want %.9g", n->name, w, i, got[i], want[i]);
    }
}

static void lenet_trains_the_same(void **state)
{
    (void)state;
    same_losses(&lenet);
}

static void resnet20_trains_the_same(void **state)
{
    (void)state;
    same_losses(&(network){ "resnet20", tg_resnet20, 8, 16, 3 });
}

int main(void)
{
    const struct CMUnitTest intermediates[] = {
        cmocka_unit_test(any_tensor_of_lenet),
        cmocka_unit_test(any_tensor_of_resnet20),
        cmocka_unit_test(lenet_trains_the_same),
        cmocka_unit_test(resnet20_trains_the_same),
    };
    tg_set_threads(1); /* many tiny programs: waking workers costs more than it saves */
    return cmocka_run_group_tests(intermediates, NULL, NULL);
}
