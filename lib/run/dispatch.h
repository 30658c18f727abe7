/* dispatch.h - kernel selection: a call runs on the first of its operator's kernels that does not reject it. */
#ifndef TG_DISPATCH_H
#define TG_DISPATCH_H
#include "op.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The kernel for c.  NULL if all reject it, which an operator's last kernel, ref, never does, or if a kernel that comes
 * before the first willing one belongs to a backend that the user named but that cannot be used; tg_fail_to_choose says
 * which. */
const tg_kernel *tg_choose(const tg_call *c);
void tg_fail_to_choose(tg_scope *s, const tg_call *c);
/* Reports that a backend's library cannot be used for the rest of the process; `why` must live as long.  If the user
 * named the backend, calls that would try its kernels fail from now on; otherwise other kernels run them. */
void tg_backend_is_missing(const char *name, const char *why);
/* Why this kernel cannot run c: TG_BACKEND, the instruction set, or its own reason.  NULL: it can. */
const char *tg_kernel_refusal(const tg_kernel *kernel, const tg_call *c);
/* The backends that may be used, a list as in TG_BACKEND ("ref,vector,openblas,onednn,brgemm"); NULL: all.  ref always
 * may. */
bool tg_set_backends(const char *list); /* false: unknown name, nothing changed */
const char *tg_backends(void);

/* For tests: calls of op run on this kernel unless it rejects them.  NULL, NULL: as usual again. */
void tg_force_kernel(const tg_op *op, const tg_kernel *kernel);

#ifdef __cplusplus
}
#endif
#endif
