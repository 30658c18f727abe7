/* brick_place.h - where microkernels find an element of B, as ops/brgemm/microkernel.h has it. */
#ifndef TG_TESTS_BRICK_PLACE_H
#define TG_TESTS_BRICK_PLACE_H
#include "microkernel.h"

static inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Element (k, j) of B, of `depth` k in all. */
static inline int64_t b_place(const tg_microkernel *mk, int64_t depth, int64_t k, int64_t j)
{
    const int64_t tile = (j / 32 * round_up(depth, TG_DEPTH) / TG_DEPTH + k / TG_DEPTH) * 2 + j / TG_TILE % 2;
    if (mk->tiles) return (tile * TG_TILE + k % TG_DEPTH / 2) * 2 * TG_TILE + 2 * (j % TG_TILE) + k % 2;
    return mk->element == TG_BF16 ? k / 2 * 2 * TG_PANEL + 2 * j + k % 2 : k * TG_PANEL + j;
}
#endif
