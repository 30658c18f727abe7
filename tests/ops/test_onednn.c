/* test_onednn.c - kernels that call oneDNN: the primitive cache, refusals, NaNs, threads, failing allocations. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "attr.h"
#include "dispatch.h"
#include "system.h"
#include <tilegrad/tilegrad.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#if TG_WITH_ONEDNN
#include "onednn_engine.h"

extern const tg_kernel conv2d_onednn, conv2d_relu_onednn, conv2d_grad_w_onednn, conv2d_grad_w_winograd_onednn;

static const tg_conv2d_attr plain = { .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };

/* y = conv2d(x, w) of ones, so that each element of y is its number of products. */
static tg_tensor *ones(tg_scope *s, int64_t n, int64_t size, int64_t in, int64_t out)
{
    tg_tensor *x = tg_full(s, 1, 4, TG_DIM(n, size, size, in)), *w = tg_full(s, 1, 4, TG_DIM(out, 1, 1, in));
    return tg_conv2d(s, x, w, NULL, (tg_conv2d_config){ 0 });
}

static void expect_all(tg_tensor *y, float want)
{
    const float *data = tg_data(y);
    assert_non_null(data);
    for (int64_t i = 0; i < tg_count(y); i++) assert_float_equal(data[i], want, 0);
}

static void forced(const tg_op *op, const tg_kernel *kernel)
{
    if (kernel->isa > tg_max_isa() || !strstr(tg_backends(), "onednn")) skip();
    tg_force_kernel(op, kernel);
}

static int unforce(void **state)
{
    (void)state;
    tg_force_kernel(NULL, NULL);
    tg_system_fail_at(0);
    return 0;
}

static void version_names_library_and_header(void **state)
{
    int v[6];
    (void)state;
    const int read = sscanf(tg_onednn_version(), "%d.%d.%d (header %d.%d.%d)", v, v + 1, v + 2, v + 3, v + 4, v + 5);
    assert_int_equal(read, 6);
    assert_int_equal(v[0], v[3]);
}

/* ---- the cache ---- */

static void plans_are_found_again(void **state)
{
    (void)state;
    forced(&tg_conv2d_op, &conv2d_onednn);
    tg_scope *root = tg_open(), *step = tg_push(root);
    int cached = 0;
    uint64_t requests = 0;
    for (int i = 0; i < 5; i++) {
        expect_all(ones(step, 2, 5, 3, 4), 3);
        tg_reset(step);
        if (i == 1) {
            cached = tg_onednn_cached();
            requests = tg_system_requests();
        }
    }
    assert_int_equal(tg_onednn_cached(), cached);
    assert_int_equal(tg_system_requests(), requests);
    tg_close(root);
}

/* More shapes in one run than the cache holds: plans are evicted while calls still need them. */
static void the_cache_is_bounded(void **state)
{
    enum { SHAPES = TG_ONEDNN_PLANS + 40 };
    static tg_tensor *y[SHAPES];
    (void)state;
    forced(&tg_conv2d_op, &conv2d_onednn);
    tg_scope *root = tg_open(), *step = tg_push(root);
    for (int i = 0; i < SHAPES; i++) y[i] = ones(step, 1, 1 + i, 1, 1);
    expect_all(y[SHAPES - 1], 1);
    for (int i = 0; i < SHAPES; i += 37) expect_all(y[i], 1);
    assert_int_equal(tg_onednn_cached(), TG_ONEDNN_PLANS);
    tg_reset(step);
    expect_all(ones(step, 1, 1, 1, 1), 1);
    assert_true(tg_ok(root));
    tg_close(root);
}

static void plans_are_for_a_number_of_threads(void **state)
{
    const int before = tg_threads();
    (void)state;
    forced(&tg_conv2d_op, &conv2d_onednn);
    tg_scope *root = tg_open();
    for (int threads = 1; threads <= 4; threads++) {
        tg_set_threads(threads);
        expect_all(ones(root, 3, 9, 17, 5), 17);
    }
    tg_set_threads(before);
    expect_all(ones(root, 3, 9, 17, 5), 17);
    tg_close(root);
}

