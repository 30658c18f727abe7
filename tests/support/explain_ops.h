/* explain_ops.h - small operators for test_explain.c: a rule, a write, kernels that work in pieces or on packed
 * weights. */
#ifndef TG_EXPLAIN_OPS_H
#define TG_EXPLAIN_OPS_H
#include "op.h"

enum { N = 8 }; /* elements of all tensors */

/* tail(head(x, a), b) becomes head_tail if x has rank 1; a and b may be NULL. */
tg_tensor *head(tg_scope *s, tg_tensor *x, tg_tensor *a);
tg_tensor *tail(tg_scope *s, tg_tensor *x, tg_tensor *b);
void poke(tg_scope *s, tg_tensor *leaf);                    /* writes it */
tg_tensor *cheap(tg_scope *s, tg_tensor *x);                /* may be computed again */
tg_tensor *maker(tg_scope *s, tg_tensor *x);                /* makes four elements per task */
tg_tensor *taker(tg_scope *s, tg_tensor *x);                /* takes four */
tg_tensor *packer(tg_scope *s, tg_tensor *x, tg_tensor *w); /* reads w packed */
#endif
