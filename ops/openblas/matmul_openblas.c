/* matmul_openblas.c - matmul, linear and linear's gradients with OpenBLAS.
 *
 * Results are split into blocks by shape, one per task. In a parallel region OpenBLAS uses one thread, so the bits do
 * not depend on the number of threads, and bias and relu are applied to a block that is still in the cache. */
#include "openblas_load.h"
#include "openmp.h"
#include "products.h"
#include "ints.h"

enum { MOST_TASKS = 32, LEAST_SIDE = 64 };
static const double TASK_WORK = 1 << 22; /* multiply-adds that justify a task */

typedef struct {
    int64_t rows, columns, down, across;
} task_cut;

/* Halves the longer side of the blocks until there are enough of them; `others` is the number of products. */
static task_cut cut_of(const tg_product *p, int64_t others)
{
    const double work = (double)p->m * (double)p->n * (double)p->k / TASK_WORK;
    const double wanted = (work < MOST_TASKS ? work : MOST_TASKS) / (double)others;
    task_cut c = { p->m, p->n, 1, 1 };
    while ((double)(c.down * c.across) < wanted && (c.rows >= 2 * LEAST_SIDE || c.columns >= 2 * LEAST_SIDE)) {
        int64_t *const side = c.rows > c.columns ? &c.rows : &c.columns;
        *side = ((*side + 1) / 2 + 15) / 16 * 16;
        c.down = (p->m + c.rows - 1) / c.rows;
        c.across = (p->n + c.columns - 1) / c.columns;
    }
    return c;
}

static void finish_block(const tg_product *p, int64_t m0, int64_t n0, int64_t rows, int64_t columns)
{
    for (int64_t i = m0; i < m0 + rows; i++) {
        float *const y = (float *)p->y + i * p->n + n0;
        const float *const bias = p->bias ? p->bias + n0 : NULL;
        for (int64_t j = 0; bias && j < columns; j++) y[j] += bias[j];
        for (int64_t j = 0; p->relu && j < columns; j++) y[j] = y[j] < 0 ? 0 : y[j];
    }
}

typedef struct {
    const tg_product *p;
    int64_t m0, n0, rows, columns;
} sgemm_block;

static void sgemm_threaded(void *context)
{
    const sgemm_block b = *(const sgemm_block *)context;
    const tg_product *const p = b.p;
    const bool ta = p->a_column != 1, tb = p->b_column != 1;
    const int lda = ta ? (int)p->a_column : imax(p->a_row, p->k); /* a side of 1 may have any stride */
    const int ldb = tb ? (int)p->b_column : imax(p->b_row, b.columns);
    tg_openblas.sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)b.rows,
                      (int)b.columns, (int)p->k, 1, (const float *)p->a + b.m0 * p->a_row, lda,
                      (const float *)p->b + b.n0 * p->b_column, ldb, 0, (float *)p->y + b.m0 * p->n + b.n0, (int)p->n);
}

static void matmul_block(const tg_product *p, int64_t others, int64_t index)
{
    const task_cut c = cut_of(p, others);
    const int64_t m0 = index / c.across * c.rows, n0 = index % c.across * c.columns;
    sgemm_block b = { p, m0, n0, imin(c.rows, p->m - m0), imin(c.columns, p->n - n0) };
    tg_with_openmp(1, sgemm_threaded, &b);
    finish_block(p, m0, n0, b.rows, b.columns);
}

static int64_t matmul_blocks(const tg_product *p, int64_t others)
{
    const task_cut c = cut_of(p, others);
    return c.down * c.across;
}

static const char *reject_sizes(const tg_call *c, tg_product p)
{
    const int64_t sizes[] = { p.m, p.n, p.k, p.a_row, p.a_column, p.b_row, p.b_column };
    for (int i = 0; i < 7; i++)
        if (sizes[i] > INT32_MAX) return "a side of 2^31 or more";
    const char *const reason = tg_product_reject(c);
    return reason ? reason : tg_openblas_refusal();
}

/* ---- matmul ---- */

static const char *matmul_openblas_reject(const tg_call *c) { return reject_sizes(c, tg_stack_of(c).first); }

static int64_t matmul_openblas_tasks(const tg_call *c, int phase)
{
    const tg_stack s = tg_stack_of(c);
    return phase == 0 ? s.matrices * matmul_blocks(&s.first, s.matrices) : 0;
}

static void matmul_openblas_run(const tg_call *c, const tg_task *t)
{
    const tg_stack s = tg_stack_of(c);
    const int64_t cells = matmul_blocks(&s.first, s.matrices);
    const tg_product p = tg_stack_product(&s, t->index / cells);
    matmul_block(&p, s.matrices, t->index % cells);
}

extern const tg_kernel matmul_openblas;
const tg_kernel matmul_openblas = {
    .name = "openblas",
    .backend = "openblas",
    .reject = matmul_openblas_reject,
    .tasks = matmul_openblas_tasks,
    .run = matmul_openblas_run,
};

/* ---- linear ---- */

#define LINEAR(symbol, product_of) \
    static const char *symbol##_reject(const tg_call *c) { return reject_sizes(c, product_of(c)); } \
    static int64_t symbol##_tasks(const tg_call *c, int phase) \
    { \
        const tg_product p = product_of(c); \
        return phase == 0 ? matmul_blocks(&p, 1) : 0; \
    } \
    static void symbol##_run(const tg_call *c, const tg_task *t) \
    { \
        const tg_product p = product_of(c); \
        matmul_block(&p, 1, t->index); \
    } \
    extern const tg_kernel symbol; \
    const tg_kernel symbol = { \
        .name = "openblas", \
        .backend = "openblas", \
        .reject = symbol##_reject, \
        .tasks = symbol##_tasks, \
        .run = symbol##_run, \
    }
LINEAR(linear_openblas, tg_linear_product);
LINEAR(linear_relu_openblas, tg_linear_product);
LINEAR(linear_grad_x_openblas, tg_linear_grad_x_product);
LINEAR(linear_grad_w_openblas, tg_linear_grad_w_product);
