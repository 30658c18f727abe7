/* conv2d_grouped_vector.c - conv2d and its backward-data for small groups with equally many channels in x and y.
 *
 * Lanes are channels of y. A lane's factor is a channel of its group: if groups are smaller than a vector, a vector of
 * x's channels is permuted, otherwise one channel is broadcast. */
#include "conv2d_direct.h"
#include "grad_w_runs.h"

#if defined __AVX2__
enum { NEIGHBOURS = 8 }; /* that share taps: with more, sums spill */

typedef struct { /* how channels of x come to the lanes */
    tg_lane_places first;
    int64_t group; /* channels; in groups larger than a vector, all lanes have the same */
} group_lanes;

TG_INLINE group_lanes group_lanes_of(const line_sum *k)
{
    const int64_t group = k->d->group;
    int32_t from[TG_LANES];
    for (int l = 0; l < TG_LANES; l++) from[l] = group < TG_LANES ? (int32_t)(l / group * group) : 0;
    return (group_lanes){ tg_lane_places_from(from, 0), group };
}

/* Channel i of the groups at x. */
TG_INLINE vec pick_channel(const float *x, tg_lane_places at, int64_t i, const bool one)
{
    return one ? (vec)tg_repeated(x[i]) : (vec)tg_permuted(x, at);
}

/* Where the groups of vector v, counted from channel c, begin in x, relative to channel c. */
TG_INLINE int64_t start_of(const group_lanes *l, int64_t c, int v, const bool one)
{
    return one ? (c + v * TG_LANES) / l->group * l->group - c : v * TG_LANES;
}

/* A kernel row of taps, for `count` neighbours and `vectors` of channels from c on. */
TG_INLINE void grouped_add_taps(const line_sum *k, const group_lanes *l, const float *x, const float *w, int64_t c,
                                int64_t taps, const int count, const int vectors, const bool one, vec *sum)
{
    const int64_t apart = k->columns.stride * k->from.pixel, step = k->columns.step * k->from.pixel;
    for (int64_t b = 0; b < taps; b++, x += step, w += k->w_tap)
        for (int64_t i = 0; i < l->group; i++) {
            const tg_lane_places at = tg_lane_places_after(l->first, (int32_t)i);
#pragma GCC unroll 8
            for (int n = 0; n < count; n++)
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    sum[n * vectors + v] += pick_channel(x + n * apart + start_of(l, c, v, one), at, i, one) *
                                            *(const vec *)(w + i * k->d->padded + v * TG_LANES);
        }
}

/* The same for 3 adjacent taps and outputs that meet adjacent pixels, each of which is permuted once. */
TG_INLINE void grouped_add_chain(const line_sum *k, const group_lanes *l, const float *x, const float *w, int64_t c,
                                 const bool back, const bool one, vec *sum)
{
    const int64_t pixel = k->from.pixel;
    x += start_of(l, c, 0, one);
    for (int64_t i = 0; i < l->group; i++, w += k->d->padded) {
        const tg_lane_places at = tg_lane_places_after(l->first, (int32_t)i);
        const vec tap[3] = { *(const vec *)w, *(const vec *)(w + k->w_tap), *(const vec *)(w + 2 * k->w_tap) };
#pragma GCC unroll 10
        for (int p = 0; p < NEIGHBOURS + 2; p++) {
            const vec v = pick_channel(x + (back ? NEIGHBOURS - 1 - p : p) * pixel, at, i, one);
#pragma GCC unroll 3
            for (int b = 0; b < 3; b++)
                if (p - b >= 0 && p - b < NEIGHBOURS) sum[back ? NEIGHBOURS - 1 - (p - b) : p - b] += v * tap[b];
        }
    }
}

/* chain: 1 or -1 for 3 taps shared by neighbours, and their direction; 0: any taps. */
TG_INLINE void grouped_sum_block(const line_sum *k, const group_lanes *l, int64_t j, int64_t c, span taps,
                                 const int count, const int vectors, const int chain, const bool one)
{
    const float *x = k->x + (c - k->first) + (taps.from * k->columns.step + j * k->columns.stride) * k->from.pixel;
    const float *w = k->w + c + taps.from * k->w_tap;
    vec sum[NEIGHBOURS];
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++) sum[i] = *(const vec *)(k->bias + c + i % vectors * TG_LANES);
    for (int64_t a = 0; a < k->lines; a++, x += k->line, w += k->w_line)
        if (chain) grouped_add_chain(k, l, x, w, c, chain < 0, one, sum);
        else grouped_add_taps(k, l, x, w, c, taps.to - taps.from, count, vectors, one, sum);
