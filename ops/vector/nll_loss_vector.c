/* nll_loss_vector.c - negative log likelihood, cross entropy, and their gradients. The formulas are in
 * ref/nll_loss_ref.c.
 *
 * A task processes some rows. Losses: in phase 0 each task sums its rows; phase 1 adds the tasks' sums in order, in
 * double. */
#include "attr.h"
#include "softmax_row.h"
#include "vector.h"
#include "ints.h"
#include <string.h>

typedef struct {
    const tg_tensor *target;
    const float *weight;
    const tg_nll_attr *attr;
    const tg_task *task;
} nll_classes;
typedef struct {
    double loss, total;
} nll_sums;

static int64_t nll_rows(const tg_call *c) { return tg_count(c->in[1]); }

static int64_t task_rows(const tg_call *c)
{
    const int64_t n = ((const tg_nll_attr *)c->attr)->classes;
    return n < TG_VECTOR_BLOCK ? TG_VECTOR_BLOCK / n : 1;
}

static int64_t row_tasks(const tg_call *c) { return (nll_rows(c) + task_rows(c) - 1) / task_rows(c); }

/* The class of a row; -1 if the row does not count: ignored, or out of range, which is a fault. */
static int64_t class_of(const nll_classes *k, int64_t row)
{
    const void *const at = tg_ptr(k->target);
    const tg_dtype dtype = k->target->dtype;
    const int64_t class = dtype == TG_I64   ? ((const int64_t *)at)[row]
                          : dtype == TG_I32 ? ((const int32_t *)at)[row]
                                            : ((const uint8_t *)at)[row];
    if (class == k->attr->ignore_index) return -1;
    if (class >= 0 && class < k->attr->classes) return class;
    tg_fault_say(k->task->fault, k->task->index, "class %lld at row %lld, want 0 to %lld", (long long)class,
                 (long long)row, (long long)k->attr->classes - 1);
    return -1;
}

static double weight_of(const nll_classes *k, int64_t class) { return k->weight ? (double)k->weight[class] : 1; }

/* sum of weight x, or of the weights alone */
static double weighted_sum(const float *x, const float *weight, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += TG_SOFTMAX_PIECE) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = i; j < tg_piece_end(i, n); j++) sum += (x ? x[j] : 1) * (weight ? weight[j] : 1);
        total += (double)sum;
    }
    return total;
}

static double nll_loss_row(const nll_classes *k, const float *logp, int64_t class)
{
    const double e = (double)k->attr->label_smoothing, n = (double)k->attr->classes;
    const double loss = -(1 - e) * weight_of(k, class) * (double)logp[class];
    return e > 0 ? loss - e / n * weighted_sum(logp, k->weight, k->attr->classes) : loss;
}

/* The log probabilities of a row: an input, or computed from logits, in the output or in scratch. */
static const float *logp_row(const tg_call *c, const tg_task *t, int64_t row, int64_t n)
{
    const bool is_bf16 = tg_is_bf16(c->in[0]);
    const void *const x = tg_at(tg_ptr(c->in[0]), is_bf16, row * n);
    if (c->op != &tg_cross_entropy_op) return x;
    float *const logp = c->out[2] ? (float *)tg_ptr(c->out[2]) + row * n : t->scratch;
    if (is_bf16) tg_log_softmax_row(x, true, n, logp, false);
    else tg_log_softmax_row(x, false, n, logp, false);
    return logp;
}

static void nll_loss_sum_rows(const tg_call *c, const tg_task *t)
{
    const nll_classes k = { c->in[1], tg_ptr(c->in[2]), c->attr, t };
    float *const each = k.attr->reduction == TG_NONE ? tg_ptr(c->out[0]) : NULL;
    nll_sums total = { 0, 0 };
    for (int64_t row = t->index * task_rows(c); row < imin((t->index + 1) * task_rows(c), nll_rows(c)); row++) {
        const float *const logp = logp_row(c, t, row, k.attr->classes);
        const int64_t class = class_of(&k, row);
        const double loss = class < 0 ? 0 : nll_loss_row(&k, logp, class);
        total.loss += loss;
        total.total += class < 0 ? 0 : weight_of(&k, class);
        if (each) each[row] = (float)loss;
    }
    ((nll_sums *)t->shared)[t->index] = total;
}

