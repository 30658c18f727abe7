/* reduce_vector.c - sums over axes: sum, mean, sum_to, channel_sum, and relu_grad with channel_sum.
 *
 * x is viewed as [outer, length, inner], and summed over the middle. It is split by shape into pieces of `rows` rows
 * and `width` columns: phase 0 sums each piece; if a length has several, phase 1 adds their sums in order. If results
 * are bf16, phase 1 rounds them. */
#include "attr.h"
#include "axes.h"
#include "elementwise.h"
#include "line_sum.h"
#include <string.h>

enum { MIN_ROWS = 64, MAX_ROWS = 1024, WIDTH = 1024, LINE = 32768, CHUNK = 32, FEW = 16 /* rows summed in f32 */ };

typedef struct {
    int64_t outer, length, inner;
    int64_t rows, width;     /* of a piece */
    int64_t pieces, columns; /* of a length; of inner */
    int64_t group;           /* outer indices per task */
    double scale;
    bool narrow; /* results are bf16 */
} reduce_cut;

static int64_t parts(int64_t n, int64_t size) { return (n + size - 1) / size; }

static reduce_cut reduce_cut_of(int64_t outer, int64_t length, int64_t inner)
{
    reduce_cut k = { .outer = outer, .length = length, .inner = inner, .scale = 1 };
    k.width = inner < WIDTH ? inner : WIDTH;
    k.rows = TG_VECTOR_BLOCK / k.width;
    k.rows = inner == 1 ? LINE : k.rows < MIN_ROWS ? MIN_ROWS : k.rows > MAX_ROWS ? MAX_ROWS : k.rows;
    k.pieces = parts(length, k.rows);
    k.columns = parts(inner, k.width);
    k.group = k.pieces == 1 && k.columns == 1 ? parts(TG_VECTOR_BLOCK, length * inner) : 1;
    return k;
}

/* False: other axes, larger than 1, are between those that are summed. */
static bool cut_axes(const tg_call *c, reduce_cut *k)
{
    const tg_tensor *x = c->in[0];
    const uint32_t axes = tg_axes_of(c);
    int64_t extent[3] = { 1, 1, 1 }; /* outer, length, inner */
    int at = 0;
    for (int i = 0; i < x->rank; i++) {
        const bool summed = axes & TG_BIT(i);
        if (x->dim[i] == 1) continue;
        if (summed && at == 2) return false;
        at = summed ? 1 : at ? 2 : 0;
        extent[at] *= x->dim[i];
    }
    *k = reduce_cut_of(extent[0], extent[1], extent[2]);
    k->narrow = tg_is_bf16(c->out[0]);
    return true;
}

static reduce_cut cut_rows(const tg_tensor *x)
{
    const int64_t channels = x->dim[x->rank - 1];
    return reduce_cut_of(1, tg_count(x) / channels, channels);
}

/* ---- one piece ---- */

/* Whether a piece's sums are results. */
static bool is_direct(const reduce_cut *k) { return k->pieces == 1 && !k->narrow; }

/* Eight rows at a time in f32, and their sums in double: few loads and stores of sums, small rounding errors. */
TG_INLINE void reduce_add_rows(double *restrict sum, const void *x, bool is_bf16, int64_t rows, int64_t stride,
                               int64_t width)
{
    int64_t r = 0;
    memset(sum, 0, sizeof *sum * (size_t)width);
    for (; r + 8 <= rows; r += 8) {
        const void *a = tg_at(x, is_bf16, r * stride), *b = tg_at(a, is_bf16, stride), *c = tg_at(b, is_bf16, stride);
        const void *d = tg_at(c, is_bf16, stride), *e = tg_at(d, is_bf16, stride), *f = tg_at(e, is_bf16, stride);
        const void *g = tg_at(f, is_bf16, stride), *h = tg_at(g, is_bf16, stride);
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            sum[j] += (double)(((tg_load(a, is_bf16, j) + tg_load(b, is_bf16, j)) +
                                (tg_load(c, is_bf16, j) + tg_load(d, is_bf16, j))) +
                               ((tg_load(e, is_bf16, j) + tg_load(f, is_bf16, j)) +
                                (tg_load(g, is_bf16, j) + tg_load(h, is_bf16, j))));
    }
    for (; r < rows; r++) {
        const void *a = tg_at(x, is_bf16, r * stride);
#pragma omp simd
        for (int64_t j = 0; j < width; j++) sum[j] += (double)tg_load(a, is_bf16, j);
    }
}

/* Not inlined: within an outer loop GCC 12 keeps reduction vectors in memory. */
static __attribute__((noinline)) double add_line_f32(const void *x, int64_t n) { return tg_line_sum(x, false, n); }
static __attribute__((noinline)) double add_line_bf16(const void *x, int64_t n) { return tg_line_sum(x, true, n); }

