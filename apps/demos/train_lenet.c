/* train_lenet.c - a first program: trains LeNet on Fashion-MNIST and prints its test accuracy.
 *
 * Read it from top to bottom; each call is documented in the header that its name suggests, starting with scope.h.
 * Calls don't run immediately: they are recorded, and run when a result is needed (tg_update, tg_item). */
#include <tilegrad/tilegrad.h>
#include <math.h>
#include <stdio.h>

/* Prints the test accuracy.  A NaN is no prediction, although tg_argmax would return it. */
static void test(tg_scope *root, tg_module *net)
{
    tg_loader *data = tg_loader_new(root, tg_fashion_mnist(root, NULL, TG_TEST), (tg_loader_config){ .batch = 250 });
    int64_t right = 0, seen = 0;
    tg_scope *look = tg_push(root); /* an inference scope: no gradients, batch norm uses running statistics */
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
    /* A scope owns what is created in it and keeps the first error; all other scopes are children of this one. */
    tg_scope *root = tg_open();
    tg_loader *data =
        tg_loader_new(root, tg_fashion_mnist(root, NULL, TG_TRAIN), (tg_loader_config){ .batch = 128, .seed = 1 });
    tg_module *net = tg_lenet(root, 10);
    tg_optim *opt = tg_sgd(root, net, (tg_sgd_config){ .lr = 0.1f, .momentum = 0.9f });
    tg_optimize(root, net, opt, TG_BF16); /* BF16 weights with FP32 masters, where the processor has kernels */

    tg_scope *step = tg_train(root); /* a training scope: gradients are recorded */
    for (int epoch = 0; epoch < 5 && tg_ok(step); epoch++)
        for (tg_batch b; tg_next(step, data, &b); tg_reset(step)) { /* frees everything that the step created */
            tg_tensor *loss = tg_cross_entropy(step, tg_forward(step, net, b.x), b.y);
            tg_backward(step, loss); /* records the backward pass */
            tg_update(step, opt);    /* runs the step: updates the weights and consumes the gradients */
            if (b.first == 0) printf("epoch %d begins with loss %.3f\n", epoch, tg_item(loss));
        }
    tg_pop(step);
    test(root, net);
    tg_save(root, "lenet.safetensors", net, opt); /* PyTorch's names and layouts; tg_load resumes from it */
    const int status = tg_ok(root) ? 0 : 1;
    if (!tg_ok(root)) fprintf(stderr, "%s\n", tg_message(root)); /* the only check */
    tg_close(root);                                              /* frees everything */
    return status;
}
