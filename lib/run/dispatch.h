/* dispatch.h - which kernel runs a call: the first of its operator's that does not reject it. */
#ifndef TG_DISPATCH_H
#define TG_DISPATCH_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The kernel for c.  NULL if all reject it (which an operator's last kernel, ref, does not), or if the first that does
 * not comes behind one of a backend that was named, but is missing; tg_fail_to_choose says which. */
const tg_kernel *tg_choose(const tg_call *c);
void tg_fail_to_choose(tg_scope *s, const tg_call *c);
/* The library of a backend cannot be used, for good; why, as long as the process lives.  If the user named it, calls
 * that its kernels would be asked for fail from now on; by default other kernels run them. */
void tg_backend_is_missing(const char *name, const char *why);
/* Why this kernel cannot run c: not among TG_BACKEND, the ISA, or its own reason.  NULL: it can. */
const char *tg_kernel_refusal(const tg_kernel *kernel, const tg_call *c);
/* What may be used, a comma list as in TG_BACKEND ("ref,vector,openblas,onednn"); NULL: everything.  ref always may. */
bool tg_set_backends(const char *list); /* false: a name is unknown, nothing changed */
const char *tg_backends(void);

/* For tests: calls of op run on this kernel if it does not reject them.  NULL, NULL: no more forcing. */
void tg_force_kernel(const tg_op *op, const tg_kernel *kernel);

#ifdef __cplusplus
}
#endif
#endif