/* Sums of `count` lines, which are results, or f32 sums to be rounded. */
TG_INLINE void reduce_add_lines(const void *x, bool is_bf16, int64_t n, int64_t count, double scale, float *to)
{
    for (int64_t i = 0; i < count; i += TG_LINES) {
        const int64_t some = count - i < TG_LINES ? count - i : TG_LINES;
        double sum[TG_LINES];
        tg_lines_sum(tg_at(x, is_bf16, i * n), is_bf16, n, some, sum);
        for (int k = 0; k < some; k++) to[i + k] = (float)(sum[k] * scale);
    }
}

/* Piece `piece` of outer index o, columns from block `column`, into `to`. */
TG_INLINE void reduce_add_piece(const reduce_cut *k, const void *x, bool is_bf16, int64_t o, int64_t piece,
                                int64_t column, float *to)
{
    double sum[WIDTH];
    const int64_t row = piece * k->rows, left = k->length - row, rows = left < k->rows ? left : k->rows;
    const int64_t from = column * k->width, rest = k->inner - from, width = rest < k->width ? rest : k->width;
    const void *first = tg_at(x, is_bf16, (o * k->length + row) * k->inner + from);
    const double scale = is_direct(k) ? k->scale : 1;
    if (k->inner == 1) sum[0] = is_bf16 ? add_line_bf16(first, rows) : add_line_f32(first, rows);
    else reduce_add_rows(sum, first, is_bf16, rows, k->inner, width);
    for (int64_t j = 0; j < width; j++) to[from + j] = (float)(sum[j] * scale);
}

/* ---- phases ---- */

static int64_t reduce_phase_tasks(const reduce_cut *k, int phase)
{
    if (phase == 0) return parts(k->outer, k->group) * k->pieces * k->columns;
    if (phase > 1 || is_direct(k)) return 0;
    return k->pieces == 1 ? tg_blocks(k->outer * k->inner) : k->outer * parts(k->inner, CHUNK);
}

static size_t partial_bytes(const reduce_cut *k)
{
    return is_direct(k) ? 0 : sizeof(float) * (size_t)(k->outer * k->pieces * k->inner);
}

TG_INLINE void reduce_first_phase(const reduce_cut *k, const void *x, bool is_bf16, float *y, float *partial,
                                  int64_t task)
{
    const int64_t column = task % k->columns, piece = task / k->columns % k->pieces;
    const int64_t begin = task / k->columns / k->pieces * k->group;
    const int64_t end = begin + k->group < k->outer ? begin + k->group : k->outer;
    if (k->inner == 1 && k->length < TG_SUM_LONG) {
        reduce_add_lines(tg_at(x, is_bf16, begin * k->length), is_bf16, k->length, end - begin,
                         is_direct(k) ? k->scale : 1, (is_direct(k) ? y : partial) + begin);
        return;
    }
    for (int64_t o = begin; o < end; o++) {
        float *sum = is_direct(k) ? y + o * k->inner : partial + (o * k->pieces + piece) * k->inner;
        reduce_add_piece(k, x, is_bf16, o, piece, column, sum);
    }
}

/* The sums of one piece, in order, become results. */
static void round_sums(const reduce_cut *k, void *y, const float *sum, int64_t task)
{
    const int64_t end = tg_block_end(task, k->outer * k->inner);
#pragma omp simd
    for (int64_t i = task * TG_VECTOR_BLOCK; i < end; i++) tg_store(y, true, i, (float)((double)sum[i] * k->scale));
}

static void reduce_second_phase(const reduce_cut *k, void *y, const float *partial, int64_t task)
{
    const int64_t chunks = parts(k->inner, CHUNK), o = task / chunks, from = task % chunks * CHUNK;
    const int64_t n = k->inner - from < CHUNK ? k->inner - from : CHUNK, at = o * k->inner + from;
    double sum[CHUNK] = { 0 };
    if (k->pieces == 1) {
        round_sums(k, y, partial, task);
        return;
    }
    for (int64_t piece = 0; piece < k->pieces; piece++)
        for (int64_t j = 0; j < n; j++) sum[j] += (double)partial[(o * k->pieces + piece) * k->inner + from + j];
    for (int64_t j = 0; j < n; j++) {
        const float total = (float)(sum[j] * k->scale);
        if (k->narrow) tg_store(y, true, at + j, total);
        else tg_store(y, false, at + j, total);
    }
}

static void reduce_run(const tg_call *c, const tg_task *task, const reduce_cut *k)
{
    const void *x = tg_ptr(c->in[0]);
    if (task->phase == 0 && tg_is_bf16(c->in[0]))
        reduce_first_phase(k, x, true, tg_ptr(c->out[0]), task->shared, task->index);
    else if (task->phase == 0) reduce_first_phase(k, x, false, tg_ptr(c->out[0]), task->shared, task->index);
    else reduce_second_phase(k, tg_ptr(c->out[0]), task->shared, task->index);
}

/* ---- sum, mean, sum_to ---- */

