/* sweep_onednn.c - random convolutions by every kernel that calls oneDNN, against ref: sweep_onednn [CASES [SEED
 * [OPERATOR [KERNEL]]]].
 *
 * CASES shapes (100) for each kernel and dtype, with one and two threads; OPERATOR and KERNEL are prefixes of names.
 * Exit status 1 if a result is outside its bound, 77 if oneDNN is missing or disabled.
 *
 * A result is a sum of n products, none larger than 1.  Its bound is 4 sqrt(n) 2^-24 n: four standard deviations of n
 * independent roundings, each as large as possible.  BF16 adds a unit in the last place, 2^-7: two sums that nearly
 * agree may round to neighbours.  Winograd sums transformed operands: its bound is WINOGRAD times as large. */
#include "attr.h"
#include "dispatch.h"
#include <tilegrad/tilegrad.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77, IMAGES = 5, WINOGRAD = 2, TRIES = 40, REPORTED = 5, MOST_PRODUCTS = 4 << 20 };

typedef struct {
    tg_conv2d_attr attr;
    int64_t n, ic, oc, out[2];
    bool bias;
} shape;

typedef struct {
    const tg_op *op;
    const tg_kernel *kernel;
    tg_dtype dtype;
    uint64_t seed;
    int64_t tried, ran, failed;
    double worst; /* error / bound */
} sweep;

/* ---- random shapes ---- */

typedef struct {
    tg_stream stream;
    uint64_t at;
} dice;

static int64_t below(dice *d, int64_t n) { return (int64_t)tg_random_below(d->stream, d->at++, (uint32_t)n); }

static int64_t pick(dice *d, const int64_t *list, int64_t n) { return list[below(d, n)]; }
#define PICK(d, ...) \
    pick(d, (const int64_t[]){ __VA_ARGS__ }, (int64_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)))

static int64_t channels(dice *d) { return PICK(d, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65); }

static void draw_channels(dice *d, shape *s)
{
    const int64_t groups = PICK(d, 1, 1, 2, 3, 8, 0);
    s->attr.groups = (int)(groups ? groups : channels(d));
    if (groups == 1) s->ic = channels(d), s->oc = channels(d);
    else if (groups) s->ic = groups * PICK(d, 1, 2, 3, 4, 8, 11, 16), s->oc = groups * PICK(d, 1, 2, 3, 5, 8, 16);
    else s->ic = s->attr.groups, s->oc = s->ic * PICK(d, 1, 1, 1, 2);
}

/* False: the kernel is larger than the padded image. */
static bool draw_line(dice *d, shape *s, int i)
{
    tg_conv2d_attr *a = &s->attr;
    a->kernel[i] = PICK(d, 1, 1, 2, 3, 3, 3, 4, 5, 7);
    a->stride[i] = (int)PICK(d, 1, 1, 1, 2, 2, 3, 4);
    a->dilation[i] = (int)PICK(d, 1, 1, 1, 2, 3);
    a->pad[i] = (int)below(d, a->kernel[i] + 1);
    a->image[i] = 1 + below(d, 20);
    const int64_t room = a->image[i] + 2 * a->pad[i] - a->dilation[i] * (a->kernel[i] - 1) - 1;
    s->out[i] = room / a->stride[i] + 1;
    return room >= 0;
}

static void draw_winograd(dice *d, shape *s)
{
    s->attr.groups = 1, s->ic = PICK(d, 64, 65, 80, 96, 128), s->oc = PICK(d, 64, 70, 96, 128);
    for (int i = 0; i < 2; i++) {
        s->attr.stride[i] = s->attr.dilation[i] = 1, s->attr.kernel[i] = 3, s->attr.pad[i] = (int)below(d, 3);
        s->attr.image[i] = 3 + below(d, 12);
        s->out[i] = s->attr.image[i] + 2 * s->attr.pad[i] - 2;
    }
}

static void make_square(shape *s)
{
    tg_conv2d_attr *a = &s->attr;
    a->kernel[1] = a->kernel[0], a->stride[1] = a->stride[0], a->dilation[1] = a->dilation[0], a->pad[1] = a->pad[0];
    a->image[1] = a->image[0], s->out[1] = s->out[0];
}

