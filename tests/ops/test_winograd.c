/* test_winograd.c - 3x3 convolutions by Winograd's algorithm: error, transformed weights, the same bits on any number
 * of threads.
 *
 * Transforms add and subtract values that may be much larger than the outputs, above all if all inputs are positive, as
 * after relu.  The error is measured on such inputs, against FP64, in units of the largest output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conv2d.h"
#include "shape_text.h"
#include "dispatch.h"
#include <tilegrad/parallel.h>
#include <tilegrad/tilegrad.h>
#include "winograd.h"

extern const tg_kernel conv2d_brgemm_avx512, conv2d_grad_x_brgemm_avx512, conv2d_grad_w_brgemm_avx512;
extern const tg_kernel conv2d_brgemm_winograd_avx512, conv2d_grad_x_brgemm_winograd_avx512;
extern const tg_kernel conv2d_grad_w_brgemm_winograd_avx512;

typedef enum { FORWARD, GRAD_X, GRAD_W, PASSES } pass_kind;
static const struct {
    const tg_op *op;
    const tg_kernel *direct, *winograd;
} passes[PASSES] = {
    { &tg_conv2d_op, &conv2d_brgemm_avx512, &conv2d_brgemm_winograd_avx512 },
    { &tg_conv2d_grad_x_op, &conv2d_grad_x_brgemm_avx512, &conv2d_grad_x_brgemm_winograd_avx512 },
    { &tg_conv2d_grad_w_op, &conv2d_grad_w_brgemm_avx512, &conv2d_grad_w_brgemm_winograd_avx512 },
};

/* ---- one convolution, pad 1, w[out, 3, 3, in], of values that bf16 represents exactly ---- */

typedef enum { UNIFORM, RELU_OF_NORMAL, NORMAL } fill;

typedef struct {
    int64_t images, h, w, in, out;
    pass_kind pass;
    float *x, *weights, *gy; /* GRAD_X reads gy in place of x, GRAD_W in place of the weights */
    double *exact;
} problem;

static float *numbers(fill how, int64_t n, uint64_t seed)
{
    const tg_stream stream = { seed, 0 };
    float *f = malloc((size_t)n * sizeof *f);
    assert_non_null(f);
    for (int64_t i = 0; i < n; i++) {
        const float u = tg_random_uniform(stream, (uint64_t)i);
        const float normal = sqrtf(-2 * logf(1 - u)) * cosf(6.2831853f * tg_random_uniform(stream, (uint64_t)(n + i)));
        f[i] = how == UNIFORM ? u : how == NORMAL || normal > 0 ? normal : 0;
        f[i] = tg_bf16_to_f32(tg_f32_to_bf16(f[i]));
    }
    return f;
}

static int64_t pixels_of(const problem *p) { return p->images * p->h * p->w; }
static int64_t count_of(const problem *p)
{
    return p->pass == GRAD_W ? p->out * 9 * p->in : pixels_of(p) * (p->pass == GRAD_X ? p->in : p->out);
}

/* Adds all products of one output pixel and one tap, by definition. */
static void add_products(const problem *p, int64_t pixel, int64_t tap, double *exact)
{
    const int64_t h = pixel / p->w % p->h + tap / 3 - 1, w = pixel % p->w + tap % 3 - 1;
    if (h < 0 || w < 0 || h >= p->h || w >= p->w) return;
    const int64_t seen = (pixel / (p->h * p->w) * p->h + h) * p->w + w; /* the input pixel */
    for (int64_t o = 0; o < p->out; o++)
        for (int64_t i = 0; i < p->in; i++) {
            const int64_t x = seen * p->in + i, y = pixel * p->out + o, weight = (o * 9 + tap) * p->in + i;
            if (p->pass == FORWARD) exact[y] += (double)p->x[x] * (double)p->weights[weight];
            else if (p->pass == GRAD_X) exact[x] += (double)p->gy[y] * (double)p->weights[weight];
            else exact[weight] += (double)p->gy[y] * (double)p->x[x];
        }
}

static problem problem_of(int64_t images, int64_t h, int64_t w, int64_t in, int64_t out, pass_kind pass, fill how)
{
    problem p = { images, h, w, in, out, pass, NULL, NULL, NULL, NULL };
    p.x = numbers(how, pixels_of(&p) * in, 1);
    p.gy = numbers(how, pixels_of(&p) * out, 3);
    p.weights = numbers(how == UNIFORM ? UNIFORM : NORMAL, out * 9 * in, 2);
    return p;
}

