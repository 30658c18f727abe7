/* b_offset.h - where microkernels find an element of B, as ops/brgemm/microkernel.h has it. */
#ifndef TG_TESTS_B_OFFSET_H
#define TG_TESTS_B_OFFSET_H
#include "microkernel.h"

/* Element (k, j) of B. */
static inline int64_t b_offset(const tg_microkernel *mk, int64_t k, int64_t j)
{
    const int64_t tile = k / TG_DEPTH * mk->panel / TG_TILE + j / TG_TILE;
    if (mk->tiles) return (tile * TG_TILE + k % TG_DEPTH / 2) * 2 * TG_TILE + 2 * (j % TG_TILE) + k % 2;
    return mk->element == TG_BF16 ? k / 2 * 2 * TG_PANEL + 2 * j + k % 2 : k * TG_PANEL + j;
}
#endif
