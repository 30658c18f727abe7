/* train_lenet.c - the first program: LeNet on Fashion-MNIST, from pictures to a test accuracy.
 *
 * Read it from top to bottom; every call is explained in the header that its name suggests, beginning with scope.h.
 * Nothing runs when it is called: calls are recorded, and run when somebody needs numbers (tg_update, tg_item). */
#include <tilegrad/tilegrad.h>
#include <math.h>
#include <stdio.h>

/* Prints the share of test images whose largest logit is the right class.  A NaN is none, though tg_argmax finds it. */
static void test(tg_scope *root, tg_module *net)
{
    tg_loader *data = tg_loader_new(root, tg_fashion_mnist(root, NULL, TG_TEST), (tg_loader_config){ .batch = 250 });
    int64_t right = 0, seen = 0;
    tg_scope *look = tg_push(root); /* a scope for looking: no gradients, batch norm as at rest */
    for (tg_batch b; tg_next(look, data, &b); tg_reset(look)) {
        tg_tensor *logits = tg_forward(look, net, b.x);
        const float *most = tg_f32(tg_max(look, logits, (tg_axes){ .n = 1, .axis = { 1 } })); /* this runs the calls */
        const int64_t *guess = tg_i64(tg_argmax(look, logits, 1)), *truth = tg_i64(b.y);
        for (int i = 0; most && guess && truth && i < b.count; i++) right += guess[i] == truth[i] && isfinite(most[i]);
        seen += b.count;
    }
    tg_pop(look);
    if (tg_ok(root)) printf("test accuracy %.1f %%\n", 100 * (double)right / (double)seen);
}

int main(void)
{
    /* A scope owns what is made in it and keeps the first error; all other scopes stand below this one. */
    tg_scope *root = tg_open();
    tg_loader *data =
        tg_loader_new(root, tg_fashion_mnist(root, NULL, TG_TRAIN), (tg_loader_config){ .batch = 128, .seed = 1 });
    tg_module *net = tg_lenet(root, 10);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.9f });
    tg_optimize(root, net, opt, TG_BF16); /* BF16 weights with FP32 masters, where the processor has kernels */

    tg_scope *step = tg_train(root); /* a scope for training: gradients are wanted */
    for (int epoch = 0; epoch < 5 && tg_ok(step); epoch++)
        for (tg_batch b; tg_next(step, data, &b); tg_reset(step)) { /* what a step made is freed at once */
            tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, net, b.x), b.y);
            tg_backward(step, loss); /* records the derivatives */
            tg_update(step, opt);    /* runs the step, changes the weights, uses up the gradients */
            if (b.first == 0) printf("epoch %d begins with loss %.3f\n", epoch, tg_item(loss));
        }
    tg_pop(step);
    test(root, net);
    tg_save(root, "lenet.safetensors", net, opt); /* PyTorch's names and layouts; tg_load goes on from it */
    const int status = tg_ok(root) ? 0 : 1;
    if (!tg_ok(root)) fprintf(stderr, "%s\n", tg_message(root)); /* the only check */
    tg_close(root);                                              /* frees everything */
    return status;
}
