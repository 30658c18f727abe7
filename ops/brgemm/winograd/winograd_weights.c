/* winograd_weights.c - weights transformed for Winograd's algorithm: U[point][panel][channel][64 columns], in FP32.
 *
 * Forward, rows of w are columns of U: 16 of them are transformed and transposed at a time.  Backward, a row of w is a
 * channel of U, and the kernel is flipped. */
#include "winograd_points.h"

typedef struct {
    const tg_tensor *w;
    bool backward;
    int tile;
    int64_t channels, columns, panels; /* of U */
    float *to;
} packing;

static packing packing_of(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], void *to)
{
    packing q = { .w = w, .backward = key[0], .tile = key[1], .to = to };
    q.channels = w->dim[q.backward ? 0 : 3];
    q.columns = w->dim[q.backward ? 3 : 0];
    q.panels = (q.columns + TG_PANEL - 1) / TG_PANEL;
    return q;
}

static size_t winograd_bytes(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY])
{
    const packing q = packing_of(w, key, NULL);
    return (size_t)(tg_points_of(q.tile) * q.panels * q.channels * TG_PANEL) * sizeof(float);
}

/* ---- 16 kernels ---- */

/* Tap k of 16 inputs of row o, from input i on; zeros after the last row. */
TG_INLINE __m512 taps(const packing *q, int64_t o, int64_t k, int64_t i)
{
    const int64_t in = q->w->dim[3], at = o < q->w->dim[0] ? (o * 9 + (q->backward ? 8 - k : k)) * in + i : 0;
    const __mmask16 mask = o < q->w->dim[0] ? mask_of(in - i) : 0;
    return q->w->dtype == TG_F32 ? _mm512_maskz_loadu_ps(mask, (const float *)tg_ptr(q->w) + at)
                                 : widened(_mm256_maskz_loadu_epi16(mask, (const uint16_t *)tg_ptr(q->w) + at));
}

TG_INLINE void transformed_by(int tile, const packing *q, int64_t o, int64_t i, __m512 u[])
{
    __m512 s[TG_MAX_TILE + 2][3];
#pragma GCC unroll 3
    for (int k = 0; k < 3; k++)
        kernel_points(tile, taps(q, o, k, i), taps(q, o, k + 3, i), taps(q, o, k + 6, i), &s[0][k], 3);
#pragma GCC unroll 6
    for (int k = 0; k < tile + 2; k++) kernel_points(tile, s[k][0], s[k][1], s[k][2], &u[(tile + 2) * k], 1);
}

static void transformed(const packing *q, int64_t o, int64_t i, __m512 u[])
{
    if (q->tile == 2) transformed_by(2, q, o, i, u);
    else transformed_by(4, q, o, i, u);
}

/* ---- U ---- */

static float *address_of(const packing *q, int point, int64_t channel, int64_t column)
{
    const int64_t panel = point * q->panels + column / TG_PANEL;
    return q->to + (panel * q->channels + channel) * TG_PANEL + column % TG_PANEL;
}

/* 16 columns from o on, some of which may be the padding of their panel. */
static void pack_columns(const packing *q, int64_t o)
{
    __m512 u[16][TG_MAX_POINTS];
    const int points = tg_points_of(q->tile);
    for (int64_t i = 0; i < q->channels; i += 16) {
        for (int r = 0; r < 16; r++) transformed(q, o + r, i, u[r]);
        for (int point = 0; point < points; point++) {
            __m512i t[16];
#pragma GCC unroll 16
            for (int r = 0; r < 16; r++) t[r] = _mm512_castps_si512(u[r][point]);
            transpose(t);
#pragma GCC unroll 16
            for (int c = 0; c < 16; c++)
                if (i + c < q->channels) _mm512_storeu_si512(address_of(q, point, i + c, o), t[c]);
        }
    }
}

static void pack_channel(const packing *q, int64_t o)
{
    __m512 u[TG_MAX_POINTS];
    const int points = tg_points_of(q->tile);
    for (int64_t j = 0; j < q->panels * TG_PANEL; j += 16) {
        transformed(q, o, j, u);
        for (int point = 0; point < points; point++) _mm512_storeu_ps(address_of(q, point, o, j), u[point]);
    }
}

static void winograd_pack(const tg_tensor *w, const int32_t key[TG_LAYOUT_KEY], int64_t r0, int64_t r1, void *to)
{
    const packing q = packing_of(w, key, to);
    const int64_t end = r1 < w->dim[0] ? r1 : q.panels * TG_PANEL; /* the last row comes with the padding */
    for (int64_t o = r0; q.backward ? o < r1 : o < end; o += q.backward ? 1 : 16)
        if (q.backward) pack_channel(&q, o);
        else pack_columns(&q, o);
}

void tg_winograd_key(bool backward, int tile, int32_t key[TG_LAYOUT_KEY])
{
    key[0] = backward;
    key[1] = tile;
}

const tg_layout tg_winograd_layout = { .name = "winograd", .bytes = winograd_bytes, .pack = winograd_pack };
