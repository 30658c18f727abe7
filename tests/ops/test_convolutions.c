/* test_convolutions.c - random convolutions with all attributes that ops.h allows, by each of our kernels, against
 * their definition in double: test_convolutions [CASES [SEED [BAD]]].
 *
 * conv2d and conv2d_relu, both derivatives, and conv_transpose2d.  Each operand, output, packed form and scratch is a
 * separate block of exactly the requested size, so that AddressSanitizer detects reads or writes out of bounds; all but
 * the operands are filled with NaNs first.  In every third (BAD-th) case some elements of the operands are NaN or
 * infinite: a result must then be NaN exactly where its definition is.
 *
 * Bound: a sum of K products rounds by at most (K + 2) 2^-24 of the sum of their sizes; a result in bf16 by 2^-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "attr.h"
#include "core.h"
#include "dispatch.h"
#include <tilegrad/tilegrad.h>

enum { CASES = 1000, MOST_WORK = 150000, BAD_EVERY = 3, MOST_BAD = 3 };

static uint64_t seed = 1;
static int cases = CASES, bad_every = BAD_EVERY; /* 0: never */

static int any(int low, int high) /* low to high */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int)((seed >> 33) % (uint64_t)(high - low + 1));
}

/* ---- a case ---- */

typedef struct {
    tg_conv2d_attr attr;         /* image: of x, or of a transpose's result */
    int64_t n, in, out, size[2]; /* size: of y, or of a transpose's input */
    bool transposed, bias;
    tg_dtype dtype;
    int bad; /* number of non-finite elements */
} conv_case;

static int64_t work_of(const conv_case *c)
{
    return c->n * c->size[0] * c->size[1] * c->out * c->in / c->attr.groups * c->attr.kernel[0] * c->attr.kernel[1];
}

/* Draws the sizes along one axis; false: not a valid convolution. */
static bool any_axis(conv_case *c, int i)
{
    tg_conv2d_attr *a = &c->attr;
    const int most = a->stride[i] > a->dilation[i] ? a->stride[i] : a->dilation[i];
    const int64_t covered = a->dilation[i] * (a->kernel[i] - 1) + 1;
    if (c->transposed) {
        c->size[i] = any(0, 3) ? any(1, 9) : any(1, 40);
        a->image[i] = (c->size[i] - 1) * a->stride[i] + covered - 2 * a->pad[i] + any(0, most - 1);
        return a->image[i] >= 1;
    }
    a->image[i] = any(0, 3) ? any(1, 17) : any(1, 70);
    c->size[i] = (a->image[i] + 2 * a->pad[i] - covered) / a->stride[i] + 1;
    return a->image[i] + 2 * a->pad[i] >= covered;
}

static int64_t any_channels(void)
{
    static const int sizes[] = { 1, 2, 3, 4, 5, 8, 15, 16, 17, 20, 31, 32, 33, 48, 64, 65, 96, 130 };
    return sizes[any(0, (int)(sizeof sizes / sizeof *sizes) - 1)];
}

static bool try_case(conv_case *c)
{
    *c = (conv_case){ .transposed = any(0, 2) == 0, .bias = any(0, 1), .dtype = any(0, 2) ? TG_BF16 : TG_F32 };
    tg_conv2d_attr *a = &c->attr;
    a->groups = any(0, 2) ? 1 : any(0, 2) ? any(2, 4) : any(5, 20);
    c->n = any(0, 2) ? any(1, 3) : any(1, 40);
    c->in = any_channels() * a->groups;
    c->out = any_channels() * a->groups;
    if (!any(0, 5)) c->in = c->out = a->groups = any(1, 70); /* depthwise */
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = any(0, 5) ? any(1, 3) : any(1, 7);
        a->stride[i] = any(0, 2) ? 1 : any(1, 4);
        a->dilation[i] = any(0, 2) ? 1 : any(1, 3);
        a->pad[i] = any(0, 2) ? any(0, (int)a->kernel[i] / 2) : any(0, (int)a->kernel[i] + 1);
        if (!any_axis(c, i)) return false;
    }
    return work_of(c) <= MOST_WORK;
}

