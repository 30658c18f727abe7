/* nll_loss_ref.c - the definitions of negative log likelihood, cross entropy, and their gradients.
 *
 * With w the class weights (1 if absent), e the label smoothing and n classes, the loss of row i of class t is
 *     l_i = -(1 - e) w_t logp_t - e / n sum_j w_j logp_j
 * and the mean divides the sum of l by the sum of w_t, over the rows whose class is not ignored. */
#include "attr.h"
#include <math.h>

typedef struct {
    const tg_tensor *target, *weight;
    const tg_nll_attr *attr;
    const tg_task *task;
} classes;

/* The class of a row; -1 if the row does not count: ignored, or out of range, which is a fault. */
static int64_t class_of(const classes *k, int64_t row)
{
    const int64_t class = (int64_t)tg_get(k->target, row);
    if (class == k->attr->ignore_index) return -1;
    if (class >= 0 && class < k->attr->classes) return class;
    tg_fault_say(k->task->fault, k->task->index, "class %lld at row %lld, want 0 to %lld", (long long)class,
                 (long long)row, (long long)k->attr->classes - 1);
    return -1;
}

static double weight_of(const classes *k, int64_t class) { return k->weight ? tg_get(k->weight, class) : 1; }

/* The factor of logp_j in the loss of a row of this class. */
static double factor(const classes *k, int64_t class, int64_t j)
{
    const double e = (double)k->attr->label_smoothing;
    return -((j == class ? 1 - e : 0) + e / (double)k->attr->classes) * weight_of(k, j);
}

static double nll_loss_row(const classes *k, const tg_tensor *x, int64_t row, int64_t class, double shift)
{
    double loss = 0;
    for (int64_t j = 0; j < k->attr->classes; j++)
        if (k->attr->label_smoothing > 0 || j == class)
            loss += factor(k, class, j) * (tg_get(x, row * k->attr->classes + j) - shift);
    return loss;
}

/* ln sum e^x of a row */
static double log_sum(const tg_tensor *x, int64_t row, int64_t n)
{
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) most = fmax(most, tg_get(x, row * n + j));
    for (int64_t j = 0; j < n; j++) sum += exp(tg_get(x, row * n + j) - most);
    return most + log(sum);
}

static void nll_loss_ref_run(const tg_call *c, const tg_task *t)
{
    const classes k = { c->in[1], c->in[2], c->attr, t };
    const bool logits = c->op == &tg_cross_entropy_op;
    const int64_t n = k.attr->classes;
    double loss = 0, total = 0;
    for (int64_t row = 0; row < tg_count(k.target); row++) {
        const double shift = logits ? log_sum(c->in[0], row, n) : 0;
        for (int64_t j = 0; logits && c->out[2] && j < n; j++)
            tg_set(c->out[2], row * n + j, tg_get(c->in[0], row * n + j) - shift);
        const int64_t class = class_of(&k, row);
        const double l = class < 0 ? 0 : nll_loss_row(&k, c->in[0], row, class, shift);
        loss += l;
        total += class < 0 ? 0 : weight_of(&k, class);
        if (k.attr->reduction == TG_NONE) tg_set(c->out[0], row, l);
    }
    if (k.attr->reduction != TG_NONE) tg_set(c->out[0], 0, k.attr->reduction == TG_MEAN ? loss / total : loss);
    tg_set(c->out[1], 0, total);
}

/* glogp_j = gloss factor_j;  gx_j = glogp_j - e^logp_j sum glogp */
static void nll_loss_grad_row(const tg_call *c, const classes *k, int64_t row, double scale, int64_t class)
{
    const tg_tensor *const logp = c->op == &tg_cross_entropy_grad_op ? c->in[4] : NULL;
    const int64_t n = k->attr->classes;
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += class < 0 ? 0 : scale * factor(k, class, j);
    for (int64_t j = 0; j < n; j++) {
        const double g = class < 0 ? 0 : scale * factor(k, class, j);
        tg_set(c->out[0], row * n + j, logp && class >= 0 ? g - exp(tg_get(logp, row * n + j)) * sum : g);
    }
}

static void nll_loss_grad_ref_run(const tg_call *c, const tg_task *t)
{
    const classes k = { c->in[1], c->in[2], c->attr, t };
    for (int64_t row = 0; row < tg_count(k.target); row++) {
        const double gloss = tg_get(c->in[0], k.attr->reduction == TG_NONE ? row : 0);
        nll_loss_grad_row(c, &k, row, k.attr->reduction == TG_MEAN ? gloss / tg_get(c->in[3], 0) : gloss,
                          class_of(&k, row));
    }
}

extern const tg_kernel nll_loss_ref, nll_loss_grad_ref, cross_entropy_ref, cross_entropy_grad_ref;
const tg_kernel nll_loss_ref = { .name = "ref", .backend = "ref", .run = nll_loss_ref_run };
const tg_kernel nll_loss_grad_ref = { .name = "ref", .backend = "ref", .run = nll_loss_grad_ref_run };
const tg_kernel cross_entropy_ref = { .name = "ref", .backend = "ref", .run = nll_loss_ref_run };
const tg_kernel cross_entropy_grad_ref = { .name = "ref", .backend = "ref", .run = nll_loss_grad_ref_run };
