/* max_pool2d_relu_grad_vector.c - the gradient of max_pool2d behind a relu, and its sum by channel, in one pass: where
 * windows lie side by side each gradient goes to one pixel, or, where relu stopped it, to none.
 *
 * Phase 0 goes over bands of lines, one a row of windows, and sums what it hands out; phase 1 adds the tasks' sums, in
 * order, in double. */
#include "bf16.h"
#include "pool2d.h"
#include "pool2d_windows.h"
#include <string.h>

enum { CHUNK = 32 };                    /* channels of a task of phase 1 */

typedef struct {
    const void *gy, *index, *y;
    void       *g;
    tg_windows  at[2];
    int64_t     channels, bands, step, tasks;          /* bands of all images, of a task */
    bool        half, bytes;            /* numbers are bf16; indices are u8, not i32 */
} problem;

static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static problem problem_of(const tg_call *c)
{
    const tg_tensor *g = c->out[0];
    problem p = { tg_ptr(c->in[0]), tg_ptr(c->in[1]), tg_ptr(c->in[2]), tg_ptr(g),
                  .at = { tg_pool_windows(c->attr, 0), tg_pool_windows(c->attr, 1) }, .channels = g->dim[3],
                  .half = tg_half(g), .bytes = c->in[1]->dtype == TG_U8 };
    const int64_t band = p.at[0].kernel * p.at[1].size * p.channels;
    p.bands = g->dim[0] * div_up(p.at[0].size, p.at[0].kernel);
    p.step = band < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / band : 1;
    p.tasks = div_up(p.bands, p.step);
    return p;
}

static const char *reject(const tg_call *c)
{
    return tg_side_by_side(c->attr) ? NULL : "needs windows side by side";
}

/* ---- phase 0 ---- */

/* A pixel's gradient: the window's, if it was its largest.  `handed` collects the bits of a window's pixels: at most one
 * has any. */
#define PICK(name, number, place_type) \
    TG_INLINE void name(const number *restrict gy, const place_type *restrict index, place_type place, int64_t channels, \
                        number *restrict g, number *restrict handed) \
    { \
        _Pragma("omp simd") \
        for (int64_t c = 0; c < channels; c++) { \
            const number mask = (number)-(number)(index[c] == place), bits = gy[c] & mask; \
            g[c] = bits; \
            handed[c] |= bits; \
        } \
    }
PICK(pick_half_bytes, uint16_t, uint8_t)
PICK(pick_half_words, uint16_t, int32_t)
PICK(pick_bytes, uint32_t, uint8_t)
PICK(pick_words, uint32_t, int32_t)

/* The pixel that begins with element `at`. */
static void pick(const problem *p, const void *gy, const void *index, int64_t at, int32_t place, void *handed)
{
    void *const g = tg_at(p->g, p->half, at);
    if (p->half && p->bytes) pick_half_bytes(gy, index, (uint8_t)place, p->channels, g, handed);
    else if (p->half) pick_half_words(gy, index, place, p->channels, g, handed);
    else if (p->bytes) pick_bytes(gy, index, (uint8_t)place, p->channels, g, handed);
    else pick_words(gy, index, place, p->channels, g, handed);
}

static void add(const void *handed, bool half, int64_t channels, float *sum)
{
    if (half)
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) sum[c] += tg_bf16_value(((const uint16_t *)handed)[c]);
    else
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) sum[c] += tg_value_of(((const uint32_t *)handed)[c]);
}

/* What relu passes of a window's gradients. */
static void relu(const problem *p, int64_t from, void *to)
{
    const void *const gy = tg_at(p->gy, p->half, from), *const y = tg_at(p->y, p->half, from);
    if (p->half) tg_relu_grad_line(gy, y, true, p->channels, to);
    else tg_relu_grad_line(gy, y, false, p->channels, to);
}

/* Window number `window` of all; its first pixel begins with element `at`. */
static void hand_out(const problem *p, int64_t window, int64_t at, void *handed, float *sum)
{
    const int64_t     from = window * p->channels, line = p->at[1].size * p->channels;
    const void *const index = (const char *)p->index + from * (p->bytes ? 1 : 4);
    void *const       gy = (char *)handed + p->channels * 4;
    memset(handed, 0, (size_t)p->channels * (p->half ? 2 : 4));
    relu(p, from, gy);
    for (int64_t i = 0, place = 0; i < p->at[0].kernel; i++)
        for (int64_t j = 0; j < p->at[1].kernel; j++, place++)
            pick(p, gy, index, at + i * line + j * p->channels, (int32_t)place, handed);
    add(handed, p->half, p->channels, sum);
}

/* Zeros for what no window covers. */
static void clear(const problem *p, int64_t at, int64_t n)
{
    memset(tg_at(p->g, p->half, at), 0, (size_t)n * (p->half ? 2 : 4));
}

static void hand_out_band(const problem *p, int64_t band, void *handed, float *sum)
{
    const tg_windows *v = &p->at[0], *u = &p->at[1];
    const int64_t     of_image = div_up(v->size, v->kernel), image = band / of_image, row = band % of_image;
    const int64_t     line = u->size * p->channels, covered = row < v->out ? u->out * u->kernel * p->channels : 0;
    const int64_t     h0 = row * v->kernel, h1 = h0 + v->kernel < v->size ? h0 + v->kernel : v->size;
    const int64_t     at = (image * v->size + h0) * line;
    for (int64_t j = 0; j < u->out && covered; j++)
        hand_out(p, (image * v->out + row) * u->out + j, at + j * u->kernel * p->channels, handed, sum);
    for (int64_t h = 0; h < h1 - h0 && covered < line; h++) clear(p, at + h * line + covered, line - covered);
}

static void hand_out_bands(const problem *p, const tg_task *t)
{
    float *const  sum = (float *)t->shared + t->index * p->channels;
    const int64_t end = (t->index + 1) * p->step < p->bands ? (t->index + 1) * p->step : p->bands;
    memset(sum, 0, (size_t)p->channels * sizeof *sum);
    for (int64_t band = t->index * p->step; band < end; band++) hand_out_band(p, band, t->scratch, sum);
}

/* ---- phase 1 ---- */

static void add_up(const problem *p, const float *sums, int64_t index, float *total)
{
    const int64_t from = index * CHUNK, n = p->channels - from < CHUNK ? p->channels - from : CHUNK;
    double        all[CHUNK] = { 0 };
    for (int64_t t = 0; t < p->tasks; t++)
        for (int64_t j = 0; j < n; j++) all[j] += (double)sums[t * p->channels + from + j];
    for (int64_t j = 0; j < n; j++) total[from + j] = (float)all[j];
}

/* ---- the kernel ---- */

static void run(const tg_call *c, const tg_task *t)
{
    const problem p = problem_of(c);
    if (t->phase == 0) hand_out_bands(&p, t);
    else add_up(&p, t->shared, t->index, tg_ptr(c->out[1]));
}

static int64_t tasks(const tg_call *c, int phase)
{
    const problem p = problem_of(c);
    return phase == 0 ? p.tasks : phase == 1 ? div_up(p.channels, CHUNK) : 0;
}

static tg_scratch scratch(const tg_call *c)
{
    const problem p = problem_of(c);
    return (tg_scratch){ .shared = (size_t)(p.tasks * p.channels) * sizeof(float),
                         .worker = 2 * (size_t)p.channels * sizeof(float) };
}

TG_VECTOR_KERNEL(max_pool2d_relu_grad_vector) = { TG_VECTOR_HEAD, .reject = reject, .scratch = scratch, .tasks = tasks,
                                                  .run = run };
