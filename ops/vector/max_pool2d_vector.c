/* max_pool2d_vector.c - max pooling and its derivative: all channels of a pixel at a time.
 *
 * Windows of 4, 6 or 9 pixels are processed in one step, others pixel by pixel. Backward gathers: each pixel of x
 * checks the windows that contain it, so tasks write disjoint lines. */
#include "bf16.h"
#include "pool2d.h"
#include "pool2d_windows.h"
#include <string.h>

enum { MOST = 9, SOURCES = 4, CHANNELS = 32 }; /* CHANNELS: processed at a time */

typedef struct {
    tg_windows at[2];
    int64_t channels;
    bool is_bf16, bytes;
} max_pool; /* bytes: indices are u8, not i32 */

/* ---- indices; NONE: not an output ---- */

typedef enum { NONE, BYTES, WORDS } index_kind;

TG_INLINE int32_t index_load(const void *index, index_kind kind, int64_t c)
{
    return kind == BYTES ? ((const uint8_t *)index)[c] : kind == WORDS ? ((const int32_t *)index)[c] : 0;
}

/* Bytes are compared as bytes: more of them fit in a vector. */
TG_INLINE bool index_is(const void *index, index_kind kind, int64_t c, int32_t place)
{
    return kind == BYTES ? ((const uint8_t *)index)[c] == (uint8_t)place : index_load(index, kind, c) == place;
}

TG_INLINE void index_store(void *index, index_kind kind, int64_t c, int32_t value)
{
    if (kind == BYTES) ((uint8_t *)index)[c] = (uint8_t)value;
    else if (kind == WORDS) ((int32_t *)index)[c] = value;
}

static void *index_at(const max_pool *p, const void *index, int64_t i)
{
    return index ? (char *)index + i * (p->bytes ? 1 : 4) : NULL;
}

/* ---- forward ---- */

typedef struct {
    int n;
    const void *at[MOST];
    int32_t place[MOST];
} window_taps;

/* The maximum of n pixels, channel by channel: the first of equals, but NaN wins. begun: y and index take part. Taps
 * are copied, so that the compiler sees that index bytes do not alias them. Positions are narrowed to bytes in a loop
 * of their own: a loop that mixes in bytes processes 64 channels at a time, or uses half a vector of the others. */
TG_INLINE void largest_channels(int n, bool begun, const window_taps *from, int64_t first, int64_t channels,
                                bool is_bf16, index_kind kind, void *y, void *index)
{
    const window_taps t = *from;
    int32_t places[CHANNELS];
#pragma omp simd
    for (int64_t i = 0; i < channels; i++) {
        const int64_t c = first + i;
        float best = begun ? tg_load(y, is_bf16, c) : tg_load(t.at[0], is_bf16, c);
        int32_t place = begun ? index_load(index, kind, c) : t.place[0];
#pragma GCC unroll 9
        for (int k = begun ? 0 : 1; k < n; k++) {
            const float value = tg_load(t.at[k], is_bf16, c);
            const int32_t take = -((value > best) | (value != value)), here = t.place[k]; /* a mask */
            best = take ? value : best;
            place = (place & ~take) | (here & take);
        }
        tg_store_exact(y, is_bf16, c, best);
        places[i] = place;
    }
#pragma omp simd
    for (int64_t i = 0; i < channels; i++) index_store(index, kind, first + i, places[i]);
}

TG_INLINE void largest_taps(int n, bool begun, const window_taps *t, int64_t channels, bool is_bf16, index_kind kind,
                            void *y, void *index)
{
    int64_t c = 0;
    for (; c + CHANNELS <= channels; c += CHANNELS) largest_channels(n, begun, t, c, CHANNELS, is_bf16, kind, y, index);
    if (c < channels) largest_channels(n, begun, t, c, channels - c, is_bf16, kind, y, index);
}

TG_INLINE void largest_of(const window_taps *t, bool begun, int64_t channels, bool is_bf16, index_kind kind, void *y,
                          void *index)
{
    if (!begun && t->n == 9) largest_taps(9, false, t, channels, is_bf16, kind, y, index);
    else if (!begun && t->n == 6) largest_taps(6, false, t, channels, is_bf16, kind, y, index);
    else if (!begun && t->n == 4) largest_taps(4, false, t, channels, is_bf16, kind, y, index);
    else
        for (int k = 0; k < t->n; k++) {
            const window_taps one = { 1, { t->at[k] }, { t->place[k] } };
            if (begun || k) largest_taps(1, true, &one, channels, is_bf16, kind, y, index);
            else largest_taps(1, false, &one, channels, is_bf16, kind, y, index);
        }
}

