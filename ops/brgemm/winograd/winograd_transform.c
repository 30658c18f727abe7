/* winograd_transform.c - the transforms of x, gy and y in Winograd's algorithm, 16 channels at a time: see winograd.h.
 */
#include "avx512_store.h"
#include "winograd_points.h"

static float *channel_at(float *d, tg_point_layout at, int64_t channel)
{
    return d + channel / TG_PANEL * at.panel + channel % TG_PANEL;
}

/* ---- x and gy ---- */

enum { MOST_LINES = TG_MAX_TILE + 2 };

/* 16 channels of a line of tiles. */
typedef struct {
    const char *image;               /* these channels of its first pixel */
    int64_t line[MOST_LINES], width; /* where the tiles' lines begin, in elements; pixels of a line */
    __mmask16 mask[MOST_LINES];      /* of channels, for each line; 0: outside the image */
    int64_t channels;
} window;

TG_INLINE __m512 pixel(const char *at, bool is_bf16, __mmask16 mask)
{
    return is_bf16 ? widened(_mm256_maskz_loadu_epi16(mask, at)) : _mm512_maskz_loadu_ps(mask, at);
}

TG_INLINE void column(const window *v, bool is_bf16, int lines, int64_t w, __m512 p[])
{
    const bool inside = w >= 0 && w < v->width;
#pragma GCC unroll 6
    for (int i = 0; i < lines; i++) {
        const __mmask16 mask = inside ? v->mask[i] : 0;
        p[i] = pixel(v->image + (mask ? (v->line[i] + w * v->channels) * (is_bf16 ? 2 : 4) : 0), is_bf16, mask);
    }
}

/* A column of pixels, transformed along h. */
TG_INLINE void input_column(const window *v, bool is_bf16, int tile, int64_t w, __m512 to[])
{
    __m512 p[MOST_LINES];
    column(v, is_bf16, tile + 2, w, p);
    input_points(tile, p, 1, to, 1);
}

TG_INLINE void store_points(float *d, int64_t point, int lines, int line, const __m512 p[])
{
#pragma GCC unroll 6
    for (int k = 0; k < lines; k++) _mm512_storeu_ps(d + (line * lines + k) * point, p[k]);
}

/* Adjacent tiles share two columns. */
TG_INLINE void input_tiles(const window *v, bool is_bf16, int tile, int64_t w, int64_t tiles, tg_point_layout at,
                           float *d)
{
    const int lines = tile + 2;
    __m512 s[MOST_LINES * MOST_LINES]; /* [column][point along h] */
    input_column(v, is_bf16, tile, w, s);
    input_column(v, is_bf16, tile, w + 1, s + lines);
    for (int64_t t = 0; t < tiles; t++, d += at.pitch) {
#pragma GCC unroll 4
        for (int k = 0; k < tile; k++) input_column(v, is_bf16, tile, w + tile * t + 2 + k, s + (2 + k) * lines);
#pragma GCC unroll 6
        for (int i = 0; i < lines; i++) {
            __m512 p[MOST_LINES];
            input_points(tile, s + i, lines, p, 1);
            store_points(d, at.point, lines, i, p);
        }
#pragma GCC unroll 12
        for (int i = 0; i < 2 * lines; i++) s[i] = s[tile * lines + i];
    }
}

/* The 4 x 4 gy of each tile. */
TG_INLINE void kernel_tiles(const window *v, bool is_bf16, int64_t w, int64_t tiles, tg_point_layout at, float *e)
{
    for (int64_t t = 0; t < tiles; t++, e += at.pitch) {
        __m512 s[TG_MAX_TILE * MOST_LINES];
#pragma GCC unroll 4
        for (int k = 0; k < TG_MAX_TILE; k++) {
            __m512 p[TG_MAX_TILE];
            column(v, is_bf16, TG_MAX_TILE, w + TG_MAX_TILE * t + k, p);
            long_kernel_points(p, 1, s + k * MOST_LINES, 1);
        }
#pragma GCC unroll 6
        for (int i = 0; i < MOST_LINES; i++) {
            __m512 p[MOST_LINES];
            long_kernel_points(s + i, MOST_LINES, p, 1);
            store_points(e, at.point, MOST_LINES, i, p);
        }
    }
}

/* The lines that a run of tiles reads, from channel i on. */
static void set_window(window *v, const tg_tiled *x, const tg_tile_run *r, int lines, int64_t i)
{
    const int64_t line = x->w * x->channels, size = (int64_t)tg_dtype_size(x->dtype);
    v->channels = x->channels;
    v->width = x->w;
    v->image = (const char *)x->data + (r->image * x->h * line + i) * size;
    for (int k = 0; k < lines; k++) {
        const int64_t h = r->h - x->pad[0] + k;
        v->line[k] = h * line;
        v->mask[k] = h >= 0 && h < x->h ? mask_of(x->channels - i) : 0;
    }
}

void tg_winograd_input(const tg_tiled *x, const tg_tile_run *r, tg_point_layout at, float *d)
{
    const bool is_bf16 = x->dtype == TG_BF16;
    const int64_t w = r->w - x->pad[1];
    for (int64_t i = 0; i < x->channels; i += 16) {
        window v;
        set_window(&v, x, r, x->tile + 2, i);
        float *const to = channel_at(d, at, i);
        if (x->tile == 2 && is_bf16) input_tiles(&v, true, 2, w, r->tiles, at, to);
        else if (x->tile == 2) input_tiles(&v, false, 2, w, r->tiles, at, to);
        else if (is_bf16) input_tiles(&v, true, 4, w, r->tiles, at, to);
        else input_tiles(&v, false, 4, w, r->tiles, at, to);
    }
}

