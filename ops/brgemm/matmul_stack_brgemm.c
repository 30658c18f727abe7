/* matmul_stack_brgemm.c - stacks of products in bf16 on tiles: those of attention, and those with a transposed.
 *
 * A task takes some rows of one product.  It packs its A if that is transposed, or if its depth is no multiple of a
 * tile's, and each panel of B before it is multiplied; products of the size that attention has are one task, and pack
 * once. */
#include "microkernel.h"
#include "pack_tiles.h"
#include "products.h"
#include "ints.h"
#include <string.h>

enum { ROWS = 512, A_NUMBERS = 512 << 10, PANEL = 2 * TG_TILE, TILE_WORDS = TG_TILE * TG_TILE };

typedef struct {
    tg_stack s;
    int64_t depth, rows, blocks;
    bool packs_a;
} plan;

static plan plan_of(const tg_call *c)
{
    plan k = { .s = tg_stack_of(c) };
    const int64_t m = k.s.first.m;
    k.depth = (k.s.first.k + TG_DEPTH - 1) / TG_DEPTH * TG_DEPTH;
    k.rows = imin(ROWS, A_NUMBERS / (k.depth + 1) / TG_TILE * TG_TILE);
    if (k.rows < TG_TILE) k.rows = TG_TILE;
    k.blocks = (m + k.rows - 1) / k.rows;
    k.rows = (m + k.blocks - 1) / k.blocks;
    k.packs_a = k.s.first.a_column != 1 || k.s.first.k != k.depth;
    return k;
}

/* ---- packing: A in planes of TG_DEPTH k, B in panels of tiles ---- */

typedef uint16_t square[2 * TG_TILE][TG_DEPTH];

/* TG_DEPTH numbers at most, in copies of fixed sizes: a copy of any size is a slow instruction, or a call. */
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

/* Rows of bf16, `apart` elements from each to the next: themselves if there are enough and they are long enough, else a
 * copy with zeros behind them. */
static const uint16_t *squared(const uint16_t *from, int64_t apart, int64_t rows, int64_t length, int64_t wanted,
                               square room, int64_t *row)
{
    *row = apart;
    if (rows >= wanted && length >= TG_DEPTH) return from;
    memset(room, 0, sizeof(square));
    for (int64_t i = 0; i < imin(rows, wanted); i++) copy(room[i], from + i * apart, length);
    *row = TG_DEPTH;
    return room[0];
}

/* Two tiles of B, of 32 k from k on and 32 columns, of rows of memory that are k. */
static void pack_rows(const uint16_t *at, int64_t apart, int64_t rows, int64_t columns, uint16_t *first,
                      uint16_t *second)
{
    square room;
    int64_t row;
    const uint16_t *const from = squared(at, apart, rows, columns, TG_DEPTH, room, &row);
    tg_tile_rows_of_pairs((const char *)from, 2 * (size_t)row, TG_TILE, first, second);
}

/* A tile of 16 rows of memory, 32 numbers of each, with words for rows and rows for words. */
static void pack_columns(const uint16_t *at, int64_t apart, int64_t rows, int64_t depth, uint16_t *to)
{
    square room;
    int64_t row;
    const uint16_t *const from = squared(at, apart, rows, depth, TG_TILE, room, &row);
    tg_tile_of_columns((const char *)from, 2 * (size_t)row, to);
}

static int64_t plane_of(const plan *k)
{
    return (k->rows + 2 * TG_TILE - 1) / (2 * TG_TILE) * (2 * TG_TILE) * TG_DEPTH;
}

/* Of a transposed, pairs of k are made first, and then turned. */
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

static const char *reject(const tg_call *c)
{
    return c->in[0]->dtype == TG_BF16 && c->in[1]->dtype == TG_BF16 ? NULL : "want bf16";
}

static tg_scratch scratch(const tg_call *c)
{
    const plan k = plan_of(c);
    const int64_t a = k.packs_a ? k.depth / TG_DEPTH * plane_of(&k) : 0;
    return (tg_scratch){ .worker = sizeof(uint16_t) * (size_t)(k.depth * PANEL + a) };
}

static int64_t tasks(const tg_call *c, int phase)
{
    const plan k = plan_of(c);
    return phase == 0 ? k.s.matrices * k.blocks : 0;
}

static void run(const tg_call *c, const tg_task *t)
{
    const plan k = plan_of(c);
    const tg_product p = tg_stack_product(&k.s, t->index / k.blocks);
    const int64_t m0 = t->index % k.blocks * k.rows, rows = imin(k.rows, p.m - m0);
    uint16_t *const panel = t->scratch, *const packed = panel + k.depth * PANEL;
    const tg_brick brick = { k.packs_a ? packed : (const uint16_t *)p.a + m0 * p.a_row, panel, 0 };
    tg_brgemm b = {
        .m = (int)rows,
        .k = p.k,
        .row = k.packs_a ? TG_DEPTH : p.a_row,
        .step = 1,
        .c_row = p.n,
        .store = TG_BF16,
        .gap = k.packs_a ? plane_of(&k) - TG_DEPTH : 0,
    };
    if (k.packs_a) pack_a(&k, &p, m0, rows, packed);
    for (int64_t n0 = 0; n0 < p.n; n0 += PANEL) {
        pack_panel(&p, n0, panel);
        b.n = (int)imin(PANEL, p.n - n0);
        b.c = (uint16_t *)p.y + m0 * p.n + n0;
        if (p.k) tg_microkernel_amx_bf16.run(&b, &brick, 1);
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
    .reject = reject,
    .scratch = scratch,
    .tasks = tasks,
    .run = run,
};
