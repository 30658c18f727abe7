/* op_table.c - the table of operators and rules.  See op_table.h. */
#include "op_table.h"
#include "attr.h"
#include <tilegrad/frame.h>
#include "run.h"
#include <string.h>

#define TG_OP(x) \
    extern const tg_op tg_##x##_op; \
    extern op_sample samples_##x[];
#include "ops.def"
#include "optim.def"
#undef TG_OP

const op_row op_table[] = {
#define TG_OP(x) { &tg_##x##_op, samples_##x },
#include "ops.def"
#include "optim.def"
#undef TG_OP
};
const int op_table_count = sizeof op_table / sizeof *op_table;

const op_sample *rows_of(const tg_op *op)
{
    static const op_sample none = { .name = NULL };
    for (int i = 0; i < op_table_count; i++)
        if (op_table[i].op == op) return op_table[i].samples;
    return &none;
}

/* ---- chains ---- */

int rules_of_all(const tg_rule *list[MOST_CHAINS])
{
    int n = 0;
    for (int i = 0; i < op_table_count; i++)
        for (const tg_rule *const *r = op_table[i].op->rules; r && *r && n < MOST_CHAINS; r++) list[n++] = *r;
    return n;
}

int chain_length(const tg_rule *rule)
{
    int n = 0;
    while (rule->chain[n]) n++;
    return n;
}

/* gy, x, gamma, mean, rstd, beta become gy, y, x, gamma, mean, rstd, beta with y = relu(batch_norm2d(x)). */
static void normalise(tg_scope *root, const chain_case *c, tg_tensor *in[TG_MAX_IN])
{
    memmove(in + 2, in + 1, 5 * sizeof *in);
    tg_tensor *const y =
        tg_apply(root, &tg_batch_norm2d_op, (tg_tensor *const[]){ in[2], in[3], in[6] }, c->sample->attr);
    in[1] = tg_relu(root, y);
    in[4] = tg_output(y, 1);
    in[5] = tg_output(y, 2);
    tg_data(in[1]);
}

/* gy, index, y become gy, index, y, x with y, index = max_pool2d(x). */
static void pool(tg_scope *root, const chain_case *c, tg_tensor *in[TG_MAX_IN])
{
    const tg_pool2d_attr *a = c->sample->attr;
    tg_tensor *const x = tg_randn(root, 0, 1, 4, TG_DIM(in[0]->dim[0], a->image[0], a->image[1], in[0]->dim[3]));
    in[3] = tg_cast(root, x, in[0]->dtype);
    in[2] = tg_apply(root, &tg_max_pool2d_op, in + 3, a);
    in[1] = tg_output(in[2], 1);
    tg_data(in[2]);
}

void chain_inputs(tg_scope *root, const chain_case *c, tg_tensor *in[TG_MAX_IN])
{
    make_inputs(root, c->rule->fused, c->sample, in);
    if (c->rule->fused == &tg_max_pool2d_relu_grad_op) pool(root, c, in);
    if (c->rule->fused == &tg_batch_norm2d_relu_grad_op) normalise(root, c, in);
}

/* The attributes that the rule requires of a link whose own the fused call does not keep. */
static const void *other_attr(const chain_case *c, const tg_op *op, tg_tensor *const in[])
{
    static tg_softmax_attr last_axis;
    static const char zeros[512];
    if (op != &tg_log_softmax_op && op != &tg_log_softmax_grad_op) return zeros;
    const tg_nll_attr *nll = c->sample->attr;
    last_axis = (tg_softmax_attr){ in[0]->rank - 1, op == &tg_log_softmax_op ? TG_F32 : nll->dtype };
    return &last_axis;
}

tg_tensor *chain_link(tg_scope *s, const chain_case *c, int j, tg_tensor *before, tg_tensor *const in[TG_MAX_IN])
{
    const tg_op *op = c->rule->chain[j];
    tg_tensor *own[TG_MAX_IN] = { NULL };
    int from = 0;
    for (int i = 0; i < j; i++) from += c->rule->chain[i]->n_in - (i > 0);
    for (int k = 0; k < op->n_in; k++) own[k] = j > 0 && k == 0 ? before : in[from + k - (j > 0)];
    return tg_apply(s, op, own, j == c->rule->attr_of ? c->sample->attr : other_attr(c, op, own));
}

static uint64_t calls_of(const chain_case *c, bool fuse)
{
    tg_scope *root = tg_open(), *s = tg_push(root);
    tg_tensor *in[TG_MAX_IN], *y = NULL;
    tg_tree_options(root)->fuse = fuse;
    chain_inputs(root, c, in);
    const uint64_t before = tg_statistics(root).calls;
    tg_enter(s, "chain");
    for (int j = 0; c->rule->chain[j]; j++) y = chain_link(s, c, j, y, in);
    tg_data(tg_leave(s, y));
    uint64_t calls = tg_ok(root) && tg_ok(s) ? tg_statistics(root).calls - before : 0;
    tg_close(root);
    return calls;
}

bool chain_fires(const chain_case *c) { return calls_of(c, true) == 1 && calls_of(c, false) > 1; }
