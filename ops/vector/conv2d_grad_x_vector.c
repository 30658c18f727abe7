/* conv2d_grad_x_vector.c - conv2d's derivative in x, and conv_transpose2d, as matrix products.
 *
 * Line i of x meets line oh of y through tap a if i + pad = oh stride + a dilation. So lines with the same residue of i
 * + pad modulo the stride meet the same taps, and consecutive ones meet consecutive lines of y: within a residue this
 * is a convolution of y with stride 1 and its taps reversed. x is computed residue by residue, in both directions.
 *
 * Phase 0 packs the weights into panels, one residue after the other; phase 1 computes blocks of x. */
#include "conv2d_shape.h"

enum { MOST_STRIDE = 16 }; /* residues are enumerated one by one */

typedef struct {             /* one residue, in one direction */
    int64_t first, places;   /* its lines of x: first, first + stride, .. */
    int64_t taps, tap, back; /* the taps it meets: tap, tap - back, .. */
    int64_t origin, step;    /* lines of y: position + origin + step x number of the tap */
} axis_residue;

static tg_conv grad_x_conv_of(const tg_call *c) { return tg_conv_of(c, c->out[0], c->in[1], c->in[0]); }

static const char *conv2d_grad_x_reject(const tg_call *c)
{
    const tg_conv2d_attr *a = c->attr;
    if (a->stride[0] > MOST_STRIDE || a->stride[1] > MOST_STRIDE) return "a stride above 16";
    return tg_conv_reject(c);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static axis_residue residue_of(const tg_conv *v, int axis, int64_t number)
{
    const int64_t s = v->stride[axis], d = v->dilation[axis], divisor = common_divisor(s, d);
    axis_residue r = { .first = ((number - v->pad[axis]) % s + s) % s, .back = s / divisor, .step = d / divisor };
    int64_t tap = 0;
    r.places = r.first < v->image[axis] ? (v->image[axis] - 1 - r.first) / s + 1 : 0;
    while (tap < r.back && tap * d % s != number) tap++;
    if (tap == r.back || tap >= v->kernel[axis]) return r;
    r.taps = (v->kernel[axis] - 1 - tap) / r.back + 1;
    r.tap = tap + (r.taps - 1) * r.back;
    r.origin = (r.first + v->pad[axis] - r.tap * d) / s;
    return r;
}

/* Residue number i, in both directions. */
typedef struct {
    axis_residue at[2];
    int64_t depth;
} residue_pair;
static int64_t residue_pairs(const tg_conv *v) { return v->stride[0] * v->stride[1]; }
static residue_pair residue_pair_of(const tg_conv *v, int64_t i)
{
    residue_pair p = { { residue_of(v, 0, i / v->stride[1]), residue_of(v, 1, i % v->stride[1]) }, 0 };
    p.depth = p.at[0].taps * p.at[1].taps * v->of_group;
    return p;
}

static int64_t grad_x_panels(const tg_conv *v) { return ceil_div(v->in_group, TG_NR); }
static int64_t packed_group(const tg_conv *v) { return grad_x_panels(v) * v->taps * v->of_group * TG_NR; }

static tg_grid grad_x_grid(const tg_conv *v, const residue_pair *p)
{
    return tg_grid_of_packed(v->n * p->at[0].places * p->at[1].places, v->in_group, v->groups * residue_pairs(v));
}

static int64_t grad_x_cells(const tg_conv *v, const residue_pair *p)
{
    if (!p->at[0].places || !p->at[1].places) return 0;
    const tg_grid grid = grad_x_grid(v, p);
    return tg_grid_cells(&grid);
}

static tg_scratch conv2d_grad_x_scratch(const tg_call *c)
{
    const tg_conv v = grad_x_conv_of(c);
    return (tg_scratch){ .shared = (size_t)(v.groups * packed_group(&v)) * sizeof(float),
                         .worker = tg_gemm_scratch(false) };
}

static int64_t conv2d_grad_x_tasks(const tg_call *c, int phase)
{
    const tg_conv v = grad_x_conv_of(c);
    int64_t n = 0;
    if (phase == 0) return v.groups * grad_x_panels(&v);
    for (int64_t i = 0; phase == 1 && i < residue_pairs(&v); i++) {
        const residue_pair p = residue_pair_of(&v, i);
        n += v.groups * grad_x_cells(&v, &p);
    }
    return n;
}

/* ---- phase 0 ---- */

/* One panel of a residue: rows (tap, tap, channel of y). */
static void pack_residue(const tg_conv *v, const residue_pair *p, const float *w, int64_t n0, int64_t n1, float *to)
{
    for (int64_t a = 0; a < p->at[0].taps; a++)
        for (int64_t b = 0; b < p->at[1].taps; b++, to += v->of_group * tg_panel_width(n1 - n0)) {
            const int64_t line = p->at[0].tap - a * p->at[0].back, column = p->at[1].tap - b * p->at[1].back;
            const float *at = w + (line * v->kernel[1] + column) * v->in_group;
            const tg_matrix tap = { at, v->taps * v->in_group, 1, false };
            tg_pack_panel(&tap, 0, v->of_group, n0, n1, to);
        }
}

static void grad_x_pack_weights(const tg_call *c, const tg_conv *v, const tg_task *t)
{
    const int64_t group = t->index / grad_x_panels(v), panel = t->index % grad_x_panels(v), n0 = panel * TG_NR;
    const int64_t n1 = n0 + TG_NR < v->in_group ? n0 + TG_NR : v->in_group;
    const float *w = (const float *)tg_ptr(c->in[1]) + group * v->of_group * v->taps * v->in_group;
    float *to = (float *)t->shared + group * packed_group(v);
    for (int64_t i = 0; i < residue_pairs(v); i++) {
        const residue_pair p = residue_pair_of(v, i);
        pack_residue(v, &p, w, n0, n1, to + panel * p.depth * TG_NR);
        to += grad_x_panels(v) * p.depth * TG_NR;
    }
}

/* ---- phase 1 ---- */

static tg_patches patches_of(const tg_conv *v, const axis_residue r[2], const float *gy, int64_t group)
{
    return (tg_patches){
        .image = gy + group * v->of_group,
        .size = { v->out[0], v->out[1] },
        .pitch = v->of,
        .channels = v->of_group,
        .places = { r[0].places, r[1].places },
        .taps = { r[0].taps, r[1].taps },
        .stride = { 1, 1 },
        .origin = { r[0].origin, r[1].origin },
        .step = { r[0].step, r[1].step },
    };
}

/* Addresses of a group's channels in x, for the rows of a block. */
static void find_rows(const tg_conv *v, const axis_residue r[2], int64_t m0, int64_t m1, float *x, float **rows)
{
    for (int64_t m = m0; m < m1; m++) {
        const int64_t j = m % r[1].places, i = m / r[1].places % r[0].places, n = m / r[1].places / r[0].places;
        const int64_t line = r[0].first + i * v->stride[0], column = r[1].first + j * v->stride[1];
        rows[m - m0] = x + ((n * v->image[0] + line) * v->image[1] + column) * v->in;
    }
}

static void grad_x_cell(const tg_call *c, const tg_conv *v, const residue_pair *p, const float *packed, int64_t index,
                        float *room)
{
    const tg_grid grid = grad_x_grid(v, p);
    const int64_t of_group = tg_grid_cells(&grid), group = index / of_group, first = group * v->in_group;
    const tg_cell cell = tg_grid_cell(&grid, index % of_group);
    const tg_patches patches = patches_of(v, p->at, tg_ptr(c->in[0]), group);
    const float *bias = c->op->n_in > 2 ? tg_ptr(c->in[2]) : NULL;
    float *rows[TG_MC];
    find_rows(v, p->at, cell.m0, cell.m1, (float *)tg_ptr(c->out[0]) + first, rows);
    const tg_gemm g = {
        .k = p->depth,
        .a = &patches,
        .pack_a = tg_pack_image,
        .packed_b = packed + group * packed_group(v),
        .bias = bias ? bias + first : NULL,
    };
    tg_gemm_block(&g, cell, rows, room);
    tg_patches_mend(&patches, &g, cell, rows);
}

static void conv2d_grad_x_run(const tg_call *c, const tg_task *t)
{
    const tg_conv v = grad_x_conv_of(c);
    const float *packed = t->shared;
    if (t->phase == 0) {
        grad_x_pack_weights(c, &v, t);
        return;
    }
    for (int64_t i = 0, index = t->index; i < residue_pairs(&v); i++) {
        const residue_pair p = residue_pair_of(&v, i);
        const int64_t n = v.groups * grad_x_cells(&v, &p);
        if (index < n) {
            grad_x_cell(c, &v, &p, packed, index, t->scratch);
            return;
        }
        index -= n;
        packed += grad_x_panels(&v) * p.depth * TG_NR;
    }
}

TG_VECTOR_KERNEL(conv2d_grad_x_vector) = { TG_VECTOR_HEAD, .reject = conv2d_grad_x_reject,
                                           .scratch = conv2d_grad_x_scratch, .tasks = conv2d_grad_x_tasks,
                                           .run = conv2d_grad_x_run };
TG_VECTOR_KERNEL(conv_transpose2d_vector) = { TG_VECTOR_HEAD, .reject = conv2d_grad_x_reject,
                                              .scratch = conv2d_grad_x_scratch, .tasks = conv2d_grad_x_tasks,
                                              .run = conv2d_grad_x_run };
