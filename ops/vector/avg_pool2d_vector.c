/* avg_pool2d_vector.c - the mean of windows, adaptive or not, and its derivative: all channels of a pixel at a time.
 *
 * Pixels are summed four at a time.  Backward gathers: a pixel of x sums shares of the windows it is in, so tasks write
 * different lines. */
#include "vector.h"
#include "pool2d_windows.h"

#define INLINE static inline __attribute__((always_inline))
enum { MOST = 4 };

typedef struct { int n; const float *at[MOST]; float share[MOST]; } terms;

/* y (+)= sum of share x; begun: y has values. */
INLINE void add(int n, bool begun, const terms *t, int64_t channels, float *y)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float sum = 0;
#pragma GCC unroll 4
        for (int k = 0; k < n; k++) sum += t->share[k] * t->at[k][c];
        y[c] = begun ? y[c] + sum : sum;
    }
}

static void add_some(bool begun, const terms *t, int64_t channels, float *y)
{
    switch (t->n) {
    case 0: if (!begun) add(0, false, t, channels, y); break;
    case 1: begun ? add(1, true, t, channels, y) : add(1, false, t, channels, y); break;
    case 2: begun ? add(2, true, t, channels, y) : add(2, false, t, channels, y); break;
    case 3: begun ? add(3, true, t, channels, y) : add(3, false, t, channels, y); break;
    default: begun ? add(4, true, t, channels, y) : add(4, false, t, channels, y); break;
    }
}

typedef struct { tg_windows at[2]; int64_t channels; bool whole; } pool;     /* whole: padding counts */

static pool avg_of(const tg_call *c)
{
    const tg_pool2d_attr *a = c->attr;
    return (pool){ { tg_pool_windows(a, 0), tg_pool_windows(a, 1) }, c->in[0]->dim[3], !a->exclude_pad };
}

static pool adaptive_of(const tg_call *c)
{
    return (pool){ { tg_adaptive_windows(c->attr, 0), tg_adaptive_windows(c->attr, 1) }, c->in[0]->dim[3], false };
}

static int64_t length(const pool *p, int axis, int64_t o)
{
    return p->whole ? p->at[axis].kernel : tg_window_end(&p->at[axis], o) - tg_window_start(&p->at[axis], o);
}

static float share(const pool *p, int64_t line, int64_t column)
{
    return 1 / ((float)length(p, 0, line) * (float)length(p, 1, column));
}

/* A list of terms is emptied into y when it is full. */
static void put(terms *t, bool *begun, const float *at, float part, int64_t channels, float *y)
{
    if (t->n == MOST) {
        add_some(*begun, t, channels, y);
        *begun = true;
        t->n = 0;
    }
    t->at[t->n] = at;
    t->share[t->n++] = part;
}

static void forward_window(const pool *p, const float *image, int64_t line, int64_t column, float *y)
{
    const int64_t h1 = tg_window_end(&p->at[0], line), w1 = tg_window_end(&p->at[1], column);
    const int64_t w0 = tg_window_start(&p->at[1], column);
    const float   part = share(p, line, column);
    bool          begun = false;
    terms         t = { 0 };
    for (int64_t h = tg_window_start(&p->at[0], line); h < h1; h++)
        for (int64_t w = w0; w < w1; w++)
            put(&t, &begun, image + (h * p->at[1].size + w) * p->channels, part, p->channels, y);
    add_some(begun, &t, p->channels, y);
}

static void forward_line(const tg_call *c, const pool *p, int64_t line)
{
    const float *image = tg_ptr(c->in[0]);
    float       *y = (float *)tg_ptr(c->out[0]) + line * p->at[1].out * p->channels;
    image += line / p->at[0].out * p->at[0].size * p->at[1].size * p->channels;
    for (int64_t column = 0; column < p->at[1].out; column++)
        forward_window(p, image, line % p->at[0].out, column, y + column * p->channels);
}

static void backward_pixel(const pool *p, const tg_holders at[2], const float *gy, float *gx)
{
    bool  begun = false;
    terms t = { 0 };
    for (int64_t i = at[0].first; i <= at[0].last; i++)
        for (int64_t j = at[1].first; j <= at[1].last; j++)
            put(&t, &begun, gy + (i * p->at[1].out + j) * p->channels, share(p, i, j), p->channels, gx);
    add_some(begun, &t, p->channels, gx);
}

static void backward_line(const tg_call *c, const pool *p, int64_t line)
{
    const float *gy = tg_ptr(c->in[0]);
    float       *gx = (float *)tg_ptr(c->out[0]) + line * p->at[1].size * p->channels;
    tg_holders   at[2] = { tg_holders_begin(&p->at[0]), tg_holders_begin(&p->at[1]) };
    gy += line / p->at[0].size * p->at[0].out * p->at[1].out * p->channels;
    tg_holders_move(&p->at[0], &at[0], line % p->at[0].size);
    for (int64_t column = 0; column < p->at[1].size; column++) {
        tg_holders_move(&p->at[1], &at[1], column);
        backward_pixel(p, at, gy, gx + column * p->channels);
    }
}

static void run_lines(const tg_call *c, const tg_task *t, pool p, void (*line)(const tg_call *, const pool *, int64_t))
{
    const int64_t step = tg_pool_lines(c), lines = c->out[0]->dim[0] * c->out[0]->dim[1];
    for (int64_t i = t->index * step; i < lines && i < (t->index + 1) * step; i++) line(c, &p, i);
}

static void avg_run(const tg_call *c, const tg_task *t)           { run_lines(c, t, avg_of(c), forward_line); }
static void avg_grad_run(const tg_call *c, const tg_task *t)      { run_lines(c, t, avg_of(c), backward_line); }
static void adaptive_run(const tg_call *c, const tg_task *t)      { run_lines(c, t, adaptive_of(c), forward_line); }
static void adaptive_grad_run(const tg_call *c, const tg_task *t) { run_lines(c, t, adaptive_of(c), backward_line); }

TG_VECTOR_KERNEL(avg_pool2d_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                        .run = avg_run };
TG_VECTOR_KERNEL(avg_pool2d_grad_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                             .run = avg_grad_run };
TG_VECTOR_KERNEL(adaptive_avg_pool2d_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                                 .run = adaptive_run };
TG_VECTOR_KERNEL(adaptive_avg_pool2d_grad_vector) = { TG_VECTOR_HEAD, .reject = tg_pool_reject, .tasks = tg_pool_tasks,
                                                      .run = adaptive_grad_run };
