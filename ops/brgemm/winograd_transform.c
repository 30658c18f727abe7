/* winograd_transform.c - the transforms of x and y of Winograd's algorithm, 16 channels at a time.  See winograd.h. */
#include "avx512.h"
#include "winograd.h"

/* ---- x ---- */

typedef struct {
    const char *image;                  /* some channels of its first pixel */
    int64_t     line[4], width;         /* where the lines of a run of tiles begin, in elements; pixels of a line */
    __mmask16   mask[4];                /* of channels, for each line; 0: beyond the edge */
    int64_t     channels;
} window;

INLINE __m512 pixel(const char *at, bool half, __mmask16 mask)
{
    return half ? widened(_mm256_maskz_loadu_epi16(mask, at)) : _mm512_maskz_loadu_ps(mask, at);
}

/* One column of pixels, transformed along h. */
INLINE void column(const window *v, bool half, int64_t w, __m512 to[4])
{
    const bool inside = w >= 0 && w < v->width;
    __m512     p[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __mmask16 mask = inside ? v->mask[i] : 0;
        p[i] = pixel(v->image + (mask ? (v->line[i] + w * v->channels) * (half ? 2 : 4) : 0), half, mask);
    }
    to[0] = _mm512_sub_ps(p[0], p[2]);
    to[1] = _mm512_add_ps(p[1], p[2]);
    to[2] = _mm512_sub_ps(p[2], p[1]);
    to[3] = _mm512_sub_ps(p[1], p[3]);
}

/* The tiles of a run, some channels of them: neighbours share two columns. */
INLINE void tiles_of(const tg_winograd *g, const window *v, bool half, int64_t w, int64_t tiles, float *d)
{
    __m512 a[4], b[4], c[4], e[4];
    column(v, half, w, a);
    column(v, half, w + 1, b);
    for (int64_t t = 0; t < tiles; t++, d += g->pitch) {
        column(v, half, w + 2 * t + 2, c);
        column(v, half, w + 2 * t + 3, e);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            float *to = d + 4 * i * g->d_point;
            _mm512_storeu_ps(to, _mm512_sub_ps(a[i], c[i]));
            _mm512_storeu_ps(to + g->d_point, _mm512_add_ps(b[i], c[i]));
            _mm512_storeu_ps(to + 2 * g->d_point, _mm512_sub_ps(c[i], b[i]));
            _mm512_storeu_ps(to + 3 * g->d_point, _mm512_sub_ps(b[i], e[i]));
            a[i] = c[i];
            b[i] = e[i];
        }
    }
}

void tg_winograd_input(const tg_winograd *g, const tg_tile_run *r, float *d)
{
    const int64_t *dim = g->x->dim, size = (int64_t)tg_dtype_size(g->x->dtype);
    const char    *image = (const char *)tg_ptr(g->x) + r->image * dim[1] * dim[2] * g->in * size;
    window         v = { .width = dim[2], .channels = g->in };
    for (int64_t i = 0; i < g->in; i += 16) {
        v.image = image + i * size;
        for (int k = 0; k < 4; k++) {
            const int64_t h = r->h - g->pad[0] + k;
            v.line[k] = h * dim[2] * g->in;
            v.mask[k] = h >= 0 && h < dim[1] ? mask_of(g->in - i) : 0;
        }
        if (g->x->dtype == TG_BF16) tiles_of(g, &v, true, r->w - g->pad[1], r->tiles, d + i);
        else tiles_of(g, &v, false, r->w - g->pad[1], r->tiles, d + i);
    }
}

/* ---- y ---- */

/* 4x4 points become 2x2 outputs. */
INLINE void outputs(const float *m, int64_t point, __m512 y[2][2])
{
    __m512 s[2][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m512 a = _mm512_loadu_ps(m + i * point), b = _mm512_loadu_ps(m + (4 + i) * point);
        const __m512 c = _mm512_loadu_ps(m + (8 + i) * point), d = _mm512_loadu_ps(m + (12 + i) * point);
        s[0][i] = _mm512_add_ps(_mm512_add_ps(a, b), c);
        s[1][i] = _mm512_sub_ps(_mm512_sub_ps(b, c), d);
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        y[h][0] = _mm512_add_ps(_mm512_add_ps(s[h][0], s[h][1]), s[h][2]);
        y[h][1] = _mm512_sub_ps(_mm512_sub_ps(s[h][1], s[h][2]), s[h][3]);
    }
}

/* The last line and the last column of tiles may stand beyond the image's edge with a half of them. */
void tg_winograd_output(const tg_winograd *g, const tg_tile_run *r, int64_t channel, const float *m)
{
    const int64_t *dim = g->y->dim, size = (int64_t)tg_dtype_size(g->y->dtype), pixels = r->image * dim[1] * dim[2];
    tg_brgemm      p = { .c = (char *)tg_ptr(g->y) + (pixels * g->out + channel) * size, .store = g->y->dtype,
                         .bias = g->bias ? (const float *)tg_ptr(g->bias) + channel : NULL, .relu = g->relu };
    const int64_t  left = g->out - channel, columns = left < TG_PANEL ? left : TG_PANEL;
    for (int64_t t = 0; t < r->tiles; t++, m += TG_PANEL)
        for (int j = 0; j < columns; j += 16) {
            const __mmask16 mask = mask_of(columns - j);
            __m512          y[2][2];
            outputs(m + j, g->m_point, y);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                const int64_t h = r->h + i / 2, w = r->w + 2 * t + i % 2;
                if (h < dim[1] && w < dim[2])
                    store(&p, (h * dim[2] + w) * g->out + j, finished(y[i / 2][i % 2], &p, j, mask), mask);
            }
        }
}
