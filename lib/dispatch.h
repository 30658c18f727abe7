/* dispatch.h - which kernel runs a call: the first of its operator's that does not reject it. */
#ifndef TG_DISPATCH_H
#define TG_DISPATCH_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The kernel for c, or NULL if all reject (which an operator's last kernel, ref, does not). */
const tg_kernel *tg_choose(const tg_call *c);
/* Why this kernel cannot run c: not among TG_BACKEND, the ISA, or its own reason.  NULL: it can. */
const char *tg_kernel_refusal(const tg_kernel *kernel, const tg_call *c);
/* What may be used, a comma list as in TG_BACKEND ("ref,vector,openblas,onednn"); NULL: everything.  ref always may. */
bool tg_set_backends(const char *list);               /* false: a name is unknown, nothing changed */
const char *tg_backends(void);

/* For tests: calls of op run on this kernel if it does not reject them.  NULL, NULL: no more forcing. */
void tg_force_kernel(const tg_op *op, const tg_kernel *kernel);

#ifdef __cplusplus
}
#endif
#endif
