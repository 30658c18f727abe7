/* max_pool2d_relu_grad_vector.c - the gradient of max_pool2d following a relu, and its sum by channel, in one pass.
 * Windows do not overlap, so each gradient goes to one pixel or, where relu stopped it, to none.
 *
 * Phase 0 processes bands of lines, one row of windows each, and sums the gradients it stores; phase 1 adds the tasks'
 * sums in order, in double. */
#include "bf16.h"
#include "pool2d.h"
#include "pool2d_windows.h"
#include "ints.h"
#include <string.h>

enum {
    CHUNK = 32,  /* channels of a task of phase 1 */
    AT_ONCE = 9, /* pixels of a window */
};

typedef struct {
    const void *gy, *index, *y;
    void *g;
    tg_windows at[2];
    int64_t channels, bands, step, tasks; /* of all images; per task */
    bool is_bf16, bytes;                  /* elements are bf16; indices are u8, not i32 */
} max_relu_grad;

static max_relu_grad max_relu_grad_of(const tg_call *c)
{
    const tg_tensor *g = c->out[0];
    max_relu_grad p = { tg_ptr(c->in[0]),
                        tg_ptr(c->in[1]),
                        tg_ptr(c->in[2]),
                        tg_ptr(g),
                        .at = { tg_pool_windows(c->attr, 0), tg_pool_windows(c->attr, 1) },
                        .channels = g->dim[3],
                        .is_bf16 = tg_is_bf16(g),
                        .bytes = c->in[1]->dtype == TG_U8 };
    const int64_t band = p.at[0].kernel * p.at[1].size * p.channels;
    p.bands = g->dim[0] * ceil_div(p.at[0].size, p.at[0].kernel);
    p.step = band < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / band : 1;
    p.tasks = ceil_div(p.bands, p.step);
    return p;
}

static const char *max_pool2d_relu_grad_reject(const tg_call *c)
{
    return tg_side_by_side(c->attr) ? NULL : "needs windows side by side";
}

/* ---- phase 0 ---- */

/* Stores a window's gradient, or zero, at its pixels first .. first + n - 1. n is a constant. */
#define GIVE(name, number, place_type) \
    TG_INLINE void name(int n, int64_t first, const void *gradients, const void *places, int64_t channels, \
                        void *const to[AT_ONCE]) \
    { \
        const number *const gy = gradients; \
        const place_type *const index = places; \
        _Pragma("omp simd") for (int64_t c = 0; c < channels; c++) \
        { \
            const number value = gy[c]; \
            const place_type place = index[c]; \
            _Pragma("GCC unroll 9") for (int k = 0; k < n; k++)((number *)to[k])[c] = \
                value & (number) - (number)(place == (place_type)(first + k)); \
        } \
    }
GIVE(give_bf16_bytes, uint16_t, uint8_t)
GIVE(give_bf16_words, uint16_t, int32_t)
GIVE(give_bytes, uint32_t, uint8_t)
GIVE(give_words, uint32_t, int32_t)

TG_INLINE void scatter_channels(const max_relu_grad *p, int n, int64_t first, const void *gy, const void *index,
                                void *const to[AT_ONCE])
{
    if (p->is_bf16 && p->bytes) give_bf16_bytes(n, first, gy, index, p->channels, to);
    else if (p->is_bf16) give_bf16_words(n, first, gy, index, p->channels, to);
    else if (p->bytes) give_bytes(n, first, gy, index, p->channels, to);
    else give_words(n, first, gy, index, p->channels, to);
}

/* All pixels of a window whose first pixel begins at element `at`. */
static void scatter_window(const max_relu_grad *p, const void *gy, const void *index, int64_t at)
{
    const int64_t width = p->at[1].kernel, places = p->at[0].kernel * width, line = p->at[1].size * p->channels;
    const int n = places == 4 || places == 9 ? (int)places : 1;
    void *to[AT_ONCE];
    for (int64_t first = 0; first < places; first += n) {
        for (int k = 0; k < n; k++)
            to[k] = tg_at(p->g, p->is_bf16, at + (first + k) / width * line + (first + k) % width * p->channels);
        if (n == 4) scatter_channels(p, 4, first, gy, index, to);
        else if (n == 9) scatter_channels(p, 9, first, gy, index, to);
        else scatter_channels(p, 1, first, gy, index, to);
    }
}

static void add_to_sums(const void *gy, bool is_bf16, int64_t channels, float *sum)
{
    if (is_bf16)
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) sum[c] += tg_bf16_value(((const uint16_t *)gy)[c]);
    else
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) sum[c] += tg_value_of(((const uint32_t *)gy)[c]);
}