/* ---- operands, results and expected results ---- */

typedef struct {
    int64_t count;
    tg_dtype dtype;
    void *bytes;                 /* exactly the elements */
    double *value, *want, *size; /* the contents; a result's expected value, and the sum of its terms' magnitudes */
} array;

enum { X, W, B, Y, GX, GW, ARRAYS }; /* as an operand, Y is gy */
typedef struct {
    conv_case c;
    array of[ARRAYS];
} problem;

static void *block(size_t bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) fail();
    memset(p, 0xff, bytes); /* NaNs, in f32 and in bf16 */
    return p;
}

static array new_array(int64_t count, tg_dtype dtype)
{
    array a = { count,
                dtype,
                block((size_t)count * tg_dtype_size(dtype)),
                calloc((size_t)count, sizeof(double)),
                calloc((size_t)count, sizeof(double)),
                calloc((size_t)count, sizeof(double)) };
    for (int64_t i = 0; i < count; i++) {
        const float v = (float)any(-1000000, 1000000) / 1e6f;
        a.value[i] = (double)(dtype == TG_BF16 ? tg_bf16_to_f32(tg_f32_to_bf16(v)) : v);
    }
    return a;
}

static void free_array(array *a) { free(a->bytes), free(a->value), free(a->want), free(a->size); }

static void write_values(array *a)
{
    for (int64_t i = 0; i < a->count; i++)
        if (a->dtype == TG_BF16) ((uint16_t *)a->bytes)[i] = tg_f32_to_bf16((float)a->value[i]);
        else ((float *)a->bytes)[i] = (float)a->value[i];
}

static double read_value(const array *a, int64_t i)
{
    return a->dtype == TG_BF16 ? (double)tg_bf16_to_f32(((const uint16_t *)a->bytes)[i])
                               : (double)((const float *)a->bytes)[i];
}

static void make_problem(problem *p, int bad)
{
    const conv_case *c = &p->c;
    const tg_conv2d_attr *a = &c->attr;
    const int64_t x = c->n * a->image[0] * a->image[1] * c->in, y = c->n * c->size[0] * c->size[1] * c->out;
    const int64_t w = c->out * a->kernel[0] * a->kernel[1] * c->in / a->groups;
    static const double odd[] = { NAN, INFINITY, -INFINITY };
    p->of[X] = new_array(x, c->dtype), p->of[GX] = new_array(x, c->dtype);
    p->of[Y] = new_array(y, c->dtype);
    p->of[W] = new_array(w, c->dtype), p->of[GW] = new_array(w, TG_F32);
    p->of[B] = new_array(c->transposed ? c->in : c->out, TG_F32);
    p->c.bad = bad;
    for (int i = 0; i < bad; i++) {
        array *const of = p->of + (int[]){ X, W, Y }[any(0, 2)];
        of->value[any(0, (int)of->count - 1)] = odd[any(0, 2)];
    }
}

static void add(array *to, int64_t i, double a, double b)
{
    to->want[i] += a * b;
    to->size[i] += fabs(a * b);
}

/* Adds the products of one output pixel and one tap, in one group. */
static void add_tap(problem *p, int64_t x, int64_t y, int64_t tap, int64_t group)
{
    const tg_conv2d_attr *a = &p->c.attr;
    const int64_t in = p->c.in / a->groups, out = p->c.out / a->groups, taps = a->kernel[0] * a->kernel[1];
    for (int64_t o = group * out; o < (group + 1) * out; o++)
        for (int64_t i = 0; i < in; i++) {
            const int64_t at_x = x * p->c.in + group * in + i, at_y = y * p->c.out + o,
                          at_w = (o * taps + tap) * in + i;
            add(&p->of[Y], at_y, p->of[X].value[at_x], p->of[W].value[at_w]);
            add(&p->of[GX], at_x, p->of[Y].value[at_y], p->of[W].value[at_w]);
            add(&p->of[GW], at_w, p->of[Y].value[at_y], p->of[X].value[at_x]);
        }
}