static void solve(problem *p)
{
    p->exact = calloc((size_t)count_of(p), sizeof *p->exact);
    assert_non_null(p->exact);
    for (int64_t i = 0; i < pixels_of(p); i++)
        for (int64_t tap = 0; tap < 9; tap++) add_products(p, i, tap, p->exact);
}

static void drop(problem *p) { free(p->x), free(p->weights), free(p->gy), free(p->exact); }

static tg_tensor *images_of(tg_scope *s, const problem *p, tg_dtype dtype, const float *f, int64_t channels)
{
    return tg_cast(s, tg_from(s, TG_F32, 4, TG_DIM(p->images, p->h, p->w, channels), f), dtype);
}

static tg_tensor *result(tg_scope *s, const problem *p, tg_dtype dtype)
{
    const tg_conv2d_attr a = { { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { p->h, p->w }, { 3, 3 } };
    tg_tensor *x = images_of(s, p, dtype, p->x, p->in), *gy = images_of(s, p, dtype, p->gy, p->out);
    tg_tensor *w = tg_cast(s, tg_from(s, TG_F32, 4, TG_DIM(p->out, 3, 3, p->in), p->weights), dtype);
    if (p->pass == FORWARD) return tg_conv2d(s, x, w, NULL, (tg_conv2d_config){ .pad = { 1, 1 } });
    return p->pass == GRAD_X ? tg_conv2d_grad_x(s, gy, w, &a) : tg_conv2d_grad_w(s, gy, x, &a);
}

/* The result of a kernel; bf16 is widened. */
static float *computed(const problem *p, const tg_kernel *kernel, tg_dtype dtype)
{
    tg_scope *s = tg_open();
    tg_tensor *y = result(s, p, dtype);
    tg_force_kernel(passes[p->pass].op, kernel);
    const float *data = tg_data(tg_cast(s, y, TG_F32));
    tg_force_kernel(NULL, NULL);
    if (!data) fail_msg("%s", tg_message(s));
    float *copy = malloc((size_t)tg_count(y) * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)tg_count(y) * sizeof *copy);
    tg_close(s);
    return copy;
}

/* ---- error ---- */

/* The largest error, in units of the largest output. */
static double error_of(const problem *p, const tg_kernel *kernel)
{
    double error = 0, largest = 0;
    float *y = computed(p, kernel, TG_F32);
    for (int64_t i = 0; i < count_of(p); i++) {
        error = fmax(error, fabs((double)y[i] - p->exact[i]));
        largest = fmax(largest, fabs(p->exact[i]));
    }
    free(y);
    return error / largest;
}

/* The share of bf16 results that differ from the direct kernel's. */
static double different(const problem *p)
{
    float *y = computed(p, passes[p->pass].winograd, TG_BF16);
    float *want = computed(p, passes[p->pass].direct, TG_BF16);
    int64_t n = 0;
    for (int64_t i = 0; i < count_of(p); i++) n += y[i] < want[i] || y[i] > want[i];
    free(y);
    free(want);
    return (double)n / (double)count_of(p);
}

/* The tile size that the cost model chooses for a problem; 0: direct convolution. */
static int tile_of(const problem *p)
{
    const tg_nest_shape nest = {
        .images = p->images,
        .in = p->pass == GRAD_X ? p->out : p->in,
        .out = p->pass == GRAD_X ? p->in : p->out,
        .h = { .in = p->h, .out = p->h },
        .w_axis = { .in = p->w, .out = p->w },
    };
    const tg_winograd_shape s = { nest, { 1, 1 } };
    return p->pass == GRAD_W ? 4 * tg_winograd_grad_w_pays(&s) : tg_winograd_tile(&s);
}

/* Tiles of 2: sums over channels are a ninth as long as the direct kernel's, which offsets the transforms' rounding.
 * Tiles of 4 lose more; in backward-weights their sums are a sixteenth as long. */
static const struct {
    const char *name;
    pass_kind pass;
    int64_t images, side;
    int tile;
    double max_error;  /* in units of the largest output */
    double max_ratio;  /* of this error to the direct kernel's */
    double max_differ; /* the share of bf16 results that differ from the direct kernel's */
} errors[] = {
    { "forward, tiles of 2", .pass = FORWARD, .images = 24, .side = 6, .tile = 2, .max_error = 2e-6, .max_ratio = 2,
      .max_differ = 1.5e-3 },
    { "backward-data, tiles of 2", .pass = GRAD_X, .images = 24, .side = 6, .tile = 2, .max_error = 2e-6,
      .max_ratio = 2, .max_differ = 1.5e-3 },
    { "forward, tiles of 4", .pass = FORWARD, .images = 6, .side = 12, .tile = 4, .max_error = 6e-6, .max_ratio = 10,
      .max_differ = 2.5e-3 },
    { "backward-data, tiles of 4", .pass = GRAD_X, .images = 6, .side = 12, .tile = 4, .max_error = 6e-6,
      .max_ratio = 10, .max_differ = 2.5e-3 },
    { "backward-weights", .pass = GRAD_W, .images = 6, .side = 12, .tile = 4, .max_error = 1.5e-6, .max_ratio = 8 },
};

