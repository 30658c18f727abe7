/* test_brgemm.c - the microkernels by themselves, on random products against FP64; and whole convolutions with 1 to 4
 * threads.
 *
 * The bound: FP32 sums of K products in any order differ from the exact sum by at most (K + 2) u S / (1 - K u), where
 * u = 2^-24 and S is the sum of the absolute values of all terms; products of bf16 numbers are exact in FP32.  Storing
 * in bf16 adds 2^-8 of the result (2^-134 among the smallest). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "attr.h"
#include "shape_text.h"
#include "dispatch.h"
#include "b_offset.h"
#include <tilegrad/parallel.h>
#include <tilegrad/tilegrad.h>

enum { SHAPES = 5000, MOST_M = 40, MOST_K = 70, MOST_ELEMENTS = 4, GUARD = 12345 };

#define ONE(suffix, isa, kernel) &tg_microkernel_##suffix,
static const tg_microkernel *const microkernels[] = { TG_MICROKERNELS(ONE) };
enum { MICROKERNELS = sizeof microkernels / sizeof *microkernels };

/* ---- random products ---- */

typedef struct {
    tg_stream stream;
    uint64_t drawn;
} dice;

static int between(dice *d, int low, int high)
{
    const int v = low + (int)((double)tg_random_uniform(d->stream, d->drawn++) * (high - low + 1));
    return v > high ? high : v;
}

static float number(dice *d, bool bf16)
{
    const float v = 2 * tg_random_uniform(d->stream, d->drawn++) - 1;
    return bf16 ? tg_bf16_to_f32(tg_f32_to_bf16(v)) : v;
}

typedef struct {
    int m, n, k, count;
    bool across, add, bias, relu, bf16; /* across: rows of A side by side; bf16: the store */
    bool halves;                        /* numbers that bf16 holds */
    int c_row, stride;                  /* stride: of the rows of A, or of its k */
} shape;

/* Odd sizes for at least every second shape. */
static shape shape_of(const tg_microkernel *mk, dice *d, int i)
{
    const int odd = i % 2;
    shape s = {
        .m = between(d, 1, MOST_M - 1) | odd,
        .n = between(d, 1, mk->panel - 1) | odd,
        .k = between(d, 1, MOST_K - 1) | odd,
        .count = between(d, 0, MOST_ELEMENTS),
    };
    s.across = between(d, 0, 3) == 0;
    s.add = between(d, 0, 1);
    s.bias = between(d, 0, 1);
    s.relu = between(d, 0, 1);
    s.bf16 = between(d, 0, 1);
    s.halves = between(d, 0, 1);
    s.c_row = s.n + between(d, 0, 5);
    s.stride = (s.across ? s.m : s.k + TG_DEPTH) + between(d, 0, 9);
    return s;
}

typedef struct {
    float a[MOST_ELEMENTS][(MOST_M > MOST_K ? MOST_M : MOST_K) * (MOST_K + 2 * TG_DEPTH)];
    float b[MOST_ELEMENTS][(MOST_K + TG_DEPTH) * TG_PANEL];
    char a_bytes[MOST_ELEMENTS][sizeof(float) * MOST_K * (MOST_K + 2 * TG_DEPTH)];
    char b_bytes[MOST_ELEMENTS][sizeof(float) * (MOST_K + TG_DEPTH) * TG_PANEL];
    float from[MOST_M * TG_PANEL], bias[TG_PANEL];
    float c32[MOST_M * (TG_PANEL + 8)];
    uint16_t c16[MOST_M * (TG_PANEL + 8)];
} operands;

static size_t a_at(const shape *s, int r, int k) { return (size_t)(s->across ? r + k * s->stride : r * s->stride + k); }

/* B, and A in the microkernel's layout; elements of A outside the product are finite. */
static void fill(const tg_microkernel *mk, dice *d, const shape *s, operands *o)
{
    memset(o, 0, sizeof *o);
    for (int i = 0; i < s->count; i++) {
        for (int r = 0; r < s->m; r++)
            for (int k = 0; k < s->k; k++) o->a[i][a_at(s, r, k)] = number(d, s->halves);
        for (int k = 0; k < s->k; k++)
            for (int j = 0; j < s->n; j++) o->b[i][k * TG_PANEL + j] = number(d, s->halves);
        if (mk->element == TG_F32) {
            memcpy(o->a_bytes[i], o->a[i], sizeof o->a[i]);
            memcpy(o->b_bytes[i], o->b[i], sizeof o->b[i]);
            continue;
        }
        uint16_t *a = (uint16_t *)(void *)o->a_bytes[i], *b = (uint16_t *)(void *)o->b_bytes[i];
        for (size_t e = 0; e < sizeof o->a[i] / sizeof(float); e++) a[e] = tg_f32_to_bf16(o->a[i][e]);
        for (int k = 0; k < s->k; k++)
            for (int j = 0; j < s->n; j++) b[b_offset(mk, k, j)] = tg_f32_to_bf16(o->b[i][k * TG_PANEL + j]);
    }
    for (int e = 0; e < MOST_M * TG_PANEL; e++) o->from[e] = number(d, false);
    for (int j = 0; j < s->n; j++) o->bias[j] = number(d, false);
    for (int e = 0; e < MOST_M * (TG_PANEL + 8); e++) o->c32[e] = o->c16[e] = GUARD;
}