/* False: not a valid convolution, or too slow for ref. */
static bool draw(shape *s, const sweep *w, uint64_t seed)
{
    dice d = { { seed, 0x0d0d }, 0 };
    const bool winograd = strstr(w->kernel->name, "winograd");
    *s = (shape){ .n = 1 + below(&d, IMAGES), .bias = below(&d, 2) };
    if (winograd) draw_winograd(&d, s);
    else {
        draw_channels(&d, s);
        if (!draw_line(&d, s, 0) || !draw_line(&d, s, 1)) return false;
        if (below(&d, 2)) make_square(s);
    }
    const tg_conv2d_attr *a = &s->attr;
    const int64_t products = s->ic / a->groups * s->oc * a->kernel[0] * a->kernel[1] * s->n;
    return products * s->out[0] * s->out[1] <= MOST_PRODUCTS;
}

/* ---- one call ---- */

static tg_tensor *numbers(tg_scope *s, tg_dtype dtype, uint64_t seed, int rank, const int64_t *dim)
{
    tg_tensor *t = tg_zeros(s, TG_F32, rank, dim);
    float *to = tg_edit(s, t);
    for (int64_t i = 0; to && i < tg_count(t); i++)
        to[i] = 2 * tg_random_uniform((tg_stream){ seed, 0x0e0e }, (uint64_t)i) - 1;
    return dtype == TG_F32 ? t : tg_copy(s, tg_cast(s, t, dtype));
}

static void inputs(tg_scope *s, const sweep *w, const shape *v, tg_tensor *in[TG_MAX_IN])
{
    const tg_conv2d_attr *a = &v->attr;
    const int64_t x[] = { v->n, a->image[0], a->image[1], v->ic }, y[] = { v->n, v->out[0], v->out[1], v->oc };
    const int64_t weight[] = { v->oc, a->kernel[0], a->kernel[1], v->ic / a->groups };
    const bool forward = w->op == &tg_conv2d_op || w->op == &tg_conv2d_relu_op;
    const bool transpose = w->op == &tg_conv_transpose2d_op, grad_w = w->op == &tg_conv2d_grad_w_op;
    memset(in, 0, TG_MAX_IN * sizeof *in);
    in[0] = numbers(s, w->dtype, w->seed * 3, 4, forward ? x : y);
    in[1] = numbers(s, w->dtype, w->seed * 3 + 1, 4, grad_w ? x : weight);
    if ((forward || transpose) && v->bias) in[2] = numbers(s, TG_F32, w->seed * 3 + 2, 1, forward ? &v->oc : &v->ic);
}

static bool refuses(const sweep *w, const shape *v)
{
    tg_scope *s = tg_open();
    tg_call c = { .op = w->op, .attr = &v->attr, .scope = s, .where = "" };
    inputs(s, w, v, c.in);
    w->op->infer(s, &c);
    const bool refused = !tg_ok(s) || tg_kernel_refusal(w->kernel, &c);
    tg_close(s);
    return refused;
}

static tg_tensor *run(tg_scope *s, const sweep *w, const shape *v, const tg_kernel *kernel)
{
    tg_tensor *in[TG_MAX_IN];
    inputs(s, w, v, in);
    tg_force_kernel(w->op, kernel);
    tg_tensor *y = tg_apply(s, w->op, in, &v->attr);
    tg_data(y);
    tg_force_kernel(NULL, NULL);
    return y;
}

/* ---- the comparison ---- */

/* The number of products in an element of the result; Winograd's weight gradient sums those of whole tiles. */
static double terms(const sweep *w, const shape *v)
{
    const double taps = (double)(v->attr.kernel[0] * v->attr.kernel[1]);
    const int64_t tile = strstr(w->kernel->name, "winograd") ? 4 : 1;
    if (w->op == &tg_conv2d_grad_w_op)
        return (double)(v->n * tile * tile * ((v->out[0] + tile - 1) / tile) * ((v->out[1] + tile - 1) / tile));
    if (w->op == &tg_conv2d_op || w->op == &tg_conv2d_relu_op) return taps * (double)(v->ic / v->attr.groups) + 1;
    return taps * (double)(v->oc / v->attr.groups) + 1;
}

/* The largest error in units of its bound; NaN counts as infinite. */
static double worst_of(const sweep *w, const shape *v, const tg_tensor *y, const tg_tensor *ref)
{
    const bool winograd = strstr(w->kernel->name, "winograd");
    const double n = terms(w, v), sum = 4 * sqrt(n) * 0x1p-24 * n * (winograd ? WINOGRAD : 1);
    const double unit = ref->dtype == TG_BF16 ? 0x1p-7 : 0;
    double worst = 0;
    for (int64_t i = 0; i < tg_count(y); i++) {
        const double error = fabs(tg_get(y, i) - tg_get(ref, i)) / (sum + unit * fabs(tg_get(ref, i)));
        if (!(error <= worst)) worst = isnan(error) ? INFINITY : error;
    }
    return worst;
}

