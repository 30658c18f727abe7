/* op_table.h - every operator with its rows, and every rule with chains built from those rows. */
#ifndef TG_OP_TABLE_H
#define TG_OP_TABLE_H
#include "op_harness.h"

typedef struct {
    const tg_op *op;
    const op_sample *samples;
} op_row;
extern const op_row op_table[];
extern const int op_table_count;

/* A rule and a row of its fused operator, which provides the inputs of the whole chain. */
typedef struct {
    const tg_rule *rule;
    const op_sample *sample;
} chain_case;

enum { MOST_CHAINS = 256 };
int rules_of_all(const tg_rule *list[MOST_CHAINS]); /* lists every rule once; returns how many */
const op_sample *rows_of(const tg_op *op);
int chain_length(const tg_rule *rule);
/* Creates the inputs of all links; those that the fused operator lacks are computed by forward calls. */
void chain_inputs(tg_scope *root, const chain_case *c, tg_tensor *in[TG_MAX_IN]);
/* Records link j, which reads `before`, out[0] of the previous link; returns its out[0]. */
tg_tensor *chain_link(tg_scope *s, const chain_case *c, int j, tg_tensor *before, tg_tensor *const in[TG_MAX_IN]);
/* Whether the rule applies to this row: run as a chain, with nothing else wanted, it becomes one call. */
bool chain_fires(const chain_case *c);
#endif
