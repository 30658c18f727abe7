/* linear_transposed.c - see linear_transposed.h. */
#include "linear_transposed.h"
#include "nest_block.h"

enum {
    LEAST_ROWS = 16, MOST_ROWS = 512,   /* of x: with few, packed weights are better; many are another shape */
    OUTPUTS = 64,                       /* of a task: its sums stay in the cache */
};

/* A task takes all panels of x, so that it reads its weights from memory once. */
static void choose_tasks(tg_nest *n)
{
    tg_nest_cut_outputs(n, 1, OUTPUTS);
    n->panels = n->p.count;
    n->blocks[3] = 1;
    n->shared = n->stream = false;
}

bool tg_linear_transposed_plan(tg_linear_transposed *l, const tg_call *c, const tg_microkernel *mk)
{
    const tg_tensor *x = c->in[0], *w = c->in[1];
    *l = (tg_linear_transposed){ .bias = c->in[2], .y = c->out[0], .relu = c->op == &tg_linear_relu_op,
                                 .rows = tg_count(x) / x->dim[x->rank - 1], .outputs = w->dim[0] };
    if (!mk->tiles || x->rank != 2 || l->rows < LEAST_ROWS || l->rows > MOST_ROWS) return false;
    if (l->rows > l->outputs) return false;
    l->n = tg_rows_nest(mk, w, x, c->out[0], l->outputs, false);
    tg_nest_plan(&l->n);
    choose_tasks(&l->n);
    return true;
}

static size_t sums_bytes(const tg_linear_transposed *l) { return tg_aligned(OUTPUTS * l->rows * (int64_t)sizeof(float)); }

tg_scratch tg_linear_transposed_scratch(const tg_linear_transposed *l)
{
    return (tg_scratch){ .worker = sums_bytes(l) + tg_nest_scratch(&l->n).worker };
}

void tg_linear_transposed_run(const tg_linear_transposed *l, const tg_task *t)
{
    const int64_t n0 = t->index * l->n.columns, n1 = tg_least(l->outputs, n0 + l->n.columns);
    tg_nest       n = l->n;
    tg_task       of_nest = *t;
    of_nest.scratch = (char *)t->scratch + sums_bytes(l);
    n.sums = t->scratch;
    n.first_sum = n0 * l->rows;
    tg_nest_run(&n, &of_nest);
    tg_finish_transposed(l, t->scratch, n0, n1);
}
