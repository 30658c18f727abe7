/* matmul_stack_brgemm.c - stacks of products in bf16 on tiles: those of attention, and those with a transposed.
 *
 * A task takes some rows of one product.  It packs its A if that is transposed, or if its depth is not a multiple of a
 * tile's, and each panel of B before it is multiplied.  Products of the size that attention has are one task each, and
 * pack once. */
#include "brgemm.h"
#include "pack_tiles.h"
#include "products.h"
#include <string.h>

enum { ROWS = 512, A_ELEMENTS = 512 << 10, PANEL = 2 * TG_TILE, TILE_WORDS = TG_TILE * TG_TILE };

typedef struct {
    tg_stack s;
    int64_t depth;        /* k, padded */
    int64_t rows, chunks; /* of a task; tasks of a product */
    bool packs_a;
} plan;

static plan stack_plan(const tg_call *c)
{
    plan k = { .s = tg_stack_of(c) };
    const int64_t m = k.s.first.m;
    k.depth = round_up(k.s.first.k, TG_DEPTH);
    k.rows = imax(TG_TILE, imin(ROWS, A_ELEMENTS / (k.depth + 1) / TG_TILE * TG_TILE));
    k.chunks = ceil_div(m, k.rows);
    k.rows = ceil_div(m, k.chunks);
    k.packs_a = k.s.first.a_column != 1 || k.s.first.k != k.depth;
    return k;
}

/* ---- packing: A in planes of TG_DEPTH k, B in panels of tiles ---- */

typedef uint16_t square[2 * TG_TILE][TG_DEPTH];

/* Copies at most TG_DEPTH elements in pieces of constant size: a copy of any size is a slow instruction, or a call. */
static void copy(uint16_t *to, const uint16_t *from, int64_t n)
{
    if (n >= TG_DEPTH) {
        memcpy(to, from, sizeof *to * TG_DEPTH);
        return;
    }
#define SOME(size) \
    if (n & (size)) memcpy(to, from, sizeof *to *(size)), to += (size), from += (size)
    SOME(16);
    SOME(8);
    SOME(4);
    SOME(2);
    SOME(1);
#undef SOME
}

/* Rows of bf16, `stride` elements apart: themselves if there are enough and they are long enough, otherwise a copy
 * padded with zeros. */
static const uint16_t *squared(const uint16_t *from, int64_t stride, int64_t rows, int64_t length, int64_t wanted,
                               square buffer, int64_t *row)
{
    *row = stride;
    if (rows >= wanted && length >= TG_DEPTH) return from;
    memset(buffer, 0, sizeof(square));
    for (int64_t i = 0; i < imin(rows, wanted); i++) copy(buffer[i], from + i * stride, length);
    *row = TG_DEPTH;
    return buffer[0];
}

/* Two tiles of B, 32 k by 32 columns, from rows of memory that are k. */
static void pack_rows(const uint16_t *at, int64_t stride, int64_t rows, int64_t columns, uint16_t *first,
                      uint16_t *second)
{
    square buffer;
    int64_t row;
    const uint16_t *const from = squared(at, stride, rows, columns, TG_DEPTH, buffer, &row);
    tg_tile_rows_of_pairs((const char *)from, 2 * (size_t)row, TG_TILE, first, second);
}

/* A tile of 16 rows of memory, 32 elements of each, with rows and words swapped. */
static void pack_columns(const uint16_t *at, int64_t stride, int64_t rows, int64_t depth, uint16_t *to)
{
    square buffer;
    int64_t row;
    const uint16_t *const from = squared(at, stride, rows, depth, TG_TILE, buffer, &row);
    tg_tile_of_columns((const char *)from, 2 * (size_t)row, to);
}

static int64_t plane_of(const plan *k)
{
    return (k->rows + 2 * TG_TILE - 1) / (2 * TG_TILE) * (2 * TG_TILE) * TG_DEPTH;
}