static void *compute_alone(void *wrong)
{
    tg_scope *root = tg_open(), *step = tg_push(root);
    for (int i = 0; i < 50; i++) {
        const float *y = tg_data(ones(step, 1 + i % 3, 6, 19, 4));
        *(int *)wrong += !y || y[0] != 19;
        tg_reset(step);
    }
    tg_close(root);
    return NULL;
}

static void trees_of_several_threads_share_plans(void **state)
{
    enum { TREES = 4 };
    pthread_t thread[TREES];
    int wrong[TREES] = { 0 };
    (void)state;
    forced(&tg_conv2d_op, &conv2d_onednn);
    for (int i = 0; i < TREES; i++) assert_int_equal(pthread_create(&thread[i], NULL, compute_alone, &wrong[i]), 0);
    for (int i = 0; i < TREES; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < TREES; i++) assert_int_equal(wrong[i], 0);
}

/* A plan for one thread must not run on more, though OpenMP would give a user's thread more. */
static void *convolve_3x3(void *result)
{
    tg_scope *root = tg_open();
    tg_tensor *x = tg_full(root, 1, 4, TG_DIM(2, 7, 7, 64)), *w = tg_full(root, 1, 4, TG_DIM(64, 3, 3, 64));
    const float *y = tg_data(tg_conv2d(root, x, w, NULL, (tg_conv2d_config){ 0 }));
    *(float *)result = y ? y[0] : NAN;
    tg_close(root);
    return NULL;
}

static void other_threads_obey_tg_set_threads(void **state)
{
    const int before = tg_threads();
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        pthread_t thread;
        float here, there;
        tg_set_threads(threads);
        convolve_3x3(&here);
        assert_int_equal(pthread_create(&thread, NULL, convolve_3x3, &there), 0);
        pthread_join(thread, NULL);
        assert_float_equal(here, 576, 1e-2);
        assert_float_equal(there, 576, 1e-2);
    }
    tg_set_threads(before);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    forced(&tg_conv2d_op, &conv2d_onednn);
    for (uint64_t n = 1, done = 0; !done; n++) {
        assert_true(n < 200);
        tg_system_fail_at(n);
        tg_scope *root = tg_open();
        tg_tensor *y = ones(root, 5, 3, 7, 100 + (int64_t)n); /* a new shape */
        const float *data = tg_data(y);
        done = tg_ok(root);
        assert_true(done ? data && data[0] == 7 : *tg_message(root));
        tg_system_fail_at(0);
        tg_close(root);
    }
}

/* ---- what is refused ---- */

static const char *refusal_of_grad_w(int64_t in, int kernel, int stride)
{
    static char text[256];
    tg_scope *s = tg_open();
    tg_conv2d_attr a = plain;
    const int64_t out = (8 - kernel) / stride + 1;
    a.stride[0] = a.stride[1] = stride;
    a.image[0] = a.image[1] = 8;
    a.kernel[0] = a.kernel[1] = kernel;
    const tg_call c = {
        .op = &tg_conv2d_grad_w_op,
        .attr = &a,
        .scope = s,
        .where = "",
        .in = { tg_zeros(s, TG_F32, 4, TG_DIM(2, out, out, 4)), tg_zeros(s, TG_F32, 4, TG_DIM(2, 8, 8, in)) },
        .out = { tg_zeros(s, TG_F32, 4, TG_DIM(4, kernel, kernel, in)) },
    };
    const char *reason = conv2d_grad_w_onednn.reject(&c);
    snprintf(text, sizeof text, "%s", reason ? reason : "");
    tg_close(s);
    return text;
}

static void shapes_that_overrun_are_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal_of_grad_w(15, 1, 2), "out of bounds"));
    assert_non_null(strstr(refusal_of_grad_w(1, 1, 3), "out of bounds"));
    assert_string_equal(refusal_of_grad_w(16, 1, 2), "");
    assert_string_equal(refusal_of_grad_w(15, 1, 1), "");
    assert_string_equal(refusal_of_grad_w(15, 3, 2), "");
}

