/* pack_tiles.h - packs rows of bf16 weights into tiles of B as in panels.h: [16 pairs of k][16 columns][2]. */
#ifndef TG_PACK_TILES_H
#define TG_PACK_TILES_H
#include <stddef.h>
#include <stdint.h>

/* Packs 16 columns, `row` bytes from one to the next, into a tile: their first 32 k. */
void tg_tile_of_columns(const char *from, size_t row, void *tile);
/* Packs `pairs` pairs of k, `row` bytes from one k to the next, into rows of two tiles: their first 32 columns. */
void tg_tile_rows_of_pairs(const char *from, size_t row, int64_t pairs, void *first, void *second);
#endif
