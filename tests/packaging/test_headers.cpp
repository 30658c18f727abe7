/* test_headers.cpp - the public headers, macros included, are pedantic C++17 too, and C++ can call the library. */
#include <tilegrad/tilegrad.h>
#include <cmath>
#include <cstdio>

/* A custom operator: y = 2 x. */
static void infer(tg_scope *s, tg_call *c) { c->out[0] = tg_make_like(s, c->in[0]); }
static void run(const tg_call *c, const tg_task *)
{
    for (int64_t i = 0; i < tg_count(c->in[0]); i++) tg_set(c->out[0], i, 2 * tg_get(c->in[0], i));
}

static tg_kernel kernel_ref()
{
    tg_kernel k = {};
    k.name = k.backend = "ref";
    k.run = run;
    return k;
}
static const tg_kernel twice_ref = kernel_ref();

static tg_op twice_op()
{
    tg_op op = {};
    op.name = "twice";
    op.n_in = op.n_out = 1;
    op.infer = infer;
    op.kernels = TG_KERNELS(&twice_ref);
    return op;
}
static const tg_op twice = twice_op();

int main()
{
    tg_scope *root = tg_open();
    const float x[] = { 1, 2, 3, 4, 5, 6 };
    const int rows = 2;
    tg_tensor *leaf = tg_require_grad(root, tg_from(root, TG_F32, 2, TG_DIM(rows, 3), x));
    tg_scope *step = tg_train(root);
    tg_axes all = {};
    tg_tensor *flat = tg_reshape(step, leaf, 1, TG_DIM(6));
    tg_tensor *sum = tg_sum(step, tg_mul(step, flat, flat), all);
    tg_tensor *more = tg_apply(step, &twice, &leaf, nullptr);
    tg_backward(step, sum);
    const double value = tg_item(sum);
    const float *grad = tg_f32(tg_grad(leaf));
    const bool right = std::fabs(value - 91) < 1e-4 && grad && std::fabs(grad[5] - 12) < 1e-5f && tg_ok(root) &&
                       tg_or_default(TG_ZERO, 1) == 0 && tg_f32(more) && tg_f32(more)[5] == 12;
    if (!right) std::printf("sum of squares %g, want 91; %s\n", value, tg_message(step));
    tg_close(root);
    return right ? 0 : 1;
}
