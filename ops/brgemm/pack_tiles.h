/* pack_tiles.h - rows of bf16 weights become tiles of B, as panels.h has them: [16 pairs of k][16 columns][2]. */
#ifndef TG_PACK_TILES_H
#define TG_PACK_TILES_H
#include "op.h"

/* 16 rows, `row` bytes apart, which are columns: their first 32 k become a tile. */
void tg_tile_of_columns(const char *from, size_t row, void *tile);
/* So many pairs of rows, `row` bytes apart, which are k: their first 32 columns become rows of two tiles. */
void tg_tile_rows_of_pairs(const char *from, size_t row, int64_t pairs, void *first, void *second);
#endif
