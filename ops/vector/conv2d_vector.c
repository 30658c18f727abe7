/* conv2d_vector.c - conv2d as a product of matrices: the image seen through the kernel's taps, times the weights.
 *
 * Phase 0 packs the weights into panels, phase 1 computes blocks of y, which are finished (bias, relu) when stored. */
#include "conv2d_shape.h"

static tg_conv conv_of(const tg_call *c) { return tg_conv_of(c, c->in[0], c->in[1], c->out[0]); }

static int64_t depth(const tg_conv *v) { return v->taps * v->in_group; }
static int64_t panels(const tg_conv *v) { return ceil_div(v->of_group, TG_NR); }
static tg_grid grid_of(const tg_conv *v)
{
    return tg_grid_of_packed(v->n * v->out[0] * v->out[1], v->of_group, v->groups);
}

static tg_scratch scratch(const tg_call *c)
{
    const tg_conv v = conv_of(c);
    return (tg_scratch){ .shared = (size_t)(v.groups * panels(&v) * depth(&v) * TG_NR) * sizeof(float),
                         .worker = tg_gemm_scratch(false) };
}

static int64_t tasks(const tg_call *c, int phase)
{
    const tg_conv v = conv_of(c);
    const tg_grid grid = grid_of(&v);
    return phase == 0 ? v.groups * panels(&v) : phase == 1 ? v.groups * tg_grid_cells(&grid) : 0;
}

static void pack_weights(const tg_call *c, const tg_conv *v, const tg_task *t)
{
    const int64_t k = depth(v), group = t->index / panels(v), n0 = t->index % panels(v) * TG_NR;
    const int64_t n1 = n0 + TG_NR < v->of_group ? n0 + TG_NR : v->of_group;
    const float *w = tg_ptr(c->in[1]);
    const tg_matrix weights = { w + group * v->of_group * k, 1, k, false };
    tg_pack_panel(&weights, 0, k, n0, n1, (float *)t->shared + t->index * k * TG_NR);
}

static void compute(const tg_call *c, const tg_conv *v, const tg_task *t)
{
    const tg_grid grid = grid_of(v);
    const int64_t cells = tg_grid_cells(&grid), group = t->index / cells, first = group * v->of_group;
    const tg_cell cell = tg_grid_cell(&grid, t->index % cells);
    const tg_patches patches = tg_conv_patches(v, tg_ptr(c->in[0]), group);
    const float *bias = tg_ptr(c->in[2]);
    float *const y = tg_ptr(c->out[0]);
    float *rows[TG_MC];
    for (int64_t m = cell.m0; m < cell.m1; m++) rows[m - cell.m0] = y + m * v->of + first;
    const tg_gemm g = {
        .k = depth(v),
        .a = &patches,
        .pack_a = tg_pack_image,
        .bias = bias ? bias + first : NULL,
        .packed_b = (const float *)t->shared + group * panels(v) * depth(v) * TG_NR,
        .relu = c->op == &tg_conv2d_relu_op,
    };
    tg_gemm_block(&g, cell, rows, t->scratch);
    tg_patches_mend(&patches, &g, cell, rows);
}

static void run(const tg_call *c, const tg_task *t)
{
    const tg_conv v = conv_of(c);
    if (t->phase == 0) pack_weights(c, &v, t);
    else compute(c, &v, t);
}

TG_VECTOR_KERNEL(conv2d_vector) = { TG_VECTOR_HEAD, .reject = tg_conv_reject, .scratch = scratch, .tasks = tasks,
                                    .run = run };
TG_VECTOR_KERNEL(conv2d_relu_vector) = { TG_VECTOR_HEAD, .reject = tg_conv_reject, .scratch = scratch, .tasks = tasks,
                                         .run = run };