static void check_error(size_t row, int64_t channels, fill how)
{
    static const char *const name[] = { "uniform", "relu of normal" };
    const pass_kind pass = errors[row].pass;
    const bool swap = pass == GRAD_X;
    problem p = problem_of(errors[row].images, errors[row].side, errors[row].side, swap ? 64 : channels,
                           swap ? channels : 64, pass, how);
    solve(&p);
    assert_int_equal(tile_of(&p), errors[row].tile);
    const double direct = error_of(&p, passes[pass].direct), ours = error_of(&p, passes[pass].winograd);
    const double share = pass == GRAD_W ? 0 : different(&p); /* gw is f32 */
    if (!(ours <= errors[row].max_error && ours <= errors[row].max_ratio * direct && share <= errors[row].max_differ))
        fail_msg("%s, %s, %d channels: error %.2g, direct %.2g; %.3f %% of bf16 results differ", errors[row].name,
                 name[how], (int)channels, ours, direct, 100 * share);
    drop(&p);
}

static void error(void **state)
{
    (void)state;
    if (tg_max_isa() < TG_ISA_AVX512) skip();
    for (size_t row = 0; row < sizeof errors / sizeof *errors; row++)
        for (int64_t channels = 64; channels <= 512; channels *= 2)
            for (fill how = UNIFORM; how <= RELU_OF_NORMAL; how++) check_error(row, channels, how);
}

/* ---- one pixel of 1e6 among values from 0 to 1: the bound in ops.h ---- */

/* The largest error in units of max |x| sum |w|, and in units of sum |w| where an output doesn't read the pixel. */
static void errors_beside(const problem *p, const tg_kernel *kernel, double *all, double *unseen)
{
    float *y = computed(p, kernel, TG_F32);
    *all = *unseen = 0;
    for (int64_t i = 0; i < p->h * p->w; i++)
        for (int64_t o = 0; o < p->out; o++) {
            const bool seen = llabs(i / p->w - 5) <= 1 && llabs(i % p->w - 5) <= 1;
            double sum = 0;
            for (int64_t k = 0; k < 9 * p->in; k++) sum += fabs((double)p->weights[o * 9 * p->in + k]);
            const double error = fabs((double)y[i * p->out + o] - p->exact[i * p->out + o]) / sum;
            *all = fmax(*all, error * 1e-6);
            *unseen = seen ? *unseen : fmax(*unseen, error);
        }
    free(y);
}

static void large_pixel(void **state)
{
    const tg_kernel *theirs = NULL;
    (void)state;
    if (tg_max_isa() < TG_ISA_AVX512) skip();
    for (const tg_kernel *const *k = tg_conv2d_op.kernels; *k; k++)
        if (!strcmp((*k)->name, "onednn_winograd")) theirs = *k;
    for (fill how = UNIFORM; how <= NORMAL; how += NORMAL) {
        const tg_kernel *const kernel[] = { passes[0].direct, passes[0].winograd, theirs };
        problem p = problem_of(1, 12, 12, 64, 64, FORWARD, how);
        for (int64_t k = 0; k < p.in; k++) p.x[(5 * p.w + 5) * p.in + k] = 1e6f;
        solve(&p);
        for (int k = 0; k < 3 && kernel[k]; k++) {
            double all, unseen;
            errors_beside(&p, kernel[k], &all, &unseen);
            if (all > 2e-6) fail_msg("%s: error %.2g of max |x| sum |w|", kernel[k]->name, all);
            if (k == 0 && unseen > 1e-6)
                fail_msg("%s: error %.2g of sum |w| where nothing is large", kernel[k]->name, unseen);
        }
        drop(&p);
    }
}

/* ---- non-finite values ---- */

static void same_kind(const char *name, const problem *p, const float *y)
{
    for (int64_t i = 0; i < count_of(p); i++) {
        const double got = (double)y[i], want = p->exact[i];
        if (isnan(want) ? !isnan(got) : isinf(want) ? got < want || got > want : !(fabs(got - want) <= 1e-3))
            fail_msg("%s: output %lld is %g, want %g", name, (long long)i, got, want);
    }
}

/* One element of x or gy: it may affect only the results that read it.  With 130 channels, backward-weights has phases.
 */