#pragma GCC unroll 8
    for (int i = 0; i < count * vectors; i++)
        if (tg_is_bf16(k->d->y)) direct_store(k, j + i / vectors, c + i % vectors * TG_LANES, sum[i], HALVES);
        else direct_store(k, j + i / vectors, c + i % vectors * TG_LANES, sum[i], FLOATS);
}

TG_INLINE void grouped_sum_channels(const line_sum *k, const group_lanes *l, int64_t j, span taps, const int count,
                                    const int vectors, const int chain, const bool one)
{
    int64_t c = k->first;
    for (; c + vectors * TG_LANES <= k->end; c += vectors * TG_LANES)
        grouped_sum_block(k, l, j, c, taps, count, vectors, chain, one);
    for (; c < k->end; c += TG_LANES) grouped_sum_block(k, l, j, c, taps, count, 1, 0, one);
}

TG_INLINE void grouped_sum_edge(const line_sum *k, const group_lanes *l, int64_t j, const bool one)
{
    grouped_sum_channels(k, l, j, taps_of(&k->columns, j, in_size(k->d, 1)), 1, 4, 0, one);
}

/* Eight independent sums hide the latency of additions: with fewer neighbours, several vectors each. */
TG_INLINE void grouped_sum_all(const line_sum *k, const bool one)
{
    const group_lanes l = group_lanes_of(k);
    const span inner = k->inner, all = { 0, k->columns.taps };
    const int64_t step = k->columns.step;
    const bool chain = k->columns.stride == 1 && all.to == 3 && (step == 1 || step == -1);
    int64_t j = 0;
    for (; j < inner.from; j++) grouped_sum_edge(k, &l, j, one);
    for (; chain && step > 0 && j + NEIGHBOURS <= inner.to; j += NEIGHBOURS)
        grouped_sum_channels(k, &l, j, all, NEIGHBOURS, 1, 1, one);
    for (; chain && step < 0 && j + NEIGHBOURS <= inner.to; j += NEIGHBOURS)
        grouped_sum_channels(k, &l, j, all, NEIGHBOURS, 1, -1, one);
    for (; j + 4 <= inner.to; j += 4) grouped_sum_channels(k, &l, j, all, 4, 2, 0, one);
    for (; j + 2 <= inner.to; j += 2) grouped_sum_channels(k, &l, j, all, 2, 4, 0, one);
    for (; j < k->columns.n; j++) grouped_sum_edge(k, &l, j, one);
}

static void direct_sum_line(const line_sum *k)
{
    if (k->d->group < TG_LANES) grouped_sum_all(k, false);
    else grouped_sum_all(k, true);
}
#else
static void direct_sum_line(const line_sum *k) { (void)k, (void)direct_store; }
#endif

/* Groups must fill vectors, and not cross planes. */
static const char *conv2d_grouped_reject(const tg_call *c)
{
    const direct d = direct_of(c);
#if !defined __AVX2__
    return "permutes vectors";
#endif
    if (d.v.groups == 1) return "one group";
    if (d.v.in_group != d.v.of_group) return "groups of x and of y differ";
    if (PLANE % d.group || d.c % PLANE) return "groups do not fill vectors";
    if (d.group >= PLANE) return "so many channels in a group that other kernels are faster";
    return NULL;
}

/* Named vector_grouped_avx512, vector_grouped_avx2, vector_grouped_generic. */
#define GROUPED_HEAD .name = "vector_grouped_" TG_TEXT(TG_VECTOR_SUFFIX), .backend = "vector", .isa = TG_VECTOR_ISA
#define GROUPED(symbol) \
    TG_VECTOR_KERNEL(symbol) = { GROUPED_HEAD, .reject = conv2d_grouped_reject, .scratch = conv2d_direct_scratch, \
                                 .tasks = conv2d_direct_tasks, .run = conv2d_direct_run }
GROUPED(conv2d_grouped_vector);
GROUPED(conv2d_relu_grouped_vector);
GROUPED(conv2d_grad_x_grouped_vector);
