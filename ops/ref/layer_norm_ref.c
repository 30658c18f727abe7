/* layer_norm_ref.c - the definition of layer normalisation, and of its derivative. */
#include "attr.h"
#include <math.h>

/* Elements of a row, which is the last axes. */
static int64_t width_of(const tg_tensor *x, const tg_layer_norm_attr *a)
{
    int64_t n = 1;
    for (int i = x->rank - a->axes; i < x->rank; i++) n *= x->dim[i];
    return n;
}

static double element_of(const tg_tensor *t, int64_t i, double otherwise) { return t ? tg_get(t, i) : otherwise; }

static double mean_of(const tg_tensor *x, int64_t row, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += tg_get(x, row * n + j);
    return sum / (double)n;
}

static void layer_norm_ref_run(const tg_call *c, const tg_task *t)
{
    (void)t;
    const tg_tensor *const x = c->in[0];
    const tg_layer_norm_attr *const a = c->attr;
    const int64_t n = width_of(x, a);
    for (int64_t row = 0; row < tg_count(x) / n; row++) {
        const double mean = mean_of(x, row, n);
        double var = 0;
        for (int64_t j = 0; j < n; j++)
            var += (tg_get(x, row * n + j) - mean) * (tg_get(x, row * n + j) - mean) / (double)n;
        const double rstd = 1 / sqrt(var + (double)a->eps);
        tg_set(c->out[1], row, mean);
        tg_set(c->out[2], row, rstd);
        for (int64_t j = 0; j < n; j++)
            tg_set(c->out[0], row * n + j,
                   (tg_get(x, row * n + j) - mean) * rstd * element_of(c->in[1], j, 1) + element_of(c->in[2], j, 0));
    }
}

/* The mean output is rounded to f32, so the mean is computed from x again. With h = gy gamma: gx = rstd (h - mean of h
 * - xhat mean of h xhat), over the row. */
static void layer_norm_gx(const tg_call *c, int64_t n, const double *means)
{
    const tg_tensor *const gy = c->in[0], *const x = c->in[1], *const gamma = c->in[2];
    for (int64_t row = 0; row < tg_count(x) / n; row++) {
        const double mean = means[row], rstd = tg_get(c->in[4], row);
        double sum = 0, product = 0;
        for (int64_t j = 0; j < n; j++) {
            const double h = tg_get(gy, row * n + j) * element_of(gamma, j, 1);
            sum += h / (double)n;
            product += h * (tg_get(x, row * n + j) - mean) * rstd / (double)n;
        }
        for (int64_t j = 0; j < n; j++) {
            const double h = tg_get(gy, row * n + j) * element_of(gamma, j, 1);
            tg_set(c->out[0], row * n + j, rstd * (h - sum - (tg_get(x, row * n + j) - mean) * rstd * product));
        }
    }
}

static tg_scratch layer_norm_grad_ref_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)tg_count(c->in[3]) * sizeof(double) };
}

static void layer_norm_grad_ref_run(const tg_call *c, const tg_task *t)
{
    const int64_t n = width_of(c->in[1], c->attr), rows = tg_count(c->in[1]) / n;
    double *const mean = t->shared;
    for (int64_t row = 0; row < rows; row++) mean[row] = mean_of(c->in[1], row, n);
    if (c->out[0]) layer_norm_gx(c, n, mean);
    for (int64_t j = 0; j < n; j++) {
        double ggamma = 0, gbeta = 0;
        for (int64_t row = 0; row < rows; row++) {
            const double gy = tg_get(c->in[0], row * n + j);
            ggamma += gy * (tg_get(c->in[1], row * n + j) - mean[row]) * tg_get(c->in[4], row);
            gbeta += gy;
        }
        if (c->out[1]) tg_set(c->out[1], j, ggamma);
        if (c->out[2]) tg_set(c->out[2], j, gbeta);
    }
}

extern const tg_kernel layer_norm_ref, layer_norm_grad_ref;
const tg_kernel layer_norm_ref = { .name = "ref", .backend = "ref", .run = layer_norm_ref_run };
const tg_kernel layer_norm_grad_ref = {
    .name = "ref", .backend = "ref", .scratch = layer_norm_grad_ref_scratch, .run = layer_norm_grad_ref_run
};