static void check_element(size_t row, bool of_gy, const int64_t at[2], float value)
{
    const int64_t side = errors[row].side, in = errors[row].pass == GRAD_W && isnan(value) ? 130 : 64;
    problem p = problem_of(errors[row].images, side, side, in, 80, errors[row].pass, NORMAL);
    const int64_t h = (at[0] + side) % side, w = (at[1] + side) % side;
    (of_gy ? p.gy : p.x)[((side + h) * side + w) * (of_gy ? p.out : p.in) + 5] = value;
    solve(&p);
    assert_int_equal(tile_of(&p), errors[row].tile);
    float *y = computed(&p, passes[p.pass].winograd, TG_F32);
    same_kind(errors[row].name, &p, y);
    free(y);
    drop(&p);
}

static void not_finite(void **state)
{
    static const int64_t at[][2] = { { 0, 0 }, { 1, 2 }, { 2, 3 }, { 3, 4 }, { 4, 0 }, { -1, -1 } };
    (void)state;
    if (tg_max_isa() < TG_ISA_AVX512) skip();
    for (size_t row = 0; row < sizeof errors / sizeof *errors; row++)
        for (size_t i = 0; i < sizeof at / sizeof *at; i++)
            for (int of_gy = 0; of_gy < 2; of_gy++)
                if (errors[row].pass != (of_gy ? FORWARD : GRAD_X))
                    check_element(row, of_gy, at[i], i % 2 ? NAN : -INFINITY);
}

/* ---- weights ---- */

/* The contribution of a tap's coefficient to the polynomial's value at a point, divided by the product of the point's
 * distances from the other finite points; at infinity, the last coefficient.  Tiles of 2: the point 0 has the opposite
 * sign. */
static double spread(int tile, int point, int tap)
{
    static const double at[2][5] = { { 0, 1, -1 }, { 0, 0.625, -0.625, 1.5, -1.5 } };
    const int finite = tile + 1;
    double product = tile == 2 && point == 0 ? -1 : 1;
    if (point == finite) return tap == 2;
    for (int i = 0; i < finite; i++)
        if (i != point) product *= at[tile / 4][point] - at[tile / 4][i];
    return pow(at[tile / 4][point], tap) / product;
}

static double transformed(const tg_tensor *w, int64_t o, int64_t i, int tile, int point, bool backward)
{
    double sum = 0;
    for (int h = 0; h < 3; h++)
        for (int x = 0; x < 3; x++) {
            const int tap = backward ? 8 - (3 * h + x) : 3 * h + x;
            const double at = spread(tile, point / (tile + 2), h) * spread(tile, point % (tile + 2), x);
            sum += at * tg_get(w, (o * 9 + tap) * w->dim[3] + i);
        }
    return sum;
}

static void check_weights(const tg_tensor *w, bool backward, int tile, const float *u)
{
    const int64_t channels = w->dim[backward ? 0 : 3], columns = w->dim[backward ? 3 : 0];
    const int64_t panels = (columns + TG_PANEL - 1) / TG_PANEL;
    for (int point = 0; point < tg_points_of(tile); point++)
        for (int64_t k = 0; k < channels; k++)
            for (int64_t j = 0; j < panels * TG_PANEL; j++) {
                const int64_t panel = point * panels + j / TG_PANEL, o = backward ? k : j, i = backward ? j : k;
                const double got = (double)u[(panel * channels + k) * TG_PANEL + j % TG_PANEL];
                const double want = j < columns ? transformed(w, o, i, tile, point, backward) : 0;
                if (!(fabs(got - want) <= 2e-6))
                    fail_msg("%s, point %d, channel %d, column %d: %.9g, want %.9g", backward ? "backward" : "forward",
                             point, (int)k, (int)j, got, want);
            }
}

/* Packs blocks of rows, the last first: each must write its whole part. */
static void pack_by_rows(const tg_tensor *w, bool backward, int tile)
{
    int32_t key[TG_LAYOUT_KEY] = { 0 };
    tg_winograd_key(backward, tile, key);
    const size_t size = tg_winograd_layout.bytes(w, key);
    float *u = malloc(size);
    assert_non_null(u);
    memset(u, 0xff, size);
    for (int64_t r = (w->dim[0] - 1) / TG_LAYOUT_ROWS * TG_LAYOUT_ROWS, end = w->dim[0]; r >= 0; r -= TG_LAYOUT_ROWS) {
        tg_winograd_layout.pack(w, key, r, end, u);
        end = r;
    }
    check_weights(w, backward, tile, u);
    free(u);
}

