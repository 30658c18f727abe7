/* winograd.h - a 3x3 convolution of stride 1 by Winograd's algorithm, its derivative in x and its derivative in w.
 *
 * F(m x m, 3x3): outputs are cut into tiles of m x m, m = 2 or 4, each of which reads (m + 2) x (m + 2) inputs.  These
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
 * (test_winograd).  It is also relative to the largest input of a tile: beside an input of 1e6, outputs of size 1 lose
 * all digits but one or two, where the direct sum keeps outputs that do not read it exact.  TG_WINOGRAD=0 disables it.
 *
 * What is not finite spreads as NaN over all outputs of a tile and over all taps of a weight.  So outputs that are NaN
 * are summed again by the definition (mend.h), and gradients of weights that are not finite are computed by the direct
 * kernel.
 *
 * All arithmetic between reading and writing tensors is in FP32. */
#ifndef TG_WINOGRAD_H
#define TG_WINOGRAD_H
#include "grad_w.h"

enum { TG_MAX_TILE = 4, TG_MAX_POINTS = (TG_MAX_TILE + 2) * (TG_MAX_TILE + 2) };

static inline int tg_points_of(int tile) { return (tile + 2) * (tile + 2); }

/* A tensor [n, h, w, c] cut into tiles. */
typedef struct {
    const void *data;
    tg_dtype dtype;
    int64_t h, w, channels;
    int tile;        /* outputs of a tile along an axis: the stride of tiles */
    int64_t pad[2];  /* lines and columns of zeros before it */
    int64_t grid[2]; /* lines and columns of tiles of an image */
} tg_tiled;

/* Where transformed elements lie: point p of tile t and channel c at p point + c / 64 panel + t pitch + c % 64. */
typedef struct {
    int64_t point, panel, pitch;
} tg_point_layout;

/* What a call asks for, with an FP32 microkernel; by the nest, what is not finite is computed again. */
typedef struct {
    tg_nest_shape nest;
    int64_t pad[2]; /* lines and columns of zeros before x; backward, 2 - the convolution's own */
} tg_winograd_shape;

/* ---- forward and backward-data ---- */

typedef struct {
    tg_winograd_shape shape;
    int tile;               /* 0: the direct sum is cheaper */
    int64_t points;         /* of a tile */
    int64_t grid[2], tiles; /* lines and columns of tiles of an image; tiles of all images */
    int64_t panels;         /* of columns */
    int64_t round, rounds;  /* tiles of a round, which completes them; how many rounds */
    bool phased;            /* a round has phases: D, M, y; otherwise there is one round, and a task makes all three */
    int64_t chunk, chunks;  /* tiles of a task; how many such chunks a round has */
    int64_t share, shares;  /* panels of a task, how many such shares (unless phased) */
    tg_point_layout d, m;
} tg_winograd;

extern const tg_layout tg_winograd_layout; /* U, from w in f32 or bf16 */
void tg_winograd_key(bool backward, int tile, int32_t key[TG_LAYOUT_KEY]);
int tg_winograd_tile(const tg_winograd_shape *shape); /* what the plan would choose */
tg_winograd tg_winograd_plan(const tg_winograd_shape *shape);
tg_scratch tg_winograd_scratch(const tg_winograd *g);
int64_t tg_winograd_tasks(const tg_winograd *g, int phase);
void tg_winograd_run(const tg_winograd *g, const tg_nest_data *d, const tg_task *t);

/* ---- backward-weights ---- */

typedef struct {
    tg_winograd_shape shape;
    int64_t in, out;                       /* channels of x and gy */
    int64_t grid[2], tiles, round, rounds; /* as above */
    int64_t parts;                         /* of the tiles, a task each; 0: rounds have phases */
    tg_point_layout d, e, s;
    tg_grad_w direct;
} tg_winograd_grad_w;

bool tg_winograd_grad_w_pays(const tg_winograd_shape *shape); /* the direct sum is more expensive */
tg_winograd_grad_w tg_winograd_grad_w_plan(const tg_winograd_shape *shape);
tg_scratch tg_winograd_grad_w_scratch(const tg_winograd_grad_w *g);
int64_t tg_winograd_grad_w_tasks(const tg_winograd_grad_w *g, int phase);
void tg_winograd_grad_w_run(const tg_winograd_grad_w *g, const tg_grad_w_data *d, const tg_task *t);

/* ---- cost (winograd_cost.c) ---- */

/* Pairs of an output and a tap that read an input, along an axis. */
int64_t tg_meetings(int64_t in, int64_t out, int64_t pad);
typedef enum { TG_WINOGRAD_2, TG_WINOGRAD_4, TG_WINOGRAD_GRAD_W } tg_winograd_kind;
/* How many products of each channel with each other the direct sum could do in the time; and how many it has to do. */
double tg_winograd_cost(tg_winograd_kind kind, int64_t tiles, int64_t in, int64_t out);
double tg_direct_cost(const int64_t in[2], const int64_t out[2], const int64_t pad[2], int64_t images);

/* ---- the transforms, with AVX-512 ---- */

/* Adjacent tiles in an image, the first of which begins at output (h, w). */
typedef struct {
    int64_t image, h, w, tiles;
} tg_tile_run;

/* The tiles from `first` on that lie on its line and before `end`. */
tg_tile_run tg_tile_run_of(const int64_t grid[2], int tile, int64_t first, int64_t end);
/* d: of the first tile. */
void tg_winograd_input(const tg_tiled *x, const tg_tile_run *r, tg_point_layout at, float *d);
/* The same of gy, as the kernel of F(3x3, 4x4). */
void tg_winograd_kernel_input(const tg_tiled *gy, const tg_tile_run *r, tg_point_layout at, float *e);
/* m: of the first tile and a panel, whose first output channel is `channel`.  True: some output is NaN. */
bool tg_winograd_output(const tg_winograd *g, const tg_nest_data *data, const tg_tile_run *r, int64_t channel,
                        const float *m);
/* Turns sums s of some output channels into taps [out, 3, 3, in]. */
void tg_winograd_taps(const tg_winograd_grad_w *g, int64_t first, int64_t end, const float *s, float *to);
#endif
