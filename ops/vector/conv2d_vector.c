/* conv2d_vector.c - conv2d as a matrix product: the im2col view of the image times the weights.
 *
 * Phase 0 packs the weights into panels; phase 1 computes blocks of y, with bias and relu applied as they are stored.
 */
#include "conv2d_shape.h"

static tg_conv conv2d_conv_of(const tg_call *c) { return tg_conv_of(c, c->in[0], c->in[1], c->out[0]); }

static int64_t conv2d_depth(const tg_conv *v) { return v->taps * v->in_group; }
static int64_t conv2d_panels(const tg_conv *v) { return ceil_div(v->of_group, TG_NR); }
static tg_grid conv2d_grid(const tg_conv *v)
{
    return tg_grid_of_packed(v->n * v->out[0] * v->out[1], v->of_group, v->groups);
}

static tg_scratch conv2d_scratch(const tg_call *c)
{
    const tg_conv v = conv2d_conv_of(c);
    return (tg_scratch){ .shared = (size_t)(v.groups * conv2d_panels(&v) * conv2d_depth(&v) * TG_NR) * sizeof(float),
                         .worker = tg_gemm_scratch(false) };
}

static int64_t conv2d_tasks(const tg_call *c, int phase)
{
    const tg_conv v = conv2d_conv_of(c);
    const tg_grid grid = conv2d_grid(&v);
    return phase == 0 ? v.groups * conv2d_panels(&v) : phase == 1 ? v.groups * tg_grid_cells(&grid) : 0;
}

static void conv2d_pack_weights(const tg_call *c, const tg_conv *v, const tg_task *t)
{
    const int64_t k = conv2d_depth(v), group = t->index / conv2d_panels(v), n0 = t->index % conv2d_panels(v) * TG_NR;
    const int64_t n1 = n0 + TG_NR < v->of_group ? n0 + TG_NR : v->of_group;
    const float *w = tg_ptr(c->in[1]);
    const tg_matrix weights = { w + group * v->of_group * k, 1, k, false };
    tg_pack_panel(&weights, 0, k, n0, n1, (float *)t->shared + t->index * k * TG_NR);
}

static void conv2d_cell(const tg_call *c, const tg_conv *v, const tg_task *t)
{
    const tg_grid grid = conv2d_grid(v);
    const int64_t cells = tg_grid_cells(&grid), group = t->index / cells, first = group * v->of_group;
    const tg_cell cell = tg_grid_cell(&grid, t->index % cells);
    const tg_patches patches = tg_conv_patches(v, tg_ptr(c->in[0]), group);
    const float *bias = tg_ptr(c->in[2]);
    float *const y = tg_ptr(c->out[0]);
    float *rows[TG_MC];
    for (int64_t m = cell.m0; m < cell.m1; m++) rows[m - cell.m0] = y + m * v->of + first;
    const tg_gemm g = {
        .k = conv2d_depth(v),
        .a = &patches,
        .pack_a = tg_pack_image,
        .bias = bias ? bias + first : NULL,
        .packed_b = (const float *)t->shared + group * conv2d_panels(v) * conv2d_depth(v) * TG_NR,
        .relu = c->op == &tg_conv2d_relu_op,
    };
    tg_gemm_block(&g, cell, rows, t->scratch);
    tg_patches_mend(&patches, &g, cell, rows);
}

static void conv2d_run(const tg_call *c, const tg_task *t)
{
    const tg_conv v = conv2d_conv_of(c);
    if (t->phase == 0) conv2d_pack_weights(c, &v, t);
    else conv2d_cell(c, &v, t);
}

TG_VECTOR_KERNEL(conv2d_vector) = { TG_VECTOR_HEAD, .reject = tg_conv_reject, .scratch = conv2d_scratch,
                                    .tasks = conv2d_tasks, .run = conv2d_run };
TG_VECTOR_KERNEL(conv2d_relu_vector) = { TG_VECTOR_HEAD, .reject = tg_conv_reject, .scratch = conv2d_scratch,
                                         .tasks = conv2d_tasks, .run = conv2d_run };
