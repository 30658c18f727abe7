/* test_user_op.c - a user-defined operator works like a built-in one: checked, differentiated, fused, trained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "expect.h"
#include <math.h>
#include <string.h>

/* ---- swish(x) = x sigmoid(beta x), with its derivative as a second operator ---- */

typedef struct {
    float beta;
} swish_attr;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void same_shape(tg_scope *s, tg_call *c)
{
    for (int k = 0; k < c->op->n_in; k++)
        if (!tg_want_dtype(s, c, k, TG_F32) || !tg_want_same_shape(s, c, k, 0)) return;
    c->out[0] = tg_make_like(s, c->in[0]);
}

static int64_t rows(const tg_call *c, int phase) { return phase == 0 ? c->in[0]->dim[0] : 0; }

static void swish_run(const tg_call *c, const tg_task *task)
{
    const swish_attr *a = c->attr;
    int64_t width = tg_count(c->in[0]) / c->in[0]->dim[0];
    for (int64_t i = task->index * width; i < (task->index + 1) * width; i++) {
        double x = tg_get(c->in[0], i);
        tg_set(c->out[0], i, x * sigmoid((double)a->beta * x));
    }
}

static void swish_grad_run(const tg_call *c, const tg_task *task)
{
    const swish_attr *a = c->attr;
    int64_t width = tg_count(c->in[0]) / c->in[0]->dim[0];
    for (int64_t i = task->index * width; i < (task->index + 1) * width; i++) {
        double x = tg_get(c->in[1], i), b = (double)a->beta, f = sigmoid(b * x);
        tg_set(c->out[0], i, tg_get(c->in[0], i) * (f + b * x * f * (1 - f)));
    }
}

static const tg_kernel swish_kernel = { .name = "mine", .backend = "ref", .tasks = rows, .run = swish_run };
static const tg_kernel swish_grad_kernel = { .name = "mine", .backend = "ref", .tasks = rows, .run = swish_grad_run };

static const tg_op swish_grad_op = {
    .name = "swish_grad",
    .n_in = 2,
    .n_out = 1,
    .attr_size = sizeof(swish_attr),
    .infer = same_shape,
    .kernels = TG_KERNELS(&swish_grad_kernel),
};

static void swish_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    gin[0] = tg_apply(s, &swish_grad_op, (tg_tensor *[]){ gout[0], c->in[0] }, c->attr);
}

static const tg_op swish_op = {
    .name = "swish",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .attr_size = sizeof(swish_attr),
    .infer = same_shape,
    .backward = swish_backward,
    .kernels = TG_KERNELS(&swish_kernel),
};

static tg_tensor *swish(tg_scope *s, tg_tensor *x) { return tg_apply(s, &swish_op, &x, &(swish_attr){ 1.5f }); }

/* ---- tests ---- */

static void gives_the_numbers(void **state)
{
    tg_scope *s = tg_open();
    (void)state;
    expect_numbers(swish(s, vector(s, NUMBERS(0, 1, -2))), NUMBERS(0, 1 / (1 + exp(-1.5)), -2 / (1 + exp(3))));
    tg_close(s);
}

static void is_checked_at_once(void **state)
{
    tg_scope *s = tg_open();
    (void)state;
    swish(s, tg_zeros(s, TG_I32, 1, TG_DIM(2)));
    expect_message(s, "swish: input 0 has dtype i32, want f32");
    tg_close(s);
}

static tg_tensor *for_gradcheck(tg_scope *s, void *context, tg_tensor *const *in)
{
    (void)context;
    return swish(s, in[0]);
}

static void has_the_right_derivative(void **state)
{
    char report[256];
    tg_scope *s = tg_open();
    (void)state;
    tg_tensor *x = tg_require_grad(s, tg_randn(s, 0, 1, 2, TG_DIM(3, 5)));
    if (!tg_gradcheck(s, for_gradcheck, NULL, &x, 1, (tg_gradcheck_config){ .tolerance = 1e-3 }, report))
        fail_msg("%s", report);
    assert_null(tg_grad(x));
    tg_close(s);
}

static tg_tensor *twice_too_much(tg_scope *s, void *context, tg_tensor *const *in)
{
    (void)context;
    return tg_add(s, in[0], tg_detach(s, in[0]));
}

static void gradcheck_finds_a_wrong_one(void **state)
{
    char report[256];
    tg_scope *s = tg_open();
    (void)state;
    tg_tensor *x = weight(s, NUMBERS(1, 2, 3));
    assert_false(tg_gradcheck(s, twice_too_much, NULL, &x, 1, (tg_gradcheck_config){ 0 }, report));
    assert_int_equal(strncmp(report, "in[0] at ", 9), 0);
    expect_ok(s);
    tg_close(s);
}