/* Computes Y, GX and GW by their definition. */
static void define(problem *p)
{
    const tg_conv2d_attr *a = &p->c.attr;
    const int64_t width = p->c.size[1], pixels = p->c.size[0] * width, taps = a->kernel[0] * a->kernel[1];
    for (int64_t y = 0; y < p->c.n * pixels; y++)
        for (int64_t tap = 0; tap < taps; tap++) {
            const int64_t h = y % pixels / width * a->stride[0] - a->pad[0] + tap / a->kernel[1] * a->dilation[0];
            const int64_t w = y % width * a->stride[1] - a->pad[1] + tap % a->kernel[1] * a->dilation[1];
            if (h < 0 || h >= a->image[0] || w < 0 || w >= a->image[1]) continue;
            for (int64_t group = 0; group < a->groups; group++)
                add_tap(p, (y / pixels * a->image[0] + h) * a->image[1] + w, y, tap, group);
        }
}

/* ---- one kernel ---- */

static tg_tensor *tensor_of(tg_scope *s, const array *a, int rank, const int64_t *dim)
{
    return tg_borrow(s, a->dtype, rank, dim, a->bytes, NULL, NULL);
}

/* Packs like tasks do, some rows at a time, in any order. */
static void pack_rows(const tg_layout *layout, const tg_tensor *w, const int32_t *key, void *to)
{
    const int64_t rows = w->dim[0];
    for (int64_t r = (rows - 1) / TG_LAYOUT_ROWS * TG_LAYOUT_ROWS, end = rows; end > 0; end = r, r -= TG_LAYOUT_ROWS)
        layout->pack(w, key, r, end, to);
}

/* Runs all tasks of the kernel chosen for c. */
static void run_kernel(tg_call *c)
{
    const tg_kernel *k = c->kernel;
    const tg_layout *layout;
    int32_t key[TG_LAYOUT_KEY] = { 0 };
    int input = 0;
    tg_fault fault = { .task = INT64_MAX };
    if (k->prepare && !k->prepare(c, &fault)) fail_msg("%s", fault.message);
    tg_scratch bytes = k->scratch ? k->scratch(c) : (tg_scratch){ 0 };
    tg_task t = { .step = 1, .shared = block(bytes.shared), .fault = &fault };
    void *packed = NULL;
    if (k->layout && (layout = k->layout(c, &input, key))) {
        packed = block(layout->bytes(c->in[input], key));
        pack_rows(layout, c->in[input], key, packed);
    }
    t.packed = packed;
    for (int64_t n; (n = k->tasks ? k->tasks(c, t.phase) : t.phase == 0) > 0; t.phase++)
        for (t.index = 0; t.index < n; t.index++) {
            t.scratch = block(bytes.worker);
            k->run(c, &t);
            free(t.scratch);
        }
    free(packed), free(t.shared);
}

/* The bound on the error of element i, whose exact value is `sum`, including its bias. */
static double bound_of(const problem *p, const array *to, int64_t i, double bias, double sum, const tg_kernel *k)
{
    const tg_conv2d_attr *a = &p->c.attr;
    const int64_t taps = a->kernel[0] * a->kernel[1], pixels = p->c.n * p->c.size[0] * p->c.size[1];
    const bool gw = to->want == p->of[GW].want;
    const double terms = (double)(gw ? pixels : taps * (p->c.in > p->c.out ? p->c.in : p->c.out));
    double bound = (terms + 3) * 0x1p-24 * (to->size[i] + fabs(bias));
    if (strstr(k->name, "winograd")) bound += 1e-4 * (to->size[i] + 1);
    if (p->c.dtype == TG_BF16 && !gw) bound += fabs(sum) * 0x1p-8 + 0x1p-100;
    return bound;
}

