/* max_pool2d_vector.c - the largest value of windows, and its derivative: all channels of a pixel at a time.
 *
 * Windows of 4, 6 or 9 pixels are taken in one go, others pixel by pixel.  Backward gathers: a pixel of x looks into
 * the windows it is in, so tasks write different lines. */
#include "vector.h"
#include "pool2d_windows.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
enum { MOST = 9 };

/* ---- forward ---- */

typedef struct { int n; const float *at[MOST]; int32_t place[MOST]; } taps;

/* The largest of n pixels, channel by channel; the first of equals, but a NaN wins.  begun: y and index are one too. */
INLINE void largest(int n, bool begun, const taps *t, int64_t channels, float *y, int32_t *index)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float   best = begun ? y[c] : t->at[0][c];
        int32_t place = begun ? index[c] : t->place[0];
#pragma GCC unroll 9
        for (int k = begun ? 0 : 1; k < n; k++) {
            const float   value = t->at[k][c];
            const int32_t take = -((value > best) | (value != value)), here = t->place[k];      /* a mask */
            best = take ? value : best;
            place = (place & ~take) | (here & take);
        }
        y[c] = best;
        index[c] = place;
    }
}

INLINE void largest_value(int n, bool begun, const taps *t, int64_t channels, float *y)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float best = begun ? y[c] : t->at[0][c];
#pragma GCC unroll 9
        for (int k = begun ? 0 : 1; k < n; k++) {
            const float value = t->at[k][c];
            best = (value > best) | (value != value) ? value : best;
        }
        y[c] = best;
    }
}

INLINE void reduce(int n, bool begun, const taps *t, int64_t channels, float *y, int32_t *index)
{
    if (index) largest(n, begun, t, channels, y, index);
    else largest_value(n, begun, t, channels, y);
}

static void reduce_some(bool begun, const taps *t, int64_t channels, float *y, int32_t *index)
{
    if (!begun && t->n == 9) reduce(9, false, t, channels, y, index);
    else if (!begun && t->n == 6) reduce(6, false, t, channels, y, index);
    else if (!begun && t->n == 4) reduce(4, false, t, channels, y, index);
    else for (int k = 0; k < t->n; k++) {
        const taps one = { 1, { t->at[k] }, { t->place[k] } };
        if (begun || k) reduce(1, true, &one, channels, y, index);
        else reduce(1, false, &one, channels, y, index);
    }
}

typedef struct { tg_windows at[2]; int64_t channels; } pool;

static void forward_window(const pool *p, const float *image, int64_t line, int64_t column, float *y, int32_t *index)
{
    const int64_t h1 = tg_window_end(&p->at[0], line), w1 = tg_window_end(&p->at[1], column), width = p->at[1].size;
    const int64_t w0 = tg_window_start(&p->at[1], column);
    bool          begun = false;
    taps          t = { 0 };
    for (int64_t h = tg_window_start(&p->at[0], line); h < h1; h++)
        for (int64_t w = w0; w < w1; w++) {
            if (t.n == MOST) {
                reduce_some(begun, &t, p->channels, y, index);
                begun = true;
                t.n = 0;
            }
            t.at[t.n] = image + (h * width + w) * p->channels;
            t.place[t.n++] = (int32_t)(h * width + w);
        }
    reduce_some(begun, &t, p->channels, y, index);
}

static pool pool_of(const tg_call *c)
{
    return (pool){ { tg_pool_windows(c->attr, 0), tg_pool_windows(c->attr, 1) }, c->in[0]->dim[3] };
}