/* The gradients of a row of windows that relu passes, from element `from` on. */
static void mask_window(const max_relu_grad *p, int64_t from, void *passed)
{
    const void *const gy = tg_at(p->gy, p->is_bf16, from), *const y = tg_at(p->y, p->is_bf16, from);
    if (p->is_bf16) tg_relu_grad_line(gy, y, true, p->at[1].out * p->channels, passed);
    else tg_relu_grad_line(gy, y, false, p->at[1].out * p->channels, passed);
}

/* A row of windows; `at`: the first element of its first pixel. */
static void scatter_row(const max_relu_grad *p, int64_t row, int64_t at, void *passed, float *sum)
{
    const tg_windows *u = &p->at[1];
    int64_t from = row * u->out * p->channels;
    mask_window(p, from, passed);
    for (int64_t j = 0; j < u->out; j++, from += p->channels, at += u->kernel * p->channels) {
        const void *const gy = tg_at(passed, p->is_bf16, j * p->channels);
        scatter_window(p, gy, (const char *)p->index + from * (p->bytes ? 1 : 4), at);
        add_to_sums(gy, p->is_bf16, p->channels, sum);
    }
}

/* Zeros the pixels that no window covers. */
static void clear_pixels(const max_relu_grad *p, int64_t at, int64_t n)
{
    memset(tg_at(p->g, p->is_bf16, at), 0, (size_t)n * (p->is_bf16 ? 2 : 4));
}

static void scatter_band(const max_relu_grad *p, int64_t band, void *passed, float *sum)
{
    const tg_windows *v = &p->at[0], *u = &p->at[1];
    const int64_t of_image = ceil_div(v->size, v->kernel), image = band / of_image, row = band % of_image;
    const int64_t line = u->size * p->channels, covered = row < v->out ? u->out * u->kernel * p->channels : 0;
    const int64_t h0 = row * v->kernel, h1 = h0 + v->kernel < v->size ? h0 + v->kernel : v->size;
    const int64_t at = (image * v->size + h0) * line;
    if (covered) scatter_row(p, image * v->out + row, at, passed, sum);
    for (int64_t h = 0; h < h1 - h0 && covered < line; h++) clear_pixels(p, at + h * line + covered, line - covered);
}

static void scatter_bands(const max_relu_grad *p, const tg_task *t)
{
    float *const sum = (float *)t->shared + t->index * p->channels;
    const int64_t end = (t->index + 1) * p->step < p->bands ? (t->index + 1) * p->step : p->bands;
    memset(sum, 0, (size_t)p->channels * sizeof *sum);
    for (int64_t band = t->index * p->step; band < end; band++) scatter_band(p, band, t->scratch, sum);
}

/* ---- phase 1 ---- */

static void sum_partials(const max_relu_grad *p, const float *sums, int64_t index, float *total)
{
    const int64_t from = index * CHUNK, n = p->channels - from < CHUNK ? p->channels - from : CHUNK;
    double all[CHUNK] = { 0 };
    for (int64_t t = 0; t < p->tasks; t++)
        for (int64_t j = 0; j < n; j++) all[j] += (double)sums[t * p->channels + from + j];
    for (int64_t j = 0; j < n; j++) total[from + j] = (float)all[j];
}

/* ---- the kernel ---- */

static void max_pool2d_relu_grad_run(const tg_call *c, const tg_task *t)
{
    const max_relu_grad p = max_relu_grad_of(c);
    if (t->phase == 0) scatter_bands(&p, t);
    else sum_partials(&p, t->shared, t->index, tg_ptr(c->out[1]));
}

static int64_t max_pool2d_relu_grad_tasks(const tg_call *c, int phase)
{
    const max_relu_grad p = max_relu_grad_of(c);
    return phase == 0 ? p.tasks : phase == 1 ? ceil_div(p.channels, CHUNK) : 0;
}

static tg_scratch max_pool2d_relu_grad_scratch(const tg_call *c)
{
    const max_relu_grad p = max_relu_grad_of(c);
    return (tg_scratch){ .shared = (size_t)(p.tasks * p.channels) * sizeof(float),
                         .worker = (size_t)(p.at[1].out * p.channels) * sizeof(float) };
}

TG_VECTOR_KERNEL(max_pool2d_relu_grad_vector) = { TG_VECTOR_HEAD, .reject = max_pool2d_relu_grad_reject,
                                                  .scratch = max_pool2d_relu_grad_scratch,
                                                  .tasks = max_pool2d_relu_grad_tasks,
                                                  .run = max_pool2d_relu_grad_run };
