/* upsample_ref.c - the definitions of upsample and its derivative: each output pixel is a weighted mean of up to four.
 */
#include "upsample.h"
#include <string.h>

/* Called for each element of the image that contributes to an element of the result. */
typedef void upsample_visitor(const tg_call *c, double *sum, int64_t image, int64_t result, double weight);

static void visit_pixel(const tg_call *c, int64_t n, int64_t oy, int64_t ox, double *sum, upsample_visitor *visit)
{
    const tg_upsample_attr *a = c->attr;
    const int64_t channels = c->in[0]->dim[3];
    const tg_tap y = tg_upsample_tap(a, 0, oy), x = tg_upsample_tap(a, 1, ox);
    for (int corner = 0; corner < 4; corner++) {
        const int down = corner >> 1, right = corner & 1;
        const double weight = (down ? y.weight : 1 - y.weight) * (right ? x.weight : 1 - x.weight);
        if (weight == 0) continue;
        const int64_t image = ((n * a->image[0] + y.at + down) * a->image[1] + x.at + right) * channels;
        const int64_t result = ((n * a->out[0] + oy) * a->out[1] + ox) * channels;
        for (int64_t k = 0; k < channels; k++) visit(c, sum, image + k, result + k, weight);
    }
}

/* Sums are accumulated in scratch, in double, and rounded once. */
static tg_scratch upsample_ref_scratch(const tg_call *c)
{
    return (tg_scratch){ .shared = (size_t)tg_count(c->out[0]) * sizeof(double) };
}

static void visit_all(const tg_call *c, const tg_task *task, upsample_visitor *visit)
{
    const tg_upsample_attr *a = c->attr;
    double *sum = memset(task->shared, 0, upsample_ref_scratch(c).shared);
    for (int64_t n = 0; n < c->in[0]->dim[0]; n++)
        for (int64_t oy = 0; oy < a->out[0]; oy++)
            for (int64_t ox = 0; ox < a->out[1]; ox++) visit_pixel(c, n, oy, ox, sum, visit);
    for (int64_t i = 0, n = tg_count(c->out[0]); i < n; i++) tg_set(c->out[0], i, sum[i]);
}

static void upsample_gather(const tg_call *c, double *sum, int64_t image, int64_t result, double weight)
{
    sum[result] += weight * tg_get(c->in[0], image);
}

static void upsample_scatter(const tg_call *c, double *sum, int64_t image, int64_t result, double weight)
{
    sum[image] += weight * tg_get(c->in[0], result);
}

static void upsample_ref_run(const tg_call *c, const tg_task *task) { visit_all(c, task, upsample_gather); }
static void upsample_grad_ref_run(const tg_call *c, const tg_task *task) { visit_all(c, task, upsample_scatter); }
const tg_kernel upsample_ref = {
    .name = "ref", .backend = "ref", .scratch = upsample_ref_scratch, .run = upsample_ref_run
};
const tg_kernel upsample_grad_ref = {
    .name = "ref", .backend = "ref", .scratch = upsample_ref_scratch, .run = upsample_grad_ref_run
};
