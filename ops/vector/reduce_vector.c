/* reduce_vector.c - sums over axes: sum, mean, channel_sum, and relu_grad with channel_sum.
 *
 * x is taken as [outer, length, inner], and summed over the middle.  The shape cuts it into pieces of `rows` rows and
 * `width` columns: phase 0 sums each piece; if a length has several, phase 1 adds their sums up, in order. */
#include "attr.h"
#include "elementwise.h"
#include <string.h>

enum { MIN_ROWS = 64, MAX_ROWS = 1024, WIDTH = 1024, LINE = 32768, CHUNK = 32 };

typedef struct {
    int64_t outer, length, inner;
    int64_t rows, width;                /* of a piece */
    int64_t pieces, columns;            /* of a length; of inner */
    int64_t group;                      /* outer indices of one task */
    float   scale;
} cut;

static int64_t parts(int64_t n, int64_t size) { return (n + size - 1) / size; }

static cut cut_of(int64_t outer, int64_t length, int64_t inner)
{
    cut k = { .outer = outer, .length = length, .inner = inner, .scale = 1 };
    k.width = inner < WIDTH ? inner : WIDTH;
    k.rows = TG_VECTOR_BLOCK / k.width;
    k.rows = inner == 1 ? LINE : k.rows < MIN_ROWS ? MIN_ROWS : k.rows > MAX_ROWS ? MAX_ROWS : k.rows;
    k.pieces = parts(length, k.rows);
    k.columns = parts(inner, k.width);
    k.group = k.pieces == 1 && k.columns == 1 ? parts(TG_VECTOR_BLOCK, length * inner) : 1;
    return k;
}

/* False: other axes, of a size above 1, lie between those that are summed. */
static bool cut_axes(const tg_call *c, cut *k)
{
    const uint32_t   axes = ((const tg_reduce_attr *)c->attr)->axes;
    const tg_tensor *x = c->in[0];
    int64_t          extent[3] = { 1, 1, 1 };           /* outer, length, inner */
    int              at = 0;
    for (int i = 0; i < x->rank; i++) {
        const bool summed = axes & TG_BIT(i);
        if (x->dim[i] == 1) continue;
        if (summed && at == 2) return false;
        at = summed ? 1 : at ? 2 : 0;
        extent[at] *= x->dim[i];
    }
    *k = cut_of(extent[0], extent[1], extent[2]);
    return true;
}

static cut cut_rows(const tg_tensor *x)
{
    const int64_t channels = x->dim[x->rank - 1];
    return cut_of(1, tg_count(x) / channels, channels);
}

/* ---- one piece ---- */

/* Four rows at a time: fewer loads and stores of the sums, and smaller rounding errors. */
static void add_rows(float *restrict sum, const float *restrict x, int64_t rows, int64_t stride, int64_t width)
{
    int64_t r = 0;
    memset(sum, 0, sizeof *sum * (size_t)width);
    for (; r + 4 <= rows; r += 4) {
        const float *a = x + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
#pragma omp simd
        for (int64_t j = 0; j < width; j++) sum[j] += (a[j] + b[j]) + (c[j] + d[j]);
    }
    for (; r < rows; r++) {
#pragma omp simd
        for (int64_t j = 0; j < width; j++) sum[j] += x[r * stride + j];
    }
}

static float add_line(const float *x, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    return (float)sum;
}

/* Piece `piece` of outer index o, columns from block `column`, into `sum`. */
static void add_piece(const cut *k, const float *x, int64_t o, int64_t piece, int64_t column, float *sum)
{
    const int64_t row = piece * k->rows, left = k->length - row, rows = left < k->rows ? left : k->rows;
    const int64_t from = column * k->width, rest = k->inner - from, width = rest < k->width ? rest : k->width;
    const float  *first = x + (o * k->length + row) * k->inner + from;
    if (k->inner == 1) sum[0] = add_line(first, rows);
    else add_rows(sum + from, first, rows, k->inner, width);
}

/* ---- phases ---- */

static int64_t phase_tasks(const cut *k, int phase)
{
    if (phase == 0) return parts(k->outer, k->group) * k->pieces * k->columns;
    return phase == 1 && k->pieces > 1 ? k->outer * parts(k->inner, CHUNK) : 0;
}

static size_t partial_bytes(const cut *k)
{
    return k->pieces > 1 ? sizeof(float) * (size_t)(k->outer * k->pieces * k->inner) : 0;
}

static void first_phase(const cut *k, const float *x, float *y, float *partial, int64_t task)
{
    const int64_t column = task % k->columns, piece = task / k->columns % k->pieces;
    const int64_t begin = task / k->columns / k->pieces * k->group;
    const int64_t end = begin + k->group < k->outer ? begin + k->group : k->outer;
    for (int64_t o = begin; o < end; o++) {
        float *sum = k->pieces > 1 ? partial + (o * k->pieces + piece) * k->inner : y + o * k->inner;
        add_piece(k, x, o, piece, column, sum);
        if (k->pieces > 1 || k->scale == 1) continue;
        const int64_t from = column * k->width, to = from + k->width < k->inner ? from + k->width : k->inner;
        for (int64_t j = from; j < to; j++) sum[j] *= k->scale;
    }
}