static void compute(const tg_microkernel *mk, const shape *s, operands *o)
{
    tg_batch_element batch[MOST_ELEMENTS];
    tg_brgemm p = {
        .m = s->m,
        .n = s->n,
        .k = s->k,
        .row = s->across ? 1 : s->stride,
        .step = s->across ? s->stride : 1,
        .from = s->add ? o->from : NULL,
        .from_row = TG_PANEL,
        .c_row = s->c_row,
        .store = s->bf16 ? TG_BF16 : TG_F32,
        .bias = s->bias ? o->bias : NULL,
        .relu = s->relu,
    };
    for (int i = 0; i < s->count; i++) batch[i] = (tg_batch_element){ .a = o->a_bytes[i], .b = o->b_bytes[i] };
    p.c = s->bf16 ? (void *)o->c16 : (void *)o->c32;
    mk->run(&p, batch, s->count);
}

/* The exact sum, and a bound on FP32's error. */
static double exact(const shape *s, const operands *o, int r, int j, double *bound)
{
    double sum = 0, all = 0;
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < s->k; k++) {
            const double v = (double)o->a[i][a_at(s, r, k)] * (double)o->b[i][k * TG_PANEL + j];
            sum += v;
            all += fabs(v);
        }
    const double others[2] = { s->add ? (double)o->from[r * TG_PANEL + j] : 0, s->bias ? (double)o->bias[j] : 0 };
    for (int i = 0; i < 2; i++) sum += others[i], all += fabs(others[i]);
    const double terms = (double)s->count * s->k + 2;
    *bound = (terms + 2) * 0x1p-24 * all / (1 - terms * 0x1p-24);
    if (s->bf16) *bound += (fabs(sum) + *bound) * 0x1p-8 + 0x1p-134;
    return s->relu && sum < 0 ? 0 : sum;
}

static void check(const tg_microkernel *mk, const shape *s, const operands *o, int number_)
{
    for (int r = 0; r < MOST_M; r++)
        for (int j = 0; j < s->c_row; j++) {
            const int at = r * s->c_row + j;
            double bound = 0, want = GUARD, got = (double)o->c32[at];
            if (s->bf16) got = (double)tg_bf16_to_f32(o->c16[at]);
            if (r >= s->m || j >= s->n) got = s->bf16 ? o->c16[at] : (double)o->c32[at];
            else want = exact(s, o, r, j, &bound);
            if (fabs(got - want) <= bound) continue;
            fail_msg("%s, shape %d (%d x %d x %d, %d elements%s%s%s%s%s), row %d column %d: %.9g, want %.9g", mk->name,
                     number_, s->m, s->n, s->k, s->count, s->across ? ", across" : "", s->add ? ", add" : "",
                     s->bias ? ", bias" : "", s->relu ? ", relu" : "", s->bf16 ? ", bf16" : "", r, j, got, want);
        }
}

/* Restricts a shape to the microkernel's capabilities: bf16 ones read bf16 values with contiguous k. */
static void restrict_to(const tg_microkernel *mk, shape *s)
{
    if (mk->element == TG_BF16) s->halves = true;
    if (mk->lines || !s->across) return;
    s->across = false;
    s->stride += s->k + TG_DEPTH;
}

static void products(void **state)
{
    const tg_microkernel *mk = *state;
    dice d = { { 20, 26 }, 0 };
    if (mk->isa > tg_max_isa()) skip();
    operands *o = malloc(sizeof *o);
    assert_non_null(o);
    for (int i = 0; i < SHAPES; i++) {
        shape s = shape_of(mk, &d, i);
        restrict_to(mk, &s);
        fill(mk, &d, &s, o);
        compute(mk, &s, o);
        check(mk, &s, o, i);
    }
    free(o);
}

/* ---- NaNs and rounding ---- */

/* Multiplies by the identity: returns what is stored for this input. */
static uint16_t stored(const tg_microkernel *mk, float from, bool relu)
{
    uint16_t c[4] = { 0 };
    float row[TG_PANEL] = { from };
    tg_brgemm p = {
        .m = 1,
        .n = 1,
        .row = 1,
        .step = 1,
        .from = row,
        .from_row = TG_PANEL,
        .c = c,
        .c_row = 1,
        .store = TG_BF16,
        .relu = relu,
    };
    mk->run(&p, NULL, 0);
    return c[0];
}

