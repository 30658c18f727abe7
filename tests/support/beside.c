/* beside.c - a thread that computes concurrently with a test.  See beside.h. */
#include "beside.h"
#include <tilegrad/tilegrad.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

double compute(void)
{
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_module *net = tg_lenet(root, 10);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f });
    double result = 0;
    for (int i = 0; i < 2; i++, tg_reset(s)) {
        tg_tensor *x = tg_randn(s, 0, 1, 4, TG_DIM(8, 28, 28, 1)), *y = tg_zeros(s, TG_I64, 1, TG_DIM(8));
        tg_tensor *loss = tg_cross_entropy(s, tg_forward(s, net, x), y);
        tg_backward(s, loss);
        tg_update(s, opt);
        result = tg_item(loss);
    }
    tg_tensor *a = tg_randn(root, 0, 1, 2, TG_DIM(200, 200));
    result += tg_item(tg_sum(root, tg_matmul(root, a, a), (tg_axes){ 0 }));
    result = tg_ok(root) ? result : NAN;
    tg_close(root);
    return result;
}

static pthread_t thread;
static atomic_bool enough;
static int wrong;
static bool running;

static void *compute_on(void *unused)
{
    for (const double want = compute(); !enough;) wrong += compute() != want;
    return unused;
}

void beside_begin(void)
{
    enough = false;
    wrong = 0;
    running = !pthread_create(&thread, NULL, compute_on, NULL);
}

int beside_end(void)
{
    if (!running) return -1;
    enough = true;
    pthread_join(thread, NULL);
    return wrong;
}