static void report(const problem *p, const tg_call *c, int64_t i, double got, double want)
{
    const tg_conv2d_attr *a = &p->c.attr;
    fail_msg(
        "%s, %s, %s: x [%d, %d, %d, %d]%s, y [.., %d, %d, %d], kernel %d x %d, stride %d %d, pad %d %d, dilation %d %d, "
        "groups %d, %d bad: element %d is %.9g, want %.9g",
        c->op->name, c->kernel->name, tg_dtype_name(p->c.dtype), (int)p->c.n, (int)a->image[0], (int)a->image[1],
        (int)p->c.in, p->c.transposed ? " transposed" : "", (int)p->c.size[0], (int)p->c.size[1], (int)p->c.out,
        (int)a->kernel[0], (int)a->kernel[1], a->stride[0], a->stride[1], a->pad[0], a->pad[1], a->dilation[0],
        a->dilation[1], a->groups, p->c.bad, (int)i, got, want);
}

static void compare(const problem *p, const tg_call *c, const array *to, const array *bias, bool relu)
{
    const int64_t channels = bias ? bias->count : 1;
    for (int64_t i = 0; i < to->count; i++) {
        const double b = bias ? bias->value[i % channels] : 0, sum = to->want[i] + b, got = read_value(to, i);
        const double want = relu && sum < 0 ? 0 : sum;
        const bool good = isfinite(want) ? fabs(got - want) <= bound_of(p, to, i, b, sum, c->kernel)
                          : isnan(want)  ? isnan(got)
                                         : got == want;
        if (!good) report(p, c, i, got, want);
    }
}

/* Tests vdpbf16ps even where it is slow. */
static bool refuses(const tg_call *c, const tg_kernel *k)
{
    const bool ours = !strcmp(k->backend, "brgemm") || !strcmp(k->backend, "vector");
    const char *why = k->reject ? k->reject(c) : NULL;
    return !ours || k->isa > tg_cpu_isa() || (why && !strstr(why, "slower than FP32 on this processor"));
}

static void try_op(problem *p, tg_scope *s, const tg_op *op, tg_call *c, array *to, const array *bias)
{
    c->op = op, c->attr = &p->c.attr, c->scope = s, c->where = "";
    op->infer(s, c);
    if (!tg_ok(s)) fail_msg("%s", tg_message(s));
    for (const tg_kernel *const *k = op->kernels; *k; k++) {
        if (refuses(c, *k)) continue;
        c->kernel = *k;
        memset(to->bytes, 0xff, (size_t)to->count * tg_dtype_size(to->dtype));
        c->out[0]->storage->data = to->bytes;
        run_kernel(c);
        c->out[0]->storage->data = NULL;
        compare(p, c, to, bias, op == &tg_conv2d_relu_op);
    }
}

static void try_all(problem *p)
{
    const conv_case *c = &p->c;
    const tg_conv2d_attr *a = &c->attr;
    tg_scope *s = tg_open();
    const array *bias = c->bias ? &p->of[B] : NULL;
    array y = p->of[Y];
    tg_tensor *x = tensor_of(s, &p->of[X], 4, TG_DIM(c->n, a->image[0], a->image[1], c->in));
    tg_tensor *w = tensor_of(s, &p->of[W], 4, TG_DIM(c->out, a->kernel[0], a->kernel[1], c->in / a->groups));
    tg_tensor *gy = tensor_of(s, &y, 4, TG_DIM(c->n, c->size[0], c->size[1], c->out));
    tg_tensor *b = bias ? tensor_of(s, bias, 1, TG_DIM(bias->count)) : NULL;
    if (c->transposed) {
        try_op(p, s, &tg_conv_transpose2d_op, &(tg_call){ .in = { gy, w, b } }, &p->of[GX], bias);
    } else {
        try_op(p, s, &tg_conv2d_grad_x_op, &(tg_call){ .in = { gy, w } }, &p->of[GX], NULL);
        try_op(p, s, &tg_conv2d_grad_w_op, &(tg_call){ .in = { gy, x } }, &p->of[GW], NULL);
        y.bytes = block((size_t)y.count * tg_dtype_size(y.dtype));
        try_op(p, s, &tg_conv2d_op, &(tg_call){ .in = { x, w, b } }, &y, bias);
        try_op(p, s, &tg_conv2d_relu_op, &(tg_call){ .in = { x, w, b } }, &y, bias);
        free(y.bytes);
    }
    tg_close(s);
}