TG_INLINE void largest_indexed(const max_pool *p, const window_taps *t, bool begun, bool is_bf16, void *y, void *index)
{
    if (!index) largest_of(t, begun, p->channels, is_bf16, NONE, y, index);
    else if (p->bytes) largest_of(t, begun, p->channels, is_bf16, BYTES, y, index);
    else largest_of(t, begun, p->channels, is_bf16, WORDS, y, index);
}

static void reduce_taps(const max_pool *p, const window_taps *t, bool begun, void *y, void *index)
{
    if (p->is_bf16) largest_indexed(p, t, begun, true, y, index);
    else largest_indexed(p, t, begun, false, y, index);
}

/* The window's first pixel, possibly in the padding; indices count from it. */
static int64_t window_first(const tg_windows *v, int64_t o) { return o * v->stride - v->pad; }

static void add_tap(const max_pool *p, const void *image, int64_t line, int64_t column, int64_t h, int64_t w,
                    window_taps *t)
{
    const tg_windows *v = &p->at[0], *u = &p->at[1];
    t->at[t->n] = tg_at(image, p->is_bf16, (h * u->size + w) * p->channels);
    t->place[t->n++] = (int32_t)((h - window_first(v, line)) * u->kernel + w - window_first(u, column));
}

/* Any window, some pixels at a time. */
static void max_pool2d_window(const max_pool *p, const void *image, int64_t line, int64_t column, void *y, void *index)
{
    const tg_windows *v = &p->at[0], *u = &p->at[1];
    const int64_t h1 = tg_window_end(v, line), w0 = tg_window_start(u, column), w1 = tg_window_end(u, column);
    bool begun = false;
    window_taps t = { 0 };
    for (int64_t h = tg_window_start(v, line); h < h1; h++)
        for (int64_t w = w0; w < w1; w++) {
            if (t.n == MOST) {
                reduce_taps(p, &t, begun, y, index);
                begun = true;
                t.n = 0;
            }
            add_tap(p, image, line, column, h, w, &t);
        }
    reduce_taps(p, &t, begun, y, index);
}

/* All pixels of a window that is inside the image. */
static window_taps taps_of(const max_pool *p, const void *image, int64_t line, int64_t column)
{
    const int64_t h = window_first(&p->at[0], line), w = window_first(&p->at[1], column);
    window_taps t = { 0 };
    for (int64_t i = 0; i < p->at[0].kernel; i++)
        for (int64_t j = 0; j < p->at[1].kernel; j++) add_tap(p, image, line, column, h + i, w + j, &t);
    return t;
}

/* Windows inside the image with few enough pixels: from one to the next, addresses advance by the windows' stride. */
static bool window_is_whole(const max_pool *p, int64_t line, int64_t column)
{
    const tg_windows *v = &p->at[0], *u = &p->at[1];
    const int64_t h = window_first(v, line), w = window_first(u, column);
    return h >= 0 && h + v->kernel <= v->size && w >= 0 && w + u->kernel <= u->size && v->kernel * u->kernel <= MOST;
}

static void move_taps(window_taps *t, int64_t bytes)
{
    for (int k = 0; k < t->n; k++) t->at[k] = (const char *)t->at[k] + bytes;
}

static void max_pool2d_line(const max_pool *p, const void *image, int64_t line, char *y, char *index)
{
    const int64_t size = p->channels * (p->is_bf16 ? 2 : 4), index_size = p->channels * (p->bytes ? 1 : 4);
    window_taps t = { 0 };
    for (int64_t column = 0; column < p->at[1].out; column++, y += size, index += index ? index_size : 0) {
        if (!window_is_whole(p, line, column)) {
            max_pool2d_window(p, image, line, column, y, index);
            continue;
        }
        if (t.n) move_taps(&t, p->at[1].stride * size);
        else t = taps_of(p, image, line, column);
        reduce_taps(p, &t, false, y, index);
    }
}

static max_pool pool_of(const tg_call *c, const tg_tensor *index)
{
    return (max_pool){ { tg_pool_windows(c->attr, 0), tg_pool_windows(c->attr, 1) },
                       c->in[0]->dim[3],
                       tg_is_bf16(c->in[0]),
                       index && index->dtype == TG_U8 };
}

/* Lines of y per task: part of an image, at most half of it, unless the parts become too small; otherwise the whole
 * image. */
static int64_t max_pool2d_lines(const tg_call *c)
{
    const int64_t image = c->out[0]->dim[1], wanted = tg_pool_lines(c), most = wanted < image ? wanted : image;
    int64_t lines = 2 * most < image ? most : (image + 1) / 2;
    while (image % lines) lines--;
    return 4 * lines < most ? most : lines;
}

