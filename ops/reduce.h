/* reduce.h - shared by sum, mean and max. */
#ifndef TG_OPS_REDUCE_H
#define TG_OPS_REDUCE_H
#include "attr.h"

/* The axes that the caller gave, checked and counted from the front; `name` is the operator's, for messages. */
tg_reduce_attr tg_resolve_axes(tg_scope *s, const char *name, const tg_tensor *x, tg_axes axes);
void tg_infer_reduce(tg_scope *s, tg_call *c); /* out[0] is in[0] without its axes, or with 1 there */
#endif