/* ---- the public functions: a transpose's gradients crop and pad their inputs ---- */

static void expect_array(problem *p, const char *what, tg_tensor *t, const array *want)
{
    tg_kernel by = { .name = what };
    tg_call c = { .op = &tg_conv_transpose2d_op, .kernel = &by };
    array got = *want;
    if (!tg_data(t) || tg_count(t) != want->count) fail_msg("%s", what);
    got.bytes = (void *)(uintptr_t)tg_data(t);
    got.dtype = t->dtype;
    compare(p, &c, &got, NULL, false);
}

static void try_gradients(problem *p)
{
    const conv_case *c = &p->c;
    const tg_conv2d_attr *a = &c->attr;
    tg_scope *root = tg_open(), *s = tg_train(root);
    tg_conv_transpose2d_config config = { .groups = a->groups };
    for (int i = 0; i < 2; i++) {
        config.stride[i] = a->stride[i], config.pad[i] = a->pad[i], config.dilation[i] = a->dilation[i];
        config.output_pad[i] = (int)(a->image[i] - (c->size[i] - 1) * a->stride[i] -
                                     a->dilation[i] * (a->kernel[i] - 1) - 1 + 2 * a->pad[i]);
    }
    tg_tensor *x = tensor_of(root, &p->of[Y], 4, TG_DIM(c->n, c->size[0], c->size[1], c->out));
    tg_tensor *w = tensor_of(root, &p->of[W], 4, TG_DIM(c->out, a->kernel[0], a->kernel[1], c->in / a->groups));
    tg_require_grad(root, x), tg_require_grad(root, w);
    tg_tensor *y = tg_conv_transpose2d(s, x, w, NULL, config);
    tg_backward_from(s, y, tensor_of(s, &p->of[X], 4, y->dim));
    expect_array(p, "y", y, &p->of[GX]);
    expect_array(p, "gradient of x", tg_grad(x), &p->of[Y]);
    expect_array(p, "gradient of w", tg_grad(w), &p->of[GW]);
    tg_close(root);
}

/* ---- tests ---- */

static void sweep(void **state)
{
    (void)state;
    for (int i = 0; i < cases; i++) {
        problem p;
        while (!try_case(&p.c)) {
        }
        make_problem(&p, bad_every && i % bad_every == 0 ? any(1, MOST_BAD) : 0);
        write_values(&p.of[X]), write_values(&p.of[W]), write_values(&p.of[B]), write_values(&p.of[Y]);
        define(&p);
        try_all(&p);
        if (p.c.transposed && !p.c.bad) try_gradients(&p);
        for (int k = 0; k < ARRAYS; k++) free_array(p.of + k);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sweep) };
    if (argc > 1) cases = atoi(argv[1]);
    if (argc > 2) seed = strtoull(argv[2], NULL, 10);
    if (argc > 3) bad_every = atoi(argv[3]);
    tg_set_threads(1);
    tg_set_backends("brgemm");
    print_message("%d cases from seed %llu\n", cases, (unsigned long long)seed);
    return cmocka_run_group_tests_name("convolutions", tests, NULL, NULL);
}