/* A 3x3 convolution of small images with many channels: Winograd's scratch for the weight gradient is large. */
static const char *refusal_of_winograd(int64_t n, int64_t size, int64_t channels)
{
    static char text[256];
    tg_scope *s = tg_open();
    tg_conv2d_attr a = plain;
    a.image[0] = a.image[1] = (int)size;
    a.kernel[0] = a.kernel[1] = 3;
    a.pad[0] = a.pad[1] = 1;
    tg_tensor *image = tg_zeros(s, TG_F32, 4, TG_DIM(n, size, size, channels));
    const tg_call c = {
        .op = &tg_conv2d_grad_w_op,
        .attr = &a,
        .scope = s,
        .where = "",
        .in = { image, image },
        .out = { tg_zeros(s, TG_F32, 4, TG_DIM(channels, 3, 3, channels)) },
    };
    const char *reason = conv2d_grad_w_winograd_onednn.reject(&c);
    snprintf(text, sizeof text, "%s", reason ? reason : "");
    tg_close(s);
    return text;
}

static void a_scratch_out_of_proportion_is_refused(void **state)
{
    int before = tg_threads();
    (void)state;
    if (conv2d_grad_w_winograd_onednn.isa > tg_max_isa()) skip();
    if (*refusal_of_winograd(2, 8, 64)) skip(); /* this oneDNN lacks Winograd */
    tg_set_threads(2);
    assert_non_null(strstr(refusal_of_winograd(32, 7, 512), "out of proportion"));
    assert_string_equal(refusal_of_winograd(32, 14, 256), "");
    tg_set_threads(before);
}

/* ---- relu ---- */

static float relu_of(float x0, float x1, float w0, float w1, float bias)
{
    tg_scope *s = tg_open();
    tg_conv2d_attr a = plain;
    a.image[0] = a.image[1] = a.kernel[0] = a.kernel[1] = 1;
    tg_tensor *in[] = {
        tg_from(s, TG_F32, 4, TG_DIM(1, 1, 1, 2), (float[]){ x0, x1 }),
        tg_from(s, TG_F32, 4, TG_DIM(1, 1, 1, 2), (float[]){ w0, w1 }),
        tg_full(s, bias, 1, TG_DIM(1)),
    };
    const float y = (float)tg_item(tg_apply(s, &tg_conv2d_relu_op, in, &a));
    assert_true(tg_ok(s));
    tg_close(s);
    return y;
}

static void relu_keeps_nan(void **state)
{
    (void)state;
    forced(&tg_conv2d_relu_op, &conv2d_relu_onednn);
    assert_float_equal(relu_of(1, 2, 3, 4, 5), 16, 0);
    assert_float_equal(relu_of(1, 2, 3, -4, -5), 0, 0);
    assert_true(isnan(relu_of(NAN, 1, 1, 1, 0)));
    assert_true(isnan(relu_of(1, 1, 1, NAN, 0)));
    assert_true(isnan(relu_of(1, 1, 1, 1, NAN)));
    assert_true(isnan(relu_of(INFINITY, 1, 0, 1, 0)));
    assert_true(isnan(relu_of(INFINITY, INFINITY, 1, -1, 0)));
    assert_float_equal(relu_of(-INFINITY, 1, 1, 1, 0), 0, 0);
    assert_true(isinf(relu_of(INFINITY, 1, 1, 1, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_names_library_and_header),
        cmocka_unit_test_teardown(plans_are_found_again, unforce),
        cmocka_unit_test_teardown(the_cache_is_bounded, unforce),
        cmocka_unit_test_teardown(plans_are_for_a_number_of_threads, unforce),
        cmocka_unit_test_teardown(trees_of_several_threads_share_plans, unforce),
        cmocka_unit_test(other_threads_obey_tg_set_threads),
        cmocka_unit_test_teardown(every_allocation_may_fail, unforce),
        cmocka_unit_test(shapes_that_overrun_are_refused),
        cmocka_unit_test(a_scratch_out_of_proportion_is_refused),
        cmocka_unit_test_teardown(relu_keeps_nan, unforce),
    };
    return cmocka_run_group_tests_name("onednn", tests, NULL, NULL);
}

#else

static void built_without_onednn(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(built_without_onednn) };
    return cmocka_run_group_tests_name("onednn", tests, NULL, NULL);
}
#endif