static void nll_loss_sum_tasks(const tg_call *c, const nll_sums *part)
{
    const tg_reduction reduction = ((const tg_nll_attr *)c->attr)->reduction;
    nll_sums all = { 0, 0 };
    for (int64_t i = 0; i < row_tasks(c); i++) {
        all.loss += part[i].loss;
        all.total += part[i].total;
    }
    if (reduction != TG_NONE)
        *(float *)tg_ptr(c->out[0]) = (float)(reduction == TG_MEAN ? all.loss / all.total : all.loss);
    *(float *)tg_ptr(c->out[1]) = (float)all.total;
}

static void nll_loss_run(const tg_call *c, const tg_task *t)
{
    if (t->phase == 0) nll_loss_sum_rows(c, t);
    else nll_loss_sum_tasks(c, t->shared);
}

static int64_t nll_loss_tasks(const tg_call *c, int phase) { return phase == 0 ? row_tasks(c) : phase == 1 ? 1 : 0; }

static tg_scratch nll_loss_scratch(const tg_call *c)
{
    const bool logits = c->op == &tg_cross_entropy_op && !c->out[2];
    return (tg_scratch){ .shared = (size_t)row_tasks(c) * sizeof(nll_sums),
                         .worker = logits ? (size_t)((const tg_nll_attr *)c->attr)->classes * sizeof(float) : 0 };
}

/* ---- gradients ---- */

static void glogp_row(const nll_classes *k, int64_t class, float scale, float *g)
{
    const int64_t n = k->attr->classes;
    const float e = k->attr->label_smoothing, each = -scale * e / (float)n;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) g[j] = each * (k->weight ? k->weight[j] : 1);
    g[class] -= scale * (1 - e) * (float)weight_of(k, class);
}

/* gx of one row; g: f32 scratch for it, or gx itself. */
static void gx_row(const nll_classes *k, const float *logp, int64_t class, float scale, bool is_bf16, float *g,
                   void *gx)
{
    const int64_t n = k->attr->classes;
    if (class < 0) {
        memset(gx, 0, (size_t)n * (is_bf16 ? sizeof(uint16_t) : sizeof(float)));
        return;
    }
    glogp_row(k, class, scale, g);
    if (logp && is_bf16) tg_log_softmax_grad_row(g, logp, false, n, gx, true);
    else if (logp) tg_log_softmax_grad_row(g, logp, false, n, gx, false);
}

static void nll_loss_grad_run(const tg_call *c, const tg_task *t)
{
    const nll_classes k = { c->in[1], tg_ptr(c->in[2]), c->attr, t };
    const int64_t n = k.attr->classes;
    const bool is_bf16 = tg_is_bf16(c->out[0]);
    const float *const gloss = tg_ptr(c->in[0]);
    const float divisor = k.attr->reduction == TG_MEAN ? *(const float *)tg_ptr(c->in[3]) : 1;
    const float *const logp = c->op == &tg_cross_entropy_grad_op ? tg_ptr(c->in[4]) : NULL;
    for (int64_t row = t->index * task_rows(c); row < imin((t->index + 1) * task_rows(c), nll_rows(c)); row++) {
        void *const gx = tg_at(tg_ptr(c->out[0]), is_bf16, row * n);
        const float scale = gloss[k.attr->reduction == TG_NONE ? row : 0] / divisor;
        gx_row(&k, logp ? logp + row * n : NULL, class_of(&k, row), scale, is_bf16, logp ? t->scratch : gx, gx);
    }
}

static int64_t nll_loss_grad_tasks(const tg_call *c, int phase) { return phase == 0 ? row_tasks(c) : 0; }

static tg_scratch cross_entropy_grad_scratch(const tg_call *c)
{
    return (tg_scratch){ .worker = (size_t)((const tg_nll_attr *)c->attr)->classes * sizeof(float) };
}

#define LOSS TG_VECTOR_HEAD, .tasks = nll_loss_tasks, .scratch = nll_loss_scratch, .run = nll_loss_run
TG_VECTOR_KERNEL(nll_loss_vector) = { LOSS };
TG_VECTOR_KERNEL(cross_entropy_vector) = { LOSS };
TG_VECTOR_KERNEL(nll_loss_grad_vector) = { TG_VECTOR_HEAD, .tasks = nll_loss_grad_tasks, .run = nll_loss_grad_run };
TG_VECTOR_KERNEL(cross_entropy_grad_vector) = {
    TG_VECTOR_HEAD,   .tasks = nll_loss_grad_tasks, .scratch = cross_entropy_grad_scratch, .run = nll_loss_grad_run,
    .in_place = true,
};