static void second_phase(const cut *k, float *y, const float *partial, int64_t task)
{
    const int64_t chunks = parts(k->inner, CHUNK), o = task / chunks, from = task % chunks * CHUNK;
    const int64_t n = k->inner - from < CHUNK ? k->inner - from : CHUNK;
    double        sum[CHUNK] = { 0 };
    for (int64_t piece = 0; piece < k->pieces; piece++)
        for (int64_t j = 0; j < n; j++) sum[j] += (double)partial[(o * k->pieces + piece) * k->inner + from + j];
    for (int64_t j = 0; j < n; j++) y[o * k->inner + from + j] = (float)(sum[j] * (double)k->scale);
}

static void run(const tg_call *c, const tg_task *task, const cut *k)
{
    if (task->phase == 0) first_phase(k, tg_ptr(c->in[0]), tg_ptr(c->out[0]), task->shared, task->index);
    else second_phase(k, tg_ptr(c->out[0]), task->shared, task->index);
}

/* ---- sum, mean ---- */

static const char *sum_reject(const tg_call *c)
{
    cut k;
    if (!cut_axes(c, &k)) return "needs axes side by side";
    return tg_reject_not_f32(c);
}

static int64_t sum_tasks(const tg_call *c, int phase)
{
    cut k;
    return cut_axes(c, &k) ? phase_tasks(&k, phase) : 0;
}

static tg_scratch sum_scratch(const tg_call *c)
{
    cut k;
    return (tg_scratch){ .shared = cut_axes(c, &k) ? partial_bytes(&k) : 0 };
}

static void sum_run(const tg_call *c, const tg_task *task)
{
    cut k;
    if (cut_axes(c, &k)) run(c, task, &k);
}

static void mean_run(const tg_call *c, const tg_task *task)
{
    cut k;
    if (!cut_axes(c, &k)) return;
    k.scale = 1.0f / (float)k.length;
    run(c, task, &k);
}

TG_VECTOR_KERNEL(sum_vector) = {
    TG_VECTOR_HEAD, .reject = sum_reject, .scratch = sum_scratch, .tasks = sum_tasks, .run = sum_run,
};
TG_VECTOR_KERNEL(mean_vector) = {
    TG_VECTOR_HEAD, .reject = sum_reject, .scratch = sum_scratch, .tasks = sum_tasks, .run = mean_run,
};

/* ---- channel_sum ---- */

static int64_t channel_sum_tasks(const tg_call *c, int phase)
{
    const cut k = cut_rows(c->in[0]);
    return phase_tasks(&k, phase);
}

static tg_scratch channel_sum_scratch(const tg_call *c)
{
    const cut k = cut_rows(c->in[0]);
    return (tg_scratch){ .shared = partial_bytes(&k) };
}

static void channel_sum_run(const tg_call *c, const tg_task *task)
{
    const cut k = cut_rows(c->in[0]);
    run(c, task, &k);
}

TG_VECTOR_KERNEL(channel_sum_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .scratch = channel_sum_scratch, .tasks = channel_sum_tasks,
    .run = channel_sum_run,
};

/* ---- relu_grad_channel_sum: a row is masked and added in one pass ---- */

static void mask_row(float *sum, float *g, const float *gy, const float *y, int64_t n)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        const float v = gy[j], masked = y[j] > 0.0f ? v : 0.0f;
        g[j] = masked;
        sum[j] += masked;
    }
}

static void relu_grad_channel_sum_run(const tg_call *c, const tg_task *task)
{
    const cut    k = cut_rows(c->in[0]);
    const float *gy = tg_ptr(c->in[0]), *y = tg_ptr(c->in[1]);
    float       *g = tg_ptr(c->out[0]), *sums = tg_ptr(c->out[1]);
    if (task->phase == 1) {
        second_phase(&k, sums, task->shared, task->index);
        return;
    }
    const int64_t piece = task->index / k.columns, from = task->index % k.columns * k.width;
    const int64_t end = (piece + 1) * k.rows < k.length ? (piece + 1) * k.rows : k.length;
    const int64_t n = k.inner - from < k.width ? k.inner - from : k.width;
    float        *sum = (k.pieces > 1 ? (float *)task->shared + piece * k.inner : sums) + from;
    memset(sum, 0, sizeof *sum * (size_t)n);
    for (int64_t r = piece * k.rows; r < end; r++) {
        const int64_t at = r * k.inner + from;
        mask_row(sum, g + at, gy + at, y + at, n);
    }
}

TG_VECTOR_KERNEL(relu_grad_channel_sum_vector) = {
    TG_VECTOR_HEAD, .reject = tg_reject_not_f32, .scratch = channel_sum_scratch, .tasks = channel_sum_tasks,
    .run = relu_grad_channel_sum_run, .in_place = true,
};
