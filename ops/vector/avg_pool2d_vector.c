/* avg_pool2d_vector.c - average pooling, adaptive or not, and its derivative: all channels of a pixel at a time.
 *
 * Pixels are summed four at a time. Backward gathers: each pixel of x sums its shares of the windows that contain it,
 * so tasks write disjoint lines. */
#include "bf16.h"
#include "pool2d_windows.h"

enum { MOST = 4 };

typedef struct {
    int n;
    const void *at[MOST];
    float share[MOST];
} pool_terms;
typedef struct {
    tg_windows at[2];
    int64_t channels;
    bool whole; /* padding counts towards the mean */
    bool is_bf16;
    float *sum; /* f32 accumulator for bf16 results, which are rounded at the end */
} avg_pool;

/* y = sum of share x, plus the sum so far. */
TG_INLINE void add_window_terms(int n, const float *begun, const pool_terms *t, int64_t channels, bool from, bool to,
                                void *y)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float sum = 0;
#pragma GCC unroll 4
        for (int k = 0; k < n; k++) sum += t->share[k] * tg_load(t->at[k], from, c);
        tg_store(y, to, c, begun ? begun[c] + sum : sum);
    }
}

TG_INLINE void add_pool_terms(const float *begun, const pool_terms *t, int64_t channels, bool from, bool to, void *y)
{
    switch (t->n) {
    case 0: add_window_terms(0, begun, t, channels, from, to, y); break;
    case 1: add_window_terms(1, begun, t, channels, from, to, y); break;
    case 2: add_window_terms(2, begun, t, channels, from, to, y); break;
    case 3: add_window_terms(3, begun, t, channels, from, to, y); break;
    default: add_window_terms(4, begun, t, channels, from, to, y); break;
    }
}

TG_INLINE void add_any_dtype(bool begun, const float *sum, const pool_terms *t, int64_t channels, bool from, bool to,
                             void *y)
{
    if (begun) add_pool_terms(sum, t, channels, from, to, y);
    else add_pool_terms(NULL, t, channels, from, to, y);
}

/* last: y is complete. */
static void flush_terms(const avg_pool *p, bool begun, bool last, const pool_terms *t, void *y)
{
    if (!p->is_bf16) add_any_dtype(begun, y, t, p->channels, false, false, y);
    else if (last) add_any_dtype(begun, p->sum, t, p->channels, true, true, y);
    else add_any_dtype(begun, p->sum, t, p->channels, true, false, p->sum);
}

static avg_pool avg_of(const tg_call *c, const tg_task *t)
{
    const tg_pool2d_attr *a = c->attr;
    return (avg_pool){ { tg_pool_windows(a, 0), tg_pool_windows(a, 1) },
                       c->in[0]->dim[3],
                       !a->exclude_pad,
                       tg_is_bf16(c->in[0]),
                       t->scratch };
}

static avg_pool adaptive_of(const tg_call *c, const tg_task *t)
{
    return (avg_pool){ { tg_adaptive_windows(c->attr, 0), tg_adaptive_windows(c->attr, 1) },
                       c->in[0]->dim[3],
                       false,
                       tg_is_bf16(c->in[0]),
                       t->scratch };
}

static int64_t window_length(const avg_pool *p, int axis, int64_t o)
{
    return p->whole ? p->at[axis].kernel : tg_window_end(&p->at[axis], o) - tg_window_start(&p->at[axis], o);
}

static float window_share(const avg_pool *p, int64_t line, int64_t column)
{
    return 1 / ((float)window_length(p, 0, line) * (float)window_length(p, 1, column));
}

/* A full list of terms is flushed. */
static void put_term(const avg_pool *p, pool_terms *t, bool *begun, const void *at, float part, void *y)
{
    if (t->n == MOST) {
        flush_terms(p, *begun, false, t, y);
        *begun = true;
        t->n = 0;
    }
    t->at[t->n] = at;
    t->share[t->n++] = part;
}

static void avg_pool2d_window(const avg_pool *p, const void *image, int64_t line, int64_t column, void *y)
{
    const int64_t h1 = tg_window_end(&p->at[0], line), w1 = tg_window_end(&p->at[1], column);
    const int64_t w0 = tg_window_start(&p->at[1], column);
    const float part = window_share(p, line, column);
    bool begun = false;
    pool_terms t = { 0 };
    for (int64_t h = tg_window_start(&p->at[0], line); h < h1; h++)
        for (int64_t w = w0; w < w1; w++)
            put_term(p, &t, &begun, tg_at(image, p->is_bf16, (h * p->at[1].size + w) * p->channels), part, y);
    flush_terms(p, begun, true, &t, y);
}

