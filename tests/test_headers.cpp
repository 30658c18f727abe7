/* test_headers.cpp - the public headers are C++17 too, and the library can be called from there. */
#include "tilegrad.h"
#include <cmath>
#include <cstdio>

int main()
{
    tg_scope      *root   = tg_open();
    const int64_t  dim[]  = { 2, 3 };
    const float    x[]    = { 1, 2, 3, 4, 5, 6 };
    tg_tensor     *leaf   = tg_require_grad(root, tg_from(root, TG_F32, 2, dim, x));
    tg_scope      *step   = tg_train(root);
    tg_axes        all    = {};
    tg_tensor     *sum    = tg_sum(step, tg_mul(step, leaf, leaf), all);
    tg_backward(step, sum);
    const double   value  = tg_item(sum);
    const float   *grad   = static_cast<const float *>(tg_data(tg_grad(leaf)));
    const bool     right  = std::fabs(value - 91) < 1e-4 && grad && std::fabs(grad[5] - 12) < 1e-5f && tg_ok(root);
    if (!right) std::printf("sum of squares %g, want 91; %s\n", value, tg_message(step));
    tg_close(root);
    return right ? 0 : 1;
}