static void forward_run(const tg_call *c, const tg_task *t)
{
    const pool    p = pool_of(c);
    const int64_t step = tg_pool_lines(c), lines = c->out[0]->dim[0] * p.at[0].out;
    const int64_t pixels = p.at[0].size * p.at[1].size;
    for (int64_t line = t->index * step; line < lines && line < (t->index + 1) * step; line++) {
        const float *image = (const float *)tg_ptr(c->in[0]) + line / p.at[0].out * pixels * p.channels;
        float       *y = (float *)tg_ptr(c->out[0]) + line * p.at[1].out * p.channels;
        int32_t     *index = c->out[1] ? (int32_t *)tg_ptr(c->out[1]) + line * p.at[1].out * p.channels : NULL;
        for (int64_t column = 0; column < p.at[1].out; column++)
            forward_window(&p, image, line % p.at[0].out, column, y + column * p.channels,
                           index ? index + column * p.channels : NULL);
    }
}

TG_VECTOR_KERNEL(max_pool2d_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                        .run = forward_run };

/* ---- backward ---- */

typedef struct { int n; const float *gy[4]; const int32_t *index[4]; } sources;

/* gx (+)= the gradients of windows whose largest pixel is this one. */
INLINE void gather(int n, bool begun, const sources *s, int32_t place, int64_t channels, float *gx)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float sum = begun ? gx[c] : 0;
#pragma GCC unroll 4
        for (int k = 0; k < n; k++) {
            const float value = s->gy[k][c];
            sum += s->index[k][c] == place ? value : 0;
        }
        gx[c] = sum;
    }
}

static void gather_some(bool begun, const sources *s, int32_t place, int64_t channels, float *gx)
{
    if (begun) {
        for (int k = 0; k < s->n; k++)
            gather(1, true, &(sources){ 1, { s->gy[k] }, { s->index[k] } }, place, channels, gx);
        return;
    }
    switch (s->n) {
    case 0: gather(0, false, s, place, channels, gx); break;
    case 1: gather(1, false, s, place, channels, gx); break;
    case 2: gather(2, false, s, place, channels, gx); break;
    case 3: gather(3, false, s, place, channels, gx); break;
    default: gather(4, false, s, place, channels, gx); break;
    }
}

static void backward_pixel(const pool *p, const tg_holders at[2], const float *gy, const int32_t *index, int32_t place,
                           float *gx)
{
    bool    begun = false;
    sources s = { 0 };
    for (int64_t i = at[0].first; i <= at[0].last; i++)
        for (int64_t j = at[1].first; j <= at[1].last; j++) {
            const int64_t from = (i * p->at[1].out + j) * p->channels;
            if (s.n == 4) {
                gather_some(begun, &s, place, p->channels, gx);
                begun = true;
                s.n = 0;
            }
            s.gy[s.n] = gy + from;
            s.index[s.n++] = index + from;
        }
    gather_some(begun, &s, place, p->channels, gx);
}

static void backward_line(const tg_call *c, const pool *p, int64_t line)
{
    const int64_t  image = line / p->at[0].size * p->at[0].out * p->at[1].out * p->channels, row = line % p->at[0].size;
    const float   *gy = (const float *)tg_ptr(c->in[0]) + image;
    const int32_t *index = (const int32_t *)tg_ptr(c->in[1]) + image;
    float         *gx = (float *)tg_ptr(c->out[0]) + line * p->at[1].size * p->channels;
    tg_holders     at[2] = { tg_holders_begin(&p->at[0]), tg_holders_begin(&p->at[1]) };
    tg_holders_move(&p->at[0], &at[0], row);
    for (int64_t column = 0; column < p->at[1].size; column++) {
        tg_holders_move(&p->at[1], &at[1], column);
        backward_pixel(p, at, gy, index, (int32_t)(row * p->at[1].size + column), gx + column * p->channels);
    }
}

static void backward_run(const tg_call *c, const tg_task *t)
{
    const pool    p = pool_of(c);
    const int64_t step = tg_pool_lines(c), lines = c->out[0]->dim[0] * p.at[0].size;
    for (int64_t i = t->index * step; i < lines && i < (t->index + 1) * step; i++) backward_line(c, &p, i);
}

TG_VECTOR_KERNEL(max_pool2d_grad_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                             .run = backward_run };