static int64_t max_pool2d_tasks(const tg_call *c, int phase) { return tg_pool_tasks_of(c, phase, max_pool2d_lines(c)); }

/* Where windows neither overlap nor leave gaps, a range of lines of y reads one contiguous range of lines of x. */
static int64_t max_pool2d_takes(const tg_call *c, int k)
{
    const tg_pool2d_attr *a = c->attr;
    const tg_tensor *x = c->in[k];
    const int64_t lines = max_pool2d_lines(c), image = c->out[0]->dim[1];
    const bool covers = tg_side_by_side(a) && image * a->kernel[0] == x->dim[1];
    return covers && image % lines == 0 ? lines * a->kernel[0] * x->dim[2] * x->dim[3] : 0;
}

static void max_pool2d_run(const tg_call *c, const tg_task *t)
{
    const max_pool p = pool_of(c, c->out[1]);
    const int64_t step = max_pool2d_lines(c), lines = c->out[0]->dim[0] * p.at[0].out;
    const int64_t pixels = p.at[0].size * p.at[1].size;
    for (int64_t line = t->index * step; line < lines && line < (t->index + 1) * step; line++) {
        const void *image = tg_at(tg_ptr(c->in[0]), p.is_bf16, line / p.at[0].out * pixels * p.channels);
        const int64_t first = line * p.at[1].out * p.channels;
        max_pool2d_line(&p, image, line % p.at[0].out, tg_at(tg_ptr(c->out[0]), p.is_bf16, first),
                        index_at(&p, tg_ptr(c->out[1]), first));
    }
}

TG_VECTOR_KERNEL(max_pool2d_vector) = { TG_VECTOR_HEAD, .tasks = max_pool2d_tasks, .takes = max_pool2d_takes,
                                        .run = max_pool2d_run };

/* ---- backward ---- */

/* Gradients of windows, and the pixel's index in each. */
typedef struct {
    int n;
    const void *gy[SOURCES], *index[SOURCES];
    int32_t place[SOURCES];
} gradient_sources;

/* gx = the gradients of windows whose maximum is this pixel, plus the sum so far. */
TG_INLINE void gather_channels(int n, const float *begun, const gradient_sources *s, int64_t channels, bool from,
                               bool to, index_kind kind, void *gx)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float sum = begun ? begun[c] : 0;
#pragma GCC unroll 4
        for (int k = 0; k < n; k++) {
            const float value = tg_load(s->gy[k], from, c);
            sum += index_is(s->index[k], kind, c, s->place[k]) ? value : 0;
        }
        if (n <= 1 && !begun) tg_store_exact(gx, to, c, sum);
        else tg_store(gx, to, c, sum);
    }
}

TG_INLINE void gather_from(const float *begun, const gradient_sources *s, int64_t channels, bool from, bool to,
                           index_kind kind, void *gx)
{
    switch (s->n) {
    case 0: gather_channels(0, begun, s, channels, from, to, kind, gx); break;
    case 1: gather_channels(1, begun, s, channels, from, to, kind, gx); break;
    case 2: gather_channels(2, begun, s, channels, from, to, kind, gx); break;
    case 3: gather_channels(3, begun, s, channels, from, to, kind, gx); break;
    default: gather_channels(4, begun, s, channels, from, to, kind, gx); break;
    }
}

TG_INLINE void gather_any(const max_pool *p, const float *begun, const gradient_sources *s, bool from, bool to,
                          void *gx)
{
    if (begun && p->bytes) gather_from(begun, s, p->channels, from, to, BYTES, gx);
    else if (begun) gather_from(begun, s, p->channels, from, to, WORDS, gx);
    else if (p->bytes) gather_from(NULL, s, p->channels, from, to, BYTES, gx);
    else gather_from(NULL, s, p->channels, from, to, WORDS, gx);
}

/* last: gx is complete. bf16 results accumulate in `sum`. */
static void gather_some(const max_pool *p, bool begun, bool last, const gradient_sources *s, float *sum, void *gx)
{
    if (!p->is_bf16) gather_any(p, begun ? gx : NULL, s, false, false, gx);
    else if (last) gather_any(p, begun ? sum : NULL, s, true, true, gx);
    else gather_any(p, begun ? sum : NULL, s, true, false, sum);
}

typedef struct {
    const void *gy, *index;
    int64_t row, column;
} image_pixel; /* of the image whose gradient is computed */