/* Fits a parabola with the operator between two linear layers, like any function of tensors. */
static double train(tg_scope *root, int steps)
{
    tg_seed(root, 5);
    tg_module *net = tg_sequential(
        root, (tg_module *[]){ tg_layer_linear(root, (tg_layer_linear_config){ .in = 1, .out = 16 }),
                               tg_layer_fn(root, "Swish", swish),
                               tg_layer_linear(root, (tg_layer_linear_config){ .in = 16, .out = 1 }), NULL });
    tg_optim *opt = tg_adam(root, net, (tg_adam_config){ .lr = 0.02f });
    tg_tensor *x = tg_rand(root, -1, 1, 2, TG_DIM(32, 1)), *y = tg_zeros(root, TG_F32, 2, TG_DIM(32, 1));
    float *to = tg_edit(root, y);
    const float *from = tg_data(x);
    for (int i = 0; to && from && i < 32; i++) to[i] = from[i] * from[i];
    tg_scope *step = tg_train(root);
    double last = 0;
    for (int i = 0; i < steps; i++, tg_reset(step)) {
        tg_tensor *loss = tg_mse(step, tg_forward(step, net, x), y, TG_MEAN);
        tg_backward(step, loss);
        tg_update(step, opt);
        last = tg_item(loss);
    }
    return last;
}

static void trains(void **state)
{
    tg_scope *root = tg_open();
    (void)state;
    double first = train(root, 1), last = train(root, 400);
    expect_ok(root);
    assert_true(first > 0.02 && last < 0.001);
    tg_close(root);
}

/* ---- a derivative that loops over elements: correct, though an operator would be faster ---- */

static void square_run(const tg_call *c, const tg_task *task)
{
    (void)task;
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) tg_set(c->out[0], i, tg_get(c->in[0], i) * tg_get(c->in[0], i));
}

static void square_backward(tg_scope *s, const tg_call *c, tg_tensor *const gout[], tg_tensor *gin[])
{
    const float *x = tg_data(c->in[0]), *g = tg_data(gout[0]);
    gin[0] = tg_zeros(s, TG_F32, c->in[0]->rank, c->in[0]->dim);
    float *to = tg_edit(s, gin[0]);
    for (int64_t i = 0; x && g && to && i < tg_count(c->in[0]); i++) to[i] = 2 * x[i] * g[i];
}

static const tg_kernel square_kernel = { .name = "mine", .backend = "ref", .run = square_run };
static const tg_op square_op = {
    .name = "square",
    .n_in = 1,
    .n_out = 1,
    .saves_in = TG_BIT(0),
    .infer = same_shape,
    .backward = square_backward,
    .kernels = TG_KERNELS(&square_kernel),
};

static tg_tensor *square(tg_scope *s, tg_tensor *x) { return tg_apply(s, &square_op, &x, NULL); }

static void backward_may_read_numbers(void **state)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_tensor *x = weight(root, NUMBERS(1, 2, 3));
    (void)state;
    tg_tensor *h = square(s, tg_affine(s, x, 2, 0)), *y = tg_mul(s, square(s, h), x); /* 16 x^5 */
    for (int i = 1; i <= 2; i++) {
        tg_backward(s, tg_sum(s, y, (tg_axes){ 0 }));
        expect_numbers(tg_grad(x), NUMBERS(i * 80., i * 80. * 16, i * 80. * 81));
    }
    expect_ok(s);
    tg_close(root);
}

/* ---- a kernel that finds a fault in its data ---- */

static void picky_run(const tg_call *c, const tg_task *task)
{
    for (int64_t i = 0; i < tg_count(c->in[0]); i++)
        if (tg_get(c->in[0], i) < 0) tg_fault_say(task->fault, task->index, "element %lld is negative", (long long)i);
}

static const tg_kernel picky_kernel = { .name = "mine", .backend = "ref", .run = picky_run };
static const tg_op picky_op = {
    .name = "picky",
    .n_in = 1,
    .n_out = 1,
    .infer = same_shape,
    .kernels = TG_KERNELS(&picky_kernel),
};

static void says_what_is_wrong_with_the_data(void **state)
{
    tg_scope *s = tg_open();
    (void)state;
    tg_enter(s, "head.check");
    tg_tensor *x = vector(s, NUMBERS(1, -1, -2)), *y = tg_leave(s, tg_apply(s, &picky_op, &x, NULL));
    assert_null(tg_data(y));
    expect_message(s, "head.check: picky: element 1 is negative");
    tg_close(s);
}

int main(void)
{
    const struct CMUnitTest user_operator[] = {
        cmocka_unit_test(gives_the_numbers),
        cmocka_unit_test(is_checked_at_once),
        cmocka_unit_test(has_the_right_derivative),
        cmocka_unit_test(gradcheck_finds_a_wrong_one),
        cmocka_unit_test(trains),
        cmocka_unit_test(backward_may_read_numbers),
        cmocka_unit_test(says_what_is_wrong_with_the_data),
    };
    return cmocka_run_group_tests(user_operator, NULL, NULL);
}