static void print_shape(const sweep *w, const shape *v, int threads, double error)
{
    const tg_conv2d_attr *a = &v->attr;
    printf(
        "  %s %s %s, %d threads: n %lld, image %lldx%lld, %lld -> %lld channels, groups %d, kernel %lldx%lld, stride %dx%d, "
        "pad %dx%d, dilation %dx%d%s: %.3g times its bound (seed %llu)\n",
        w->op->name, w->kernel->name, tg_dtype_name(w->dtype), threads, (long long)v->n, (long long)a->image[0],
        (long long)a->image[1], (long long)v->ic, (long long)v->oc, a->groups, (long long)a->kernel[0],
        (long long)a->kernel[1], a->stride[0], a->stride[1], a->pad[0], a->pad[1], a->dilation[0], a->dilation[1],
        v->bias ? ", bias" : "", error, (unsigned long long)w->seed);
}

static void compare(sweep *w, const shape *v)
{
    tg_scope *root = tg_open();
    const tg_kernel *ref_kernel = w->op->kernels[0];
    for (int i = 0; w->op->kernels[i]; i++) ref_kernel = w->op->kernels[i];
    const tg_tensor *ref = run(root, w, v, ref_kernel);
    bool wrong = false;
    for (int threads = 1; threads <= 2 && tg_ok(root); threads++) {
        tg_set_threads(threads);
        const double error = worst_of(w, v, run(root, w, v, w->kernel), ref);
        w->worst = fmax(w->worst, error);
        if (error > 1 && w->failed < REPORTED) print_shape(w, v, threads, error);
        wrong |= error > 1;
    }
    if (!tg_ok(root)) printf("  %s\n", tg_message(root));
    w->failed += wrong || !tg_ok(root);
    w->ran++;
    tg_set_threads(1);
    tg_close(root);
}

/* ---- all of them ---- */

static bool sweep_kernel(const tg_op *op, const tg_kernel *kernel, tg_dtype dtype, int64_t cases, uint64_t seed)
{
    sweep w = { .op = op, .kernel = kernel, .dtype = dtype, .seed = seed };
    for (; w.ran < cases && w.tried < TRIES * cases; w.seed++, w.tried++) {
        shape v;
        if (!w.ran && w.tried > 200) break; /* doesn't support this dtype or instruction set */
        if (draw(&v, &w, w.seed) && !refuses(&w, &v)) compare(&w, &v);
    }
    if (!w.ran) return true;
    printf("%-16s %-16s %-4s %6lld shapes, %4lld wrong, largest error %.2g of its bound\n", op->name, kernel->name,
           tg_dtype_name(dtype), (long long)w.ran, (long long)w.failed, w.worst);
    fflush(stdout);
    return !w.failed;
}

int main(int argc, char **argv)
{
    const int64_t cases = argc > 1 ? strtoll(argv[1], NULL, 10) : 100;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const char *only = argc > 3 ? argv[3] : "", *which = argc > 4 ? argv[4] : "onednn";
    bool good = true, any = false;
    if (cases < 1) return fprintf(stderr, "usage: sweep_onednn [CASES [SEED [OPERATOR [KERNEL]]]]\n"), 2;
    if (!strstr(tg_backends(), "onednn")) return printf("skipped: no oneDNN here\n"), SKIPPED;
    tg_set_threads(1);
    for (const tg_op *const *op = tg_operators(); *op; op++)
        for (int k = 0; (*op)->kernels && (*op)->kernels[k]; k++) {
            const tg_kernel *const kernel = (*op)->kernels[k];
            if (strcmp(kernel->backend, "onednn") || strncmp((*op)->name, only, strlen(only))) continue;
            if (strncmp(kernel->name, which, strlen(which))) continue;
            any = true;
            good &= sweep_kernel(*op, kernel, TG_F32, cases, seed);
            good &= sweep_kernel(*op, kernel, TG_BF16, cases, seed);
        }
    if (!any) return printf("skipped: no oneDNN here\n"), SKIPPED;
    return good ? 0 : 1;
}