static void max_pool2d_grad_pixel(const max_pool *p, const tg_holders at[2], const image_pixel *x, float *sum, void *gx)
{
    bool begun = false;
    gradient_sources s = { 0 };
    for (int64_t i = at[0].first; i <= at[0].last; i++)
        for (int64_t j = at[1].first; j <= at[1].last; j++) {
            const int64_t from = (i * p->at[1].out + j) * p->channels, h = x->row - window_first(&p->at[0], i);
            if (s.n == SOURCES) {
                gather_some(p, begun, false, &s, sum, gx);
                begun = true;
                s.n = 0;
            }
            s.gy[s.n] = tg_at(x->gy, p->is_bf16, from);
            s.index[s.n] = index_at(p, x->index, from);
            s.place[s.n++] = (int32_t)(h * p->at[1].kernel + x->column - window_first(&p->at[1], j));
        }
    gather_some(p, begun, true, &s, sum, gx);
}

/* A pixel of a window receives its gradient, or zero. */
TG_INLINE void pick_channels(const void *gy, const void *index, int32_t place, int64_t channels, bool is_bf16,
                             index_kind kind, void *gx)
{
    const uint16_t *const bits = gy;
    if (is_bf16)
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) ((uint16_t *)gx)[c] = index_is(index, kind, c, place) ? bits[c] : 0;
    else
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            ((float *)gx)[c] = index_is(index, kind, c, place) ? ((const float *)gy)[c] : 0;
}

TG_INLINE void pick_line(const max_pool *p, const image_pixel *x, bool is_bf16, index_kind kind, void *gx)
{
    const int64_t row = x->row / p->at[0].kernel, width = p->at[1].kernel, channels = p->channels;
    const int64_t columns = row < p->at[0].out ? p->at[1].out : 0, done = columns * width * channels;
    for (int64_t j = 0; j < columns; j++) {
        const int64_t from = (row * columns + j) * channels, first = x->row % p->at[0].kernel * width;
        for (int64_t k = 0; k < width; k++)
            pick_channels(tg_at(x->gy, is_bf16, from), index_at(p, x->index, from), (int32_t)(first + k), channels,
                          is_bf16, kind, tg_at(gx, is_bf16, (j * width + k) * channels));
    }
    memset(tg_at(gx, is_bf16, done), 0, (size_t)(p->at[1].size * channels - done) * (is_bf16 ? 2 : 4));
}

static void pick_any_line(const max_pool *p, const image_pixel *x, void *gx)
{
    if (p->is_bf16 && p->bytes) pick_line(p, x, true, BYTES, gx);
    else if (p->is_bf16) pick_line(p, x, true, WORDS, gx);
    else if (p->bytes) pick_line(p, x, false, BYTES, gx);
    else pick_line(p, x, false, WORDS, gx);
}

static void max_pool2d_grad_line(const tg_call *c, const max_pool *p, int64_t line, float *sum)
{
    const int64_t image = line / p->at[0].size * p->at[0].out * p->at[1].out * p->channels;
    image_pixel x = { tg_at(tg_ptr(c->in[0]), p->is_bf16, image), index_at(p, tg_ptr(c->in[1]), image),
                      line % p->at[0].size, 0 };
    void *gx = tg_at(tg_ptr(c->out[0]), p->is_bf16, line * p->at[1].size * p->channels);
    tg_holders at[2] = { tg_holders_begin(&p->at[0]), tg_holders_begin(&p->at[1]) };
    if (tg_side_by_side(c->attr)) {
        pick_any_line(p, &x, gx);
        return;
    }
    tg_holders_move(&p->at[0], &at[0], x.row);
    for (; x.column < p->at[1].size; x.column++) {
        tg_holders_move(&p->at[1], &at[1], x.column);
        max_pool2d_grad_pixel(p, at, &x, sum, tg_at(gx, p->is_bf16, x.column * p->channels));
    }
}

static void max_pool2d_grad_run(const tg_call *c, const tg_task *t)
{
    const max_pool p = pool_of(c, c->in[1]);
    const int64_t step = tg_pool_lines(c), lines = c->out[0]->dim[0] * p.at[0].size;
    for (int64_t i = t->index * step; i < lines && i < (t->index + 1) * step; i++)
        max_pool2d_grad_line(c, &p, i, t->scratch);
}

static tg_scratch max_pool2d_grad_scratch(const tg_call *c)
{
    return (tg_scratch){ .worker = tg_is_bf16(c->in[0]) ? sizeof(float) * (size_t)c->in[0]->dim[3] : 0 };
}

TG_VECTOR_KERNEL(max_pool2d_grad_vector) = { TG_VECTOR_HEAD, .tasks = tg_pool_tasks, .scratch = max_pool2d_grad_scratch,
                                             .run = max_pool2d_grad_run };