static void avg_pool2d_line(const tg_call *c, const avg_pool *p, int64_t line)
{
    const int64_t image = line / p->at[0].out * p->at[0].size * p->at[1].size * p->channels;
    const void *x = tg_at(tg_ptr(c->in[0]), p->is_bf16, image);
    void *y = tg_at(tg_ptr(c->out[0]), p->is_bf16, line * p->at[1].out * p->channels);
    for (int64_t column = 0; column < p->at[1].out; column++)
        avg_pool2d_window(p, x, line % p->at[0].out, column, tg_at(y, p->is_bf16, column * p->channels));
}

static void avg_pool2d_grad_pixel(const avg_pool *p, const tg_holders at[2], const void *gy, void *gx)
{
    bool begun = false;
    pool_terms t = { 0 };
    for (int64_t i = at[0].first; i <= at[0].last; i++)
        for (int64_t j = at[1].first; j <= at[1].last; j++)
            put_term(p, &t, &begun, tg_at(gy, p->is_bf16, (i * p->at[1].out + j) * p->channels), window_share(p, i, j),
                     gx);
    flush_terms(p, begun, true, &t, gx);
}

static void avg_pool2d_grad_line(const tg_call *c, const avg_pool *p, int64_t line)
{
    const int64_t image = line / p->at[0].size * p->at[0].out * p->at[1].out * p->channels;
    const void *gy = tg_at(tg_ptr(c->in[0]), p->is_bf16, image);
    void *gx = tg_at(tg_ptr(c->out[0]), p->is_bf16, line * p->at[1].size * p->channels);
    tg_holders at[2] = { tg_holders_begin(&p->at[0]), tg_holders_begin(&p->at[1]) };
    tg_holders_move(&p->at[0], &at[0], line % p->at[0].size);
    for (int64_t column = 0; column < p->at[1].size; column++) {
        tg_holders_move(&p->at[1], &at[1], column);
        avg_pool2d_grad_pixel(p, at, gy, tg_at(gx, p->is_bf16, column * p->channels));
    }
}

static void avg_pool2d_lines(const tg_call *c, const tg_task *t, avg_pool p,
                             void (*line)(const tg_call *, const avg_pool *, int64_t))
{
    const int64_t step = tg_pool_lines(c), lines = c->out[0]->dim[0] * c->out[0]->dim[1];
    for (int64_t i = t->index * step; i < lines && i < (t->index + 1) * step; i++) line(c, &p, i);
}

static void avg_pool2d_run(const tg_call *c, const tg_task *t)
{
    avg_pool2d_lines(c, t, avg_of(c, t), avg_pool2d_line);
}
static void avg_pool2d_grad_run(const tg_call *c, const tg_task *t)
{
    avg_pool2d_lines(c, t, avg_of(c, t), avg_pool2d_grad_line);
}
static void adaptive_avg_pool2d_run(const tg_call *c, const tg_task *t)
{
    avg_pool2d_lines(c, t, adaptive_of(c, t), avg_pool2d_line);
}
static void adaptive_avg_pool2d_grad_run(const tg_call *c, const tg_task *t)
{
    avg_pool2d_lines(c, t, adaptive_of(c, t), avg_pool2d_grad_line);
}

static tg_scratch avg_pool2d_scratch(const tg_call *c)
{
    return (tg_scratch){ .worker = tg_is_bf16(c->in[0]) ? sizeof(float) * (size_t)c->in[0]->dim[3] : 0 };
}

#define POOL TG_VECTOR_HEAD, .tasks = tg_pool_tasks, .scratch = avg_pool2d_scratch
TG_VECTOR_KERNEL(avg_pool2d_vector) = { POOL, .run = avg_pool2d_run };
TG_VECTOR_KERNEL(avg_pool2d_grad_vector) = { POOL, .run = avg_pool2d_grad_run };
TG_VECTOR_KERNEL(adaptive_avg_pool2d_vector) = { POOL, .run = adaptive_avg_pool2d_run };
TG_VECTOR_KERNEL(adaptive_avg_pool2d_grad_vector) = { POOL, .run = adaptive_avg_pool2d_grad_run };
