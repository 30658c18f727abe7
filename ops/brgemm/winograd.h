/* winograd.h - a convolution 3x3 of stride 1 by Winograd's algorithm F(2x2, 3x3), and its derivative in x.
 *
 * Outputs are cut into tiles of 2x2, each of which meets 4x4 inputs.  These 16 numbers of every channel are transformed
 * (sums and differences), multiplied point by point with the weights, which were transformed to 4x4 too, summed over
 * channels, and transformed back: 16 products where the definition has 36.  The sums over channels are products of
 * matrices, one for each of the 16 points:
 *
 *     M[point][tile][column] = sum over channels: D[point][tile][channel] U[point][panel][channel][column]
 *
 * A task takes some tiles, of one image or of several, and keeps their D and M in the second level of the cache.  All
 * numbers are FP32 between x and y.  Backward, x is gy, and the weights are flipped and transposed. */
#ifndef TG_WINOGRAD_H
#define TG_WINOGRAD_H
#include "microkernel.h"

enum { TG_POINTS = 16 };

typedef struct {
    const tg_microkernel *mk;           /* its element is TG_F32 */
    const tg_tensor *x, *w, *bias, *y;  /* what is read, the weights, NULL or a bias, what is written */
    bool      relu, backward;
    int64_t   pad[2];                   /* lines and columns of zeros before x, backward 2 - the convolution's own */
    /* derived by tg_winograd_plan */
    int64_t   in, out;                  /* channels */
    int64_t   grid[2], tiles;           /* lines and columns of tiles of an image; tiles of all images */
    int64_t   block, blocks;            /* tiles of a task; how many such blocks */
    int64_t   panels, share, shares;    /* panels of columns, those of a task, how many such shares */
    int64_t   pitch, d_point, m_point;  /* floats from tile to tile of D, from point to point of D and M */
} tg_winograd;

extern const tg_layout tg_winograd_layout;              /* U, of w f32 or bf16 */
void       tg_winograd_key(const tg_winograd *g, int32_t key[TG_LAYOUT_KEY]);
bool       tg_winograd_saves(const tg_winograd *g);     /* the products it leaves out are worth the transforms */
void       tg_winograd_plan(tg_winograd *g);
tg_scratch tg_winograd_scratch(const tg_winograd *g);
int64_t    tg_winograd_tasks(const tg_winograd *g);
void       tg_winograd_run(const tg_winograd *g, const float *u, int64_t task, void *scratch);

/* ---- the transforms, with AVX-512 ---- */

/* Tiles beside each other in an image, the first of which begins at output (h, w). */
typedef struct { int64_t image, h, w, tiles; } tg_tile_run;

void tg_winograd_input(const tg_winograd *g, const tg_tile_run *r, float *d);
/* m: of the first tile and a panel, whose first output channel is `channel` */
void tg_winograd_output(const tg_winograd *g, const tg_tile_run *r, int64_t channel, const float *m);
#endif