static void rounding(void **state)
{
    const tg_microkernel *mk = *state;
    const float odd[] = { 0, -0.0f, 1.00390625f, 1.01171875f, -1.00390625f, 3.4e38f, INFINITY, -INFINITY, NAN, -NAN };
    dice d = { { 3, 4 }, 0 };
    if (mk->isa > tg_max_isa()) skip();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(stored(mk, odd[i], false), tg_f32_to_bf16(odd[i]));
    for (int i = 0; i < 2000; i++) {
        const float v = ldexpf(number(&d, false), between(&d, -60, 60));
        assert_int_equal(stored(mk, v, false), tg_f32_to_bf16(v));
    }
    assert_true(isnan(tg_bf16_to_f32(stored(mk, NAN, true))));
    assert_int_equal(stored(mk, -2, true), 0);
}

/* ---- whole convolutions, on any number of threads ---- */

static tg_tensor *random_leaf(tg_scope *s, int64_t n, int64_t h, int64_t w, int64_t c, uint64_t seed)
{
    dice d = { { seed, 5 }, 0 };
    float *f = malloc((size_t)(n * h * w * c) * sizeof *f);
    for (int64_t i = 0; i < n * h * w * c; i++) f[i] = number(&d, false);
    tg_tensor *t = tg_from(s, TG_F32, 4, TG_DIM(n, h, w, c), f);
    free(f);
    return tg_require_grad(s, t);
}

/* Of y and both gradients. */
static uint64_t bits_of(const conv_shape *v, tg_dtype dtype, int threads)
{
    uint64_t h = 14695981039346656037u;
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_set_threads(threads);
    tg_tensor *x = random_leaf(root, v->n, v->image[0], v->image[1], v->in, 1);
    tg_tensor *w = random_leaf(root, v->out, v->kernel[0], v->kernel[1], v->in, 2);
    tg_tensor *y = tg_conv2d(s, tg_cast(s, x, dtype), tg_cast(s, w, dtype), NULL, conv2d_config_of(v));
    tg_tensor *gy = random_leaf(root, y->dim[0], y->dim[1], y->dim[2], y->dim[3], 3);
    tg_backward_from(s, y, tg_cast(s, gy, dtype));
    tg_tensor *const all[] = { y, tg_grad(x), tg_grad(w) };
    for (int i = 0; i < 3; i++) {
        const uint8_t *data = tg_data(all[i]);
        if (!data) fail_msg("%d: %s", i, tg_message(s));
        const size_t bytes = (size_t)tg_count(all[i]) * tg_dtype_size(all[i]->dtype);
        for (size_t k = 0; k < bytes; k++) h = (h ^ data[k]) * 0x100000001b3u;
    }
    tg_close(root);
    return h;
}

static void same_bits(void **state)
{
    static const char *const shapes[] = {
        "n3 c17-70 30x30 k3 p1",  "n9 c40-33 7x7 k3 p1",  "n2 c3-19 31x31 k7 s2 p3", "n5 c64-130 14x14 k1",
        "n8 c20-66 9x9 k3 s2 p1", "n2 c70-5 40x40 k1 s2", "n2 c70-20 24x24 k1",      "n2 c256-20 27x27 k3 p1",
    };
    const int before = tg_threads();
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const tg_dtype dtype = bf16 ? TG_BF16 : TG_F32;
            const conv_shape v = parse_shape(shapes[i]);
            const uint64_t one = bits_of(&v, dtype, 1);
            for (int n = 2; n <= 4; n++)
                if (bits_of(&v, dtype, n) != one)
                    fail_msg("%s, %s: other bits on %d threads than on one", shapes[i], tg_dtype_name(dtype), n);
        }
    tg_set_threads(before);
}

static int only_ours(void **state)
{
    (void)state;
    return !tg_set_backends("brgemm");
}

static int all_backends(void **state)
{
    (void)state;
    return !tg_set_backends(NULL);
}

int main(void)
{
    struct CMUnitTest tests[2 * MICROKERNELS + 1];
    int n = 0;
    for (int i = 0; i < MICROKERNELS; i++) {
        void *mk = (void *)(uintptr_t)microkernels[i];
        tests[n++] = (struct CMUnitTest){ .name = microkernels[i]->name, .test_func = products, .initial_state = mk };
        tests[n++] = (struct CMUnitTest){ .name = microkernels[i]->name, .test_func = rounding, .initial_state = mk };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(same_bits, only_ours, all_backends);
    return _cmocka_run_group_tests("brgemm", tests, (size_t)n, NULL, NULL);
}