void tg_winograd_kernel_input(const tg_tiled *gy, const tg_tile_run *r, tg_point_layout at, float *e)
{
    for (int64_t i = 0; i < gy->channels; i += 16) {
        window v;
        set_window(&v, gy, r, TG_MAX_TILE, i);
        if (gy->dtype == TG_BF16) kernel_tiles(&v, true, r->w, r->tiles, at, channel_at(e, at, i));
        else kernel_tiles(&v, false, r->w, r->tiles, at, channel_at(e, at, i));
    }
}

/* ---- y ---- */

/* The points of a tile become its outputs. */
TG_INLINE void outputs(int tile, const float *m, int64_t point, __m512 y[])
{
    const int lines = tile + 2;
    __m512 s[TG_MAX_TILE * MOST_LINES]; /* [output along h][column] */
#pragma GCC unroll 6
    for (int k = 0; k < lines; k++) {
        __m512 p[MOST_LINES];
#pragma GCC unroll 6
        for (int i = 0; i < lines; i++) p[i] = _mm512_loadu_ps(m + (lines * i + k) * point);
        outputs_of(tile, p, 1, s + k, lines);
    }
#pragma GCC unroll 4
    for (int h = 0; h < tile; h++) outputs_of(tile, s + h * lines, 1, y + h * tile, 1);
}

/* What is not finite reaches all outputs of a line, of a column, or of both, unless it is in a corner. */
TG_INLINE __mmask16 spread_nans(int tile, const __m512 y[])
{
    const __m512 right = y[tile - 1], below = y[tile * (tile - 1)];
    return _mm512_cmp_ps_mask(y[0], y[0], _CMP_UNORD_Q) | _mm512_cmp_ps_mask(right, below, _CMP_UNORD_Q);
}

/* Parts of the last line and the last column of tiles may lie outside the image. */
TG_INLINE bool output_tiles(const tg_winograd *g, int tile, const tg_tile_run *r, const tg_brgemm *p, int64_t columns,
                            const float *m)
{
    const tg_nest_shape *s = &g->shape.nest;
    const int64_t below = s->h.out - r->h, width = s->w_axis.out;
    const int lines = (int)(below < tile ? below : tile);
    unsigned nan = 0;
    for (int64_t t = 0; t < r->tiles; t++, m += g->m.pitch)
        for (int j = 0; j < columns; j += 16) {
            const __mmask16 mask = mask_of(columns - j);
            __m512 y[TG_MAX_TILE * TG_MAX_TILE];
            outputs(tile, m + j, g->m.point, y);
            nan |= mask & spread_nans(tile, y);
            for (int h = 0; h < lines; h++)
                for (int k = 0; k < tile; k++) {
                    const int64_t w = r->w + tile * t + k;
                    if (w < width)
                        store(p, ((r->h + h) * width + w) * s->out + j, finished(y[h * tile + k], p, j, mask), mask);
                }
        }
    return nan != 0;
}

bool tg_winograd_output(const tg_winograd *g, const tg_nest_data *data, const tg_tile_run *r, int64_t channel,
                        const float *m)
{
    const tg_nest_shape *s = &g->shape.nest;
    const int64_t size = (int64_t)tg_dtype_size(s->y_dtype), pixels = r->image * s->h.out * s->w_axis.out;
    const tg_brgemm p = {
        .c = (char *)data->y + (pixels * s->out + channel) * size,
        .store = s->y_dtype,
        .bias = data->bias ? data->bias + channel : NULL,
        .relu = s->relu,
    };
    const int64_t left = s->out - channel, columns = left < TG_PANEL ? left : TG_PANEL;
    return g->tile == 2 ? output_tiles(g, 2, r, &p, columns, m) : output_tiles(g, 4, r, &p, columns, m);
}

/* ---- gw ---- */

/* Taps of an output channel, 16 input channels from i on. */
static void taps_at(const tg_winograd_grad_w *g, int64_t i, const float *s, float *to)
{
    __m512 t[3 * MOST_LINES], tap[9]; /* t: [tap along h][column] */
    const int64_t in = g->shape.nest.in;
    const __mmask16 mask = mask_of(in - i);
#pragma GCC unroll 6
    for (int k = 0; k < MOST_LINES; k++) {
        __m512 p[MOST_LINES];
#pragma GCC unroll 6
        for (int h = 0; h < MOST_LINES; h++) p[h] = _mm512_loadu_ps(s + (MOST_LINES * h + k) * g->s.point);
        taps_of(p, 1, t + k, MOST_LINES);
    }
#pragma GCC unroll 3
    for (int h = 0; h < 3; h++) taps_of(t + h * MOST_LINES, 1, tap + 3 * h, 1);
#pragma GCC unroll 9
    for (int k = 0; k < 9; k++) store_vector(to + k * in, TG_F32, tap[k], mask);
}

void tg_winograd_taps(const tg_winograd_grad_w *g, int64_t first, int64_t end, const float *s, float *to)
{
    const int64_t in = g->shape.nest.in;
    for (int64_t o = first; o < end; o++)
        for (int64_t i = 0; i < in; i += 16)
            taps_at(g, i, s + i / TG_PANEL * g->s.panel + o * g->s.pitch + i % TG_PANEL, to + o * 9 * in + i);
}