/* If a is transposed, pairs of k are made first and then transposed. */
static void pack_a(const plan *q, const tg_product *p, int64_t m0, int64_t rows, uint16_t *to)
{
    const uint16_t *const a = (const uint16_t *)p->a + m0 * p->a_row;
    uint16_t pairs[2][2 * TILE_WORDS] __attribute__((aligned(64)));
    for (int64_t k = 0; k < p->k; k += TG_DEPTH, to += plane_of(q)) {
        for (int64_t i = 0; i < rows && p->a_column == 1; i++) {
            if (p->k - k < TG_DEPTH) memset(to + i * TG_DEPTH, 0, sizeof *to * TG_DEPTH);
            copy(to + i * TG_DEPTH, a + i * p->a_row + k, p->k - k);
        }
        for (int64_t i = 0; i < rows && p->a_column != 1; i += 2 * TG_TILE) {
            pack_rows(a + k * p->a_column + i, p->a_column, p->k - k, rows - i, pairs[0], pairs[1]);
            for (int h = 0; h < 2; h++)
                tg_tile_of_columns((const char *)pairs[h], 2 * TG_DEPTH, to + (i + h * TG_TILE) * TG_DEPTH);
        }
    }
}

static void pack_panel(const tg_product *p, int64_t n0, uint16_t *to)
{
    const uint16_t *const b = (const uint16_t *)p->b + n0 * p->b_column;
    const int64_t columns = p->n - n0;
    for (int64_t k = 0; k < p->k; k += TG_DEPTH, to += 4 * TILE_WORDS) {
        if (p->b_column == 1) {
            pack_rows(b + k * p->b_row, p->b_row, p->k - k, columns, to, to + 2 * TILE_WORDS);
            continue;
        }
        for (int64_t j = 0; j < PANEL && j < columns; j += TG_TILE)
            pack_columns(b + j * p->b_column + k, p->b_column, columns - j, p->k - k,
                         to + j / TG_TILE * 2 * TILE_WORDS);
    }
}

/* ---- the kernel ---- */

static const char *stack_reject(const tg_call *c)
{
    return c->in[0]->dtype == TG_BF16 && c->in[1]->dtype == TG_BF16 ? NULL : "want bf16";
}

static bool stack_prepare(tg_call *c, tg_fault *fault)
{
    const plan k = stack_plan(c);
    return tg_keep_state(c, &k, sizeof k, fault);
}

static tg_scratch stack_scratch(const tg_call *c)
{
    const plan *k = c->state;
    const int64_t a = k->packs_a ? k->depth / TG_DEPTH * plane_of(k) : 0;
    return (tg_scratch){ .worker = sizeof(uint16_t) * (size_t)(k->depth * PANEL + a) };
}

static int64_t stack_tasks(const tg_call *c, int phase)
{
    const plan *k = c->state;
    return phase == 0 ? k->s.matrices * k->chunks : 0;
}

static void stack_run(const tg_call *c, const tg_task *t)
{
    const plan *k = c->state;
    tg_stack s = k->s; /* planned before operands had memory */
    s.first.a = tg_ptr(c->in[0]);
    s.first.b = tg_ptr(c->in[1]);
    s.first.y = tg_ptr(c->out[0]);
    const tg_product p = tg_stack_product(&s, t->index / k->chunks);
    const int64_t m0 = t->index % k->chunks * k->rows, rows = imin(k->rows, p.m - m0);
    uint16_t *const panel = t->scratch, *const packed = panel + k->depth * PANEL;
    const tg_batch_element batch = { k->packs_a ? packed : (const uint16_t *)p.a + m0 * p.a_row, panel, 0 };
    tg_brgemm b = {
        .m = (int)rows,
        .k = p.k,
        .row = k->packs_a ? TG_DEPTH : p.a_row,
        .step = 1,
        .c_row = p.n,
        .store = TG_BF16,
        .gap = k->packs_a ? plane_of(k) - TG_DEPTH : 0,
    };
    if (k->packs_a) pack_a(k, &p, m0, rows, packed);
    for (int64_t n0 = 0; n0 < p.n; n0 += PANEL) {
        pack_panel(&p, n0, panel);
        b.n = (int)imin(PANEL, p.n - n0);
        b.c = (uint16_t *)p.y + m0 * p.n + n0;
        if (p.k) tg_microkernel_amx_bf16.run(&b, &batch, 1);
        else
            for (int64_t i = 0; i < rows; i++) memset((uint16_t *)b.c + i * p.n, 0, sizeof(uint16_t) * (size_t)b.n);
    }
    tg_microkernel_amx_bf16.leave();
}

extern const tg_kernel matmul_stack_brgemm;
const tg_kernel matmul_stack_brgemm = {
    .name = "brgemm_stack_amx_bf16",
    .backend = "brgemm",
    .isa = TG_ISA_AMX,
    .reject = stack_reject,
    .prepare = stack_prepare,
    .scratch = stack_scratch,
    .tasks = stack_tasks,
    .run = stack_run,
};