static void weights(void **state)
{
    static const struct {
        int64_t out, in;
    } sizes[] = { { .out = 64, .in = 64 },
                  { .out = 65, .in = 80 },
                  { .out = 80, .in = 65 },
                  { .out = 130, .in = 64 },
                  { .out = 96, .in = 127 } };
    (void)state;
    if (tg_max_isa() < TG_ISA_AVX512) skip();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            tg_scope *s = tg_open();
            float *f = numbers(UNIFORM, sizes[i].out * 9 * sizes[i].in, 3);
            tg_tensor *w =
                tg_cast(s, tg_from(s, TG_F32, 4, TG_DIM(sizes[i].out, 3, 3, sizes[i].in), f), bf16 ? TG_BF16 : TG_F32);
            assert_non_null(tg_data(w));
            for (int tile = 2; tile <= 4; tile += 2) {
                pack_by_rows(w, false, tile);
                pack_by_rows(w, true, tile);
            }
            free(f);
            tg_close(s);
        }
}

/* ---- threads ---- */

static void same_bits_of(const problem *p, tg_dtype dtype)
{
    float *one = NULL;
    assert_int_not_equal(tile_of(p), 0);
    for (int threads = 1; threads <= 3; threads++) {
        tg_set_threads(threads);
        float *y = computed(p, passes[p->pass].winograd, dtype);
        if (one) assert_memory_equal(y, one, (size_t)count_of(p) * sizeof *y);
        else one = y;
        if (y != one) free(y);
    }
    free(one);
}

/* In one pass and in phases; the last shape has several rounds, one of them partial. */
static void same_bits(void **state)
{
    static const char *const shapes[] = {
        "n3 c64-130 17x15 k3 p1",
        "n5 c200-96 12x12 k3 p1",
        "n9 c320-128 9x8 k3 p1",
        "n7 c256-130 24x25 k3 p1",
    };
    const int before = tg_threads();
    (void)state;
    if (tg_max_isa() < TG_ISA_AVX512) skip();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int k = 0; k < 2 * PASSES; k++) {
            const conv_shape v = parse_shape(shapes[i]);
            problem p = problem_of(v.n, v.image[0], v.image[1], v.in, v.out, k / 2, RELU_OF_NORMAL);
            same_bits_of(&p, k % 2 ? TG_BF16 : TG_F32);
            drop(&p);
        }
    tg_set_threads(before);
}

/* ---- the switch ---- */

/* A call suitable for Winograd: with TG_WINOGRAD=0, every Winograd kernel must refuse it for that reason. */
static void refusals(const tg_op *op, bool off)
{
    const tg_conv2d_attr a = { { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { 8, 8 }, { 3, 3 } };
    tg_scope *s = tg_open();
    float *f = numbers(UNIFORM, 64 * 9 * 64, 4);
    tg_tensor *x = tg_from(s, TG_F32, 4, TG_DIM(1, 8, 8, 64), f), *w = tg_from(s, TG_F32, 4, TG_DIM(64, 3, 3, 64), f);
    const bool grad_w = op == &tg_conv2d_grad_w_op;
    tg_tensor *y = tg_zeros(s, TG_F32, 4, grad_w ? TG_DIM(64, 3, 3, 64) : TG_DIM(1, 8, 8, 64));
    tg_call c = { .op = op, .in = { x, grad_w ? x : w }, .out = { y }, .attr = &a };
    for (int i = 0; op->kernels[i]; i++) {
        const tg_kernel *k = op->kernels[i];
        if (!strstr(k->name, "winograd") || k->isa > tg_max_isa()) continue;
        const char *why = tg_kernel_refusal(k, &c);
        if (off) assert_string_equal(why, "TG_WINOGRAD=0");
        else if (why) assert_string_not_equal(why, "TG_WINOGRAD=0");
    }
    free(f);
    tg_close(s);
}

static void switch_(void **state)
{
    const char *value = getenv("TG_WINOGRAD");
    const bool off = value && !strcmp(value, "0");
    (void)state;
    refusals(&tg_conv2d_op, off);
    refusals(&tg_conv2d_relu_op, off);
    refusals(&tg_conv2d_grad_x_op, off);
    refusals(&tg_conv2d_grad_w_op, off);
}

int main(void)
{
    const struct CMUnitTest all[] = { cmocka_unit_test(error),      cmocka_unit_test(large_pixel),
                                      cmocka_unit_test(not_finite), cmocka_unit_test(weights),
                                      cmocka_unit_test(same_bits),  cmocka_unit_test(switch_) };
    const char *off = getenv("TG_WINOGRAD");
    if (off && !strcmp(off, "0")) cmocka_set_test_filter("switch_");
    return cmocka_run_group_tests_name("winograd", all, NULL, NULL);
}
