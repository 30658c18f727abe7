/* winograd.h - a convolution 3x3 of stride 1 by Winograd's algorithm, its derivative in x and its derivative in w.
 *
 * F(m x m, 3x3): outputs are cut into tiles of m x m, m = 2 or 4, each of which meets (m + 2) x (m + 2) inputs.  These
 * points of every channel are transformed, multiplied point by point with the weights, which were transformed to as
 * many points, summed over channels, and transformed back: 16 products where the definition has 36, or 36 where it has
 * 144. The sums over channels are products of matrices, one for each point:
 *
 *     M[point][tile][column] = sum over channels: D[point][tile][channel] U[point][panel][channel][column]
 *
 * Backward-data is the same with gy for x and the weights flipped and transposed.  Backward-weights is F(3x3, 4x4): the
 * tiles of gy play the kernel, so both gy and x are transformed, and the sums run over tiles:
 *
 *     S[point][out][in] = sum over tiles: E[point][tile][out] D[point][tile][in]
 *
 * The transforms interpolate (Toom-Cook, see Lavin and Gray, arXiv:1509.09308) at 0, 1, -1 and infinity for m = 2 and
 * at 0, 5/8, -5/8, 3/2, -3/2 and infinity for m = 4.  With the usual 0, 1, -1, 2, -2 the error would be twice as large.
 * Relative to the outputs' root mean square it is that of the direct sum for m = 2 and twice that for m = 4
 * (test_winograd). It is relative to the largest numbers that a tile meets, too: beside an input of 1e6, outputs of
 * size 1 lose all digits but one or two, where the direct sum keeps those that do not meet it exact.  TG_WINOGRAD=0
 * switches it off.
 *
 * What is not finite spreads over all outputs of a tile, as NaN, and over all taps of a weight.  So outputs that are
 * NaN are summed again by their definition (mend.h), and gradients of weights that are not finite are made by the
 * direct kernel.
 *
 * All numbers are FP32 between what is read and what is written. */
#ifndef TG_WINOGRAD_H
#define TG_WINOGRAD_H
#include "nest.h"

enum { TG_MAX_TILE = 4, TG_MAX_POINTS = (TG_MAX_TILE + 2) * (TG_MAX_TILE + 2) };

static inline int tg_points_of(int tile) { return (tile + 2) * (tile + 2); }

/* A tensor [n, h, w, c] that is cut into tiles. */
typedef struct {
    const tg_tensor *t;
    int tile;        /* outputs of a tile along an axis: tiles are so far apart */
    int64_t pad[2];  /* lines and columns of zeros before it */
    int64_t grid[2]; /* lines and columns of tiles of an image */
} tg_tiled;

/* Where transformed numbers lie: point p of tile t and channel c at p point + c / 64 panel + t pitch + c % 64. */
typedef struct {
    int64_t point, panel, pitch;
} tg_point_places;

typedef struct {
    const tg_microkernel *mk;          /* its element is TG_F32 */
    const tg_tensor *x, *w, *bias, *y; /* what is read, the weights, NULL or a bias, what is written */
    bool relu, backward;
    int64_t pad[2]; /* lines and columns of zeros before x, backward 2 - the convolution's own */
    tg_nest nest;   /* the same convolution, by which outputs that are NaN are summed again (mend.h) */
    /* derived by tg_winograd_plan */
    int tile;                /* 0: the direct sum is cheaper */
    int64_t points, in, out; /* channels */
    int64_t grid[2], tiles;  /* lines and columns of tiles of an image; tiles of all images */
    int64_t panels;          /* of columns */
    int64_t round, rounds;   /* tiles of a round, in which all is made for them; how many rounds */
    bool phased;             /* a round has phases: D, M, y; otherwise there is one round, and a task makes all */
    int64_t block, blocks;   /* tiles of a task; how many such blocks a round has */
    int64_t share, shares;   /* panels of a task, how many such shares (unless phased) */
    tg_point_places d, m;
} tg_winograd;

extern const tg_layout tg_winograd_layout; /* U, of w f32 or bf16 */
void tg_winograd_key(const tg_winograd *g, int32_t key[TG_LAYOUT_KEY]);
void tg_winograd_plan(tg_winograd *g);
tg_scratch tg_winograd_scratch(const tg_winograd *g);
int64_t tg_winograd_tasks(const tg_winograd *g, int phase);
void tg_winograd_run(const tg_winograd *g, const tg_task *t);

/* Backward-weights. */
typedef struct {
    const tg_microkernel *mk;
    const tg_tensor *gy, *x, *gw;
    int64_t pad[2]; /* the convolution's */
    tg_nest nest;   /* the same: the direct kernel's */
    /* derived by tg_winograd_grad_w_plan */
    bool pays;                             /* the direct sum is more expensive */
    int64_t in, out, tiles, round, rounds; /* as above */
    int64_t parts;                         /* of the tiles, a task each; 0: rounds have phases */
    tg_tiled tiled_gy, tiled_x;
    tg_point_places d, e, s;
} tg_winograd_grad_w;

void tg_winograd_grad_w_plan(tg_winograd_grad_w *g);
tg_scratch tg_winograd_grad_w_scratch(const tg_winograd_grad_w *g);
int64_t tg_winograd_grad_w_tasks(const tg_winograd_grad_w *g, int phase);
void tg_winograd_grad_w_run(const tg_winograd_grad_w *g, const tg_task *t);

/* ---- cost (winograd_cost.c) ---- */

/* Pairs of an output and a tap that meet an input, along an axis. */
int64_t tg_meetings(int64_t in, int64_t out, int64_t pad);
typedef enum { TG_WINOGRAD_2, TG_WINOGRAD_4, TG_WINOGRAD_GRAD_W } tg_winograd_kind;
/* How many products of each channel with each other the direct sum could do in the time; and how many it has to do. */
double tg_winograd_cost(tg_winograd_kind kind, int64_t tiles, int64_t in, int64_t out);
double tg_direct_cost(const int64_t in[2], const int64_t out[2], const int64_t pad[2], int64_t images);

/* ---- the transforms, with AVX-512 ---- */

/* Tiles beside each other in an image, the first of which begins at output (h, w). */
typedef struct {
    int64_t image, h, w, tiles;
} tg_tile_run;

/* The tiles from `first` on, of those before `end` that stand on its line. */
tg_tile_run tg_tile_run_of(const int64_t grid[2], int tile, int64_t first, int64_t end);
/* d: place of the first tile. */
void tg_winograd_input(const tg_tiled *x, const tg_tile_run *r, tg_point_places at, float *d);
/* The same of gy, as the kernel of F(3x3, 4x4). */
void tg_winograd_kernel_input(const tg_tiled *gy, const tg_tile_run *r, tg_point_places at, float *e);
/* m: of the first tile and a panel, whose first output channel is `channel`.  True: some output is NaN. */
bool tg_winograd_output(const tg_winograd *g, const tg_tile_run *r, int64_t channel, const float *m);
/* Of some output channels, from sums s to taps [out, 3, 3, in]. */
void tg_winograd_taps(const tg_winograd_grad_w *g, int64_t first, int64_t end, const float *s, float *to);
#endif
