/* winograd_cost.c - the cost of Winograd's algorithm, and of the direct sum: see winograd.h. */
#include "winograd.h"

/* In units of the direct kernel's product of one channel with another, measured with AVX-512 on a Xeon (family 6, model
 * 207): a product at a point, the transforms of a channel of a tile, and a transformed weight, as a number of tiles. */
static const struct {
    double product, transform, weight;
} costs[] = {
    [TG_WINOGRAD_2] = { 1.4, 110, 14 },
    [TG_WINOGRAD_4] = { 1.4, 720, 14 },
    [TG_WINOGRAD_GRAD_W] = { 1.4, 150, 8 },
};

int64_t tg_meetings(int64_t in, int64_t out, int64_t pad)
{
    int64_t n = 0;
    for (int64_t tap = 0; tap < 3; tap++) n += imax(0, imin(out, in + pad - tap) - imax(0, pad - tap));
    return n;
}

double tg_winograd_cost(tg_winograd_kind kind, int64_t tiles, int64_t in, int64_t out)
{
    const int points = tg_points_of(kind == TG_WINOGRAD_2 ? 2 : 4);
    const double transforms = costs[kind].transform * (1 / (double)in + 1 / (double)out);
    return costs[kind].product * points * ((double)tiles + costs[kind].weight) + transforms * (double)tiles;
}

double tg_direct_cost(const int64_t in[2], const int64_t out[2], const int64_t pad[2], int64_t images)
{
    return (double)(images * tg_meetings(in[0], out[0], pad[0]) * tg_meetings(in[1], out[1], pad[1]));
}

tg_tile_run tg_tile_run_of(const int64_t grid[2], int tile, int64_t first, int64_t end)
{
    int64_t rest = first;
    const int64_t column = tg_digit(&rest, grid[1]), line = tg_digit(&rest, grid[0]);
    return (tg_tile_run){ rest, tile * line, tile * column, imin(grid[1] - column, end - first) };
}
