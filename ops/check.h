/* check.h - checks and shape rules shared by several operators. */
#ifndef TG_OPS_CHECK_H
#define TG_OPS_CHECK_H
#include "attr.h"

/* An axis, counted from the end if negative. x may belong to a failed scope, or be NULL: infer reports it. */
int tg_resolve_axis(const tg_tensor *x, int axis);
bool tg_want_axis(tg_scope *s, const tg_call *c, int axis); /* 0 <= axis < rank of input 0 */
bool tg_want_float(tg_scope *s, const tg_call *c, int k);   /* f32 or bf16 */
bool tg_want_same_dtype(tg_scope *s, const tg_call *c, int a, int b);

tg_tensor *tg_as_f32(tg_scope *s, tg_tensor *x); /* x, or its cast to f32 if it is bf16; NULL stays NULL */
/* x in the dtype of w, cast if they differ. Either may belong to a failed scope, or be NULL: infer reports it. */
tg_tensor *tg_as(tg_scope *s, tg_tensor *x, const tg_tensor *w);

void tg_infer_map(tg_scope *s, tg_call *c);  /* one float input; y has its shape and dtype */
void tg_infer_zip(tg_scope *s, tg_call *c);  /* two of one shape and dtype, which y has too */
void tg_infer_pair(tg_scope *s, tg_call *c); /* two of one dtype that broadcast */
#endif
