/* conv2d_grad_w_vector.c - conv2d's derivative in w: gy, transposed, times the im2col view of the image.
 *
 * The depth is all pixels of y. A small w has too few blocks to share out, so the pixels are split into parts, by
 * shape: phase 0 computes blocks of one sum per part, phase 1 adds the parts in order. */
#include "conv2d_shape.h"
#include <string.h>

enum { TASKS = 32, LEAST_PIXELS = 512 }; /* target number of tasks; minimum pixels of a part */

typedef struct {
    tg_conv v;
    int64_t pixels, columns, size; /* of y; of the im2col matrix, that is, of a row of w; of w */
    tg_grid grid;                  /* of one group */
    int64_t cells, parts, part;    /* blocks of w; parts; pixels per part */
} grad_w_plan;

static grad_w_plan grad_w_plan_of(const tg_call *c)
{
    grad_w_plan p = { .v = tg_conv_of(c, c->in[1], c->out[0], c->in[0]) };
    p.pixels = p.v.n * p.v.out[0] * p.v.out[1];
    p.columns = p.v.taps * p.v.in_group;
    p.size = p.v.of * p.columns;
    p.grid = tg_grid_of(p.v.of_group, p.columns, TASKS);
    p.cells = p.v.groups * tg_grid_cells(&p.grid);
    const int64_t wanted = ceil_div(TASKS, p.cells), most = ceil_div(p.pixels, LEAST_PIXELS);
    p.part = ceil_div(p.pixels, wanted < most ? wanted : most);
    p.parts = ceil_div(p.pixels, p.part);
    return p;
}

static tg_scratch conv2d_grad_w_scratch(const tg_call *c)
{
    const grad_w_plan p = grad_w_plan_of(c);
    return (tg_scratch){ .shared = p.parts > 1 ? (size_t)(p.parts * p.size) * sizeof(float) : 0,
                         .worker = tg_gemm_scratch(true) };
}

static int64_t conv2d_grad_w_tasks(const tg_call *c, int phase)
{
    const grad_w_plan p = grad_w_plan_of(c);
    return phase == 0 ? p.parts * p.cells : phase == 1 && p.parts > 1 ? tg_blocks(p.size) : 0;
}

typedef struct {
    tg_patches patches;
    int64_t first;
} pixels_from; /* the matrix from row `first` on */

static void pack_pixels(const void *pixels, int64_t k0, int64_t k1, int64_t n0, int64_t n1, float *to)
{
    const pixels_from *p = pixels;
    const int64_t width = tg_panel_width(n1 - n0);
    if (n1 - n0 < width) memset(to, 0, sizeof *to * (size_t)((k1 - k0) * width));
    tg_pack_patches(&p->patches, p->first + k0, p->first + k1, n0, n1, to, width);
}

/* Rows and columns of the finished gw. */
static void grad_w_mend(const tg_call *c, const grad_w_plan *p, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    const tg_conv *v = &p->v;
    for (int64_t m = m0; m < m1; m++) {
        const tg_patches x = tg_conv_patches(v, tg_ptr(c->in[1]), m / v->of_group);
        tg_patches_mend_product(&x, (const float *)tg_ptr(c->in[0]) + m, v->n, v->of, n0, n1,
                                (float *)tg_ptr(c->out[0]) + m * p->columns + n0);
    }
}

static void grad_w_partial(const tg_call *c, const grad_w_plan *p, const tg_task *t)
{
    const tg_conv *v = &p->v;
    const int64_t part = t->index / p->cells, of_group = tg_grid_cells(&p->grid);
    const int64_t group = t->index % p->cells / of_group, first = part * p->part;
    const tg_cell cell = tg_grid_cell(&p->grid, t->index % of_group);
    const pixels_from x = { tg_conv_patches(v, tg_ptr(c->in[1]), group), first };
    const float *gy = tg_ptr(c->in[0]);
    const tg_matrix a = { gy + first * v->of + group * v->of_group, 1, v->of, false };
    float *gw = p->parts > 1 ? (float *)t->shared + part * p->size : tg_ptr(c->out[0]), *rows[TG_MC];
    for (int64_t m = cell.m0; m < cell.m1; m++) rows[m - cell.m0] = gw + (group * v->of_group + m) * p->columns;
    const tg_gemm g = {
        .k = first + p->part < p->pixels ? p->part : p->pixels - first,
        .a = &a,
        .pack_a = tg_pack_columns,
        .by_columns = true,
        .b = &x,
        .pack_b = pack_pixels,
    };
    tg_gemm_block(&g, cell, rows, t->scratch);
    if (p->parts == 1)
        grad_w_mend(c, p, group * v->of_group + cell.m0, group * v->of_group + cell.m1, cell.n0, cell.n1);
}

static void grad_w_add_parts(const tg_call *c, const grad_w_plan *p, const tg_task *t)
{
    const int64_t from = t->index * TG_VECTOR_BLOCK, end = tg_block_end(t->index, p->size);
    const float *part = t->shared;
    float *const gw = tg_ptr(c->out[0]);
    memcpy(gw + from, part + from, sizeof *gw * (size_t)(end - from));
    for (int64_t k = 1; k < p->parts; k++) {
        part += p->size;
#pragma omp simd
        for (int64_t i = from; i < end; i++) gw[i] += part[i];
    }
    for (int64_t i = from, next; i < end; i = next) {
        const int64_t m = i / p->columns, row = m * p->columns;
        next = row + p->columns < end ? row + p->columns : end;
        grad_w_mend(c, p, m, m + 1, i - row, next - row);
    }
}

static void conv2d_grad_w_run(const tg_call *c, const tg_task *t)
{
    const grad_w_plan p = grad_w_plan_of(c);
    if (t->phase == 0) grad_w_partial(c, &p, t);
    else grad_w_add_parts(c, &p, t);
}

TG_VECTOR_KERNEL(conv2d_grad_w_vector) = { TG_VECTOR_HEAD, .reject = tg_conv_reject, .scratch = conv2d_grad_w_scratch,
                                           .tasks = conv2d_grad_w_tasks, .run = conv2d_grad_w_run };