static const char *sum_reject(const tg_call *c)
{
    reduce_cut k;
    if (!cut_axes(c, &k)) return "needs axes side by side";
    return tg_reject_not_float(c);
}

static int64_t sum_tasks(const tg_call *c, int phase)
{
    reduce_cut k;
    return cut_axes(c, &k) ? reduce_phase_tasks(&k, phase) : 0;
}

static tg_scratch sum_scratch(const tg_call *c)
{
    reduce_cut k;
    return (tg_scratch){ .shared = cut_axes(c, &k) ? partial_bytes(&k) : 0 };
}

static void sum_run(const tg_call *c, const tg_task *task)
{
    reduce_cut k;
    if (cut_axes(c, &k)) reduce_run(c, task, &k);
}

static void mean_run(const tg_call *c, const tg_task *task)
{
    reduce_cut k;
    if (!cut_axes(c, &k)) return;
    k.scale = 1 / (double)k.length;
    reduce_run(c, task, &k);
}

TG_VECTOR_KERNEL(sum_vector) = {
    TG_VECTOR_HEAD, .reject = sum_reject, .scratch = sum_scratch, .tasks = sum_tasks, .run = sum_run,
};
TG_VECTOR_KERNEL(mean_vector) = {
    TG_VECTOR_HEAD, .reject = sum_reject, .scratch = sum_scratch, .tasks = sum_tasks, .run = mean_run,
};
TG_VECTOR_KERNEL(sum_to_vector) = {
    TG_VECTOR_HEAD, .reject = sum_reject, .scratch = sum_scratch, .tasks = sum_tasks, .run = sum_run,
};

/* ---- channel_sum ---- */

static int64_t channel_sum_tasks(const tg_call *c, int phase)
{
    const reduce_cut k = cut_rows(c->in[0]);
    return reduce_phase_tasks(&k, phase);
}

static tg_scratch channel_sum_scratch(const tg_call *c)
{
    const reduce_cut k = cut_rows(c->in[0]);
    return (tg_scratch){ .shared = partial_bytes(&k) };
}

static void channel_sum_run(const tg_call *c, const tg_task *task)
{
    const reduce_cut k = cut_rows(c->in[0]);
    reduce_run(c, task, &k);
}

TG_VECTOR_KERNEL(channel_sum_vector) = {
    TG_VECTOR_HEAD,         .reject = tg_reject_not_float, .scratch = channel_sum_scratch, .tasks = channel_sum_tasks,
    .run = channel_sum_run,
};

/* ---- relu_grad_channel_sum: masks and adds a row in one pass ---- */

TG_INLINE void mask_row(float *sum, void *g, const void *gy, const void *y, bool is_bf16, int64_t n)
{
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        const float masked = tg_relu_grad(gy, y, is_bf16, j);
        tg_store_exact(g, is_bf16, j, masked);
        sum[j] += masked;
    }
}

TG_INLINE void mask_piece(const tg_call *c, const tg_task *task, const reduce_cut *k, bool is_bf16)
{
    const void *gy = tg_ptr(c->in[0]), *y = tg_ptr(c->in[1]);
    const int64_t piece = task->index / k->columns, from = task->index % k->columns * k->width;
    const int64_t end = (piece + 1) * k->rows < k->length ? (piece + 1) * k->rows : k->length;
    const int64_t n = k->inner - from < k->width ? k->inner - from : k->width;
    float *sum = from + (k->pieces > 1 ? (float *)task->shared + piece * k->inner : (float *)tg_ptr(c->out[1]));
    double total[WIDTH] = { 0 };
    for (int64_t r = piece * k->rows; r < end;) {
        memset(sum, 0, sizeof *sum * (size_t)n);
        for (const int64_t some = r + FEW < end ? r + FEW : end; r < some; r++) {
            const int64_t at = r * k->inner + from;
            mask_row(sum, tg_at(tg_ptr(c->out[0]), is_bf16, at), tg_at(gy, is_bf16, at), tg_at(y, is_bf16, at), is_bf16,
                     n);
        }
        for (int64_t j = 0; j < n; j++) total[j] += (double)sum[j];
    }
    for (int64_t j = 0; j < n; j++) sum[j] = (float)total[j];
}

static void relu_grad_channel_sum_run(const tg_call *c, const tg_task *task)
{
    const reduce_cut k = cut_rows(c->in[0]);
    if (task->phase == 1) reduce_second_phase(&k, tg_ptr(c->out[1]), task->shared, task->index);
    else if (tg_is_bf16(c->in[0])) mask_piece(c, task, &k, true);
    else mask_piece(c, task, &k, false);
}

TG_VECTOR_KERNEL(relu_grad_channel_sum_vector) = {
    TG_VECTOR_HEAD,
    .reject = tg_reject_not_float,
    .scratch = channel_sum_scratch,
    .tasks = channel_sum_tasks,
    .run = relu_grad_channel_sum_run,
    .in_place = true,
};
